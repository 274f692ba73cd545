package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"segue/daemon"
	"segue/saga"
	"segue/saga/check"
	"segue/sagas"
)

type checkCommand struct {
	Files   []string `arg:"" optional:"" help:"Definition files. Without one, the sagas that come with segue are checked."`
	Mermaid bool     `help:"Write each saga as a Mermaid flowchart instead."`
}

// Help teaches the rest.
func (checkCommand) Help() string {
	return `A definition is loaded (syntax, names, graph, expressions), and then every way a
run of it can go is walked through: each attempt completing, failing or timing
out, cancel and deadline at every point, messages that come late or twice, undos
that fail, a second orchestrator that has read less. Refused are a step that never
runs, one that forgets its undo, a run that gets stuck though no undo has failed,
and whatever breaks the rules of a saga; the shortest way there is told, a line a
message. Exit status 1 if a definition is refused.`
}

// checked is the result for one definition.
type checked struct {
	Saga   string `json:"saga"`
	Digest string `json:"digest"`
	Steps  int    `json:"steps"`
	Good   bool   `json:"good"`
	// States were looked at; Complete says that those are all. Otherwise Sampled
	// counts those of runs in which one thing happens after the other.
	States   int                 `json:"states"`
	Complete bool                `json:"complete"`
	Sampled  int                 `json:"sampled,omitempty"`
	Endings  map[saga.Status]int `json:"endings"`
	StuckAt  []string            `json:"stuck_at,omitempty"`
	Flaw     *flaw               `json:"flaw,omitempty"`
}

// flaw is why a definition is refused.
type flaw struct {
	Step   string   `json:"step,omitempty"`
	Reason string   `json:"reason"`
	WayOut string   `json:"way_out"`
	Story  []string `json:"story"`
}

func (c *checkCommand) Run(g *globals) error {
	definitions, err := c.load()
	if err != nil {
		return err
	}
	refused := false
	for _, d := range definitions {
		if c.Mermaid {
			mermaid(os.Stdout, d, nil)
			continue
		}
		r := check.Definition(d)
		refused = refused || r.Flaw != nil
		if err := sayChecked(g, d, r); err != nil {
			return err
		}
	}
	if refused {
		return errNotCompleted
	}
	return nil
}

// sayChecked says what was found in a definition.
func sayChecked(g *globals, d *saga.Definition, r check.Result) error {
	if !g.JSON {
		return report(os.Stdout, d, r)
	}
	c := checked{
		Saga: d.Name, Digest: d.Digest, Steps: len(d.Steps), Good: r.Flaw == nil, States: r.States,
		Complete: r.Complete, Sampled: r.Sampled, Endings: r.Endings, StuckAt: r.StuckAt,
	}
	if f := r.Flaw; f != nil {
		c.Flaw = &flaw{Step: f.Step, Reason: f.Reason, WayOut: f.WayOut, Story: f.Story}
	}
	return json.NewEncoder(os.Stdout).Encode(c)
}

func (c *checkCommand) load() ([]*saga.Definition, error) {
	if len(c.Files) == 0 {
		return sagas.All()
	}
	return daemon.LoadSagas(c.Files)
}

// report says what a definition does and what can become of its runs.
func report(w io.Writer, d *saga.Definition, r check.Result) error {
	fmt.Fprintf(w, "saga %s: %d steps, deadline %s, digest %.12s\n\n", d.Name, len(d.Steps), d.Deadline, d.Digest)
	table := tabwriter.NewWriter(w, 2, 0, 2, ' ', 0)
	fmt.Fprintln(table, "  STEP\tSERVICE\tNEEDS\tTIMEOUT\tATTEMPTS\tUNDO")
	for _, s := range d.Steps {
		fmt.Fprintf(table, "  %s\t%s\t%s\t%s\t%s\t%s\n", s.Name+optional(s), s.Service, needs(d, s), s.Timeout, attempts(s), undoText(d, s))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if slices.ContainsFunc(d.Steps, func(s saga.Step) bool { return !s.When.IsZero() }) {
		fmt.Fprint(w, "\n  ? is skipped if its when is false\n")
	}
	_, err := fmt.Fprintf(w, "\n%s", r)
	return err
}

func attempts(s saga.Step) string {
	if s.Retry.Attempts == saga.Unlimited {
		return "unlimited"
	}
	return strconv.Itoa(s.Retry.Attempts)
}

// optional marks a step that may be skipped.
func optional(s saga.Step) string {
	if s.When.IsZero() {
		return ""
	}
	return "?"
}

func needs(d *saga.Definition, s saga.Step) string {
	names := make([]string, len(s.Needs))
	for i, n := range s.Needs {
		names[i] = d.Steps[n].Name
	}
	if len(names) == 0 {
		return "-"
	}
	return strings.Join(names, ", ")
}

func undoText(d *saga.Definition, s saga.Step) string {
	switch pivot := d.Pivot(); {
	case s.Pivot:
		return "pivot: no way back behind it"
	case s.Undo != nil:
		return fmt.Sprintf("yes, %d attempts a round", s.Undo.Retry.Attempts)
	case pivot >= 0 && d.Step(s.Name) > pivot:
		return "never: behind the pivot"
	case s.NothingToUndo:
		return "nothing to undo"
	default:
		return "not said"
	}
}
