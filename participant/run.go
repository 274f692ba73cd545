package participant

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"segue/document"
	"segue/events"
	"segue/journal"
	"segue/tracing"
)

// Defaults of [Config].
const (
	DefaultConcurrency   = 8
	DefaultDrain         = 20 * time.Second
	DefaultMaxDeliveries = 5
)

// Config says how services run.
type Config struct {
	// Journal brings the commands and takes the outcomes. Required.
	Journal journal.Journal
	// Data holds event data that is too large for a message. Required.
	Data document.Store
	// Log takes one line per attempt. Required.
	Log *slog.Logger
	// Metrics counts what happens. Optional.
	Metrics *Metrics
	// Traces takes a span for each handler's work, which is in the handler's context.
	// Defaults to the global provider of OpenTelemetry, which drops them unless the
	// program has set another.
	Traces trace.TracerProvider
	// Concurrency is how many commands of one service are handled at a time.
	// Defaults to 8.
	Concurrency int
	// Drain is how long running handlers may go on when the service is stopped.
	// After it their contexts end and their commands go back to the queue.
	// Defaults to 20 s.
	Drain time.Duration
	// MaxDeliveries is how often a command is taken up without ever being
	// answered, because its worker died, before it is failed. Defaults to 5.
	MaxDeliveries int
	// Lease is how long the journal leaves a command with its worker without a sign
	// of life; it is renewed three times as often. Defaults to [journal.Lease].
	Lease time.Duration
}

func (c Config) withDefaults() Config {
	if c.Concurrency == 0 {
		c.Concurrency = DefaultConcurrency
	}
	if c.Drain == 0 {
		c.Drain = DefaultDrain
	}
	if c.MaxDeliveries == 0 {
		c.MaxDeliveries = DefaultMaxDeliveries
	}
	if c.Lease == 0 {
		c.Lease = journal.Lease
	}
	if c.Traces == nil {
		c.Traces = otel.GetTracerProvider()
	}
	return c
}

func (c Config) validate() error {
	switch {
	case c.Journal == nil || c.Data == nil || c.Log == nil:
		return errors.New("participant: Journal, Data and Log are required")
	case c.Concurrency < 0 || c.Drain < 0 || c.MaxDeliveries < 0 || c.Lease < 0:
		return errors.New("participant: Concurrency, Drain, MaxDeliveries and Lease must not be negative")
	}
	return nil
}

// Run serves commands until ctx is done, then drains: no new command is taken,
// running handlers end, their outcomes are published. It returns nil after a
// drain, and an error when the journal is of no more use.
func Run(ctx context.Context, cfg Config, services ...Service) error {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return err
	}
	clock, err := journal.NewClock(ctx, cfg.Journal)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		clock.Keep(ctx, cfg.Journal)
		return nil
	})
	for _, s := range services {
		r := &runner{Config: cfg, service: s, clock: clock, log: cfg.Log.With("service", s.name)}
		group.Go(func() error { return r.run(ctx) })
	}
	return group.Wait()
}

// runner serves one service.
type runner struct {
	Config
	service Service
	clock   *journal.Clock
	log     *slog.Logger
}

func (r *runner) run(ctx context.Context) error {
	work, err := r.Journal.Consume(ctx, journal.Commands(r.service.name, r.Concurrency))
	if err != nil {
		return fmt.Errorf("consume commands for %s: %w", r.service.name, err)
	}
	defer work.Close()
	r.log.Info("serving", "concurrency", r.Concurrency)

	// Handlers outlive ctx by the time to drain.
	handling, abort := context.WithCancelCause(context.WithoutCancel(ctx))
	defer abort(nil)
	stop := context.AfterFunc(ctx, func() {
		work.Close() // what has not been taken yet need not wait for the handlers
		time.AfterFunc(r.Drain, func() { abort(errDrained) })
	})
	defer stop()

	var workers errgroup.Group
	for range r.Concurrency {
		workers.Go(func() error { return r.work(ctx, handling, work) })
	}
	err = workers.Wait()
	r.log.Info("drained")
	return err
}

// errDrained ends the contexts of handlers that a drain did not wait for.
var errDrained = errors.New("service is stopping")

// work takes commands one after the other until ctx is done.
func (r *runner) work(ctx, handling context.Context, work journal.Work) error {
	for {
		d, err := work.Next(ctx)
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = d.Nak(0) // if it does not arrive the lease runs out
			}
			return nil
		case err != nil:
			return fmt.Errorf("next command for %s: %w", r.service.name, err)
		}
		r.take(handling, d)
	}
}

// take handles one delivery to its end: outcome stored, then acked. Whatever
// stands in the way gives the command back to the queue, after a while. For the
// one outcome that is acked first see promise.
func (r *runner) take(ctx context.Context, d journal.Delivery) {
	entry, err := events.DecodeEntry(d.Message(), d.Stored(), 0)
	if errors.Is(err, events.ErrSubject) {
		r.log.Error("command on a strange subject", "subject", d.Message().Subject, "error", err)
		r.ack(d, &attemptLog{base: r.log})
		return
	}
	log := &attemptLog{base: r.log, entry: entry}
	if err == nil && r.idle(entry, log) || r.answered(ctx, entry.Subject, d, log) {
		r.ack(d, log)
		return
	}
	lease := holdLease(ctx, d, r.Lease)
	defer lease.release()
	begin := time.Now()
	var outcome events.Entry
	switch {
	case err != nil: // it is no event and never will be
		outcome, err = r.failed(entry, &Error{Code: CodeBadInput, Permanent: true, Err: err}), nil
	case d.Count() > r.MaxDeliveries:
		outcome = r.failed(entry, &Error{Code: CodeCrash, Permanent: true, Unknown: true,
			Err: fmt.Errorf("the command was taken up %d times and never answered", d.Count()-1)})
	default:
		handling, span := tracing.Process(lease.ctx, r.Traces, entry, d.Count())
		if span.IsRecording() {
			log.trace = span.SpanContext().TraceID().String()
		}
		outcome, err = r.handle(handling, entry, d.Count() > 1, log)
		traced(span, outcome, err)
	}
	acked := false
	if err == nil {
		if outcome, acked = r.promise(ctx, d, outcome, log); acked {
			lease.release()
			err = r.publishAcked(ctx, outcome)
		} else {
			err = r.publish(lease.ctx, outcome)
		}
	}
	switch {
	case err != nil && acked:
		log.line().Warn("failure could not be stored; the step will time out", "error", err)
		return
	case err != nil:
		log.line().Warn("command goes back to its queue", "error", err)
		_ = d.Nak(retryDelay) // if it does not arrive the lease runs out
		r.Metrics.returned(r.service.name)
		return
	}
	r.settled(outcome, time.Since(begin), log)
	if !acked {
		r.ack(d, log)
	}
}

// retryDelay is how long a command rests that could not be answered.
const retryDelay = 2 * time.Second

// idle says that a message of the queue asks for nothing: another version's
// command, one that was withheld or skipped, or one whose outcome is a timeout by now.
func (r *runner) idle(e events.Entry, log *attemptLog) bool {
	switch {
	case e.Event.Type == events.TypeStepWithheld || e.Event.Type == events.TypeStepSkipped:
		return true
	case e.Event.Type != events.TypeStepRequested && e.Event.Type != events.TypeUndoRequested:
		log.line().Warn("command of an unknown type is left alone", "type", e.Event.Type)
		return true
	case !e.Event.Expiry.IsZero() && r.clock.Now().After(e.Event.Expiry):
		log.line().Info("command expired before it was taken up", "expired", e.Event.Expiry)
		return true
	}
	return false
}

// handle calls the handler and returns the outcome it decides on. An error
// means that there is none: the service is stopping, the lease is lost or the
// data of the command is out of reach for now.
//
// A command that was delivered before may have been worked on before, and
// nobody knows how far: then no failure can promise that nothing was done.
func (r *runner) handle(ctx context.Context, e events.Entry, again bool, log *attemptLog) (events.Entry, error) {
	if !e.Event.Expiry.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, e.Event.Expiry.Sub(r.clock.Now()))
		defer cancel()
	}
	var err error
	if e.Event, err = r.checkOut(ctx, e.Event); err != nil {
		if ctx.Err() != nil {
			return events.Entry{}, err
		}
		return r.failed(e, &Error{Code: CodeBadInput, Permanent: true, Unknown: again, Err: err}), nil
	}
	r.Metrics.began(r.service.name)
	output, err := r.call(ctx, e, log)
	r.Metrics.ended(r.service.name)
	switch {
	case err == nil:
		return r.completed(e, output), nil
	case errors.Is(context.Cause(ctx), errDrained) || errors.Is(context.Cause(ctx), journal.ErrLost):
		return events.Entry{}, errors.Join(context.Cause(ctx), err)
	default:
		return r.failed(e, doubted(err, ctx.Err() != nil, again)), nil
	}
}

// checkOut brings the data of a command back. A store out of reach is waited for
// until ctx is done: that is no failure of the command.
func (r *runner) checkOut(ctx context.Context, e events.Event) (events.Event, error) {
	if e.DataRef == "" {
		return e, nil
	}
	if _, err := document.ParseURI(e.DataRef); err != nil {
		return e, err
	}
	for backoff := publishBackoff; ; backoff = min(2*backoff, publishMaxBackoff) {
		whole, err := document.CheckOut(ctx, r.Data, e)
		if err == nil || errors.Is(err, document.ErrNotFound) || errors.Is(err, document.ErrChanged) || errors.Is(err, document.ErrDataTooLarge) {
			return whole, err
		}
		select {
		case <-ctx.Done():
			return e, errors.Join(context.Cause(ctx), err)
		case <-time.After(backoff):
		}
	}
}

// call calls the handler and turns a panic into an error.
func (r *runner) call(ctx context.Context, e events.Entry, log *attemptLog) (output []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			log.line().Error("handler panicked", "panic", p, "stack", stack())
			err = &Error{Code: CodePanic, Unknown: true, Err: fmt.Errorf("handler panicked: %v", p)}
		}
	}()
	if e.Subject.Attempt.Undo {
		return r.service.undo(ctx, e)
	}
	return r.service.do(ctx, e)
}

// ackTimeout is how long an ack is waited for.
const ackTimeout = 5 * time.Second

// ack takes a command out of its queue whose outcome is stored, or that asks for
// nothing. Should the ack get lost, the command comes again, and the same is found.
func (r *runner) ack(d journal.Delivery, log *attemptLog) {
	if err := d.Ack(); err != nil {
		log.line().Debug("command was not acked", "error", err)
	}
}

// ackSurely takes the command out of its queue and says whether that is sure.
func (r *runner) ackSurely(ctx context.Context, d journal.Delivery, log *attemptLog) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ackTimeout)
	defer cancel()
	err := d.DoubleAck(ctx)
	if err != nil {
		log.line().Debug("command was not acked", "error", err)
	}
	return err == nil
}
