package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"segue/saga"
)

type lsCommand struct {
	Rejected    bool   `help:"List starts that could not become runs, as segue rejected ls does."`
	Saga        string `help:"Only runs of this saga." placeholder:"NAME"`
	Status      string `help:"Only runs that are running, undoing, stuck, completed or compensated." enum:",running,undoing,stuck,completed,compensated" default:"" placeholder:"STATUS"`
	Correlation string `help:"Only runs with this correlation id." placeholder:"ID"`
	Since       moment `help:"Only runs that began since: a time such as 2026-11-23T19:00:00Z, or how long ago, such as 24h." placeholder:"TIME"`
	Until       moment `help:"Only runs that began until then." placeholder:"TIME"`
	Limit       int    `help:"Only the newest N runs; 0 lists all." short:"n" default:"50" placeholder:"N"`
}

// Help teaches the rest.
func (lsCommand) Help() string {
	return `Runs that have ended leave the journal after a while; what is kept of them in the
history is listed as well. Examples:
  segue ls --status compensated --since 24h
  segue ls --correlation order-4711 -n 0`
}

// moment is a time on the command line: RFC 3339, or how long ago.
type moment struct{ time.Time }

// UnmarshalText is for the command line's parser.
func (m *moment) UnmarshalText(text []byte) error {
	if ago, err := time.ParseDuration(string(text)); err == nil && ago >= 0 {
		m.Time = time.Now().Add(-ago)
		return nil
	}
	at, err := time.Parse(time.RFC3339, string(text))
	if err != nil {
		return fmt.Errorf("%q is neither a time such as 2026-11-23T19:00:00Z nor how long ago, such as 24h", text)
	}
	m.Time = at
	return nil
}

func (c *lsCommand) Validate() error {
	if c.Limit < 0 {
		return fmt.Errorf("-n is %d, want 0 or more", c.Limit)
	}
	return nil
}

func (c *lsCommand) Run(ctx context.Context, g *globals) error {
	sys, err := attach(ctx, g)
	if err != nil {
		return err
	}
	defer sys.Close()
	if c.Rejected {
		return listRejected(ctx, g, sys.Bus, os.Stdout)
	}
	runs, err := list(ctx, newTracker(sys.Bus), query{
		saga: c.Saga, status: saga.Status(c.Status), correlation: c.Correlation,
		since: c.Since.Time, until: c.Until.Time, limit: c.Limit,
	})
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
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", r.Run, r.Saga, r.Status, r.Started.UTC().Format(time.DateTime), took, clipEnd(r.At, 60))
	}
	return table.Flush()
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
