package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"segue/daemon"
	"segue/saga"
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
out, cancel and deadline at every point. Each state is checked: steps start only
after what they need, undo runs in reverse order and only for what was or may
have been done, every run ends or waits for an operator.`
}

// checked is the result for one definition.
type checked struct {
	Saga     string              `json:"saga"`
	Digest   string              `json:"digest"`
	Steps    int                 `json:"steps"`
	States   int                 `json:"states"`
	Complete bool                `json:"complete"`
	Endings  map[saga.Status]int `json:"endings"`
	StuckAt  []string            `json:"stuck_at,omitempty"`
	Problem  string              `json:"problem,omitempty"`
}

func (c *checkCommand) Run(g *globals) error {
	definitions, err := c.load()
	if err != nil {
		return err
	}
	for _, d := range definitions {
		if c.Mermaid {
			mermaid(os.Stdout, d)
			continue
		}
		x := saga.Explore(d, saga.MaxStates)
		if g.JSON {
			err = json.NewEncoder(os.Stdout).Encode(checked{
				Saga: d.Name, Digest: d.Digest, Steps: len(d.Steps), States: x.States,
				Complete: x.Complete, Endings: x.Endings, StuckAt: x.StuckAt, Problem: x.Violation,
			})
		} else {
			err = report(os.Stdout, d, x)
		}
		if err != nil {
			return err
		}
		if x.Violation != "" {
			return errNotCompleted
		}
	}
	return nil
}

func (c *checkCommand) load() ([]*saga.Definition, error) {
	if len(c.Files) == 0 {
		return sagas.All()
	}
	return daemon.LoadSagas(c.Files)
}

// report says what a definition does and what can become of its runs.
func report(w io.Writer, d *saga.Definition, x saga.Exploration) error {
	fmt.Fprintf(w, "saga %s: %d steps, deadline %s, digest %.12s\n\n", d.Name, len(d.Steps), d.Deadline, d.Digest)
	table := tabwriter.NewWriter(w, 2, 0, 2, ' ', 0)
	fmt.Fprintln(table, "  STEP\tSERVICE\tNEEDS\tTIMEOUT\tATTEMPTS\tUNDO")
	for _, s := range d.Steps {
		fmt.Fprintf(table, "  %s\t%s\t%s\t%s\t%d\t%s\n", s.Name, s.Service, needs(d, s), s.Timeout, s.Retry.Attempts, undoText(d, s))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	if x.Violation != "" {
		fmt.Fprintf(w, "BROKEN: %s\n", x.Violation)
		return nil
	}
	extent := "all"
	if !x.Complete {
		extent = "the first"
	}
	fmt.Fprintf(w, "looked at %s %d states a run can be in: every run ends completed or compensated", extent, x.States)
	if len(x.StuckAt) > 0 {
		fmt.Fprintf(w, ",\nor waits for segue retry where attempts run out at: %s", strings.Join(x.StuckAt, ", "))
	}
	_, err := fmt.Fprintln(w)
	return err
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
	default:
		return "nothing to undo"
	}
}

// mermaid writes a definition as a flowchart; see mermaid.js.org.
func mermaid(w io.Writer, d *saga.Definition) {
	fmt.Fprintf(w, "flowchart LR\n  start([saga.start.%s])\n", d.Name)
	last := make(map[int]bool)
	for i, s := range d.Steps {
		last[i] = true
		label := s.Name + "<br/>" + s.Service
		if s.Pivot {
			fmt.Fprintf(w, "  s%d{{%q}}\n", i, label)
		} else {
			fmt.Fprintf(w, "  s%d[%q]\n", i, label)
		}
		if len(s.Needs) == 0 {
			fmt.Fprintf(w, "  start --> s%d\n", i)
		}
		for _, n := range s.Needs {
			delete(last, n)
			fmt.Fprintf(w, "  s%d --> s%d\n", n, i)
			if d.Steps[n].Undo != nil {
				fmt.Fprintf(w, "  s%d -. undo .-> s%d\n", i, n)
			}
		}
	}
	fmt.Fprintln(w, "  completed([ended: completed])")
	for i := range d.Steps {
		if last[i] {
			fmt.Fprintf(w, "  s%d --> completed\n", i)
		}
	}
}
