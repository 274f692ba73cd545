package saga

import (
	"encoding/json"
	"time"

	"segue/events"
)

// Status is where a run stands.
type Status string

// The statuses of a run.
const (
	StatusRunning     Status = "running"     // going forward
	StatusUndoing     Status = "undoing"     // turned back
	StatusStuck       Status = "stuck"       // waiting for an operator's retry
	StatusCompleted   Status = "completed"   // ended, all done
	StatusCompensated Status = "compensated" // ended, all undone
)

// Ended says that nothing happens in the run any more.
func (s Status) Ended() bool { return s == StatusCompleted || s == StatusCompensated }

// State is where a step stands.
type State string

// The states of a step.
const (
	StatePending   State = "pending"   // waits for others
	StateRunning   State = "running"   // asked, not yet answered
	StateRetrying  State = "retrying"  // waits for its next attempt
	StateCompleted State = "completed" // done
	StateFailed    State = "failed"    // no attempt left, nothing done
	StateUnknown   State = "unknown"   // no attempt left, maybe done
	StateSkipped   State = "skipped"   // not done: nothing to do, or the run turned back
	StateUndoing   State = "undoing"   // being undone
	StateUndone    State = "undone"    // taken back
	StateStuck     State = "stuck"     // waits for an operator's retry
)

// View is a run as people and programs see it.
type View struct {
	Run         string          `json:"run"`
	Saga        string          `json:"saga"`
	Digest      string          `json:"digest"`
	Correlation string          `json:"correlation"`
	Status      Status          `json:"status"`
	Started     time.Time       `json:"started"`
	Deadline    time.Time       `json:"deadline"`
	Ended       time.Time       `json:"ended,omitzero"`
	Reason      *events.Reason  `json:"reason,omitempty"` // why it turned back
	Undone      []string        `json:"undone,omitempty"` // in the order they were
	Steps       []StepView      `json:"steps"`            // in the order of the definition
	Output      json.RawMessage `json:"output,omitempty"` // of a completed run
	Input       json.RawMessage `json:"input,omitempty"`
	// NextRetry is the name of the signal that gives a stuck run another round.
	NextRetry string `json:"next_retry,omitempty"`
}

// StepView is one step of a [View].
type StepView struct {
	Step     string          `json:"step"`
	Service  string          `json:"service"`
	Needs    []string        `json:"needs,omitempty"`
	State    State           `json:"state"`
	Attempts int             `json:"attempts"`          // at doing it
	Undos    int             `json:"undos,omitempty"`   // attempts at undoing it
	Started  time.Time       `json:"started,omitzero"`  // first command stored
	Settled  time.Time       `json:"settled,omitzero"`  // last outcome stored
	Due      time.Time       `json:"due,omitzero"`      // next attempt
	Failure  *events.Failed  `json:"failure,omitempty"` // of the last attempt that failed
	Output   json.RawMessage `json:"output,omitempty"`
}

// Status returns where the run stands.
func (r *Run) Status() Status {
	switch r.ended.Event.Type {
	case events.TypeRunCompleted:
		return StatusCompleted
	case events.TypeRunCompensated:
		return StatusCompensated
	}
	turned := r.turn() != nil
	for i, step := range r.Definition.Steps {
		if r.committed() && r.do(i).Phase == PhaseExhausted {
			return StatusStuck
		}
		if turned && step.Undo != nil && r.undo(i).Phase == PhaseExhausted {
			return StatusStuck
		}
	}
	if turned {
		return StatusUndoing
	}
	return StatusRunning
}

// Ended says that the run has ended.
func (r *Run) Ended() bool { return r.ended.Sequence > 0 }

// Sequence returns that of the first message of the run.
func (r *Run) Sequence() uint64 { return r.at.sequence }

// Correlation returns the caller's id of the whole job, else the run's.
func (r *Run) Correlation() string { return r.started.CorrelationID }

// Started returns when the run began, by the journal's time.
func (r *Run) Started() time.Time { return r.at.at }

// Took returns how long a run that has ended took, by the journal's time.
func (r *Run) Took() time.Duration { return r.ended.Stored.Sub(r.at.at) }

// View returns the run as people see it.
func (r *Run) View() View {
	v := View{
		Run: r.ID, Saga: r.Definition.Name, Digest: r.Definition.Digest, Correlation: r.started.CorrelationID,
		Status: r.Status(), Started: r.at.at, Deadline: r.at.at.Add(r.Definition.Deadline),
		Ended: r.ended.Stored, Undone: r.undone(),
	}
	if started, err := ReadStarted(events.Entry{Subject: events.Subject{Kind: events.KindStarted}, Event: r.started}); err == nil {
		v.Input = started.Input
	}
	if t := r.turn(); t != nil {
		v.Reason = &t.reason
	}
	if v.Status == StatusCompleted {
		var data events.RunCompleted
		if events.ReadData(r.ended.Event, &data) == nil {
			v.Output = data.Output
		}
	}
	if v.Status == StatusStuck {
		v.NextRetry = events.RetrySignal(r.rounds())
	}
	for i := range r.Definition.Steps {
		v.Steps = append(v.Steps, r.stepView(i, v.Status, v.Reason != nil))
	}
	return v
}

func (r *Run) stepView(i int, status Status, turned bool) StepView {
	step := &r.Definition.Steps[i]
	s := r.do(i)
	v := StepView{Step: step.Name, Service: step.Service, Attempts: s.made, Due: s.due, State: r.state(i, turned)}
	for _, n := range step.Needs {
		v.Needs = append(v.Needs, r.Definition.Steps[n].Name)
	}
	attempts := r.steps[i].do.asked(s)
	if step.Undo != nil {
		u := r.undo(i)
		v.Undos = u.made
		if u.made > 0 {
			v.Due = u.due
		}
		attempts = append(attempts, r.steps[i].undo.asked(u)...)
	}
	if status.Ended() || turned && v.Undos == 0 {
		v.Due = time.Time{}
	}
	for n := range attempts {
		v.see(&attempts[n])
	}
	return v
}

// see takes up what one attempt, in order, tells.
func (v *StepView) see(a *attempt) {
	if a.skipped {
		return
	}
	if v.Started.IsZero() && !a.withheld {
		v.Started = a.requested.at
	}
	if a.settled.set() {
		v.Settled = a.settled.at
	}
	switch a.verdict {
	case completed:
		if a.output != nil {
			v.Output = a.output
		}
	case failed, unknown:
		v.Failure = &a.failure
	}
}

// state names the standing of a step and of its undo in one word.
func (r *Run) state(i int, turned bool) State {
	s := r.do(i)
	if turned && r.mustUndo(i) {
		switch u := r.undo(i); u.Phase {
		case PhaseDone:
			return StateUndone
		case PhaseExhausted:
			return StateStuck
		case PhaseRunning, PhaseWaiting:
			return StateUndoing
		}
	}
	switch s.Phase {
	case PhaseRunning:
		return StateRunning
	case PhaseWaiting:
		if turned {
			return StateSkipped
		}
		return StateRetrying
	case PhaseDone:
		if s.Skipped {
			return StateSkipped
		}
		return StateCompleted
	case PhaseExhausted:
		switch {
		case r.committed():
			return StateStuck
		case s.Unknown:
			return StateUnknown
		}
		return StateFailed
	case PhaseWithheld:
		if s.Unknown {
			return StateUnknown
		}
		return StateSkipped
	default:
		if turned {
			return StateSkipped
		}
		return StatePending
	}
}
