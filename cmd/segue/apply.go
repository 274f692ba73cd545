package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"segue/daemon"
	"segue/document"
	"segue/events"
	"segue/saga"
)

type applyCommand struct {
	Files []string `arg:"" help:"Definition files."`
}

// Help teaches the rest.
func (applyCommand) Help() string {
	return `Each definition is checked as segue check does. If all are good they are published on
saga.definition.NAME; the orchestrators check them again, and a moment later every new
run of that name begins with the one that was applied last, whatever file the
orchestrators were given. Runs under way keep the definition they began with.

A refused definition changes nothing: segue check FILE tells why.`
}

func (c *applyCommand) Run(ctx context.Context, g *globals) error {
	definitions, err := daemon.GoodSagas(c.Files)
	if err != nil {
		return err
	}
	sys, err := attach(ctx, g)
	if err != nil {
		return err
	}
	defer sys.Close()
	for _, d := range definitions {
		if err := apply(ctx, sys.Bus, d); err != nil {
			return err
		}
		if err := sayApplied(g, d); err != nil {
			return err
		}
	}
	if sys.local() {
		sayAsleep(os.Stderr)
	}
	return nil
}

// apply publishes a definition for the orchestrators to take.
func apply(ctx context.Context, bus *daemon.Bus, d *saga.Definition) error {
	if err := send(ctx, bus, saga.NewApplied(d, events.NewStartID(), time.Now())); err != nil {
		return fmt.Errorf("apply saga %s: %w", d.Name, err)
	}
	return nil
}

// send puts large data aside and publishes an entry.
func send(ctx context.Context, bus *daemon.Bus, entry events.Entry) error {
	var err error
	if entry.Event, err = document.CheckIn(ctx, bus.Data, entry.Event); err != nil {
		return err
	}
	return bus.Journal.Append(ctx, entry.Message())
}

func sayApplied(g *globals, d *saga.Definition) error {
	if g.JSON {
		return json.NewEncoder(os.Stdout).Encode(map[string]string{"saga": d.Name, "digest": d.Digest})
	}
	_, err := fmt.Printf("saga %s applied: new runs begin with digest %.12s\n", d.Name, d.Digest)
	return err
}
