package check

import (
	"fmt"
	"time"

	"segue/events"
	"segue/saga"
)

// message is a message of a run, as far as it matters what it says.
type message struct {
	what what
	step int16 // position in the definition, for those about a step
	undo bool  // about undoing it
	// stale says that it was decided by an orchestrator that had not read all.
	stale bool
}

type what uint8

const (
	asked      what = iota // command
	withheld               // the command is not to come any more
	skipped                // there is nothing to do
	completed              // outcomes
	failed                 // and may be tried again
	refused                // failed for good
	timedOut               // maybe done
	lost                   // maybe done, and no attempt is left
	impossible             // the input cannot be made
	canceled               // signals
	late                   // the deadline has passed
	retried
	allDone   // the run has ended: completed
	allUndone // compensated
)

// fault says that something goes wrong.
func (w what) fault() bool {
	switch w {
	case failed, refused, timedOut, lost, impossible, canceled, late, retried:
		return true
	}
	return false
}

// entry returns the message as it stands in the journal: for a step, about the
// attempt that is next or running.
func (m message) entry(r *saga.Run, sequence uint64) events.Entry {
	e := events.Entry{
		Subject:  events.Subject{Partition: r.Partition, Run: r.ID},
		Event:    events.Event{ID: "x"},
		Stored:   epoch,
		Sequence: sequence,
	}
	switch m.what {
	case canceled:
		e.Subject.Kind, e.Subject.Signal, e.Event.Type = events.KindSignal, events.SignalCancel, events.TypeCancel
	case late:
		e.Subject.Kind, e.Subject.Signal, e.Event.Type = events.KindSignal, events.SignalDeadline, events.TypeDeadline
	case retried:
		e.Subject.Kind, e.Subject.Signal, e.Event.Type = events.KindSignal, r.View().NextRetry, events.TypeRetry
	case allDone:
		e.Subject.Kind, e.Event.Type = events.KindEnded, events.TypeRunCompleted
	case allUndone:
		e.Subject.Kind, e.Event.Type = events.KindEnded, events.TypeRunCompensated
	default:
		m.ofStep(r, &e)
	}
	return e
}

func (m message) ofStep(r *saga.Run, e *events.Entry) {
	step, standing, types := &r.Definition.Steps[m.step], r.Do(int(m.step)), doTypes
	if m.undo {
		standing, types = r.Undo(int(m.step)), undoTypes
	}
	e.Subject.Service, e.Subject.Step = step.Service, step.Name
	e.Subject.Attempt = events.Attempt{N: standing.Next, Undo: m.undo}
	e.Subject.Kind = events.KindOutcome
	switch m.what {
	case asked:
		e.Subject.Kind, e.Event.Type = events.KindCommand, types.asked
	case withheld:
		e.Subject.Kind, e.Event.Type = events.KindCommand, events.TypeStepWithheld
	case skipped:
		e.Subject.Kind, e.Event.Type = events.KindCommand, events.TypeStepSkipped
	case completed:
		e.Event.Type = types.completed
	case failed:
		e.Event.Type, e.Event.Data = types.failed, dataFailed
	case refused, impossible:
		e.Event.Type, e.Event.Data = types.failed, dataRefused
	case timedOut:
		e.Event.Type, e.Event.Data = types.timedOut, dataTimedOut
	case lost:
		e.Event.Type, e.Event.Data = types.failed, dataLost
	}
}

// contrary returns what comes late, or for the second time, and says something else.
func contrary(e events.Entry) events.Entry {
	e.Sequence++
	switch e.Event.Type {
	case events.TypeStepCompleted:
		e.Event.Type, e.Event.Data = events.TypeStepFailed, dataRefused
	case events.TypeUndoCompleted:
		e.Event.Type, e.Event.Data = events.TypeUndoFailed, dataRefused
	case events.TypeStepRequested:
		e.Event.Type = events.TypeStepWithheld
	case events.TypeStepWithheld, events.TypeStepSkipped:
		e.Event.Type = events.TypeStepRequested
	case events.TypeRunCompleted:
		e.Event.Type = events.TypeRunCompensated
	case events.TypeRunCompensated:
		e.Event.Type = events.TypeRunCompleted
	case events.TypeStepFailed:
		e.Event.Type, e.Event.Data = events.TypeStepCompleted, nil
	case events.TypeUndoFailed:
		e.Event.Type, e.Event.Data = events.TypeUndoCompleted, nil
	}
	return e
}

// kinds are the types of messages about doing a step, or about undoing it.
type kinds struct{ asked, completed, failed, timedOut string }

var (
	doTypes   = kinds{events.TypeStepRequested, events.TypeStepCompleted, events.TypeStepFailed, events.TypeStepTimedOut}
	undoTypes = kinds{events.TypeUndoRequested, events.TypeUndoCompleted, events.TypeUndoFailed, events.TypeUndoTimedOut}

	dataFailed   = events.MarshalData(events.Failed{Retryable: true})
	dataRefused  = events.MarshalData(events.Failed{})
	dataTimedOut = events.MarshalData(events.TimedOut{})
	dataLost     = events.MarshalData(events.Failed{Unknown: true})
)

// epoch is when everything in a walk is stored: time only says when to decide.
var epoch = time.Unix(0, 0).UTC()

// read returns a decided message, or an error for one that no rule asks for.
func read(r *saga.Run, e events.Entry) (message, error) {
	m := message{step: int16(r.Definition.Step(e.Subject.Step)), undo: e.Subject.Attempt.Undo}
	switch e.Event.Type {
	case events.TypeStepRequested, events.TypeUndoRequested:
		m.what = asked
	case events.TypeStepWithheld:
		m.what = withheld
	case events.TypeStepTimedOut, events.TypeUndoTimedOut:
		m.what = timedOut
	case events.TypeStepFailed:
		m.what = impossible
	case events.TypeDeadline:
		return message{what: late}, nil
	case events.TypeRunCompleted:
		return message{what: allDone}, nil
	case events.TypeRunCompensated:
		return message{what: allUndone}, nil
	default:
		return m, fmt.Errorf("a message %s is decided", e.Event.Type)
	}
	if m.step < 0 {
		return m, fmt.Errorf("a message about step %q is decided", e.Subject.Step)
	}
	standing := r.Do(int(m.step))
	if m.undo {
		standing = r.Undo(int(m.step))
	}
	if standing.Next != e.Subject.Attempt.N {
		return m, fmt.Errorf("attempt %s at %s is decided out of turn", e.Subject.Attempt, e.Subject.Step)
	}
	return m, nil
}

// sentence tells an operator what the message says.
func (m message) sentence(d *saga.Definition) string {
	text := m.event()
	if m.what < canceled {
		step := &d.Steps[m.step]
		name := step.Name
		if m.undo {
			name = "undo of " + name
		}
		text = name + " " + text
		if m.what == asked {
			text += " of " + step.Service
		}
	}
	if m.stale {
		text += " (by an orchestrator that has not read all of this)"
	}
	return text
}

func (m message) event() string {
	switch m.what {
	case asked:
		return "is asked"
	case withheld:
		return "is withheld: it will not be asked any more"
	case completed:
		return "completes"
	case failed:
		return "fails"
	case refused:
		return "fails for good"
	case timedOut:
		return "times out"
	case lost:
		return "times out, and no attempt is left"
	case impossible:
		return "fails for good: its input cannot be made"
	case skipped:
		return "is skipped: there is nothing to do"
	case canceled:
		return "cancel"
	case late:
		return "the deadline passes"
	case retried:
		return "retry"
	case allDone:
		return "the run ends: completed"
	default:
		return "the run ends: compensated"
	}
}
