package saga

import (
	"slices"
	"time"

	"segue/events"
)

// turn is why and where in the journal a run turned back.
type turn struct {
	mark
	reason events.Reason
}

// Turned says that the run has turned back.
func (r *Run) Turned() bool { return r.turn() != nil }

// turn returns the first cause to turn back, or nil for a run that goes forward.
func (r *Run) turn() *turn {
	if r.committed() {
		return nil
	}
	var first *turn
	consider := func(m mark, reason events.Reason) {
		if m.set() && (first == nil || m.sequence < first.sequence) {
			first = &turn{mark: m, reason: reason}
		}
	}
	consider(r.cancel, events.Reason{Kind: events.ReasonCanceled})
	consider(r.deadline, events.Reason{Kind: events.ReasonDeadline})
	for i, step := range r.Definition.Steps {
		if s := r.do(i); s.Phase == PhaseExhausted {
			f := s.last.failure
			consider(s.last.settled, events.Reason{Kind: events.ReasonFailed, Step: step.Name, Message: f.Message, Code: f.Code})
		}
	}
	if first != nil && r.allDone() && r.lastDone().sequence < first.sequence {
		return nil // it came too late
	}
	return first
}

// settleAll says that nothing of a run that turned back is running or can begin
// any more. What could still begin it withholds.
func (r *Run) settleAll(d *Decision, now time.Time) bool {
	settled := true
	for i := range r.Definition.Steps {
		step := &r.Definition.Steps[i]
		switch s := r.do(i); {
		case s.Phase == PhaseRunning:
			settled = false
		case r.free(i) && (s.Phase == PhaseIdle || s.Phase == PhaseWaiting):
			settled = false
			n := events.Attempt{N: s.Next}
			d.add(r.entry(r.subject(events.KindCommand, step, n), events.TypeStepWithheld, r.enabled(i, s).id, now))
		}
	}
	return settled
}

// back undoes what has to be undone, each step after all that depend on it, and
// ends the run when nothing is left to undo.
func (r *Run) back(d *Decision, now time.Time, t *turn) {
	blocked := make([]bool, len(r.Definition.Steps))
	finished, cause := true, t.mark
	for i := len(blocked) - 1; i >= 0; i-- { // dependents first
		undone := true
		if r.mustUndo(i) {
			s := r.undo(i)
			undone = s.Phase == PhaseDone
			if undone {
				cause = latest(cause, s.last.settled)
			}
			if !blocked[i] && (s.Phase == PhaseIdle || s.Phase == PhaseWaiting) && d.at(s.due, now) {
				d.add(r.requestUndo(i, s, t, now))
			}
		}
		finished = finished && undone
		for _, n := range r.Definition.Steps[i].Needs {
			blocked[n] = blocked[n] || blocked[i] || !undone
		}
	}
	if finished {
		e := r.entry(r.subject(events.KindEnded, nil, events.Attempt{}), events.TypeRunCompensated, cause.id, now)
		e.Event.Data = events.MarshalData(events.RunCompensated{Reason: t.reason, Undone: r.undone()})
		d.add(e)
	}
}

// mustUndo says that a step has an undo and was done, or may have been.
func (r *Run) mustUndo(i int) bool {
	if r.Definition.Steps[i].Undo == nil {
		return false
	}
	s := r.do(i)
	return s.Phase == PhaseDone && !s.Skipped || s.Unknown
}

func (r *Run) requestUndo(i int, s Standing, t *turn, now time.Time) events.Entry {
	step := &r.Definition.Steps[i]
	cause := t.mark
	if s.last != nil {
		cause = s.last.settled
	}
	tried := r.do(i)
	data := events.UndoRequested{Attempts: tried.made}
	if tried.Phase == PhaseDone {
		data.Output = tried.last.output
	}
	// What made the input once makes it again: the outputs it is made of stand.
	data.Input, _ = step.With.eval(r.scope())
	return r.command(step, events.Attempt{N: s.Next, Undo: true}, events.TypeUndoRequested,
		events.MarshalData(data), step.Undo.Timeout, cause, now)
}

// undone lists the steps whose undo has completed, in that order.
func (r *Run) undone() []string {
	type undo struct {
		sequence uint64
		step     string
	}
	var list []undo
	for i, step := range r.Definition.Steps {
		if step.Undo == nil {
			continue
		}
		if s := r.undo(i); s.Phase == PhaseDone {
			list = append(list, undo{s.last.settled.sequence, step.Name})
		}
	}
	slices.SortFunc(list, func(a, b undo) int {
		if a.sequence < b.sequence {
			return -1
		}
		return 1
	})
	names := make([]string, len(list))
	for i, u := range list {
		names[i] = u.step
	}
	return names
}
