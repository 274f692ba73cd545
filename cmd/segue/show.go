package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"segue/events"
	"segue/saga"
)

type showCommand struct {
	RunID   string `arg:"" name:"run" help:"Run id, or its first characters."`
	Events  bool   `help:"List the messages of the run as well."`
	Mermaid bool   `help:"Write the run as a Mermaid flowchart instead."`
}

func (c *showCommand) Run(ctx context.Context, g *globals) error {
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
	if c.Mermaid {
		d, err := t.definition(ctx, run.Digest)
		if err != nil {
			return err
		}
		mermaid(os.Stdout, d, &run.View)
		return nil
	}
	if g.JSON {
		return json.NewEncoder(os.Stdout).Encode(shown{run.View, run.past()})
	}
	showRun(os.Stdout, run.View)
	if run.past() {
		fmt.Printf("\nits messages have left the journal: the outputs of its steps are gone, and values over %d bytes\n", events.MaxArchivedValue)
		return nil
	}
	if c.Events {
		fmt.Println()
		for _, e := range run.entries {
			fmt.Printf("%8d  %s  %s\n", e.Sequence, e.Stored.UTC().Format("15:04:05.000"), e.Subject)
		}
	}
	return nil
}

// shown is a run as show --json writes it.
type shown struct {
	saga.View
	// Archived says that the run has left the journal, and that not all is kept.
	Archived bool `json:"archived,omitempty"`
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
	input := "(not kept)"
	if len(v.Input) > 0 {
		input = clipEnd(oneLine(string(v.Input)), 160)
	}
	fmt.Fprintf(w, "input        %s\n\n", input)
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
		attempts := fmt.Sprint(s.Attempts)
		if s.Undos > 0 {
			attempts += fmt.Sprintf(" + %d undo", s.Undos)
		}
		answer := string(s.Output)
		if s.Failure != nil && s.State != saga.StateCompleted {
			answer = s.Failure.Message
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", glyph(s.State), s.Step, s.Service, s.State, attempts, cmp.Or(tookText(s), "-"),
			strings.Join(s.Needs, ","), clipEnd(oneLine(answer), 80))
	}
	table.Flush() //nolint:errcheck // standard output that is gone is noticed by its reader
}

// tookText says how long a step took; nothing if it has not settled.
func tookText(s saga.StepView) string {
	if s.Started.IsZero() || s.Settled.IsZero() {
		return ""
	}
	return s.Settled.Sub(s.Started).Round(time.Millisecond).String()
}

// clipEnd shortens a text to n characters, keeping its beginning.
func clipEnd(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}
