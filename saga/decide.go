package saga

import (
	"encoding/json"
	"time"

	"segue/events"
)

// Decision is what ought to happen to a run.
type Decision struct {
	// Append lists the messages that ought to be in the journal and are not. Whoever
	// acts on a decision appends them all, and decides again when they have come
	// back from the journal.
	Append []events.Entry
	// Next is the instant at which to decide again if nothing has come until then.
	// Zero: only a message changes anything.
	Next time.Time
}

// add appends a message to the decision.
func (d *Decision) add(e events.Entry) { d.Append = append(d.Append, e) }

// at asks for another decision at an instant, and says whether it is there yet.
func (d *Decision) at(due, now time.Time) bool {
	if !due.After(now) {
		return true
	}
	if d.Next.IsZero() || due.Before(d.Next) {
		d.Next = due
	}
	return false
}

// Decide returns what ought to happen to the run at an instant of the journal's
// time. It changes nothing, and for the same messages it decides the same.
func (r *Run) Decide(now time.Time) Decision {
	var d Decision
	if r.ended.Sequence > 0 {
		return d
	}
	turn := r.turn()
	r.expire(&d, now)
	switch {
	case turn == nil:
		r.forward(&d, now)
	case r.settleAll(&d, now):
		r.back(&d, now, turn)
	}
	return d
}

// expire writes the outcome of every attempt whose time is up. The service may
// have answered meanwhile; the journal keeps whichever came first.
func (r *Run) expire(d *Decision, now time.Time) {
	for i := range r.Definition.Steps {
		step := &r.Definition.Steps[i]
		if s := r.do(i); s.Phase == PhaseRunning {
			r.expireOne(d, now, step, events.Attempt{N: s.Next}, s.last, step.Timeout)
		}
		if step.Undo == nil {
			continue
		}
		if s := r.undo(i); s.Phase == PhaseRunning {
			r.expireOne(d, now, step, events.Attempt{N: s.Next, Undo: true}, s.last, step.Undo.Timeout)
		}
	}
}

func (r *Run) expireOne(d *Decision, now time.Time, step *Step, n events.Attempt, a *attempt, timeout time.Duration) {
	if !d.at(a.requested.at.Add(timeout), now) {
		return
	}
	kind := events.TypeStepTimedOut
	if n.Undo {
		kind = events.TypeUndoTimedOut
	}
	e := r.entry(r.subject(events.KindOutcome, step, n), kind, a.requested.id, now)
	e.Event.Data = events.MarshalData(events.TimedOut{AfterMS: timeout.Milliseconds()})
	e.Event.TraceParent = r.Trace().At(a.requested.id).String()
	d.add(e)
}

// forward starts what is free to run, ends the run when all is done, and turns
// it back when its time is up.
func (r *Run) forward(d *Decision, now time.Time) {
	if r.allDone() {
		d.add(r.completedEntry(now))
		return
	}
	if !r.committed() && d.at(r.at.at.Add(r.Definition.Deadline), now) {
		d.add(r.deadlinePassed(now))
		return
	}
	for i := range r.Definition.Steps {
		s := r.do(i)
		if r.free(i) && (s.Phase == PhaseIdle || s.Phase == PhaseWaiting) && d.at(s.due, now) {
			d.add(r.request(i, s, now))
		}
	}
}

// deadlinePassed returns the signal that turns the run back for its deadline.
func (r *Run) deadlinePassed(now time.Time) events.Entry {
	subject := r.subject(events.KindSignal, nil, events.Attempt{})
	subject.Signal = events.SignalDeadline
	e := r.entry(subject, events.TypeDeadline, r.at.id, now)
	e.Event.Data = events.MarshalData(events.Signal{Note: "deadline of " + r.Definition.Deadline.String() + " has passed"})
	return e
}

// free says that all that a step needs has completed.
func (r *Run) free(i int) bool {
	for _, n := range r.Definition.Steps[i].Needs {
		if r.do(n).Phase != PhaseDone {
			return false
		}
	}
	return true
}

// request returns the command for the next attempt at a step. If there is nothing
// to do it returns, in its place, that the step is skipped, and if the input cannot
// be made the outcome of that attempt.
func (r *Run) request(i int, s Standing, now time.Time) events.Entry {
	step, n := &r.Definition.Steps[i], events.Attempt{N: s.Next}
	cause := r.enabled(i, s)
	wanted, err := step.When.holds(r.scope())
	if err == nil && !wanted && s.last == nil {
		return r.entry(r.subject(events.KindCommand, step, n), events.TypeStepSkipped, cause.id, now)
	}
	var data json.RawMessage
	if err == nil {
		data, err = step.With.eval(r.scope())
	}
	if err != nil {
		e := r.entry(r.subject(events.KindOutcome, step, n), events.TypeStepFailed, cause.id, now)
		e.Event.Data = events.MarshalData(events.Failed{Message: err.Error(), Code: CodeExpression})
		return e
	}
	return r.command(step, n, events.TypeStepRequested, data, step.Timeout, cause, now)
}

// command returns a command with its deadline, its reply subject and its place in
// the run's trace.
func (r *Run) command(step *Step, n events.Attempt, kind string, data json.RawMessage, timeout time.Duration, cause mark, now time.Time) events.Entry {
	subject := r.subject(events.KindCommand, step, n)
	e := r.entry(subject, kind, cause.id, now)
	e.Event.Expiry = now.Add(timeout).UTC()
	e.Event.ReplyTo = subject.With(events.KindOutcome).String()
	e.Event.TraceParent = r.Trace().At(e.Event.ID).String()
	e.Event.Data = data
	return e
}

// enabled returns the message that made the next attempt at a step possible.
func (r *Run) enabled(i int, s Standing) mark {
	if s.last != nil {
		return s.last.over()
	}
	cause := r.at
	for _, n := range r.Definition.Steps[i].Needs {
		cause = latest(cause, r.do(n).last.over())
	}
	return cause
}

func (r *Run) allDone() bool {
	for i := range r.Definition.Steps {
		if r.do(i).Phase != PhaseDone {
			return false
		}
	}
	return true
}

// lastDone returns the mark of the step that completed last.
func (r *Run) lastDone() mark {
	var last mark
	for i := range r.Definition.Steps {
		if s := r.do(i); s.Phase == PhaseDone {
			last = latest(last, s.last.over())
		}
	}
	return last
}

func (r *Run) completedEntry(now time.Time) events.Entry {
	e := r.entry(r.subject(events.KindEnded, nil, events.Attempt{}), events.TypeRunCompleted, r.lastDone().id, now)
	var data events.RunCompleted
	if !r.Definition.Output.IsZero() {
		output, err := r.Definition.Output.eval(r.scope())
		if err != nil {
			// All the work is done; an output that cannot be made does not undo it.
			output = events.MarshalData(map[string]string{"error": err.Error()})
		}
		data.Output = output
	}
	e.Event.Data = events.MarshalData(data)
	return e
}

func (r *Run) subject(kind events.Kind, step *Step, n events.Attempt) events.Subject {
	s := events.Subject{Kind: kind, Partition: r.Partition, Run: r.ID}
	if step != nil {
		s.Service, s.Step, s.Attempt = step.Service, step.Name, n
	}
	return s
}

// entry returns a message of the run with what it inherits from the start.
func (r *Run) entry(subject events.Subject, kind, cause string, now time.Time) events.Entry {
	e := newEvent(subject, kind, now).Caused(r.started)
	e.CausationID = cause
	return events.Entry{Subject: subject, Event: e}
}
