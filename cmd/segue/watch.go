package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"segue/events"
	"segue/saga"
)

type watchCommand struct {
	RunID string `arg:"" name:"run" optional:"" help:"Only this run, from its beginning until it has ended."`
	All   bool   `help:"Begin with the oldest message that is kept."`
}

// watched is a line of watch --json.
type watched struct {
	Sequence    uint64          `json:"sequence"`
	Stored      time.Time       `json:"stored"`
	Subject     string          `json:"subject"`
	Type        string          `json:"type"`
	ID          string          `json:"id"`
	Run         string          `json:"run"`
	Correlation string          `json:"correlation,omitempty"`
	Causation   string          `json:"causation,omitempty"`
	Data        json.RawMessage `json:"data,omitempty"`
}

func (c *watchCommand) Run(ctx context.Context, g *globals) error {
	sys, err := attach(ctx, g)
	if err != nil {
		return err
	}
	defer sys.Close()
	t := newTracker(sys.Bus)
	if t.past = sys.local(); t.past {
		fmt.Fprintln(os.Stderr, "nothing runs on this data directory: only what is kept can be shown")
	}
	filter, after := events.AllRuns, uint64(0)
	if c.RunID != "" {
		run, err := find(ctx, newTracker(sys.Bus), c.RunID)
		if err != nil {
			return err
		}
		if run.past() {
			return watchPast(g, run)
		}
		filter = events.RunFilter(run.Run)
	} else if !c.All {
		info, err := sys.Journal.Info(ctx)
		if err != nil {
			return err
		}
		after = info.Last
	}
	lines := &linePicture{w: os.Stdout}
	err = t.follow(ctx, filter, after, func(run *saga.Run, e events.Entry) bool {
		if g.JSON {
			_ = json.NewEncoder(os.Stdout).Encode(watchedLine(e)) // a reader that is gone ends us by SIGPIPE
		} else {
			lines.show(name(e), viewOf(run, e), e)
		}
		return c.RunID != "" && run != nil && run.Ended()
	})
	if ctx.Err() != nil {
		return nil // interrupted: that is how a watch ends
	}
	return err
}

// watchPast shows the one line that is kept of a run.
func watchPast(g *globals, run found) error {
	if g.JSON {
		return json.NewEncoder(os.Stdout).Encode(watchedLine(run.archived))
	}
	fmt.Fprintf(os.Stderr, "its messages have left the journal; segue show %s tells what is kept\n", run.Run)
	fmt.Printf("%s  %.18s  run %s\n", run.Ended.UTC().Format("15:04:05.000"), run.Run, run.Status)
	return nil
}

func watchedLine(e events.Entry) watched {
	w := watched{
		Sequence: e.Sequence, Stored: e.Stored, Subject: e.Subject.String(), Type: e.Event.Type, ID: e.Event.ID,
		Run: cmp.Or(e.Subject.Run, e.Event.RunID), Correlation: e.Event.CorrelationID, Causation: e.Event.CausationID,
	}
	if json.Valid(e.Event.Data) {
		w.Data = e.Event.Data
	}
	return w
}

// name is the beginning of the run's id: enough to tell runs apart and to show one.
func name(e events.Entry) string { return fmt.Sprintf("%.18s", e.Subject.Run) }

// viewOf returns the view of a run whose beginning may have gone unseen.
func viewOf(run *saga.Run, e events.Entry) saga.View {
	if run == nil {
		return saga.View{Run: e.Subject.Run}
	}
	return run.View()
}
