package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"segue/events"
	"segue/saga"
)

// picture shows how runs get on: as a live table on a terminal, as one line per
// event everywhere else.
type picture interface {
	// show takes a run as it is now and the event that changed it.
	show(name string, view saga.View, e events.Entry)
	// close leaves the last state on the screen.
	close()
}

// newPicture returns the picture that suits where it goes.
func newPicture(w io.Writer) picture {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" {
		width, height, err := term.GetSize(int(f.Fd()))
		if err != nil {
			width, height = 80, 24
		}
		return &livePicture{w: w, width: width, height: height, rows: make(map[string]int)}
	}
	return &linePicture{w: w}
}

// linePicture writes a line per event.
type linePicture struct{ w io.Writer }

func (p *linePicture) show(name string, view saga.View, e events.Entry) {
	fmt.Fprintf(p.w, "%s  %-20s %s\n", e.Stored.UTC().Format("15:04:05.000"), name, sentence(view, e))
}

func (p *linePicture) close() {}

// sentence says what an event means.
func sentence(view saga.View, e events.Entry) string {
	step := e.Subject.Step
	switch e.Event.Type {
	case events.TypeRunStarted:
		return fmt.Sprintf("run %s of saga %s began", view.Run, view.Saga)
	case events.TypeStepRequested:
		return step + " asked of " + e.Subject.Service + nth(e.Subject.Attempt)
	case events.TypeStepWithheld:
		return step + " will not be done"
	case events.TypeStepSkipped:
		return step + " skipped: nothing to do"
	case events.TypeUndoRequested:
		return "undo of " + step + " asked of " + e.Subject.Service + nth(e.Subject.Attempt)
	case events.TypeStepCompleted:
		return step + " completed"
	case events.TypeUndoCompleted:
		return step + " undone"
	case events.TypeStepFailed, events.TypeUndoFailed:
		var f events.Failed
		if err := events.ReadData(e.Event, &f); err != nil {
			f.Message = err.Error()
		}
		what := step + " failed: "
		if e.Subject.Attempt.Undo {
			what = "undo of " + what
		}
		return what + oneLine(f.Message)
	case events.TypeStepTimedOut:
		return step + " timed out"
	case events.TypeUndoTimedOut:
		return "undo of " + step + " timed out"
	case events.TypeRunCompleted:
		return "run completed"
	case events.TypeRunCompensated:
		return "run compensated: nothing of it is left"
	case events.TypeCancel:
		return "cancel asked for"
	case events.TypeRetry:
		return "retry asked for"
	case events.TypeDeadline:
		return "deadline has passed"
	default:
		return oneLine(e.Event.Type) // a stranger's
	}
}

func nth(a events.Attempt) string {
	if a.N == 1 {
		return ""
	}
	return fmt.Sprintf(", attempt %d", a.N)
}

// livePicture redraws a table in place: a row for each run.
type livePicture struct {
	w             io.Writer
	width, height int
	rows          map[string]int // run => row
	lines         []string
	drawn         int // rows on the screen
}

func (p *livePicture) show(name string, view saga.View, _ events.Entry) {
	row, known := p.rows[view.Run]
	if !known {
		row = len(p.lines)
		p.rows[view.Run] = row
		p.lines = append(p.lines, "")
	}
	p.lines[row] = p.row(name, view)
	p.draw()
}

// draw writes the rows that fit the screen, those that came last.
func (p *livePicture) draw() {
	var b strings.Builder
	if p.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", p.drawn)
	}
	lines := p.lines[max(0, len(p.lines)-max(1, p.height-2)):]
	for _, line := range lines {
		b.WriteString("\r" + line + "\x1b[K\n")
	}
	p.drawn = len(lines)
	io.WriteString(p.w, b.String()) //nolint:errcheck // a terminal that is gone is no failure of the runs
}

func (p *livePicture) row(name string, view saga.View) string {
	cells := []string{fmt.Sprintf("%-20s", clip(name, 20))}
	used := 20
	for _, s := range view.Steps {
		cell := s.Step + " " + glyph(s.State)
		if took := s.Settled.Sub(s.Started); !s.Settled.IsZero() && took >= time.Millisecond {
			cell += " " + took.Round(time.Millisecond).String()
		}
		if used += len([]rune(cell)) + 2; used > p.width-2 {
			break
		}
		cells = append(cells, color(s.State)+cell+"\x1b[0m")
	}
	return strings.Join(cells, "  ")
}

func (p *livePicture) close() {}

// glyph shows the state of a step in one character.
func glyph(s saga.State) string {
	switch s {
	case saga.StateRunning:
		return "▶"
	case saga.StateRetrying:
		return "↻"
	case saga.StateCompleted:
		return "✔"
	case saga.StateFailed, saga.StateUnknown:
		return "✘"
	case saga.StateUndoing:
		return "◀"
	case saga.StateUndone:
		return "↶"
	case saga.StateStuck:
		return "!"
	case saga.StateSkipped:
		return "-"
	default:
		return "·"
	}
}

// color returns the escape sequence for a state; see ECMA-48, SGR.
func color(s saga.State) string {
	switch s {
	case saga.StateCompleted:
		return "\x1b[32m"
	case saga.StateFailed, saga.StateUnknown, saga.StateStuck:
		return "\x1b[31m"
	case saga.StateRunning, saga.StateRetrying, saga.StateUndoing, saga.StateUndone:
		return "\x1b[33m"
	default:
		return "\x1b[2m"
	}
}

// clip shortens a text to n characters, keeping its end.
func clip(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return "…" + string(r[len(r)-n+1:])
}

// oneLine takes line breaks and control characters out of a text from outside.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
}
