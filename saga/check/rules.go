package check

import (
	"slices"

	"segue/saga"
)

// broken returns what is wrong with a node, or nil. What depends on its state alone is
// looked at when that is new.
func (w *walker) broken(at int32, s *state, isNew bool) *Flaw {
	if isNew {
		if f := w.brokenState(at, s); f != nil {
			return f
		}
	}
	left := w.nodes[at].open
	if list := left.messages(left); s.status.Ended() && len(list) > 0 {
		return w.fault(at, -1, "has ended and a message may still come: "+list[0].sentence(w.definition))
	}
	return nil
}

func (w *walker) brokenState(at int32, s *state) *Flaw {
	n := &w.nodes[at]
	if n.plan.wrong != nil {
		return w.fault(at, -1, "is decided on wrongly: "+n.plan.wrong.Error())
	}
	undone := w.dependentsUndone(s)
	for i := range s.do {
		if reason := w.brokenStep(s, i, undone[i]); reason != "" {
			return w.fault(at, i, reason)
		}
	}
	if s.status.Ended() {
		return w.brokenEnd(at, s)
	}
	if f := w.unwatched(at, s); f != nil {
		return f
	}
	return w.stuckForward(at, s)
}

// unwatched returns what would go on for ever if nobody answered.
func (w *walker) unwatched(at int32, s *state) *Flaw {
	due := w.nodes[at].plan.due
	running := func(p saga.Standing, m message) bool {
		return p.Phase == saga.PhaseRunning && !slices.Contains(due, m)
	}
	allDone := true
	for i := range s.do {
		step := int16(i)
		if running(s.do[i], message{what: timedOut, step: step}) || running(s.undo[i], message{what: timedOut, step: step, undo: true}) {
			return w.fault(at, i, "runs and never times out")
		}
		allDone = allDone && s.do[i].Phase == saga.PhaseDone
	}
	if !s.turned && !s.committed && !allDone && !slices.Contains(due, message{what: late}) {
		return w.fault(at, -1, "goes forward and its deadline never passes")
	}
	return nil
}

// brokenStep returns the rule that a step breaks, or "".
func (w *walker) brokenStep(s *state, i int, dependentsUndone bool) string {
	begun := s.undo[i].Phase != saga.PhaseIdle
	switch {
	case wasAsked(s.do[i]) && !w.free(s, i):
		return "was asked for before what it needs was done"
	case begun && !w.mustUndo(s, i):
		return "is undone and never was done"
	case begun && s.committed:
		return "is undone across the pivot"
	case begun && !s.turned:
		return "is undone in a run that goes forward"
	case begun && s.do[i].Phase == saga.PhaseRunning:
		return "is undone while it runs"
	case begun && !dependentsUndone:
		return "is undone before what depends on it"
	}
	return ""
}

func wasAsked(s saga.Standing) bool {
	return s.Phase != saga.PhaseIdle && (s.Phase != saga.PhaseWithheld || s.Next > 1)
}

// free says that all that a step needs has completed.
func (w *walker) free(s *state, i int) bool {
	for _, n := range w.definition.Steps[i].Needs {
		if s.do[n].Phase != saga.PhaseDone {
			return false
		}
	}
	return true
}

// maybeDone says that a step was done or may have been.
func maybeDone(s saga.Standing) bool { return s.Phase == saga.PhaseDone && !s.Skipped || s.Unknown }

func (w *walker) mustUndo(s *state, i int) bool {
	return w.definition.Steps[i].Undo != nil && maybeDone(s.do[i])
}

// dependentsUndone says of each step that all that needs it, if only through
// others, is undone as far as it must be.
func (w *walker) dependentsUndone(s *state) []bool {
	undone := make([]bool, len(s.do))
	for i := range undone {
		undone[i] = true
	}
	for i := len(undone) - 1; i >= 0; i-- { // a step comes after all it needs
		self := !w.mustUndo(s, i) || s.undo[i].Phase == saga.PhaseDone
		for _, n := range w.definition.Steps[i].Needs {
			undone[n] = undone[n] && undone[i] && self
		}
	}
	return undone
}

func (w *walker) brokenEnd(at int32, s *state) *Flaw {
	for i := range s.do {
		step := &w.definition.Steps[i]
		switch {
		case s.do[i].Phase == saga.PhaseRunning || s.undo[i].Phase == saga.PhaseRunning:
			return w.fault(at, i, "runs and the run has ended")
		case s.status == saga.StatusCompleted && s.do[i].Phase != saga.PhaseDone:
			return w.fault(at, i, "is not done and the run is completed")
		case s.status == saga.StatusCompleted:
		case s.committed:
			return w.fault(at, i, "is behind a pivot and the run is compensated")
		case w.mustUndo(s, i) && s.undo[i].Phase != saga.PhaseDone:
			return w.fault(at, i, "is not undone and the run is compensated")
		case maybeDone(s.do[i]) && step.Undo == nil && !step.NothingToUndo:
			return w.flawed(at, i, "forgets its undo: it may have been done in a run that turns back, and nothing undoes it",
				"write undo: true if "+step.Service+" can undo it, or undo: false if there is nothing to undo")
		}
	}
	return nil
}

// stuckForward refuses a run that waits for its operator and has no undo that failed.
func (w *walker) stuckForward(at int32, s *state) *Flaw {
	if s.status != saga.StatusStuck || !s.committed {
		return nil
	}
	for i := range s.do {
		if s.do[i].Phase == saga.PhaseExhausted {
			return w.flawed(at, i, "can run out of attempts where there is no way back: the run is stuck though no undo has failed",
				"write retry: {attempts: unlimited}")
		}
	}
	return w.fault(at, -1, "is stuck and nothing in it is exhausted")
}

// unreachable refuses a step that no run asks for. A walk that was cut cannot tell.
func (w *walker) unreachable() *Flaw {
	if w.cut {
		return nil
	}
	for i, step := range w.original.Steps {
		if w.asked[i] {
			continue
		}
		reason := "is never reached"
		if err := step.With.Hopeless(); err != nil {
			reason += ": its input cannot be made, whatever the run is given: " + err.Error()
		}
		return w.flawed(w.spent[i], i, reason, "mend its input, or take the step out")
	}
	return nil
}

// fault is a flaw of Segue and not of the definition.
func (w *walker) fault(at int32, step int, reason string) *Flaw {
	if step < 0 {
		reason = "the run " + reason
	}
	return w.flawed(at, step, reason, "this is a fault of Segue, not of the definition: please report it")
}

func (w *walker) flawed(at int32, step int, reason, wayOut string) *Flaw {
	f := &Flaw{Saga: w.original.Name, Reason: reason, WayOut: wayOut, Story: w.story(at)}
	if step >= 0 {
		f.Step = w.original.Steps[step].Name
	}
	return f
}

// story tells how a run gets to a node, a line a message.
func (w *walker) story(at int32) []string {
	at = min(at, int32(len(w.nodes)-1))
	if at < 0 {
		return nil
	}
	story := make([]string, w.nodes[at].depth)
	for i := len(story) - 1; i >= 0; i-- {
		story[i] = w.nodes[at].by.sentence(w.original)
		at = w.nodes[at].parent
	}
	return story
}
