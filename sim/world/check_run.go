package world

import (
	"encoding/json"
	"slices"

	"segue/events"
	"segue/saga"
)

// identity: each subject is written once, in order; each event is derived from
// its place and caused by an earlier one, back to the start (I5).
func (c *checker) identity(s *story) {
	known := make(map[string]bool) // ids so far
	taken := make(map[events.Subject]bool)
	correlation, last := s.entries[0].Event.CorrelationID, uint64(0)
	for i, e := range s.entries {
		switch {
		case i == 0 && e.Subject.Kind != events.KindStarted:
			c.wrong("run %s begins with %s", s.id, e.Subject)
		case i > 0 && !known[e.Event.CausationID]:
			c.wrong("%s is caused by %q, which was not there before it", e.Subject, e.Event.CausationID)
		case i == 0 && e.Event.CausationID == "":
			c.wrong("%s is caused by no start", e.Subject)
		}
		if taken[e.Subject] {
			c.wrong("%s was written twice", e.Subject)
		}
		if e.Sequence <= last {
			c.wrong("%s has sequence %d behind %d", e.Subject, e.Sequence, last)
		}
		if e.Event.RunID != s.id || e.Event.CorrelationID != correlation {
			c.wrong("%s is of run %q, correlation %q", e.Subject, e.Event.RunID, e.Event.CorrelationID)
		}
		if want := events.DeriveID(e.Subject, e.Event.Source, e.Event.Type); e.Event.ID != want {
			c.wrong("%s has id %s, derived is %s", e.Subject, e.Event.ID, want)
		}
		known[e.Event.ID], taken[e.Subject], last = true, true, e.Sequence
	}
}

// order: a command comes behind all that it needs, and never behind a withheld
// one; an undo comes when nothing of its step runs and all that depends on the
// step is undone; the end comes last (rules 1, 2 and 6; I3).
func (c *checker) order(s *story) {
	for _, e := range s.entries {
		at := place{e.Subject.Step, e.Subject.Attempt}
		if s.ended.Sequence > 0 && e.Sequence > s.ended.Sequence && e.Subject.Kind != events.KindSignal {
			c.wrong("%s was written when run %s had ended", e.Subject, s.id)
		}
		if command, asked := s.commands[at]; e.Subject.Kind == events.KindOutcome && (!asked || command.Sequence > e.Sequence) {
			c.wrong("%s answers a command that was not there", e.Subject)
		}
		if e.Subject.Kind == events.KindCommand {
			c.command(s, e)
		}
		if e.Event.Type == events.TypeStepSkipped {
			c.w.count("skipped")
		}
	}
}

func (c *checker) command(s *story, e events.Entry) {
	i := s.definition.Step(e.Subject.Step)
	if i < 0 {
		c.wrong("%s is for no step of saga %s", e.Subject, s.definition.Name)
		return
	}
	if n := e.Subject.Attempt.N; n > 1 {
		before := place{e.Subject.Step, events.Attempt{N: n - 1, Undo: e.Subject.Attempt.Undo}}
		outcome, answered := s.outcomes[before]
		switch {
		case !asks(s.commands[before]):
			c.wrong("%s was written behind a withheld command", e.Subject)
		case !answered || outcome.Sequence > e.Sequence:
			c.wrong("%s was written before the attempt before it was settled", e.Subject)
		case succeeded(outcome):
			c.wrong("%s was written though the attempt before it completed", e.Subject)
		}
	}
	if e.Subject.Attempt.Undo {
		c.undoCommand(s, i, e)
		return
	}
	c.needed(s, i, e)
}

// needed: all that a step needs was done, or skipped, before a message.
func (c *checker) needed(s *story, i int, e events.Entry) {
	for _, n := range s.definition.Steps[i].Needs {
		if done := s.completed(n); done.Sequence == 0 || done.Sequence > e.Sequence {
			c.wrong("%s was written before step %s had completed", e.Subject, s.definition.Steps[n].Name)
		}
	}
}

func (c *checker) undoCommand(s *story, i int, e events.Entry) {
	if !s.maybeDone(i) {
		c.wrong("%s undoes what was never done", e.Subject)
	}
	for at, command := range s.commands {
		if at.attempt.Undo || !asks(command) {
			continue
		}
		if outcome := s.outcomes[at]; outcome.Sequence == 0 || outcome.Sequence > e.Sequence {
			c.wrong("%s was written while attempt %s at step %s ran", e.Subject, at.attempt, at.step)
		}
	}
	for j := range s.definition.Steps {
		if !s.dependsOn(j, i) || s.definition.Steps[j].Undo == nil || !s.maybeDone(j) {
			continue
		}
		if undone := s.undone(j); undone.Sequence == 0 || undone.Sequence > e.Sequence {
			c.wrong("%s was written before step %s was undone", e.Subject, s.definition.Steps[j].Name)
		}
	}
}

// end: a run has one end, for good reason (I1; rules 3 and 4).
func (c *checker) end(s *story) {
	switch s.ended.Event.Type {
	case events.TypeRunCompleted:
		c.w.count("completed")
		for i, step := range s.definition.Steps {
			if s.completed(i).Sequence == 0 {
				c.wrong("run %s completed without step %s", s.id, step.Name)
			}
			if s.commands[place{step.Name, events.Attempt{N: 1, Undo: true}}].Sequence > 0 {
				c.wrong("run %s completed though step %s was being undone", s.id, step.Name)
			}
		}
	case events.TypeRunCompensated:
		c.w.count("compensated")
		for i, step := range s.definition.Steps {
			if step.Undo != nil && s.maybeDone(i) && s.undone(i).Sequence == 0 {
				c.wrong("run %s is compensated and step %s is not undone", s.id, step.Name)
			}
			if step.Pivot && (s.maybeDone(i) || s.skipped(i)) {
				c.wrong("run %s is compensated though its pivot %s may have completed", s.id, step.Name)
			}
		}
		if !s.hasReason() {
			c.wrong("run %s was undone without a reason", s.id)
		}
	default:
		if c.abandoned[s.id] && s.mayBeStuck() {
			c.w.count("stuck")
			return
		}
		c.wrong("run %s of saga %s did not end in %v: %d messages, the last is %s", s.id, s.definition.Name, c.w.since(), len(s.entries), s.entries[len(s.entries)-1].Subject)
	}
}

// hasReason says why a run was undone: a signal, or a step that came to nothing.
func (s *story) hasReason() bool {
	for i := range s.definition.Steps {
		if last, tried := s.last(i, false); tried && !succeeded(last) {
			return true
		}
	}
	return s.signalled(events.TypeCancel) || s.signalled(events.TypeDeadline)
}

// mayBeStuck says that an undo was made to fail to the end, or a step that cannot
// be taken back.
func (s *story) mayBeStuck() bool {
	pivot := slices.ContainsFunc(s.definition.Steps, func(step saga.Step) bool { return step.Pivot })
	for i := range s.definition.Steps {
		if last, tried := s.last(i, true); tried && !succeeded(last) {
			return true
		}
		if last, tried := s.last(i, false); pivot && tried && !succeeded(last) {
			return true
		}
	}
	return false
}

// last returns the outcome of the last attempt at a step or at its undo.
func (s *story) last(i int, undo bool) (outcome events.Entry, tried bool) {
	for n := 1; ; n++ {
		at := place{s.definition.Steps[i].Name, events.Attempt{N: n, Undo: undo}}
		command := s.commands[at]
		if command.Sequence == 0 || !asks(command) {
			return outcome, tried
		}
		outcome, tried = s.outcomes[at], true
	}
}

// fold: the state of a run is a function of the set of its messages (I5).
func (c *checker) fold(s *story) {
	forth, err := saga.Begin(s.definition, s.entries[0])
	if err != nil {
		c.wrong("run %s cannot be folded: %v", s.id, err)
		return
	}
	back, _ := saga.Begin(s.definition, s.entries[0]) // it went well a moment ago
	for _, e := range s.entries {
		forth.Apply(e)
	}
	for _, e := range slices.Backward(slices.Concat(s.entries, s.entries)) {
		back.Apply(e)
	}
	a, errA := json.Marshal(forth.View())
	b, errB := json.Marshal(back.View())
	if errA != nil || errB != nil || string(a) != string(b) {
		c.wrong("run %s folds to\n%s and backwards to\n%s", s.id, a, b)
	}
	if ended := forth.Status().Ended(); ended != (s.ended.Sequence > 0) || (forth.Status() == saga.StatusStuck) != c.abandoned[s.id] {
		c.wrong("run %s folds to status %s", s.id, forth.Status())
	}
}

// completed returns the outcome with which a step completed or was skipped, if it
// did or was.
func (s *story) completed(i int) events.Entry {
	if s.skipped(i) {
		return s.commands[place{s.definition.Steps[i].Name, events.Attempt{N: 1}}]
	}
	return s.success(i, false)
}

// skipped says that a step had nothing to do.
func (s *story) skipped(i int) bool {
	return s.commands[place{s.definition.Steps[i].Name, events.Attempt{N: 1}}].Event.Type == events.TypeStepSkipped
}

// undone returns the outcome with which a step was undone, if it was.
func (s *story) undone(i int) events.Entry { return s.success(i, true) }

func (s *story) success(i int, undo bool) events.Entry {
	for at, e := range s.outcomes {
		if at.step == s.definition.Steps[i].Name && at.attempt.Undo == undo && succeeded(e) {
			return e
		}
	}
	return events.Entry{}
}

// maybeDone says that a step completed, or that the outcome of an attempt at it
// does not rule it out.
func (s *story) maybeDone(i int) bool {
	for at, e := range s.outcomes {
		if at.step != s.definition.Steps[i].Name || at.attempt.Undo {
			continue
		}
		var f events.Failed
		if e.Event.Type != events.TypeStepFailed || events.ReadData(e.Event, &f) != nil || f.Unknown {
			return true
		}
	}
	return false
}

func (s *story) dependsOn(j, i int) bool {
	return slices.ContainsFunc(s.definition.Steps[j].Needs, func(n int) bool { return n == i || s.dependsOn(n, i) })
}

// asks says that a message where a command goes is one.
func asks(command events.Entry) bool {
	return command.Event.Type != events.TypeStepWithheld && command.Event.Type != events.TypeStepSkipped
}

func succeeded(outcome events.Entry) bool {
	return outcome.Event.Type == events.TypeStepCompleted || outcome.Event.Type == events.TypeUndoCompleted
}
