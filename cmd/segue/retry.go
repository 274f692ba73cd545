package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"segue/daemon"
	"segue/events"
	"segue/saga"
)

type retryCommand struct {
	RunID string `arg:"" name:"run" help:"Run id, or its first characters."`
	Note  string `help:"What was mended, for those who read a stuck run later." placeholder:"TEXT"`
}

// Help teaches the rest.
func (retryCommand) Help() string {
	return `A run that is stuck gets another round of attempts. A run that is compensated has
ended for good; it is started anew, with the same input and correlation id, as a
run of its own, whose id is printed. However often that is asked for, there is one
new run, until that one is compensated, too.`
}

func (c *retryCommand) Run(ctx context.Context, g *globals) error {
	sys, err := attach(ctx, g)
	if err != nil {
		return err
	}
	defer sys.Close()
	t := newTracker(sys.Bus)
	run, err := find(ctx, t, c.RunID)
	if err != nil {
		return err
	}
	switch run.Status {
	case saga.StatusStuck:
		return signalRun(ctx, g, sys, run, run.NextRetry, c.Note)
	case saga.StatusCompensated:
		return again(ctx, g, sys, t, run)
	case saga.StatusCompleted:
		return fmt.Errorf("run %s is completed since %s: there is nothing to retry", run.Run, run.Ended.UTC().Format(time.RFC3339))
	}
	return fmt.Errorf("run %s is not stuck, nor compensated: it is %s", run.Run, run.Status)
}

// maxGenerations is how many runs, each the retry of the one before, are followed.
const maxGenerations = 1000

// again starts a compensated run anew. The start event of the retry of a run has
// an id made of that run's: so there is one retry of each run, whoever asks and
// however often. If it is compensated as well, its own retry is next.
func again(ctx context.Context, g *globals, sys *system, t *tracker, run found) error {
	old := run.View
	for range maxGenerations {
		s := start{event: events.Event{ID: retryID(old.Run), Source: events.Client}}
		next, err := findExactly(ctx, t, s.run())
		if err != nil {
			return err
		}
		switch {
		case next.Run == "":
			return startAgain(ctx, g, sys, old, s)
		case next.Status == saga.StatusCompensated:
			old = next.View
		default:
			return sayAgain(g, next.Run, old.Run, fmt.Sprintf("is there already: it is %s", next.Status))
		}
	}
	return fmt.Errorf("run %s was retried %d times, and every time it was compensated: start it with another id, as by segue start", run.Run, maxGenerations)
}

// retryID is the id of the start event that starts a run anew.
func retryID(run string) string { return "retry-of-" + run }

// startAgain publishes the start event. The saga is the one that has the name now.
func startAgain(ctx context.Context, g *globals, sys *system, old saga.View, s start) error {
	if len(old.Input) == 0 {
		return fmt.Errorf("the input of run %s is gone: it had more than %d bytes and left the journal with the run's messages; start it with its input: segue start %s @FILE --correlation %s",
			old.Run, events.MaxArchivedValue, old.Saga, old.Correlation)
	}
	if err := notRejected(ctx, sys.Bus, s.run()); err != nil {
		return err
	}
	s.event.CorrelationID, s.event.CausationID, s.event.Data = old.Correlation, old.Run, old.Input
	if err := publish(ctx, sys.Bus, old.Saga, &s); err != nil {
		return err
	}
	if sys.local() {
		defer sayAsleep(os.Stderr)
	}
	return sayAgain(g, s.run(), old.Run, "is started")
}

// notRejected returns an error if the start of a run was rejected: it would be
// again, or be dropped as sent before.
func notRejected(ctx context.Context, bus *daemon.Bus, run string) error {
	records, err := bus.Journal.Load(ctx, "saga.rejected.*."+run)
	if err != nil || len(records) == 0 {
		return err
	}
	r, err := readRefused(ctx, bus, records[0])
	if err != nil {
		return err
	}
	return fmt.Errorf("its retry was rejected: %s; mend that, then: segue rejected retry %s", oneLine(r.Reason), run)
}

func sayAgain(g *globals, run, old, what string) error {
	if g.JSON {
		return json.NewEncoder(os.Stdout).Encode(map[string]string{"run": run, "retry_of": old})
	}
	fmt.Fprintf(os.Stderr, "run %s is compensated; its retry %s:\n", old, what)
	_, err := fmt.Println(run)
	return err
}
