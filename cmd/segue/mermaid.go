package main

import (
	"fmt"
	"io"

	"segue/saga"
)

// mermaid writes a definition as a flowchart (see mermaid.js.org), and where a run of it
// stands, if one is given.
func mermaid(w io.Writer, d *saga.Definition, run *saga.View) {
	fmt.Fprintf(w, "flowchart LR\n  start([saga.start.%s])\n", d.Name)
	last := make(map[int]bool)
	for i, s := range d.Steps {
		last[i] = true
		label := s.Name + "<br/>" + s.Service + stands(run, i)
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
	end := "ended: completed"
	if run != nil {
		end = string(run.Status)
	}
	fmt.Fprintf(w, "  ended([%s])\n", end)
	for i := range d.Steps {
		if last[i] {
			fmt.Fprintf(w, "  s%d --> ended\n", i)
		}
	}
	if run != nil {
		paint(w, run)
	}
}

// stands says in a label where a step of a run stands, and how long it took.
func stands(run *saga.View, step int) string {
	if run == nil || step >= len(run.Steps) {
		return ""
	}
	s := run.Steps[step]
	text := fmt.Sprintf("<br/>%s %s", glyph(s.State), s.State)
	if took := tookText(s); took != "" {
		text += " " + took
	}
	return text
}

// colors are those of the states of steps that are done, under way, gone wrong and taken
// back. What has not begun has none.
var colors = map[saga.State]string{
	saga.StateCompleted: "#b7e4c7",
	saga.StateRunning:   "#a9d6e5", saga.StateRetrying: "#a9d6e5", saga.StateUndoing: "#a9d6e5",
	saga.StateFailed: "#f4acb7", saga.StateUnknown: "#f4acb7", saga.StateStuck: "#f4acb7",
	saga.StateUndone: "#ffe8a3",
}

func paint(w io.Writer, run *saga.View) {
	for i, s := range run.Steps {
		if color := colors[s.State]; color != "" {
			fmt.Fprintf(w, "  style s%d fill:%s,color:#000\n", i, color)
		}
	}
}
