package events

import (
	"errors"
	"fmt"

	"github.com/google/uuid"
)

// ErrStart is returned by [DecodeStart] for a message that cannot start a run.
// If the message is a bad CloudEvent, the error wraps [ErrEvent] as well.
var ErrStart = errors.New("bad start")

// startForm says what would have been right.
const startForm = `a start is JSON, such as {"url":"https://example.com/a.json"}, or a CloudEvent with JSON data`

// StartSource returns the source of the event that [DecodeStart] makes of bare
// JSON published on a subject.
func StartSource(subject string) string { return "/segue/nats/" + subject }

// DecodeStart reads a start event in one of three forms:
//
//   - a CloudEvent in binary mode;
//   - a CloudEvent in structured mode;
//   - bare JSON, as typed into "nats pub". It becomes an event of type
//     [TypeRunRequested] with source [StartSource]. Its id is the header
//     Nats-Msg-Id or, without one, a version 5 UUID of subject and payload, so
//     that the same bytes on the same subject are the same start, and one run.
//
// The data of the event returned is JSON by [CheckJSON] and says so in
// DataContentType. A CloudEvent may leave the content type out if its data is
// JSON. If it leaves the data out as well as a DataRef, the data is null.
//
// An event that names no trace is in that of the headers traceparent and
// tracestate, where OpenTelemetry's propagators put it, if they can be read.
//
// The subject is not checked. All errors wrap [ErrStart]. The event shares the
// memory of the message's data.
func DecodeStart(m Message) (Event, error) {
	e, err := Decode(m)
	switch {
	case errors.Is(err, ErrNotEvent):
		e, err = bareStart(m)
	case err == nil:
		e, err = eventStart(e)
	}
	if err != nil {
		return Event{}, fmt.Errorf("%w: %w", ErrStart, err)
	}
	return inTrace(e, m.Header), nil
}

// inTrace puts an event that names no trace into that of a message's headers.
func inTrace(e Event, h Header) Event {
	parent := h.Get("traceparent")
	if _, ok := ParseTrace(parent); !ok || e.TraceParent != "" {
		return e
	}
	e.TraceParent, e.TraceState = parent, h.Get("tracestate")
	if e.Validate() != nil { // the state may be anything
		e.TraceState = ""
	}
	return e
}

func eventStart(e Event) (Event, error) {
	if e.DataContentType != "" && !isJSON(e.DataContentType) {
		return Event{}, fmt.Errorf("the data is %.80q: %s", e.DataContentType, startForm)
	}
	if e.DataContentType == "" {
		e.DataContentType = JSON
	}
	if e.Data == nil {
		if e.DataRef == "" {
			e.Data = []byte("null")
		}
		return e, nil
	}
	if err := CheckJSON(e.Data); err != nil {
		return Event{}, fmt.Errorf("the data is %w: %s", err, startForm)
	}
	return e, nil
}

func bareStart(m Message) (Event, error) {
	if err := CheckJSON(m.Data); err != nil {
		return Event{}, fmt.Errorf("the message is no CloudEvent and %w: %s", err, startForm)
	}
	e := Event{
		ID:              m.Header.Get(HeaderMsgID),
		Source:          StartSource(m.Subject),
		Type:            TypeRunRequested,
		DataContentType: JSON,
		Data:            m.Data,
	}
	if e.ID == "" {
		name := make([]byte, 0, len(m.Subject)+1+len(m.Data))
		name = append(append(name, m.Subject...), 0)
		e.ID = uuid.NewSHA1(namespace, append(name, m.Data...)).String()
	}
	return e, e.Validate() // what is in the header and the subject may be anything
}
