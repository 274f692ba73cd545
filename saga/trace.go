package saga

import (
	"time"

	"segue/events"
)

// Trace returns the run's place in its trace.
func (r *Run) Trace() events.Trace { return events.RunTrace(r.started) }

// Origin returns what the start said of its trace; false if it named none.
func (r *Run) Origin() (events.Trace, bool) { return events.ParseTrace(r.started.TraceParent) }

// Asked returns when the command of an attempt was stored, given the subject of
// its command or outcome; zero if it was not.
func (r *Run) Asked(s events.Subject) time.Time {
	i := r.Definition.Step(s.Step)
	if i < 0 {
		return time.Time{}
	}
	list := r.steps[i].do
	if s.Attempt.Undo {
		list = r.steps[i].undo
	}
	for _, a := range list {
		if a.n == s.Attempt.N {
			return a.requested.at
		}
	}
	return time.Time{}
}

// Tried is one attempt at a step, or at undoing it, as a trace shows it.
type Tried struct {
	Step    string
	Service string
	Attempt events.Attempt
	// Trace is the attempt's place in the run's trace.
	Trace events.Trace
	// Asked and Settled are when command and outcome were stored; equal if nobody was
	// asked. Settled is zero as long as there is no outcome.
	Asked   time.Time
	Settled time.Time
	// Failure says how it failed; nil if it did not.
	Failure *events.Failed
}

// Tried lists the attempts that were made, step by step in the order of the
// definition, and those at one thing in order. Of a step that is tried for ever
// the first and the last few are remembered.
func (r *Run) Tried() []Tried {
	var all []Tried
	for i := range r.Definition.Steps {
		step := &r.Definition.Steps[i]
		for _, a := range r.steps[i].do.asked(r.do(i)) {
			all = a.tried(all, r, step, events.Attempt{N: a.n})
		}
		if step.Undo == nil {
			continue
		}
		for _, a := range r.steps[i].undo.asked(r.undo(i)) {
			all = a.tried(all, r, step, events.Attempt{N: a.n, Undo: true})
		}
	}
	return all
}

// tried appends an attempt, unless it was given up or skipped.
func (a *attempt) tried(all []Tried, r *Run, step *Step, n events.Attempt) []Tried {
	if a.withheld || a.skipped {
		return all
	}
	t := Tried{
		Step: step.Name, Service: step.Service, Attempt: n,
		Trace: r.Trace().At(a.requested.id), Asked: a.requested.at, Settled: a.settled.at,
	}
	if !a.requested.set() {
		t.Trace, t.Asked = r.Trace().At(a.settled.id), a.settled.at
	}
	if a.verdict == failed || a.verdict == unknown {
		t.Failure = &a.failure
	}
	return append(all, t)
}
