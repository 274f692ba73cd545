package saga

import (
	"slices"
	"strings"
	"testing"
	"time"

	"segue/events"
)

// TestExplore walks through everything that can become of runs of several
// shapes. That the walk finds faults is shown by TestExploreFindsFaults.
func TestExplore(t *testing.T) {
	t.Parallel()
	for name, text := range shapes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := Explore(mustLoad(t, text), MaxStates)
			t.Logf("%d states, endings %v, stuck at %v", x.States, x.Endings, x.StuckAt)
			if x.Violation != "" {
				t.Fatal(x.Violation)
			}
			if !x.Complete {
				t.Fatal("not all states were looked at")
			}
			if x.Endings[StatusCompleted] == 0 {
				t.Error("no run completes")
			}
		})
	}
}

// TestExploreFindsFaults gives the walk deciders that break one rule each.
func TestExploreFindsFaults(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		fault string
		want  string // in the violation
		wrong func(*Run, time.Time) Decision
	}{
		{"starts what is not free", "before what it needs", func(r *Run, now time.Time) Decision {
			d := r.Decide(now)
			for i := range r.Definition.Steps {
				if s := r.do(i); !r.Ended() && r.turn() == nil && s.phase == idle {
					step := &r.Definition.Steps[i]
					d.add(r.command(step, events.Attempt{N: 1}, events.TypeStepRequested, nil, step.Timeout, mark{}, now))
				}
			}
			return d
		}},
		{"withholds nothing", "undone", func(r *Run, now time.Time) Decision {
			d := r.Decide(now)
			withheld := func(e events.Entry) bool { return e.Event.Type == events.TypeStepWithheld }
			if t := r.turn(); t != nil && slices.ContainsFunc(d.Append, withheld) {
				d.Append = slices.DeleteFunc(d.Append, withheld)
				r.back(&d, now, t)
			}
			return d
		}},
		{"undoes in any order", "before what depends on it", func(r *Run, now time.Time) Decision {
			d := r.Decide(now)
			for i := range r.Definition.Steps {
				if t := r.turn(); t != nil && !r.Ended() && r.settleAll(new(Decision), now) && r.mustUndo(i) {
					if s := r.undo(i); s.phase == idle {
						d.add(r.requestUndo(i, s, t, now))
					}
				}
			}
			return d
		}},
		{"ends with undos left", "is not undone", func(r *Run, now time.Time) Decision {
			d := r.Decide(now)
			if r.turn() != nil && !r.Ended() && r.settleAll(new(Decision), now) {
				d.add(r.entry(r.subject(events.KindEnded, nil, events.Attempt{}), events.TypeRunCompensated, "", now))
			}
			return d
		}},
		{"forgets to end", "for ever", func(r *Run, now time.Time) Decision {
			d := r.Decide(now)
			d.Append = slices.DeleteFunc(d.Append, func(e events.Entry) bool { return e.Subject.Kind == events.KindEnded })
			return d
		}},
	} {
		t.Run(test.fault, func(t *testing.T) {
			t.Parallel()
			x := explore(mustLoad(t, shapes()["linear"]), MaxStates, test.wrong)
			if !strings.Contains(x.Violation, test.want) {
				t.Errorf("violation %q after %d states, want one with %q", x.Violation, x.States, test.want)
			}
		})
	}
}

// TestExploreStops checks that a bound on the states is kept and told.
func TestExploreStops(t *testing.T) {
	t.Parallel()
	x := Explore(mustLoad(t, shapes()["linear"]), 10)
	if x.Complete || x.States != 10 {
		t.Errorf("looked at %d states, complete %t; want 10, false", x.States, x.Complete)
	}
}

func shapes() map[string]string {
	return map[string]string{
		"linear": `
saga: linear
steps:
  a: {service: s, undo: true}
  b: {service: s, needs: [a]}
  c: {service: s, needs: [b], undo: true}
  d: {service: s, needs: [c], undo: true}
`,
		"diamond": `
saga: diamond
steps:
  a: {service: s, undo: true}
  b: {service: s, needs: [a], undo: true}
  c: {service: s, needs: [a], undo: true}
  d: {service: s, needs: [b, c], retry: {attempts: 1}}
`,
		"pivot": `
saga: pivot
steps:
  a: {service: s, undo: true}
  b: {service: s, undo: true}
  c: {service: s, needs: [a, b], pivot: true}
  d: {service: s, needs: [c]}
`,
		"single": `
saga: single
steps:
  a: {service: s}
`,
	}
}

func mustLoad(t *testing.T, text string) *Definition {
	t.Helper()
	d, err := Load("saga.yaml", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
