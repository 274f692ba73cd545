//go:build unix

package fleet

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Ingest are the members that the saga ingest needs.
var Ingest = []string{"orchestrator", "fetcher", "validator", "parser", "saver"}

// Config says what a fleet consists of.
type Config struct {
	Programs Programs
	// Dir is for logs and, unless other places are named, for data. It must exist.
	Dir string
	// Members are the processes beside the broker: the name of a program, with
	// "-<n>" behind it if there are several. Defaults to [Ingest].
	Members []string
	// Args are further arguments of a member or, by the name of its program, of all
	// such members.
	Args map[string][]string
	// Env is for all members.
	Env []string
	// Sagas are further definitions, files.
	Sagas []string
	// Store is where the broker keeps its data. Defaults to nats in Dir.
	Store string
	// Sync is the broker's sync_interval. Defaults to "always".
	Sync string
	// Server is the address of brokers that run elsewhere; then the fleet has none.
	Server string
	// Connect is the address at which members reach the broker, through a proxy say.
	// Defaults to the broker's own.
	Connect string
	// Database is where the saver saves. Defaults to segue.db in Dir.
	Database string
}

func (c Config) withDefaults() Config {
	if c.Members == nil {
		c.Members = Ingest
	}
	c.Store = cmp.Or(c.Store, filepath.Join(c.Dir, "nats"))
	c.Sync = cmp.Or(c.Sync, "always")
	c.Database = cmp.Or(c.Database, "sqlite:"+filepath.Join(c.Dir, "segue.db"))
	return c
}

// Fleet is a broker and the programs round it. Its methods may be called
// concurrently, but for those that start and stop one and the same member.
type Fleet struct {
	Config
	// URL is the broker's own address.
	URL string

	mu      sync.Mutex
	broker  *Process
	members map[string]*Process
	http    map[string]string // address of /readyz and /metrics, by member
	dead    map[string]bool   // killed on purpose and not started again
	exits   []string          // members that ended by themselves
	closed  bool
}

// New makes a fleet of which nothing runs yet.
func New(cfg Config) (*Fleet, error) {
	f := &Fleet{Config: cfg.withDefaults(), members: make(map[string]*Process), http: make(map[string]string), dead: make(map[string]bool)}
	if f.URL = cfg.Server; f.URL == "" {
		address, err := FreeAddress()
		if err != nil {
			return nil, err
		}
		f.URL = "nats://" + address
	}
	f.Connect = cmp.Or(f.Connect, f.URL)
	for _, member := range f.Members {
		address, err := FreeAddress()
		if err != nil {
			return nil, err
		}
		f.http[member] = address
	}
	return f, nil
}

// Start starts the broker and all members and waits until they are ready.
func Start(ctx context.Context, cfg Config) (*Fleet, error) {
	f, err := New(cfg)
	if err != nil {
		return nil, err
	}
	if err := f.StartBroker(); err != nil {
		return nil, err
	}
	for _, member := range f.Members {
		if err := f.Start(member); err != nil {
			f.Close()
			return nil, err
		}
	}
	if err := f.Ready(ctx, f.Members...); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// FreeAddress returns a loopback address on which nobody listens.
func FreeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// StartBroker starts the broker, if it is one of the fleet.
func (f *Fleet) StartBroker() error {
	if f.Server != "" {
		return nil
	}
	conf := filepath.Join(f.Dir, "nats.conf")
	text := fmt.Sprintf("listen: %q\njetstream {\n  store_dir: %q\n  sync_interval: %s\n}\n", strings.TrimPrefix(f.URL, "nats://"), f.Store, f.Sync)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return err
	}
	p, err := Job{Name: "nats-server", Path: f.Programs.Path("nats-server"), Args: []string{"-c", conf}, Dir: f.Dir, Log: filepath.Join(f.Dir, "nats-server.log")}.Start()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broker = p
	return err
}

// Broker is the broker's process.
func (f *Fleet) Broker() *Process {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.broker
}

// Program is the name of a member's program.
func Program(member string) string {
	name, _, _ := strings.Cut(member, "-")
	return name
}

// Start starts a member.
func (f *Fleet) Start(member string) error {
	program := Program(member)
	args := append(f.arguments(program), "--http", f.http[member])
	args = append(args, f.Args[program]...)
	if member != program {
		args = append(args, f.Args[member]...)
	}
	j := Job{Name: member, Path: f.Programs.Path(program), Args: args, Env: append([]string{keepAll}, f.Env...), Dir: f.Dir, Log: filepath.Join(f.Dir, member+".log")}
	if program != "segue" { // which is its own broker
		j.Env = append(j.Env, "NATS_URL="+f.Connect)
	}
	p, err := j.Start()
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.members[member] = p
	delete(f.dead, member)
	return nil
}

// keepAll has every run that ended stay in the journal, for the judge to read.
const keepAll = "SEGUE_KEEP_RUNS=10000000"

// arguments are those that a program needs in any fleet. The program segue is
// everything in one process, at the address Server.
func (f *Fleet) arguments(program string) []string {
	var args []string
	switch program {
	case "segue":
		args = []string{"up", "--listen", strings.TrimPrefix(f.Server, "nats://"), "--data-dir", f.Dir, "--database", f.Database, "--allow-net", "127.0.0.0/8"}
	case "fetcher":
		return []string{"--allow-net", "127.0.0.0/8"}
	case "saver":
		return []string{"--database", f.Database}
	}
	if program == "orchestrator" || program == "segue" {
		for _, file := range f.Sagas {
			args = append(args, "--saga", file)
		}
	}
	return args
}

// Member is the process of a member, the last one if it was started again.
func (f *Fleet) Member(member string) *Process {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.members[member]
}

// Kill kills a member, for which nobody starts it again.
func (f *Fleet) Kill(member string) {
	f.mu.Lock()
	f.dead[member] = true
	p := f.members[member]
	f.mu.Unlock()
	p.Kill()
}

// Stop asks a member to stop and waits until it has; nobody starts it again.
func (f *Fleet) Stop(member string) {
	f.mu.Lock()
	f.dead[member] = true
	p := f.members[member]
	f.mu.Unlock()
	p.Terminate()
	<-p.Done()
}

// Ready waits until members say that they are.
func (f *Fleet) Ready(ctx context.Context, members ...string) error {
	for _, member := range members {
		err := Within(ctx, readyLimit, func() error {
			if p := f.Member(member); !p.Running() {
				return fmt.Errorf("%s has ended: %s", member, p.State())
			}
			return f.ready(ctx, member)
		})
		if err != nil {
			return fmt.Errorf("wait for %s: %w", member, err)
		}
	}
	return nil
}

// readyLimit is how long a member may take to be ready.
const readyLimit = 60 * time.Second

func (f *Fleet) ready(ctx context.Context, member string) error {
	text, err := f.Get(ctx, member, "/readyz")
	if err != nil {
		return fmt.Errorf("%s is not ready: %w: %s", member, err, text)
	}
	return nil
}

// Get asks an operations endpoint of a member.
func (f *Fleet) Get(ctx context.Context, member, path string) (string, error) {
	return get(ctx, "http://"+f.http[member]+path)
}

// Processes are all that run or have run last, the broker first.
func (f *Fleet) Processes() []*Process {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []*Process
	if f.broker != nil {
		all = append(all, f.broker)
	}
	for _, member := range f.Members {
		if p := f.members[member]; p != nil {
			all = append(all, p)
		}
	}
	return all
}

// Close kills everything.
func (f *Fleet) Close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	for _, p := range f.Processes() {
		p.Kill()
	}
}
