package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"segue/broker"
	"segue/daemon"
	"segue/participant"
	"segue/saga"
	"segue/saga/engine"
	"segue/services/fetcher/fetch"
	"segue/services/parser/parse"
	"segue/services/saver/save"
	"segue/services/validator/validate"
)

// system is what a command works on: a bus and, if the broker behind it is in
// this process, that broker and whatever runs on it.
type system struct {
	*daemon.Bus
	server *broker.Server // nil: the broker is elsewhere
	group  *errgroup.Group
	stop   context.CancelFunc
	ready  []daemon.Check // that what runs is ready
	// watchers serve what people look at, until all else has drained.
	watchers errgroup.Group
	traces   trace.TracerProvider // nil: nobody wants any
	// database is where the saver saves, as it may be shown.
	database string
}

func (s *system) local() bool { return s.server != nil }

// Close stops what runs, waits for it and lets go of the data directory.
func (s *system) Close() {
	if s.stop != nil {
		s.stop()
		_ = s.group.Wait() // failure has told
	}
	s.Bus.Close()
	if s.server != nil {
		s.server.Shutdown()
	}
}

// Ready says whether the broker answers and what runs on it is ready.
func (s *system) Ready(ctx context.Context) error {
	for _, check := range append([]daemon.Check{s.Bus.Ready}, s.ready...) {
		if err := check(ctx); err != nil {
			return err
		}
	}
	return nil
}

// readiness is Ready until ctx is done: from then on all that runs is draining.
func (s *system) readiness(ctx context.Context) daemon.Check {
	return func(asking context.Context) error {
		if ctx.Err() != nil {
			return daemon.ErrDraining
		}
		return s.Ready(asking)
	}
}

// failure returns what made the engine or a service stop before it was told to.
func (s *system) failure() error {
	if s.stop == nil {
		return nil
	}
	s.stop()
	return s.group.Wait()
}

// urlFile holds the URL of the broker that `segue up` runs on a data directory.
const urlFile = "server.url"

// attach connects to the broker: the one that was named, else the one that runs
// on the data directory, else one of its own in this process.
func attach(ctx context.Context, g *globals) (*system, error) {
	if g.Server == "" {
		sys, err := embed(ctx, g, "", nil)
		if !errors.Is(err, broker.ErrInUse) {
			return sys, err
		}
		if g.Server, err = runningURL(g, err); err != nil {
			return nil, err
		}
	}
	bus, err := daemon.Connect(ctx, g.Connection, g.Logger(os.Stderr, slog.LevelWarn), daemon.BusOptions{Name: "segue"})
	if err != nil {
		return nil, err
	}
	return &system{Bus: bus}, nil
}

// runningURL returns the URL of the broker that runs on the data directory, if
// that is why none could be started there.
func runningURL(g *globals, failed error) (string, error) {
	if !errors.Is(failed, broker.ErrInUse) {
		return "", failed
	}
	url, err := os.ReadFile(filepath.Join(g.DataDir, urlFile))
	if err != nil {
		return "", failed
	}
	return strings.TrimSpace(string(url)), nil
}

// lockWait is how long segue up waits for a data directory that is in use: a
// command such as segue ls holds it for a moment.
const lockWait = 5 * time.Second

// embed starts a broker in this process, for others too if it is to listen, with
// queues for the services of the given sagas.
func embed(ctx context.Context, g *globals, listen string, definitions []*saga.Definition) (*system, error) {
	log := g.Logger(os.Stderr, slog.LevelWarn)
	wait := time.Duration(0)
	if listen != "" {
		wait = lockWait
	}
	server, err := broker.Start(broker.Config{Dir: filepath.Join(g.DataDir, "nats"), Listen: listen, Wait: wait, Log: log})
	if err != nil {
		return nil, err
	}
	bus, err := daemon.Embedded(ctx, server, log, saga.Services(definitions...), g.Lease)
	if err != nil {
		server.Shutdown()
		return nil, err
	}
	return &system{Bus: bus, server: server}, nil
}

// engineFlags are the flags of the orchestrator; the zero value means its defaults.
type engineFlags struct {
	MaxRunning int           `help:"How many runs may go on at a time; beyond it starts wait." env:"SEGUE_MAX_RUNNING" default:"1024" placeholder:"N"`
	KeepAge    time.Duration `help:"How long the messages of a run that has ended stay in the journal; what is kept in the history stays longer." env:"SEGUE_KEEP_AGE" default:"24h" placeholder:"DURATION"`
	KeepRuns   int           `help:"How many runs that have ended stay in the journal at most; none leaves within a minute for it." env:"SEGUE_KEEP_RUNS" default:"20000" placeholder:"N"`
}

// serviceFlags are the flags of the four services.
type serviceFlags struct {
	Database string `help:"Where records are saved: sqlite:PATH or postgres://… . Defaults to segue.db in the data directory." env:"SEGUE_DATABASE" placeholder:"URL"`
	fetch.Config
	Validate validate.Config `embed:""`
}

// work runs the engine and the four services until the system is closed. The
// context it returns ends with them, should they stop earlier. Metrics may be nil.
func (s *system) work(ctx context.Context, g *globals, limits engineFlags, f *serviceFlags, metrics prometheus.Registerer, definitions []*saga.Definition) (context.Context, error) {
	log := g.Logger(os.Stderr, slog.LevelError)
	if metrics != nil {
		log = g.Logger(os.Stderr, slog.LevelInfo)
		metrics.MustRegister(daemon.NewQueues(s.Bus, log))
	}
	if f.Database == "" {
		f.Database = "sqlite:" + relative(filepath.Join(g.DataDir, "segue.db"))
	}
	db, err := save.Open(ctx, f.Database)
	if err != nil {
		return nil, err
	}
	services, err := s.services(ctx, f, db, metrics)
	if err != nil {
		db.Close()
		return nil, err
	}
	eng, err := s.engine(log, metrics, limits, definitions)
	if err != nil {
		db.Close()
		return nil, err
	}
	config := participant.Config{Journal: s.Journal, Data: s.Data, Log: log, Traces: s.traces, Lease: g.Lease}
	if metrics != nil {
		config.Metrics = participant.NewMetrics(metrics)
	}
	s.ready = []daemon.Check{db.Ping, func(context.Context) error {
		if !eng.Ready() {
			return errors.New("orchestrator: still reading the journal")
		}
		return nil
	}}
	s.database = db.URL()
	ctx, s.stop = context.WithCancel(ctx)
	s.group, ctx = errgroup.WithContext(ctx)
	s.group.Go(func() error { return eng.Run(ctx) })
	s.group.Go(func() error {
		defer db.Close()
		return participant.Run(ctx, config, services...)
	})
	return ctx, nil
}

// engineID is the engine's name. There is one at a time on a data directory, and
// under one name it need not wait for those before it that were killed to be
// counted out.
const engineID = "segue"

func (s *system) engine(log *slog.Logger, metrics prometheus.Registerer, limits engineFlags, definitions []*saga.Definition) (*engine.Engine, error) {
	config := engine.Config{
		ID: engineID, Journal: s.Journal, Data: s.Data, Sagas: definitions, DeclareQueues: s.Journal.DeclareQueues, Log: log, Traces: s.traces,
		MaxRunning: limits.MaxRunning, KeepAge: limits.KeepAge, KeepRuns: limits.KeepRuns,
	}
	if metrics != nil {
		config.Metrics = engine.NewMetrics(metrics)
	}
	return engine.New(config)
}

func (s *system) services(ctx context.Context, f *serviceFlags, db *save.DB, metrics prometheus.Registerer) ([]participant.Service, error) {
	registered, err := s.Schemas(ctx)
	if err != nil {
		return nil, err
	}
	var problems []error
	keep := func(service participant.Service, err error) participant.Service {
		if err != nil {
			problems = append(problems, fmt.Errorf("service: %w", err))
		}
		return service
	}
	fetcher := f.Config
	version := daemon.Version()
	fetcher.Objects, fetcher.Metrics, fetcher.Version = s.Objects, metrics, version
	validator := f.Validate
	validator.Schemas, validator.Metrics, validator.Version = registered, metrics, version
	services := []participant.Service{
		keep(fetch.New(fetcher, s.Documents)),
		keep(validate.New(validator, s.Documents)),
		keep(parse.New(parse.Config{Schemas: registered, Metrics: metrics, Version: version}, s.Documents)),
		keep(save.New(save.Config{Metrics: metrics, Version: version}, db, s.Documents)),
		save.NewCatalog(db),
	}
	return services, errors.Join(problems...)
}

// relative shows a path as people would type it from where they are.
func relative(path string) string {
	wd, err := os.Getwd()
	if err != nil {
		return path
	}
	rel, err := filepath.Rel(wd, path)
	if err != nil || strings.HasPrefix(rel, "..") {
		return path
	}
	return rel
}
