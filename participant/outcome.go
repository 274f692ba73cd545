package participant

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"go.opentelemetry.io/otel/trace"

	"segue/document"
	"segue/events"
	"segue/journal"
	"segue/tracing"
)

// completed returns the outcome of a handler that returned nil.
func (r *runner) completed(command events.Entry, output []byte) events.Entry {
	if len(output) > document.DataLimit {
		return r.failed(command, &Error{Code: CodeBadOutput, Permanent: true, Unknown: true,
			Err: fmt.Errorf("%w (it has %d): hand on a document in its place", document.ErrDataTooLarge, len(output))})
	}
	kind := events.TypeStepCompleted
	if command.Subject.Attempt.Undo {
		kind = events.TypeUndoCompleted
	}
	return r.outcome(command, kind, output)
}

// failed returns the outcome of an attempt that came to an error.
func (r *runner) failed(command events.Entry, err error) events.Entry {
	kind := events.TypeStepFailed
	if command.Subject.Attempt.Undo {
		kind = events.TypeUndoFailed
	}
	return r.outcome(command, kind, events.MarshalData(failure(err)))
}

func (r *runner) outcome(command events.Entry, kind string, data []byte) events.Entry {
	subject := command.Subject.With(events.KindOutcome)
	source := events.ServiceSource(r.service.name)
	e := events.Event{
		ID:              events.DeriveID(subject, source, kind),
		Source:          source,
		Type:            kind,
		Subject:         subject.Step,
		Time:            r.clock.Now().UTC(),
		DataContentType: events.JSON,
		Data:            data,
	}.Caused(command.Event)
	e.RunID = subject.Run // also when the command could not be read
	return events.Entry{Subject: subject, Event: e}
}

// Limits of publishing an outcome.
const (
	publishBackoff    = 100 * time.Millisecond // before the second try; doubles
	publishMaxBackoff = 5 * time.Second
	publishTimeout    = 5 * time.Second // for one try
)

// publish stores an outcome and tries until it is stored or the lease is lost.
// It tries once even if the service is being stopped: the work is done.
func (r *runner) publish(ctx context.Context, outcome events.Entry) error {
	for backoff := publishBackoff; ; backoff = min(2*backoff, publishMaxBackoff) {
		err := r.tryPublish(ctx, outcome, publishTimeout)
		if err == nil || errors.Is(err, journal.ErrTooLarge) || errors.Is(err, journal.ErrClosed) {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-time.After(backoff):
		}
	}
}

func (r *runner) tryPublish(ctx context.Context, outcome events.Entry, within time.Duration) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
	defer cancel()
	var err error
	if outcome.Event, err = document.CheckIn(ctx, r.Data, outcome.Event); err != nil {
		return err
	}
	return r.Journal.Append(ctx, outcome.Message())
}

// promise makes sure that a step's failure can say that nothing was done: it acks
// the command before the failure is stored. Otherwise, were the ack lost, another
// worker would be handed the command again and might do it, in a run that has
// long gone on from its failure. A crash between the two costs one timeout of the
// step. If the ack is not confirmed, the failure promises nothing.
//
// It returns the outcome to store and whether the command is acked. Any other
// outcome is stored first: completed work must not be lost, and a failure that
// leaves it unknown what was done is undone whatever happens after it. What never
// reaches a handler never will.
func (r *runner) promise(ctx context.Context, d journal.Delivery, outcome events.Entry, log *attemptLog) (events.Entry, bool) {
	var f events.Failed
	if outcome.Event.Type != events.TypeStepFailed || events.ReadData(outcome.Event, &f) != nil || f.Unknown || f.Code == CodeBadInput {
		return outcome, false
	}
	if r.ackSurely(ctx, d, log) {
		return outcome, true
	}
	return broken(outcome), false
}

// promiseLasts is how long after the ack a failure can say that nothing was done.
// What keeps it from being stored may be a broker that was killed, and that has
// forgotten the ack by the time it is back: then another worker has the command.
const promiseLasts = time.Second

// publishAcked stores the failure of a command that is out of its queue already.
func (r *runner) publishAcked(ctx context.Context, outcome events.Entry) error {
	ctx, cancel := context.WithTimeout(ctx, r.Lease)
	defer cancel()
	err := r.tryPublish(ctx, outcome, promiseLasts)
	if err == nil || errors.Is(err, journal.ErrTooLarge) || errors.Is(err, journal.ErrClosed) {
		return err
	}
	return r.publish(ctx, broken(outcome))
}

// broken returns the outcome of a failure without its promise.
func broken(outcome events.Entry) events.Entry {
	var f events.Failed
	_ = events.ReadData(outcome.Event, &f) // our own data
	f.Unknown = true
	outcome.Event.Data = events.MarshalData(f)
	return outcome
}

// settled reports an attempt that has its outcome.
func (r *runner) settled(outcome events.Entry, took time.Duration, log *attemptLog) {
	r.Metrics.settled(r.service.name, outcome.Event.Type, took)
	switch outcome.Event.Type {
	case events.TypeStepCompleted, events.TypeUndoCompleted:
		if r.log.Enabled(context.Background(), slog.LevelInfo) {
			log.ending(outcome, took).Info("attempt completed")
		}
	default:
		var f events.Failed
		_ = events.ReadData(outcome.Event, &f) // our own data
		r.Metrics.failed(r.service.name, f.Code)
		log.ending(outcome, took).Warn("attempt failed", "code", f.Code, "reason", f.Message, "retryable", f.Retryable)
	}
}

// traced ends the span of a delivery with what came of it.
func traced(span trace.Span, outcome events.Entry, err error) {
	var f events.Failed
	switch {
	case err != nil: // it goes back to its queue
		tracing.Failed(span, "returned", err.Error())
	case outcome.Event.Type == events.TypeStepFailed || outcome.Event.Type == events.TypeUndoFailed:
		_ = events.ReadData(outcome.Event, &f) // our own data
		tracing.Failed(span, f.Code, f.Message)
	}
	span.End()
}

func stack() string { return string(debug.Stack()) }
