package saga

import (
	"maps"
	"slices"

	"segue/events"
)

// Essence returns the least messages that make this state: [Begin] with the first
// and [Run.Apply] with the others give an equal run. They have their subjects,
// sequences and times, and of their events what the state depends on; the
// inputs of commands, for one, are left out.
func (r *Run) Essence() []events.Entry {
	list := []events.Entry{r.essential(events.RunSubject(events.KindStarted, r.ID, 1), r.started, r.at)}
	list[0].Subject.Partition = r.Partition
	for i := range r.steps {
		for _, a := range r.steps[i].do {
			list = a.essence(list, r, i, events.Attempt{N: a.n})
		}
		for _, a := range r.steps[i].undo {
			list = a.essence(list, r, i, events.Attempt{N: a.n, Undo: true})
		}
	}
	signal := func(name, kind string, m mark) {
		subject := r.subject(events.KindSignal, nil, events.Attempt{})
		subject.Signal = name
		list = append(list, r.essential(subject, events.Event{ID: m.id, Type: kind}, m))
	}
	if r.cancel.set() {
		signal(events.SignalCancel, events.TypeCancel, r.cancel)
	}
	if r.deadline.set() {
		signal(events.SignalDeadline, events.TypeDeadline, r.deadline)
	}
	for _, name := range slices.Sorted(maps.Keys(r.retries)) {
		signal(name, events.TypeRetry, mark{})
	}
	if r.Ended() {
		list = append(list, r.ended)
	}
	return list
}

func (r *Run) essential(s events.Subject, e events.Event, m mark) events.Entry {
	return events.Entry{Subject: s, Event: e, Stored: m.at, Sequence: m.sequence}
}

// essence appends the messages of one attempt.
func (a *attempt) essence(list []events.Entry, r *Run, step int, n events.Attempt) []events.Entry {
	s := &r.Definition.Steps[step]
	if a.requested.set() {
		kind := events.TypeStepRequested
		switch {
		case n.Undo:
			kind = events.TypeUndoRequested
		case a.withheld:
			kind = events.TypeStepWithheld
		case a.skipped:
			kind = events.TypeStepSkipped
		}
		list = append(list, r.essential(r.subject(events.KindCommand, s, n), events.Event{ID: a.requested.id, Type: kind}, a.requested))
	}
	if !a.settled.set() {
		return list
	}
	e := events.Event{ID: a.settled.id, Type: events.TypeStepFailed, DataContentType: events.JSON}
	if n.Undo {
		e.Type = events.TypeUndoFailed
	}
	switch a.verdict {
	case completed:
		e.Type, e.Data = events.TypeStepCompleted, a.output
		if n.Undo {
			e.Type = events.TypeUndoCompleted
		}
	default:
		e.Data = events.MarshalData(a.failure)
	}
	return append(list, r.essential(r.subject(events.KindOutcome, s, n), e, a.settled))
}
