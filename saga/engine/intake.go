package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"segue/document"
	"segue/events"
	"segue/journal"
	"segue/saga"
)

// intakeRest is how often the intake looks whether there is room for more runs.
const intakeRest = 20 * time.Millisecond

// intake makes runs of start events. A start is acked when its run, or its
// rejection, is stored; so none is lost, and one that comes again finds its run.
func (e *Engine) intake(ctx context.Context) error {
	work, err := e.Journal.Consume(ctx, journal.Starts(e.Intake))
	if err != nil {
		return fmt.Errorf("consume starts: %w", err)
	}
	defer work.Close()
	var workers errgroup.Group
	for range e.Intake {
		workers.Go(func() error { return e.takeStarts(ctx, work) })
	}
	return workers.Wait()
}

func (e *Engine) takeStarts(ctx context.Context, work journal.Work) error {
	for e.reserve(ctx) {
		d, err := work.Next(ctx)
		if ctx.Err() != nil {
			if err == nil {
				_ = d.Nak(0) // if it does not arrive the lease runs out
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("next start: %w", err)
		}
		e.takeStart(ctx, d)
		e.reserved.Add(-1)
	}
	return nil
}

// reserve waits for room for one more run, so that whoever waits for a start has
// it when the start comes. One waits, the others behind it. It returns false when ctx
// is done.
func (e *Engine) reserve(ctx context.Context) bool {
	select {
	case e.door <- struct{}{}:
		defer func() { <-e.door }()
	case <-ctx.Done():
	}
	for ctx.Err() == nil {
		if e.running.Load()+e.reserved.Add(1) <= int64(e.MaxRunning) {
			return true
		}
		e.reserved.Add(-1)
		pause(ctx, intakeRest)
	}
	return false
}

func (e *Engine) takeStart(ctx context.Context, d journal.Delivery) {
	result := startAccepted
	entry, err := e.accept(ctx, d.Message())
	var r *rejection
	if errors.As(err, &r) {
		result = startRejected
		entry, err = e.reject(ctx, r, d.Message())
		e.Log.Warn("start is rejected", "subject", d.Message().Subject, "rejected", entry.Subject.Start, "correlation_id", r.start.CorrelationID, "reason", r.reason)
	}
	if err == nil && entry.Subject.Kind == events.KindStarted {
		var kept bool
		if kept, err = e.inHistory(ctx, entry.Subject.Run); kept {
			result = startRepeated
		}
	}
	if err == nil && result != startRepeated {
		// In time, or what the history says may no longer be true.
		ctx, cancel := context.WithTimeout(ctx, journal.LongSilence)
		err = e.store(ctx, entry)
		cancel()
	}
	if err != nil {
		of(e.Log, entry).Warn("start goes back to its queue", "subject", d.Message().Subject, "error", err)
		_ = d.Nak(retryDelay) // if it does not arrive the lease runs out
		return
	}
	e.Metrics.start(result)
	if err := d.Ack(); err != nil {
		of(e.Log, entry).Debug("start was not acked", "error", err) // it comes again and finds its run
	}
}

// store puts large data aside and appends the entry.
func (e *Engine) store(ctx context.Context, entry events.Entry) error {
	m, err := e.message(ctx, entry)
	if err != nil {
		return err
	}
	return e.Journal.Append(ctx, m)
}

// accept returns the started message that a start makes. Its error is a
// *rejection if the start can never become a run.
func (e *Engine) accept(ctx context.Context, m events.Message) (events.Entry, error) {
	start, err := events.DecodeStart(m)
	if err != nil {
		return events.Entry{}, &rejection{reason: err.Error()}
	}
	refuse := func(format string, args ...any) (events.Entry, error) {
		return events.Entry{}, &rejection{start: start, reason: fmt.Sprintf(format, args...)}
	}
	subject, err := events.ParseSubject(m.Subject)
	if err != nil {
		return refuse("%v", err)
	}
	d := e.catalogue.named(subject.Definition)
	if d == nil {
		return refuse("no saga is named %q; there are: %s", subject.Definition, strings.Join(e.catalogue.names(), ", "))
	}
	start, err = checkOut(ctx, e.Data, start)
	switch {
	case err != nil && gone(err):
		return refuse("the data of the start: %v", err)
	case err != nil:
		return events.Entry{}, err
	}
	if len(start.Data) > maxInput {
		return refuse("the input has %d bytes, at most %d are taken: pass a document by its URL", len(start.Data), maxInput)
	}
	if err := events.CheckJSON(start.Data); err != nil { // it may have come by reference
		return refuse("the data of the start: %v", err)
	}
	if err := d.CheckInput(start.Data); err != nil {
		return refuse("the input does not fit saga %s: %v", d.Name, err)
	}
	return saga.NewStarted(d, start, e.partitions, e.clock.Now()), nil
}

// rejection is the error for a start that can never become a run.
type rejection struct {
	start  events.Event // as far as it could be read
	reason string
}

func (r *rejection) Error() string { return r.reason }

// inlinePayload is the largest payload, in bytes, that stands in a rejection
// itself; base64 makes it a third larger.
const inlinePayload = document.InlineLimit / 2

// reject returns a rejection as it is stored: under an id that is the same for
// the same start, with the whole start message in it.
func (e *Engine) reject(ctx context.Context, r *rejection, m events.Message) (events.Entry, error) {
	data := events.StartRejected{Reason: r.reason, Subject: m.Subject, Headers: headers(m.Header), Data: m.Data}
	if len(m.Data) > inlinePayload {
		ref, err := document.PutData(ctx, e.Data, m.Data)
		if err != nil {
			return events.Entry{}, err
		}
		data.Data, data.DataRef = nil, ref.URI()
	}
	subject := events.Subject{Kind: events.KindRejected, Definition: "invalid", Start: r.id(m)}
	if name, _ := strings.CutPrefix(m.Subject, "saga.start."); events.ValidName(name) {
		subject.Definition = name
	}
	event := events.Event{
		ID:              events.DeriveID(subject, events.Orchestrator, events.TypeStartRejected),
		Source:          events.Orchestrator,
		Type:            events.TypeStartRejected,
		Time:            e.clock.Now().UTC(),
		DataContentType: events.JSON,
		Data:            events.MarshalData(data),
	}.Caused(r.start)
	return events.Entry{Subject: subject, Event: event}, nil
}

// id returns what the rejection of a start is filed under: the id its run would
// have had or, if there is no telling, a digest of the message.
func (r *rejection) id(m events.Message) string {
	if r.start.ID != "" {
		return events.RunID(r.start.Source, r.start.ID)
	}
	sum := sha256.Sum256(append([]byte(m.Subject+"\x00"), m.Data...))
	return hex.EncodeToString(sum[:16])
}
