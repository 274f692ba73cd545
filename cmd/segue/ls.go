package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"segue/events"
	"segue/journal"
	"segue/saga"
)

type lsCommand struct {
	Rejected bool   `help:"List starts that could not become runs, with the reason."`
	Saga     string `help:"Only runs of this saga." placeholder:"NAME"`
	Status   string `help:"Only runs that are running, undoing, stuck, completed or compensated." enum:",running,undoing,stuck,completed,compensated" default:"" placeholder:"STATUS"`
	Limit    int    `help:"Only the newest N runs; 0 lists all." short:"n" default:"50" placeholder:"N"`
}

// listed is one line of the list.
type listed struct {
	Run     string      `json:"run"`
	Saga    string      `json:"saga"`
	Status  saga.Status `json:"status"`
	Started time.Time   `json:"started"`
	Ended   time.Time   `json:"ended,omitzero"`
	At      string      `json:"at,omitempty"` // where an unfinished run stands, why another turned back
}

func (c *lsCommand) Run(ctx context.Context, g *globals) error {
	sys, err := attach(ctx, g)
	if err != nil {
		return err
	}
	defer sys.Close()
	if c.Rejected {
		return listRejected(ctx, g, sys, os.Stdout)
	}
	runs, err := c.list(ctx, newTracker(sys.Bus))
	if err != nil {
		return err
	}
	if g.JSON {
		return writeJSON(os.Stdout, runs)
	}
	if len(runs) == 0 {
		fmt.Fprintln(os.Stderr, "no runs")
		return nil
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "RUN\tSAGA\tSTATUS\tSTARTED\tTOOK\tAT")
	for _, r := range runs {
		took := "-"
		if !r.Ended.IsZero() {
			took = r.Ended.Sub(r.Started).Round(time.Millisecond).String()
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", r.Run, r.Saga, r.Status, r.Started.Format(time.DateTime), took, clipEnd(r.At, 60))
	}
	return table.Flush()
}

// list returns the newest runs that were asked for, oldest first. Of a run that
// has ended the two messages at its ends tell enough.
func (c *lsCommand) list(ctx context.Context, t *tracker) ([]*listed, error) {
	ended, err := c.ends(ctx, t)
	if err != nil {
		return nil, err
	}
	records, err := journal.Load(ctx, t.bus.Journal, "saga.run.*.*.started")
	if err != nil {
		return nil, err
	}
	var runs []*listed
	var open []*listed
	oldest := uint64(0) // sequence of the oldest open run
	for _, record := range slices.Backward(records) {
		if c.Limit > 0 && c.Status == "" && len(runs) == c.Limit {
			break
		}
		r, err := c.line(ctx, t, record, ended)
		if err != nil {
			return nil, err
		}
		if r == nil {
			continue
		}
		runs = append(runs, r)
		if r.Status == "" {
			open, oldest = append(open, r), record.Sequence
		}
	}
	if err := standings(ctx, t, open, oldest); err != nil {
		return nil, err
	}
	return c.newest(runs), nil
}

// newest returns the runs of the status asked for, as many as asked for, oldest
// first.
func (c *lsCommand) newest(runs []*listed) []*listed {
	if c.Status != "" {
		runs = slices.DeleteFunc(runs, func(r *listed) bool { return string(r.Status) != c.Status })
	}
	if c.Limit > 0 {
		runs = runs[:min(c.Limit, len(runs))]
	}
	slices.Reverse(runs)
	return runs
}

// standings fills in where open runs stand: one pass over the journal from the
// oldest of them.
func standings(ctx context.Context, t *tracker, open []*listed, oldest uint64) error {
	if len(open) == 0 {
		return nil
	}
	if err := t.catchUp(ctx, oldest-1); err != nil {
		return err
	}
	for _, r := range open {
		if run := t.runs[r.Run]; run != nil {
			view := run.View()
			r.Status, r.At, r.Ended = view.Status, standing(view), view.Ended
		}
	}
	return nil
}

// ends returns the ended messages by run.
func (c *lsCommand) ends(ctx context.Context, t *tracker) (map[string]events.Entry, error) {
	records, err := journal.Load(ctx, t.bus.Journal, "saga.run.*.*.ended")
	if err != nil {
		return nil, err
	}
	ended := make(map[string]events.Entry, len(records))
	for _, record := range records {
		if entry, err := record.Entry(); err == nil {
			ended[entry.Subject.Run] = entry
		}
	}
	return ended, nil
}

// line returns the line of one run, or nil if it is not asked for. The status of
// one that has not ended is left open.
func (c *lsCommand) line(ctx context.Context, t *tracker, started journal.Record, ended map[string]events.Entry) (*listed, error) {
	entry, err := t.bus.Open(ctx, started)
	if err != nil {
		return nil, err
	}
	data, err := saga.ReadStarted(entry)
	if err != nil || c.Saga != "" && data.Saga != c.Saga {
		return nil, nil // a run that cannot be read is the orchestrator's to report
	}
	r := &listed{Run: entry.Subject.Run, Saga: data.Saga, Started: entry.Stored}
	if end, ok := ended[r.Run]; ok {
		r.Ended, r.Status = end.Stored, saga.StatusCompleted
		if end.Event.Type == events.TypeRunCompensated {
			r.Status, r.At = saga.StatusCompensated, why(end.Event)
		}
	}
	return r, nil
}

func why(e events.Event) string {
	var data events.RunCompensated
	if err := events.ReadData(e, &data); err != nil {
		return err.Error()
	}
	return reasonText(saga.View{Reason: &data.Reason})
}

// standing names the steps at which a run is.
func standing(v saga.View) string {
	text := ""
	for _, s := range v.Steps {
		switch s.State {
		case saga.StateRunning, saga.StateRetrying, saga.StateUndoing, saga.StateStuck:
			if text != "" {
				text += ", "
			}
			text += s.Step + " " + string(s.State)
		}
	}
	return text
}

func listRejected(ctx context.Context, g *globals, sys *system, w io.Writer) error {
	records, err := journal.Load(ctx, sys.Journal, events.AllRejected)
	if err != nil {
		return err
	}
	for _, record := range records {
		entry, err := sys.Open(ctx, record)
		if err != nil {
			return err
		}
		var data events.StartRejected
		if err := events.ReadData(entry.Event, &data); err != nil {
			return err
		}
		if g.JSON {
			if err := json.NewEncoder(w).Encode(map[string]any{
				"start": entry.Subject.Start, "saga": entry.Subject.Definition, "at": entry.Stored, "reason": data.Reason,
				"headers": data.Headers, "data": data.Data, "dataref": data.DataRef,
			}); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(w, "%s  %s  %s\n    %s\n", entry.Stored.UTC().Format(time.DateTime), entry.Subject.Definition, entry.Subject.Start, oneLine(data.Reason))
	}
	return nil
}

// writeJSON writes one object a line.
func writeJSON[T any](w io.Writer, list []T) error {
	encoder := json.NewEncoder(w)
	for _, v := range list {
		if err := encoder.Encode(v); err != nil {
			return err
		}
	}
	return nil
}
