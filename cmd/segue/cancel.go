package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"segue/events"
	"segue/saga"
)

type cancelCommand struct {
	RunID string `arg:"" name:"run" help:"Run id, or its first characters."`
	Note  string `help:"Why, for those who read the run later." placeholder:"TEXT"`
}

func (c *cancelCommand) Run(ctx context.Context, g *globals) error {
	sys, err := attach(ctx, g)
	if err != nil {
		return err
	}
	defer sys.Close()
	run, err := find(ctx, newTracker(sys.Bus), c.RunID)
	if err != nil {
		return err
	}
	if run.Status.Ended() {
		return fmt.Errorf("run %s has ended: it is %s since %s, and nothing is left to cancel", run.Run, run.Status, run.Ended.UTC().Format(time.RFC3339))
	}
	return signalRun(ctx, g, sys, run, events.SignalCancel, c.Note)
}

// signalRun sends a signal to a run that has not ended.
func signalRun(ctx context.Context, g *globals, sys *system, run found, name, note string) error {
	e := saga.NewSignal(name, run.entries[0], note, time.Now())
	if err := sys.Journal.Append(ctx, e.Message()); err != nil {
		return fmt.Errorf("send %s: %w", name, err)
	}
	if sys.local() {
		defer sayAsleep(os.Stderr)
	}
	if g.JSON {
		return json.NewEncoder(os.Stdout).Encode(map[string]string{"run": run.Run, "signal": name})
	}
	_, err := fmt.Printf("%s sent to run %s\n", name, run.Run)
	return err
}

// sayAsleep says that nobody is there yet to act on what was sent.
func sayAsleep(w io.Writer) {
	fmt.Fprintln(w, "nothing runs on this data directory: it takes effect with the next segue up")
}
