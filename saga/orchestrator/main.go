// Command orchestrator drives sagas: it takes in start events and carries each
// run to its end. It declares all streams, queues and buckets on the broker.
// Any number of orchestrators may run side by side.
package main

import (
	"context"
	"errors"
	"time"

	"segue/daemon"
	"segue/saga"
	"segue/saga/engine"
	"segue/sagas"
)

type config struct {
	Sagas      []string      `name:"saga" help:"Definition of a further saga; may be given more than once." env:"SEGUE_SAGAS" type:"existingfile" placeholder:"FILE"`
	MaxRunning int           `help:"How many runs may go on at a time; beyond it starts wait." env:"SEGUE_MAX_RUNNING" default:"1024" placeholder:"N"`
	KeepAge    time.Duration `help:"How long the messages of a run that has ended stay in the journal; what is kept in the history stays longer." env:"SEGUE_KEEP_AGE" default:"24h" placeholder:"DURATION"`
	KeepRuns   int           `help:"How many runs that have ended stay in the journal at most; none leaves within a minute for it." env:"SEGUE_KEEP_RUNS" default:"20000" placeholder:"N"`
	Replicas   int           `help:"How many servers of a NATS cluster keep each stream: 1, 3 or 5. It raises the number of streams that exist and never lowers it." env:"SEGUE_REPLICAS" default:"1" placeholder:"N"`
}

func main() {
	daemon.Main(daemon.Program[config]{
		Name:        "orchestrator",
		Description: "Drives sagas: the shipped saga ingest and those given with --saga.",
		Bus:         bus,
		Work:        work,
	})
}

// definitions returns the sagas that come with Segue and those given by the user,
// loaded by a function.
func (c config) definitions(load func([]string) ([]*saga.Definition, error)) ([]*saga.Definition, error) {
	own, err := sagas.All()
	if err != nil {
		return nil, err
	}
	more, err := load(c.Sagas)
	return append(own, more...), err
}

func bus(c config) (daemon.BusOptions, error) {
	definitions, err := c.definitions(daemon.GoodSagas) // once checked they are good
	return daemon.BusOptions{Declare: true, Services: saga.Services(definitions...), Replicas: c.Replicas}, err
}

func work(ctx context.Context, env *daemon.Env, c config) error {
	definitions, err := c.definitions(daemon.LoadSagas)
	if err != nil {
		return err
	}
	e, err := engine.New(engine.Config{
		Journal: env.Journal, Data: env.Data, Sagas: definitions, DeclareQueues: env.Journal.DeclareQueues,
		Log: env.Log, Metrics: engine.NewMetrics(env.Metrics), Traces: env.Traces, MaxRunning: c.MaxRunning,
		KeepAge: c.KeepAge, KeepRuns: c.KeepRuns,
	})
	if err != nil {
		return err
	}
	env.Metrics.MustRegister(daemon.NewQueues(env.Bus, env.Log))
	env.ReadyWhen(func(context.Context) error {
		if !e.Ready() {
			return errors.New("orchestrator: still reading the journal")
		}
		return nil
	})
	return e.Run(ctx)
}
