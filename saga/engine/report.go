package engine

import (
	"time"

	"segue/events"
	"segue/saga"
)

// What the engine tells people: one log line when a run begins, turns back, gets
// stuck and ends. Replayed messages are not told again.

func (p *partition) beginning(started events.Entry) {
	a := p.ledger.runs[started.Subject.Run]
	if a == nil {
		return
	}
	p.log.Info("run began", "run", a.run.ID, "saga", a.run.Definition.Name, "correlation_id", started.Event.CorrelationID)
	p.Metrics.began(a.run.Definition.Name)
}

func (p *partition) applied(a *account, e events.Entry) {
	switch e.Subject.Kind {
	case events.KindEnded:
		p.ended(a)
	case events.KindOutcome:
		p.Metrics.outcome(a.run.Definition.Name, e.Subject.Step, e.Event.Type)
		p.log.Debug("outcome", "run", a.run.ID, "step", e.Subject.Step, "attempt", e.Subject.Attempt.String(), "type", e.Event.Type)
	case events.KindSignal:
		p.log.Info("signal", "run", a.run.ID, "signal", e.Subject.Signal)
	}
}

func (p *partition) ended(a *account) {
	view := a.run.View()
	took := view.Ended.Sub(view.Started)
	p.Metrics.ended(view.Saga, string(view.Status), took)
	if a.stuck {
		p.Metrics.stuck(-1)
	}
	attrs := []any{"run", view.Run, "saga", view.Saga, "correlation_id", view.Correlation, "took", took.Round(time.Millisecond).String()}
	if view.Reason != nil {
		attrs = append(attrs, "reason", view.Reason.Kind, "step", view.Reason.Step, "undone", view.Undone)
	}
	p.log.Info("run "+string(view.Status), attrs...)
}

// seen looks at a run that was just decided on, for what has no message of its own.
func (p *partition) seen(a *account) {
	status := a.run.Status()
	if turned := status == saga.StatusUndoing; turned && !a.turned {
		a.turned = true
		reason := a.run.View().Reason
		p.log.Warn("run turns back", "run", a.run.ID, "saga", a.run.Definition.Name,
			"reason", reason.Kind, "step", reason.Step, "message", reason.Message)
	}
	if stuck := status == saga.StatusStuck; stuck != a.stuck {
		a.stuck = stuck
		if !stuck {
			p.Metrics.stuck(-1)
			return
		}
		p.Metrics.stuck(+1)
		for _, step := range a.run.View().Steps {
			if step.State == saga.StateStuck && step.Failure != nil {
				p.log.Error("run is stuck: mend the cause, then give it another round with segue retry", "run", a.run.ID,
					"saga", a.run.Definition.Name, "step", step.Step, "message", step.Failure.Message)
			}
		}
	}
}
