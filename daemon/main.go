// Package daemon is the frame of every Segue program: flags, logging, the
// connection to the broker, the endpoints for operations, and a stop that loses
// nothing.
//
//	SIGINT, SIGTERM  => take nothing new, let running handlers end, exit 0
//	--http           => /healthz, /readyz, /metrics
//	--pprof          => /debug/pprof/
//	OTEL_...         => traces, see [Traces]
package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"segue/participant"
)

// flags are the flags of every program, with those of one program beside them.
type flags[C any] struct {
	Connection
	Logging
	HTTP        string           `name:"http" help:"Address for /healthz, /readyz and /metrics. Off if not given." env:"SEGUE_HTTP" placeholder:"HOST:PORT"`
	Profiles    string           `name:"pprof" help:"Address for the profiles of /debug/pprof/. Off if not given; it is for people you trust." env:"SEGUE_PPROF" placeholder:"HOST:PORT"`
	Concurrency int              `help:"How many commands are handled at a time." env:"SEGUE_CONCURRENCY" default:"8" placeholder:"N"`
	Healthcheck bool             `help:"Ask the program that runs here with this --http whether it is ready, and exit; status 0 is yes."`
	Version     kong.VersionFlag `help:"Write the version and exit."`
	Own         C                `embed:""`
}

// DefaultServer is the broker of a program to which none was named.
const DefaultServer = "nats://127.0.0.1:4222"

// brokerWait is how long a program waits at its start for the broker and the
// streams: services may be started before them.
const brokerWait = time.Minute

// Env is what a program works with.
type Env struct {
	*Bus
	Log     *slog.Logger
	Metrics prometheus.Registerer
	// Traces is nil unless the environment asks for them, see [Traces].
	Traces trace.TracerProvider

	concurrency int
	lease       time.Duration

	mu       sync.Mutex
	ready    []Check
	begun    bool
	stopping <-chan struct{} // closed when the program was told to stop
}

// ReadyWhen adds a condition of /readyz. Until it or Serve has been called the
// program is not ready: it may still be opening what it works with.
func (e *Env) ReadyWhen(check Check) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ready, e.begun = append(e.ready, check), true
}

// Serve runs services until ctx is done. The program is ready when their queues are
// there.
func (e *Env) Serve(ctx context.Context, services ...participant.Service) error {
	for _, s := range services {
		e.ReadyWhen(func(ctx context.Context) error { return e.Journal.Bound(ctx, s.Name()) })
	}
	return participant.Run(ctx, participant.Config{
		Journal: e.Journal, Data: e.Data, Log: e.Log,
		Metrics: participant.NewMetrics(e.Metrics), Traces: e.Traces, Concurrency: e.concurrency, Lease: e.lease,
	}, services...)
}

func (e *Env) check(ctx context.Context) error {
	e.mu.Lock()
	ready, begun := slices.Clone(e.ready), e.begun
	e.mu.Unlock()
	select {
	case <-e.stopping:
		return ErrDraining
	default:
	}
	if !begun {
		return errors.New("the program is starting")
	}
	for _, check := range ready {
		if err := check(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Program is what tells one program from another.
type Program[C any] struct {
	Name        string
	Description string
	// Bus says how the program uses the broker, given its flags.
	Bus func(config C) (BusOptions, error)
	// Work does the program's work until ctx is done.
	Work func(ctx context.Context, env *Env, config C) error
}

// Main is the main function of a program; C holds its own flags, as kong reads
// them. It does not return.
func Main[C any](p Program[C]) {
	var f flags[C]
	if parse(&f, p.Name, p.Description, os.Args[1:], os.Stderr) != nil {
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	if f.Healthcheck {
		if err := probe(ctx, f.HTTP); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	defer Ballast()()
	log := f.Logger(os.Stderr, slog.LevelInfo).With("program", p.Name)
	if err := p.run(ctx, f, log); err != nil {
		log.Error("program ends", "error", err)
		os.Exit(1)
	}
	stop()
	os.Exit(0)
}

// parse reads a command line into flags. Of a wrong one the usage is written to w.
func parse(flags any, name, description string, args []string, w io.Writer) error {
	parser, err := kong.New(flags, Parser(name, description)...)
	if err != nil {
		panic(err) // unreachable: the grammar is fixed
	}
	if _, err = parser.Parse(args); err != nil {
		Usage(w, err)
		fmt.Fprintf(w, "\n%s: %v\n", name, err)
	}
	return err
}

func (p Program[C]) run(ctx context.Context, f flags[C], log *slog.Logger) error {
	if f.Server == "" {
		f.Server = DefaultServer
	}
	if f.InboxPrefix == "" {
		f.InboxPrefix = "_INBOX_" + p.Name
	}
	var options BusOptions
	if p.Bus != nil {
		var err error
		if options, err = p.Bus(f.Own); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	options.Name = "segue-" + p.Name
	options.Wait = brokerWait
	options.Fatal = func(err error) { cancel(err) }
	bus, err := Connect(ctx, f.Connection, log, options)
	if err != nil {
		return err
	}
	defer bus.Close()
	if err := p.work(ctx, f, bus, log); err != nil {
		return err
	}
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// work does the program's work. What people look at stays until it is done: a
// program that drains says so.
func (p Program[C]) work(ctx context.Context, f flags[C], bus *Bus, log *slog.Logger) error {
	traces, flush, err := Traces(ctx, "segue-"+p.Name, log)
	if err != nil {
		return err
	}
	defer flush()
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	watched, done := context.WithCancel(context.WithoutCancel(ctx))
	group, ctx := errgroup.WithContext(ctx)
	env := &Env{
		Bus: bus, Log: log, Metrics: registry, Traces: traces, concurrency: f.Concurrency, lease: f.Lease,
		ready: []Check{bus.Ready}, stopping: ctx.Done(),
	}
	if f.HTTP != "" {
		group.Go(func() error { return ServeHTTP(watched, f.HTTP, log, registry, env.check) })
	}
	if f.Profiles != "" {
		group.Go(func() error { return ServeProfiles(watched, f.Profiles, log) })
	}
	group.Go(func() error {
		defer done()
		if err := p.Work(ctx, env, f.Own); err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
		return nil
	})
	return group.Wait()
}
