package saga

import (
	"slices"
	"time"

	"segue/events"
)

// Apply puts a message in its place. A message whose place is filled, that is
// not about this run or that means nothing to it, changes nothing.
//
// An entry whose event could not be decoded (the zero Event) holds its place:
// on the subject of an outcome it says that the outcome is unknown.
func (r *Run) Apply(e events.Entry) {
	if e.Subject.Run != r.ID {
		return
	}
	switch e.Subject.Kind {
	case events.KindCommand:
		if a := r.slot(e.Subject); a != nil && !a.requested.set() {
			a.requested = markOf(e)
			a.withheld = e.Event.Type == events.TypeStepWithheld
			if a.skipped = e.Event.Type == events.TypeStepSkipped; a.skipped {
				delete(r.outputs, e.Subject.Step) // whatever claims to be one
			}
			r.forget(e.Subject)
		}
	case events.KindOutcome:
		if a := r.slot(e.Subject); a != nil && !a.settled.set() {
			r.settle(a, e)
		}
	case events.KindSignal:
		r.signal(e)
	case events.KindEnded:
		if r.ended.Sequence == 0 {
			r.ended = e
		}
	}
}

// slot returns the place of an attempt, or nil if the run has no such step.
func (r *Run) slot(s events.Subject) *attempt {
	i := r.Definition.Step(s.Step)
	if i < 0 || r.Definition.Steps[i].Service != s.Service {
		return nil
	}
	list := &r.steps[i].do
	if s.Attempt.Undo {
		list = &r.steps[i].undo
	}
	return list.at(s.Attempt.N)
}

// forget keeps a series that has no end from growing without one.
func (r *Run) forget(s events.Subject) {
	if i := r.Definition.Step(s.Step); !s.Attempt.Undo && r.Definition.Steps[i].Retry.Attempts == Unlimited {
		r.steps[i].do.forget()
	}
}

func (r *Run) settle(a *attempt, e events.Entry) {
	a.settled = markOf(e)
	switch e.Event.Type {
	case events.TypeStepCompleted, events.TypeUndoCompleted:
		r.complete(a, e)
	case events.TypeStepFailed, events.TypeUndoFailed:
		a.verdict = failed
		if err := events.ReadData(e.Event, &a.failure); err != nil {
			a.verdict = unknown
			a.failure = events.Failed{Message: err.Error(), Retryable: true}
		}
		if a.failure.Unknown {
			a.verdict = unknown
		}
	case events.TypeStepTimedOut, events.TypeUndoTimedOut:
		var data events.TimedOut
		message := "no answer in time"
		if events.ReadData(e.Event, &data) == nil {
			message = "no answer within " + (time.Duration(data.AfterMS) * time.Millisecond).String()
		}
		a.verdict = unknown
		a.failure = events.Failed{Message: message, Code: CodeTimedOut, Retryable: true}
	default:
		a.verdict = unknown
		a.failure = events.Failed{Message: "the outcome cannot be read", Code: CodeUnreadable, Retryable: true}
	}
	if a.verdict == unknown {
		a.failure.Unknown = true // whatever made it so; see Essence
	}
}

// complete takes a completed outcome. One whose output is not JSON is unknown:
// the work was done, but nothing can be built on it.
func (r *Run) complete(a *attempt, e events.Entry) {
	if e.Subject.Attempt.Undo {
		a.verdict = completed
		return
	}
	data := e.Event.Data
	if len(data) == 0 {
		data = []byte("null")
	}
	err := events.CheckJSON(data)
	var value any
	if err == nil {
		value, err = DecodeValue(data)
	}
	if err != nil {
		a.verdict = unknown
		a.failure = events.Failed{Message: "the output cannot be read: " + err.Error(), Code: CodeUnreadable, Retryable: true}
		return
	}
	a.verdict, a.output = completed, data
	attempts := r.steps[r.Definition.Step(e.Subject.Step)].do
	first := slices.IndexFunc(attempts, func(a attempt) bool { return a.verdict == completed })
	if attempts[first].n == a.n && !a.skipped { // one behind it was never asked for
		r.outputs[e.Subject.Step] = value
	}
}

// The codes of failures that the core itself reports.
const (
	CodeTimedOut   = "timed_out"  // no outcome within the timeout
	CodeUnreadable = "unreadable" // the outcome is no event or its data is no JSON
	CodeExpression = "expression" // the input of the step, or its when, could not be made
)

func (r *Run) signal(e events.Entry) {
	switch name := e.Subject.Signal; name {
	case events.SignalCancel:
		if !r.cancel.set() {
			r.cancel = markOf(e)
		}
	case events.SignalDeadline:
		if !r.deadline.set() {
			r.deadline = markOf(e)
		}
	default:
		if e.Event.Type == events.TypeRetry {
			r.retries[name] = true
		}
	}
}

// rounds returns how many rounds of attempts whatever may get stuck is given.
func (r *Run) rounds() int {
	n := 1
	for len(r.retries) >= n && r.retries[events.RetrySignal(n)] {
		n++
	}
	return n
}
