// Command orchestrator drives sagas: it takes in start events and carries each
// run to its end. It declares all streams, queues and buckets on the broker.
// Any number of orchestrators may run side by side.
package main

import (
	"context"
	"errors"

	"segue/daemon"
	"segue/saga"
	"segue/saga/engine"
	"segue/sagas"
)

type config struct {
	Sagas      []string `name:"saga" help:"Definition of a further saga; may be given more than once." env:"SEGUE_SAGAS" type:"existingfile" placeholder:"FILE"`
	MaxRunning int      `help:"How many runs may go on at a time; beyond it starts wait." env:"SEGUE_MAX_RUNNING" default:"1024" placeholder:"N"`
}

func main() {
	daemon.Main(daemon.Program[config]{
		Name:        "orchestrator",
		Description: "Drives sagas: the shipped saga ingest and those given with --saga.",
		Bus:         bus,
		Work:        work,
	})
}

// definitions returns the sagas that come with Segue and those given by the user.
func (c config) definitions() ([]*saga.Definition, error) {
	own, err := sagas.All()
	if err != nil {
		return nil, err
	}
	more, err := daemon.LoadSagas(c.Sagas)
	return append(own, more...), err
}

func bus(c config) (daemon.BusOptions, error) {
	definitions, err := c.definitions()
	return daemon.BusOptions{Declare: true, Services: saga.Services(definitions...)}, err
}

func work(ctx context.Context, env *daemon.Env, c config) error {
	definitions, err := c.definitions()
	if err != nil {
		return err
	}
	e, err := engine.New(engine.Config{
		Journal: env.Journal, Data: env.Data, Sagas: definitions,
		Log: env.Log, Metrics: engine.NewMetrics(env.Metrics), MaxRunning: c.MaxRunning,
	})
	if err != nil {
		return err
	}
	env.ReadyWhen(func(context.Context) error {
		if !e.Ready() {
			return errors.New("orchestrator: still reading the journal")
		}
		return nil
	})
	return e.Run(ctx)
}
