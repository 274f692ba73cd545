package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"

	"segue/daemon"
	"segue/saga"
	"segue/sagas"
)

type upCommand struct {
	Listen string   `help:"Address on which the nats CLI and other programs reach the broker." default:"127.0.0.1:4222" placeholder:"HOST:PORT"`
	Sagas  []string `name:"saga" help:"Definition of a further saga; may be given more than once." env:"SEGUE_SAGAS" type:"existingfile" placeholder:"FILE"`
	HTTP   string   `name:"http" help:"Address for /healthz, /readyz and /metrics. Off if not given." env:"SEGUE_HTTP" placeholder:"HOST:PORT"`
	// Profiles are for people one trusts, as those of the other programs.
	Profiles string `name:"pprof" help:"Address for the profiles of /debug/pprof/. Off if not given; it is for people you trust." env:"SEGUE_PPROF" placeholder:"HOST:PORT"`

	engineFlags
	serviceFlags
}

// Help teaches the rest.
func (upCommand) Help() string {
	return `Runs until it is interrupted; then handlers in progress end first, at most 20 s.

Look in from another terminal:
  nats pub saga.start.ingest '{"url":"https://example.org/todos.json"}'
  nats sub --stream SAGA_RUNS --all 'saga.run.>'
  segue watch`
}

func (c *upCommand) Run(ctx context.Context, g *globals) error {
	definitions, err := c.definitions()
	if err != nil {
		return err
	}
	if g.Server != "" {
		return errors.New("segue up brings its own broker: for a broker elsewhere run the orchestrator and the services, see README.md")
	}
	sys, err := embed(ctx, g, c.Listen, definitions)
	if err != nil {
		return err
	}
	defer sys.Close()
	return c.serve(ctx, g, sys, definitions)
}

func (c *upCommand) definitions() ([]*saga.Definition, error) {
	shipped, err := sagas.All()
	if err != nil {
		return nil, err
	}
	more, err := daemon.GoodSagas(c.Sagas)
	return append(shipped, more...), err
}

func (c *upCommand) serve(ctx context.Context, g *globals, sys *system, definitions []*saga.Definition) error {
	file := filepath.Join(g.DataDir, urlFile)
	if err := os.WriteFile(file, []byte(sys.server.URL()+"\n"), 0o600); err != nil {
		return fmt.Errorf("note the broker's URL: %w", err)
	}
	defer os.Remove(file) //nolint:errcheck // one that is left behind names a broker that is not there
	log := g.Logger(os.Stderr, slog.LevelInfo)
	metrics := prometheus.NewRegistry()
	traces, flush, err := daemon.Traces(ctx, "segue", log)
	if err != nil {
		return err
	}
	defer flush()
	sys.traces = traces
	working, err := sys.work(ctx, g, c.engineFlags, &c.serviceFlags, metrics, definitions)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil // interrupted before it was up: that is how it ends
	case err != nil:
		return err
	}
	watched, done := context.WithCancel(context.WithoutCancel(ctx)) // until all has drained
	defer done()
	serve := func(address string, do func() error) {
		if address == "" {
			return
		}
		sys.watchers.Go(func() error {
			err := do()
			sys.stop() // it ends before the rest only if it could not begin
			return err
		})
	}
	serve(c.HTTP, func() error { return daemon.ServeHTTP(watched, c.HTTP, log, metrics, sys.readiness(working)) })
	serve(c.Profiles, func() error { return daemon.ServeProfiles(watched, c.Profiles, log) })
	log.Info("segue is up", "broker", sys.server.URL(), "database", sys.database, "data_dir", relative(g.DataDir))
	err = sys.group.Wait()
	done()
	if failed := sys.watchers.Wait(); failed != nil {
		return failed
	}
	if ctx.Err() == nil || !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
