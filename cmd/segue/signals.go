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
	return signalRun(ctx, g, c.RunID, c.Note, func(v saga.View) (string, error) {
		if v.Status.Ended() {
			return "", fmt.Errorf("run %s has ended: it is %s", v.Run, v.Status)
		}
		return events.SignalCancel, nil
	})
}

type retryCommand struct {
	RunID string `arg:"" name:"run" help:"Run id, or its first characters."`
	Note  string `help:"What was mended, for those who read the run later." placeholder:"TEXT"`
}

func (c *retryCommand) Run(ctx context.Context, g *globals) error {
	return signalRun(ctx, g, c.RunID, c.Note, func(v saga.View) (string, error) {
		if v.Status != saga.StatusStuck {
			return "", fmt.Errorf("run %s is not stuck: it is %s", v.Run, v.Status)
		}
		return v.NextRetry, nil
	})
}

// signalRun sends a run the signal that choose picks for it.
func signalRun(ctx context.Context, g *globals, prefix, note string, choose func(saga.View) (string, error)) error {
	sys, err := attach(ctx, g)
	if err != nil {
		return err
	}
	defer sys.Close()
	run, entries, err := find(ctx, newTracker(sys.Bus), prefix)
	if err != nil {
		return err
	}
	name, err := choose(run.View())
	if err != nil {
		return err
	}
	signal := saga.NewSignal(name, entries[0], note, time.Now())
	if err := sys.Journal.Append(ctx, signal.Message()); err != nil {
		return fmt.Errorf("send %s: %w", name, err)
	}
	if g.JSON {
		return json.NewEncoder(os.Stdout).Encode(map[string]string{"run": run.ID, "signal": name})
	}
	fmt.Printf("%s sent to run %s\n", name, run.ID)
	if sys.local() {
		sayAsleep(os.Stderr)
	}
	return nil
}

// sayAsleep says that nobody is there yet to act on what was sent.
func sayAsleep(w io.Writer) {
	fmt.Fprintln(w, "nothing runs on this data directory: it takes effect with the next segue up")
}
