package engine

import (
	"context"
	"encoding/hex"
	"log/slog"
	"time"

	"segue/events"
	"segue/saga"
)

// What the engine tells people: one log line when a run begins, turns back, gets
// stuck and ends. Replayed messages are not told again.

// about is the log for lines about a run.
func (p *partition) about(a *account) *slog.Logger {
	log := p.log.With("run", a.run.ID, "saga", a.run.Definition.Name, "correlation_id", a.run.Correlation())
	if p.Traces != nil {
		t := a.run.Trace()
		log = log.With("trace_id", hex.EncodeToString(t.ID[:]))
	}
	return log
}

// tells says that lines at level info are written: to put one together costs more
// than to decide.
func (p *partition) tells() bool { return p.log.Enabled(context.Background(), slog.LevelInfo) }

// of is the log for lines about a message, whose run may not be known.
func of(log *slog.Logger, e events.Entry) *slog.Logger {
	return log.With("run", e.Subject.Run, "correlation_id", e.Event.CorrelationID)
}

func (p *partition) beginning(started events.Entry) {
	a := p.ledger.runs[started.Subject.Run]
	if a == nil {
		return
	}
	if p.tells() {
		p.about(a).Info("run began")
	}
	p.Metrics.began(a.run.Definition.Name)
}

func (p *partition) applied(a *account, e events.Entry) {
	name, step := a.run.Definition.Name, e.Subject.Step
	switch e.Subject.Kind {
	case events.KindEnded:
		p.ended(a)
	case events.KindCommand:
		if e.Event.Type == events.TypeStepRequested || e.Event.Type == events.TypeUndoRequested {
			p.Metrics.tried(name, step, e.Subject.Attempt.N)
		}
	case events.KindOutcome:
		took := time.Duration(-1)
		if asked := a.run.Asked(e.Subject); !asked.IsZero() {
			took = e.Stored.Sub(asked)
		}
		p.Metrics.outcome(name, step, e.Event.Type, took)
		if p.log.Enabled(context.Background(), slog.LevelDebug) {
			p.about(a).Debug("outcome", "step", step, "attempt", e.Subject.Attempt.String(), "type", e.Event.Type)
		}
	case events.KindSignal:
		p.about(a).Info("signal", "signal", e.Subject.Signal)
	}
}

func (p *partition) ended(a *account) {
	took := a.run.Took()
	p.Metrics.ended(a.run.Definition.Name, string(a.run.Status()), took)
	if a.stuck {
		p.Metrics.stuck(-1)
	}
	defer p.trace(a.run)
	if !p.tells() {
		return
	}
	view := a.run.View()
	attrs := []any{"took", took.Round(time.Millisecond).String()}
	if view.Reason != nil {
		attrs = append(attrs, "reason", view.Reason.Kind, "step", view.Reason.Step, "undone", view.Undone)
	}
	p.about(a).Info("run "+string(view.Status), attrs...)
}

// seen looks at a run that was just decided on, for what has no message of its own.
func (p *partition) seen(a *account) {
	status := a.run.Status()
	if turned := status == saga.StatusUndoing; turned && !a.turned {
		a.turned = true
		reason := a.run.View().Reason
		p.about(a).Warn("run turns back", "reason", reason.Kind, "step", reason.Step, "message", reason.Message)
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
				p.about(a).Error("run is stuck: mend the cause, then give it another round with segue retry",
					"step", step.Step, "message", step.Failure.Message)
			}
		}
	}
}
