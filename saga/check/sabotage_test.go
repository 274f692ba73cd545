package check

import (
	"slices"
	"strings"
	"testing"
	"time"

	"segue/events"
	"segue/saga"
)

// TestFindsFaults gives the walk deciders that break one rule each, and wants to be
// told of all of them.
func TestFindsFaults(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		fault string
		want  string // in the reason
		wrong decider
	}{
		{"starts what is not free", "asked for before what it needs", startsAll},
		{"withholds nothing", "a message may still come", withholdsNothing},
		{"undoes in any order", "before what depends on it", undoesAll},
		{"ends with undos left", "is not undone and the run is compensated", endsEarly},
		{"completes with steps left", "is not done and the run is completed", completesEarly},
		{"forgets to end", "for ever", without(events.KindEnded, "")},
		{"forgets the timeout of a step", "never times out", without(events.KindOutcome, events.TypeStepTimedOut)},
		{"forgets the timeout of an undo", "never times out", without(events.KindOutcome, events.TypeUndoTimedOut)},
		{"forgets the deadline", "its deadline never passes", without(events.KindSignal, "")},
		{"forgets to undo", "for ever", without(events.KindCommand, events.TypeUndoRequested)},
		{"skips an attempt", "out of turn", skips},
		{"undoes a run that goes forward", "is undone in a run that goes forward", undoesForward},
	} {
		t.Run(test.fault, func(t *testing.T) {
			t.Parallel()
			d, err := load(t, "testdata/good/chain.yaml")
			if err != nil {
				t.Fatal(err)
			}
			r := definition(d, test.wrong, MaxStates)
			if r.Flaw == nil || !strings.Contains(r.Flaw.Reason, test.want) {
				t.Fatalf("found %v after %d states, want %q", r.Err(), r.States, test.want)
			}
			t.Logf("%s\n%s", r.Flaw.Reason, strings.Join(r.Flaw.Story, "\n"))
		})
	}
}

// TestFindsFaultsBehindPivot does so for the pivot.
func TestFindsFaultsBehindPivot(t *testing.T) {
	t.Parallel()
	d, err := load(t, "testdata/good/pivot.yaml")
	if err != nil {
		t.Fatal(err)
	}
	r := definition(d, undoesAcross, MaxStates)
	if r.Flaw == nil || !strings.Contains(r.Flaw.Reason, "across the pivot") {
		t.Errorf("found %v after %d states", r.Err(), r.States)
	}
}

// command returns the command for the next attempt at a step or its undo.
func command(r *saga.Run, i int, undo bool) events.Entry {
	return message{what: asked, step: int16(i), undo: undo}.entry(r, 0)
}

func startsAll(r *saga.Run, now time.Time) saga.Decision {
	d := r.Decide(now)
	for i := range r.Definition.Steps {
		if !r.Ended() && !r.Turned() && r.Do(i).Phase == saga.PhaseIdle {
			d.Append = append(d.Append, command(r, i, false))
		}
	}
	return d
}

// withholdsNothing decides as if what it ought to withhold were withheld.
func withholdsNothing(r *saga.Run, now time.Time) saga.Decision {
	d := r.Decide(now)
	pretended := r.Clone()
	var rest []events.Entry
	for i, e := range d.Append {
		if e.Event.Type != events.TypeStepWithheld {
			rest = append(rest, e)
			continue
		}
		e.Sequence = uint64(1_000_000 + i)
		pretended.Apply(e)
	}
	if len(rest) == len(d.Append) {
		return d
	}
	d.Append = append(rest, withholdsNothing(pretended, now).Append...)
	return d
}

func undoesAll(r *saga.Run, now time.Time) saga.Decision {
	d := r.Decide(now)
	for i, step := range r.Definition.Steps {
		if r.Turned() && !r.Ended() && step.Undo != nil && r.Do(i).Phase == saga.PhaseDone && r.Undo(i).Phase == saga.PhaseIdle && atRest(r) {
			d.Append = append(d.Append, command(r, i, true))
		}
	}
	return d
}

// atRest says that no step runs or can begin.
func atRest(r *saga.Run) bool {
	for i := range r.Definition.Steps {
		if p := r.Do(i).Phase; p == saga.PhaseRunning || p == saga.PhaseWaiting {
			return false
		}
	}
	return true
}

func endsEarly(r *saga.Run, now time.Time) saga.Decision {
	d := r.Decide(now)
	undoes := func(e events.Entry) bool { return e.Event.Type == events.TypeUndoRequested }
	if slices.ContainsFunc(d.Append, undoes) {
		d.Append = append(d.Append, message{what: allUndone}.entry(r, 0))
	}
	return d
}

func completesEarly(r *saga.Run, now time.Time) saga.Decision {
	d := r.Decide(now)
	if !r.Turned() && !r.Ended() && r.Do(0).Phase == saga.PhaseDone {
		d.Append = append(d.Append, message{what: allDone}.entry(r, 0))
	}
	return d
}

// without never decides on messages of a kind, or of one type of them.
func without(kind events.Kind, eventType string) decider {
	return func(r *saga.Run, now time.Time) saga.Decision {
		d := r.Decide(now)
		d.Append = slices.DeleteFunc(d.Append, func(e events.Entry) bool {
			return e.Subject.Kind == kind && (eventType == "" || e.Event.Type == eventType)
		})
		return d
	}
}

func skips(r *saga.Run, now time.Time) saga.Decision {
	d := r.Decide(now)
	for i := range d.Append {
		if d.Append[i].Event.Type == events.TypeStepRequested && d.Append[i].Subject.Attempt.N == 2 {
			d.Append[i].Subject.Attempt.N = 3
		}
	}
	return d
}

func undoesForward(r *saga.Run, now time.Time) saga.Decision {
	d := r.Decide(now)
	if !r.Ended() && !r.Turned() && r.Do(0).Phase == saga.PhaseDone && r.Undo(0).Phase == saga.PhaseIdle {
		d.Append = append(d.Append, command(r, 0, true))
	}
	return d
}

func undoesAcross(r *saga.Run, now time.Time) saga.Decision {
	d := r.Decide(now)
	if !r.Ended() && r.Committed() && r.Undo(0).Phase == saga.PhaseIdle {
		d.Append = append(d.Append, command(r, 0, true))
	}
	return d
}
