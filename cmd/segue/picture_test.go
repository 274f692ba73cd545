package main

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"segue/events"
	"segue/saga"
)

// escapes are what moves the cursor or colours, and takes no room.
var escapes = regexp.MustCompile("\x1b\\[[0-9]*[A-Za-z]")

func view(run string, states ...saga.State) saga.View {
	v := saga.View{Run: run}
	begin := time.Unix(0, 0)
	for i, s := range states {
		v.Steps = append(v.Steps, saga.StepView{Step: fmt.Sprintf("step-%d", i), State: s, Started: begin, Settled: begin.Add(1500 * time.Millisecond)})
	}
	return v
}

func TestLivePictureFits(t *testing.T) {
	t.Parallel()
	var screen bytes.Buffer
	p := &livePicture{w: &screen, width: 60, height: 5, rows: make(map[string]int)}
	for i := range 20 {
		p.show(fmt.Sprintf("a name that is too long, number %d", i),
			view(fmt.Sprint(i), saga.StateCompleted, saga.StateRunning, saga.StateRetrying, saga.StateUndone, saga.StateStuck), events.Entry{})
	}
	for line := range strings.Lines(screen.String()) {
		if text := strings.TrimSpace(escapes.ReplaceAllString(line, "")); utf8.RuneCountInString(text) > 60 {
			t.Errorf("%d characters on a screen of 60: %q", utf8.RuneCountInString(text), text)
		}
	}
	for _, up := range regexp.MustCompile("\x1b\\[([0-9]+)A").FindAllStringSubmatch(screen.String(), -1) {
		if up[1] > "3" || len(up[1]) > 1 {
			t.Errorf("the cursor goes %s rows up on a screen of 5", up[1])
		}
	}
	if !strings.Contains(screen.String(), "number 19") || p.drawn != 3 {
		t.Errorf("%d rows are drawn, and the last run is among them: %v", p.drawn, strings.Contains(screen.String(), "number 19"))
	}
}

func TestSentences(t *testing.T) {
	t.Parallel()
	seen := make(map[string]string)
	for _, kind := range []string{
		events.TypeRunStarted, events.TypeRunCompleted, events.TypeRunCompensated,
		events.TypeStepRequested, events.TypeStepWithheld, events.TypeStepSkipped, events.TypeStepCompleted, events.TypeStepFailed, events.TypeStepTimedOut,
		events.TypeUndoRequested, events.TypeUndoCompleted, events.TypeUndoFailed, events.TypeUndoTimedOut,
		events.TypeCancel, events.TypeRetry, events.TypeDeadline,
	} {
		e := events.Entry{Subject: events.Subject{Step: "fetch", Service: "fetcher", Attempt: events.Attempt{N: 1, Undo: strings.Contains(kind, "undo")}}}
		e.Event.Type, e.Event.Data = kind, []byte(`{"message":"no\nroute"}`)
		text := sentence(saga.View{Run: "r", Saga: "ingest"}, e)
		if other, twice := seen[text]; twice || strings.Contains(text, "segue.") || text != oneLine(text) {
			t.Errorf("%s reads %q, and so does %q", kind, text, other)
		}
		seen[text] = kind
	}
	strange := events.Entry{Event: events.Event{Type: "com.example.\x1b[2J"}}
	if text := sentence(saga.View{}, strange); strings.Contains(text, "\x1b") {
		t.Errorf("an escape sequence of a stranger reaches the terminal: %q", text)
	}
}

func TestClip(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, end, beginning string }{
		{"äöü", "äöü", "äöü"},
		{"abcdef", "…def", "abc…"},
		{"", "", ""},
	} {
		if got := clip(c.text, 4); got != c.end {
			t.Errorf("clip(%q) is %q, want %q", c.text, got, c.end)
		}
		if got := clipEnd(c.text, 4); got != c.beginning {
			t.Errorf("clipEnd(%q) is %q, want %q", c.text, got, c.beginning)
		}
	}
}
