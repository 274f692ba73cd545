package saga

import (
	"encoding/json"
	"fmt"
	"time"

	"segue/events"
)

// NewArchived returns what is kept of a run that has ended, on its way to the
// history.
func (r *Run) NewArchived(now time.Time) events.Entry {
	v := r.View()
	subject := events.HistorySubject(v.Saga, string(v.Status), v.Run)
	e := newEvent(subject, events.TypeRunArchived, now).Caused(r.ended.Event)
	e.RunID = v.Run
	e.Data = events.MarshalData(archived(v))
	return events.Entry{Subject: subject, Event: e}
}

func archived(v View) events.RunArchived {
	a := events.RunArchived{
		Run: v.Run, Saga: v.Saga, Digest: v.Digest, Correlation: v.Correlation, Status: string(v.Status),
		Started: v.Started.UTC(), Deadline: v.Deadline.UTC(), Ended: v.Ended.UTC(),
		Reason: v.Reason, Undone: v.Undone, Input: small(v.Input), Output: small(v.Output),
	}
	for _, s := range v.Steps {
		step := events.ArchivedStep{
			Step: s.Step, Service: s.Service, State: string(s.State), Attempts: s.Attempts, Undos: s.Undos,
			Started: s.Started, Settled: s.Settled,
		}
		if s.Failure != nil {
			step.Failure, step.Code = shortened(s.Failure.Message), s.Failure.Code
		}
		a.Steps = append(a.Steps, step)
	}
	return a
}

func small(value json.RawMessage) json.RawMessage {
	if len(value) > events.MaxArchivedValue {
		return nil
	}
	return value
}

// ReadArchived reads what is kept of a run that has ended. The view lacks what is
// not kept: the outputs and the needs of steps, large inputs and outputs.
func ReadArchived(e events.Entry) (View, error) {
	var a events.RunArchived
	if e.Subject.Kind != events.KindHistory || e.Event.Type != events.TypeRunArchived {
		return View{}, fmt.Errorf("read history: %s on %s is no end of a run", e.Event.Type, e.Subject)
	}
	if err := events.ReadData(e.Event, &a); err != nil {
		return View{}, fmt.Errorf("read history: %w", err)
	}
	if a.Run != e.Subject.Run {
		return View{}, fmt.Errorf("read history: run %q on %s", a.Run, e.Subject)
	}
	v := View{
		Run: a.Run, Saga: a.Saga, Digest: a.Digest, Correlation: a.Correlation, Status: Status(a.Status),
		Started: a.Started, Deadline: a.Deadline, Ended: a.Ended,
		Reason: a.Reason, Undone: a.Undone, Input: a.Input, Output: a.Output,
	}
	for _, s := range a.Steps {
		step := StepView{
			Step: s.Step, Service: s.Service, State: State(s.State), Attempts: s.Attempts, Undos: s.Undos,
			Started: s.Started, Settled: s.Settled,
		}
		if s.Failure != "" {
			step.Failure = &events.Failed{Message: s.Failure, Code: s.Code}
		}
		v.Steps = append(v.Steps, step)
	}
	return v, nil
}
