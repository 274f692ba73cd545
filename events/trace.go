package events

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/google/uuid"
)

// Trace is a place in a trace (W3C Trace Context): what traceparent says.
//
// A run is one trace: that of its start event or, if the start named none, one
// whose id is that of the run without its dashes. A span is named after the event
// that begins it: its id is the first sixteen hex digits of the event's id. So
// everybody who has read the same messages names the same spans:
//
//	the run      => its started message
//	an attempt   => its command, which says so in its own traceparent
type Trace struct {
	ID   [16]byte
	Span [8]byte
	// Flags has bit 0 set if whoever began the trace records it.
	Flags byte
}

// sampled is the flag of a trace that is recorded.
const sampled = 1

// String returns the trace as traceparent.
func (t Trace) String() string { return fmt.Sprintf("00-%x-%x-%02x", t.ID, t.Span, t.Flags) }

// At returns the place in the same trace of the span that an event begins.
func (t Trace) At(id string) Trace {
	u := uuidOf(id)
	copy(t.Span[:], u[:8])
	return t
}

// ParseTrace reads a traceparent. It says false if there is none to be read.
func ParseTrace(traceparent string) (t Trace, ok bool) {
	const length = 55 // version 00; later ones may add to it
	if len(traceparent) > length && (traceparent[length] != '-' || strings.HasPrefix(traceparent, "00")) {
		return Trace{}, false
	}
	if len(traceparent) < length || traceparent[2] != '-' || traceparent[35] != '-' || traceparent[52] != '-' {
		return Trace{}, false
	}
	var version, flags [1]byte
	for _, field := range []struct {
		into []byte
		text string
	}{{version[:], traceparent[:2]}, {t.ID[:], traceparent[3:35]}, {t.Span[:], traceparent[36:52]}, {flags[:], traceparent[53:length]}} {
		if _, err := hex.Decode(field.into, []byte(field.text)); err != nil || strings.ToLower(field.text) != field.text {
			return Trace{}, false
		}
	}
	if version[0] == 0xff || t.ID == [16]byte{} || t.Span == [8]byte{} {
		return Trace{}, false
	}
	t.Flags = flags[0]
	return t, true
}

// RunTrace returns the place of a run in its trace, given its started message.
func RunTrace(started Event) Trace {
	t, ok := ParseTrace(started.TraceParent)
	if !ok {
		t = Trace{ID: uuidOf(started.RunID), Flags: sampled}
	}
	return t.At(started.ID)
}

// uuidOf returns the UUID that an id is, or one made of it. Neither half is zero.
func uuidOf(id string) uuid.UUID {
	if u, err := uuid.Parse(id); err == nil && [8]byte(u[:8]) != [8]byte{} {
		return u
	}
	return derived(id)
}
