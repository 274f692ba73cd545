package broker

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Version is that of the nats-server inside.
const Version = server.VERSION

const (
	// DefaultMaxStore is the default of Config.MaxStore.
	DefaultMaxStore = 64 << 30
	// DefaultMaxMemory is how much the server may reserve for streams in memory,
	// in bytes. Segue keeps none there but the state of readers.
	DefaultMaxMemory = 256 << 20
	// startTimeout is how long Start waits for the server. Reading back a journal
	// of 500,000 runs takes 8 s.
	startTimeout = 2 * time.Minute
)

// ErrInUse is returned by Start when another process has the directory open.
var ErrInUse = errors.New("data directory is in use")

// Config says how a server runs.
type Config struct {
	// Dir is the data directory. It is made if it is missing. Required.
	Dir string
	// Listen is the TCP address for other processes, "host:port" or ":port".
	// Without a host it is 127.0.0.1; port 0 takes a free one. Empty means no TCP.
	Listen string
	// Wait is how long to wait for another process to let go of the directory.
	// Defaults to 0: not at all.
	Wait time.Duration
	// MaxStore limits the sum of the sizes that streams reserve, in bytes. It is
	// an account to be kept, not a measurement of the disk: each stream has its own
	// limit, and their sum should fit the disk. Defaults to 64 GiB.
	MaxStore int64
	// MinFree is how much of the disk stays free, in bytes: below it the server
	// refuses what is new, with error code 10002, until there is space again.
	// Negative is no such limit. Defaults to 64 MiB.
	MinFree int64
	// MaxPayload is the largest message, in bytes. Defaults to 1 MiB.
	MaxPayload int32
	// SyncLater has the server sync its files every two minutes, in place of before each
	// acknowledgement: what it acknowledged since is lost with the power. It is there to
	// measure what syncing costs.
	SyncLater bool
	// Log takes what the server has to say: its errors and warnings at those
	// levels, all else at debug. Defaults to no log.
	Log *slog.Logger
	// Customize changes the server's options after all else is set, for users and
	// permissions, say. Optional.
	Customize func(*server.Options)
}

func (c Config) withDefaults() Config {
	if c.MaxStore == 0 {
		c.MaxStore = DefaultMaxStore
	}
	if c.MinFree == 0 {
		c.MinFree = DefaultMinFree
	}
	if c.MaxPayload == 0 {
		c.MaxPayload = server.MAX_PAYLOAD_SIZE
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Server is a running server.
type Server struct {
	nats *server.Server
	opts *server.Options
	lock *os.File
	stop sync.Once

	stopping chan struct{} // closed when the guard is to end
	guarding sync.WaitGroup
}

// Start starts a server and returns when it is ready: within 100 ms, and longer
// only if there is much to read back. Its errors wrap [ErrInUse] or say what is
// wrong with the configuration.
func Start(cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	opts, err := cfg.options()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	lock, err := await(filepath.Join(cfg.Dir, "lock"), cfg.Wait)
	if err != nil {
		return nil, fmt.Errorf("open data directory %s: %w", cfg.Dir, err)
	}
	s := &Server{opts: opts, lock: lock, stopping: make(chan struct{})}
	if err := s.start(cfg.Log); err != nil {
		s.Shutdown()
		return nil, err
	}
	if cfg.MinFree > 0 {
		g := &guard{account: s.nats.GlobalAccount(), dir: cfg.Dir, minFree: cfg.MinFree, log: cfg.Log.With("component", "broker")}
		g.look() // before anybody can publish
		s.guarding.Go(func() { g.run(s.stopping) })
	}
	return s, nil
}

// lockPause lies between two looks at a lock file that is taken.
const lockPause = 50 * time.Millisecond

// await takes the lock file, and waits for as long if another process has it.
func await(path string, wait time.Duration) (*os.File, error) {
	for end := time.Now().Add(wait); ; time.Sleep(lockPause) {
		lock, err := acquire(path)
		if !errors.Is(err, ErrInUse) || !time.Now().Before(end) {
			return lock, err
		}
	}
}

func (c Config) options() (*server.Options, error) {
	if c.Dir == "" {
		return nil, errors.New("broker: Dir is required")
	}
	opts := &server.Options{
		ServerName:         "segue",
		JetStream:          true,
		StoreDir:           c.Dir, // the server adds "jetstream"
		JetStreamMaxStore:  c.MaxStore,
		JetStreamMaxMemory: DefaultMaxMemory,
		SyncAlways:         !c.SyncLater,
		MaxPayload:         c.MaxPayload,
		NoSigs:             true, // signals belong to the program
		DontListen:         c.Listen == "",
	}
	if c.Listen != "" {
		host, port, err := net.SplitHostPort(c.Listen)
		if err != nil {
			return nil, fmt.Errorf("read listen address: %w (want host:port, such as 127.0.0.1:4222)", err)
		}
		if opts.Port, err = strconv.Atoi(port); err != nil || opts.Port < 0 || opts.Port > 65535 {
			return nil, fmt.Errorf("read listen address %q: port %q is not a number from 0 to 65535", c.Listen, port)
		}
		if opts.Port == 0 {
			opts.Port = server.RANDOM_PORT
		}
		if opts.Host = host; host == "" {
			opts.Host = "127.0.0.1"
		}
	}
	if c.Customize != nil {
		c.Customize(opts)
	}
	return opts, nil
}

func (s *Server) start(log *slog.Logger) error {
	opts := s.opts
	if !opts.DontListen && opts.Port > 0 {
		// The server itself only logs that the address is taken, and ends.
		if err := checkFree(opts.Host, opts.Port); err != nil {
			return err
		}
	}
	ns, err := server.NewServer(opts)
	if err != nil {
		return fmt.Errorf("start broker: %w", err)
	}
	errs := newLogger(log)
	ns.SetLoggerV2(errs, false, false, false) // its debug lines are one per protocol message
	s.nats = ns
	ns.Start()
	if !ns.ReadyForConnections(startTimeout) || !ns.JetStreamEnabled() {
		return fmt.Errorf("start broker: not ready%s", errs.last())
	}
	return nil
}

func checkFree(host string, port int) error {
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return fmt.Errorf("start broker: %w (is another broker running? Choose another address, or connect to that one)", err)
	}
	return l.Close()
}

// Connect connects in process. The connection is the caller's to close.
func (s *Server) Connect(opts ...nats.Option) (*nats.Conn, error) {
	nc, err := nats.Connect("", append([]nats.Option{nats.InProcessServer(s.nats)}, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("connect to broker in process: %w", err)
	}
	return nc, nil
}

// InProcess is the option that makes [nats.Connect] connect to this server.
func (s *Server) InProcess() nats.Option { return nats.InProcessServer(s.nats) }

// URL returns the address for other processes, or "" if there is none.
func (s *Server) URL() string {
	addr, ok := s.nats.Addr().(*net.TCPAddr)
	if !ok {
		return ""
	}
	return "nats://" + addr.String()
}

// Shutdown stops the server and returns when everything is on disk and the
// directory is free. It may be called more than once.
func (s *Server) Shutdown() {
	s.stop.Do(func() {
		close(s.stopping)
		s.guarding.Wait()
		if s.nats != nil {
			s.nats.Shutdown()
			s.nats.WaitForShutdown()
		}
		release(s.lock)
	})
}
