package events

import (
	"fmt"
	"time"
)

// Entry is an event at its place: on its way to the journal, or read from it.
type Entry struct {
	Subject Subject
	Event   Event
	// Stored is the journal's time of storing it. Zero on the way in.
	Stored time.Time
	// Sequence is its position in the journal, from 1. Zero on the way in.
	Sequence uint64
}

// Message returns the entry as a NATS message in binary mode.
func (e Entry) Message() Message { return Encode(e.Subject.String(), e.Event) }

// DecodeEntry reads a message of the journal. Its errors wrap [ErrSubject] or
// [ErrEvent]; with the latter the returned entry still has its subject, because
// a message that cannot be read holds its place all the same.
func DecodeEntry(m Message, stored time.Time, sequence uint64) (Entry, error) {
	subject, err := ParseSubject(m.Subject)
	if err != nil {
		return Entry{}, err
	}
	entry := Entry{Subject: subject, Stored: stored, Sequence: sequence}
	if entry.Event, err = Decode(m); err != nil {
		return entry, fmt.Errorf("decode %s: %w", m.Subject, err)
	}
	return entry, nil
}
