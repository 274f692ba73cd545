package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"segue/events"
	"segue/journal"
	"segue/saga"
)

type showCommand struct {
	RunID  string `arg:"" name:"run" help:"Run id, or its first characters."`
	Events bool   `help:"List the messages of the run as well."`
}

func (c *showCommand) Run(ctx context.Context, g *globals) error {
	sys, err := attach(ctx, g)
	if err != nil {
		return err
	}
	defer sys.Close()
	run, entries, err := find(ctx, newTracker(sys.Bus), c.RunID)
	if err != nil {
		return err
	}
	view := run.View()
	if g.JSON {
		return json.NewEncoder(os.Stdout).Encode(view)
	}
	showRun(os.Stdout, view)
	if c.Events {
		fmt.Println()
		for _, e := range entries {
			fmt.Printf("%8d  %s  %s\n", e.Sequence, e.Stored.UTC().Format("15:04:05.000"), e.Subject)
		}
	}
	return nil
}

// minPrefix is how much of a run id has to be given.
const minPrefix = 4

// find loads the run whose id begins with the given characters.
func find(ctx context.Context, t *tracker, prefix string) (*saga.Run, []events.Entry, error) {
	if !events.ValidName(prefix) || len(prefix) < minPrefix {
		return nil, nil, fmt.Errorf("%q is not a run id, nor the first %d characters or more of one", prefix, minPrefix)
	}
	run, entries, err := t.load(ctx, prefix)
	if err != nil || run != nil {
		return run, entries, err
	}
	records, err := journal.Load(ctx, t.bus.Journal, "saga.run.*.*.started")
	if err != nil {
		return nil, nil, err
	}
	var ids []string
	for _, r := range records {
		if s, err := events.ParseSubject(r.Subject); err == nil && strings.HasPrefix(s.Run, prefix) {
			ids = append(ids, s.Run)
		}
	}
	switch len(ids) {
	case 0:
		return nil, nil, fmt.Errorf("no run %s; segue ls lists them", prefix)
	case 1:
		return t.load(ctx, ids[0])
	}
	return nil, nil, fmt.Errorf("%d runs begin with %s: %s", len(ids), prefix, strings.Join(ids[:min(len(ids), 5)], ", "))
}

// showRun writes a run for people.
func showRun(w io.Writer, v saga.View) {
	fmt.Fprintf(w, "run          %s\nsaga         %s (definition %.12s)\nstatus       %s\nstarted      %s\n",
		v.Run, v.Saga, v.Digest, v.Status, v.Started.UTC().Format(time.RFC3339))
	if v.Correlation != v.Run {
		fmt.Fprintf(w, "correlation  %s\n", oneLine(v.Correlation))
	}
	if v.Ended.IsZero() {
		fmt.Fprintf(w, "deadline     %s\n", v.Deadline.UTC().Format(time.RFC3339))
	} else {
		fmt.Fprintf(w, "ended        %s, after %s\n", v.Ended.UTC().Format(time.RFC3339), v.Ended.Sub(v.Started).Round(time.Millisecond))
	}
	if v.Reason != nil {
		fmt.Fprintf(w, "turned back  %s\n", reasonText(v))
	}
	fmt.Fprintf(w, "input        %s\n\n", clipEnd(oneLine(string(v.Input)), 160))
	showSteps(w, v)
	if v.Reason != nil || v.Status == saga.StatusStuck {
		fmt.Fprintln(w)
		sayFailure(w, v)
	}
	if len(v.Output) > 0 {
		fmt.Fprintf(w, "\noutput       %s\n", clipEnd(oneLine(string(v.Output)), 400))
	}
}

func showSteps(w io.Writer, v saga.View) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\tSTEP\tSERVICE\tSTATE\tATTEMPTS\tTOOK\tNEEDS\tLAST ANSWER")
	for _, s := range v.Steps {
		took := "-"
		if !s.Started.IsZero() && !s.Settled.IsZero() {
			took = s.Settled.Sub(s.Started).Round(time.Millisecond).String()
		}
		attempts := fmt.Sprint(s.Attempts)
		if s.Undos > 0 {
			attempts += fmt.Sprintf(" + %d undo", s.Undos)
		}
		answer := string(s.Output)
		if s.Failure != nil && s.State != saga.StateCompleted {
			answer = s.Failure.Message
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", glyph(s.State), s.Step, s.Service, s.State, attempts, took,
			strings.Join(s.Needs, ","), clipEnd(oneLine(answer), 80))
	}
	table.Flush() //nolint:errcheck // standard output that is gone is noticed by its reader
}

// clipEnd shortens a text to n characters, keeping its beginning.
func clipEnd(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}
