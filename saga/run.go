package saga

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"segue/events"
)

// Run is the state of one run: its messages, each in its place. It is not safe
// for concurrent use.
type Run struct {
	// ID is the run's id, Partition where its messages are.
	ID        string
	Partition int
	// Definition is the one whose digest the started message names.
	Definition *Definition

	started events.Event
	at      mark // of the started message
	input   any
	facts   map[string]any // of the run, for expressions
	outputs map[string]any // decoded outputs of completed steps, for expressions
	steps   []progress     // by position in Definition.Steps

	cancel   mark
	deadline mark
	retries  map[string]bool // names of the retry signals that have come
	ended    events.Entry    // zero until the run has ended
}

// progress is what has happened to one step.
type progress struct {
	do, undo series
}

// mark is where and when a message was stored. The zero mark means that there
// is no such message.
type mark struct {
	sequence uint64
	at       time.Time
	id       string
}

func (m mark) set() bool { return m.sequence > 0 }

// latest returns the mark that was stored last.
func latest(marks ...mark) mark {
	var last mark
	for _, m := range marks {
		if m.sequence > last.sequence {
			last = m
		}
	}
	return last
}

func markOf(e events.Entry) mark {
	return mark{sequence: e.Sequence, at: e.Stored, id: e.Event.ID}
}

// Clone returns a run with the same state that shares nothing with this one that
// either changes.
func (r *Run) Clone() *Run {
	c := *r
	c.outputs, c.retries = maps.Clone(r.outputs), maps.Clone(r.retries)
	c.steps = slices.Clone(r.steps)
	for i := range c.steps {
		c.steps[i] = progress{do: slices.Clone(r.steps[i].do), undo: slices.Clone(r.steps[i].undo)}
	}
	return &c
}

// ErrNotStarted is returned by [Begin] for an entry that is not the started
// message of a run of the definition.
var ErrNotStarted = errors.New("not a started message")

// facts are what expressions may know of a run.
var facts = []string{"id", "saga", "digest", "correlation"}

// Begin returns the run that a started message makes.
func Begin(d *Definition, started events.Entry) (*Run, error) {
	data, err := ReadStarted(started)
	if err != nil {
		return nil, err
	}
	if data.Digest != d.Digest {
		return nil, fmt.Errorf("%w of this definition: it names digest %s, not %s", ErrNotStarted, data.Digest, d.Digest)
	}
	input, err := DecodeValue(data.Input)
	if err != nil {
		return nil, fmt.Errorf("%w: input: %w", ErrNotStarted, err)
	}
	return &Run{
		ID:         started.Subject.Run,
		Partition:  started.Subject.Partition,
		Definition: d,
		started:    started.Event,
		at:         markOf(started),
		input:      input,
		facts:      map[string]any{"id": started.Subject.Run, "saga": d.Name, "digest": d.Digest, "correlation": started.Event.CorrelationID},
		outputs:    make(map[string]any),
		steps:      make([]progress, len(d.Steps)),
		retries:    make(map[string]bool),
	}, nil
}

// ReadStarted reads the data of a started message: which definition, what input.
func ReadStarted(e events.Entry) (events.RunStarted, error) {
	var data events.RunStarted
	if e.Subject.Kind != events.KindStarted || e.Event.Type != events.TypeRunStarted {
		return data, fmt.Errorf("%w: %s on %s", ErrNotStarted, e.Event.Type, e.Subject)
	}
	if err := events.ReadData(e.Event, &data); err != nil {
		return data, fmt.Errorf("%w: %w", ErrNotStarted, err)
	}
	return data, nil
}

// NewStarted returns the started message of the run that a start event makes.
func NewStarted(d *Definition, start events.Event, partitions int, now time.Time) events.Entry {
	run := events.RunID(start.Source, start.ID)
	subject := events.RunSubject(events.KindStarted, run, partitions)
	e := newEvent(subject, events.TypeRunStarted, now).Caused(start)
	e.RunID = run
	if e.CorrelationID == "" {
		e.CorrelationID = run
	}
	e.Data = events.MarshalData(events.RunStarted{Saga: d.Name, Digest: d.Digest, Input: start.Data})
	return events.Entry{Subject: subject, Event: e}
}

// newEvent returns an event of the orchestrator on a subject, without its cause.
func newEvent(subject events.Subject, eventType string, now time.Time) events.Event {
	return events.Event{
		ID:              events.DeriveID(subject, events.Orchestrator, eventType),
		Source:          events.Orchestrator,
		Type:            eventType,
		Subject:         subject.Step,
		Time:            now.UTC(),
		DataContentType: events.JSON,
	}
}

// NewSignal returns a signal for a run, as operators send it. Cause is the
// started message of the run.
func NewSignal(name string, started events.Entry, note string, now time.Time) events.Entry {
	subject := started.Subject.With(events.KindSignal)
	subject.Signal = name
	kind := events.TypeRetry
	if name == events.SignalCancel {
		kind = events.TypeCancel
	}
	e := newEvent(subject, kind, now).Caused(started.Event)
	e.Source = events.Client
	e.ID = events.DeriveID(subject, e.Source, kind)
	e.Data = events.MarshalData(events.Signal{Note: note})
	return events.Entry{Subject: subject, Event: e}
}
