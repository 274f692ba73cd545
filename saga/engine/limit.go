package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"segue/document"
	"segue/events"
)

// maxInput is the largest input of a run or a step, in bytes. The data that wraps
// one, such as that of a started message, holds it and a little more.
const maxInput = document.DataLimit - 4096

// codeTooLarge is the code of a step whose input is too large to be sent.
const codeTooLarge = "too_large"

// storable returns what stands for a message that was decided on and whose data
// is too large to be stored: were it tried, it would hold up its batch for ever.
// Whoever decides on the same message makes the same of it.
//
//	a command   => the failure of the attempt, for good: nobody was asked
//	an undo     => the undo without the step's output, as if that were unknown
//	an end      => the end without the run's output
func storable(e events.Entry) events.Entry {
	size := len(e.Event.Data)
	switch e.Event.Type {
	case events.TypeStepRequested:
		if size > maxInput {
			return tooLarge(e)
		}
	case events.TypeUndoRequested:
		var undo events.UndoRequested
		if size > document.DataLimit && events.ReadData(e.Event, &undo) == nil {
			undo.Output = nil
			e.Event.Data = events.MarshalData(undo)
		}
	case events.TypeRunCompleted:
		if size > document.DataLimit {
			reason := fmt.Sprintf("the output has %d bytes, at most %d are kept", size, document.DataLimit)
			e.Event.Data = events.MarshalData(events.RunCompleted{Output: events.MarshalData(map[string]string{"error": reason})})
		}
	}
	return e
}

// tooLarge returns the outcome of an attempt that was not asked for.
func tooLarge(command events.Entry) events.Entry {
	e := events.Entry{Subject: command.Subject.With(events.KindOutcome), Event: command.Event}
	e.Event.Type = events.TypeStepFailed
	e.Event.ID = events.DeriveID(e.Subject, e.Event.Source, e.Event.Type)
	e.Event.ReplyTo, e.Event.Expiry = "", time.Time{}
	e.Event.Data = events.MarshalData(events.Failed{
		Code:    codeTooLarge,
		Message: fmt.Sprintf("the input has %d bytes, at most %d are sent: hand on a document in its place", len(command.Event.Data), maxInput),
	})
	return e
}

// checkOut brings the data of an event back. A reference to what is no document
// of Segue's is one to a document that is not there: waiting does not bring it.
func checkOut(ctx context.Context, store document.Store, e events.Event) (events.Event, error) {
	if e.DataRef != "" && len(e.Data) == 0 {
		if _, err := document.ParseURI(e.DataRef); err != nil {
			return e, fmt.Errorf("%w: %w", document.ErrNotFound, err)
		}
	}
	return document.CheckOut(ctx, store, e)
}

// maxHeaders is how much of the headers of a start, in bytes, its rejection
// repeats. It fits in one event with the rest, whatever is in them.
const maxHeaders = 32 << 10

// headers returns the headers of a start, by name, as far as there is room for them.
func headers(h events.Header) events.Header {
	kept, size := make(events.Header), 0
	for _, name := range slices.Sorted(maps.Keys(h)) {
		size += len(name)
		for _, value := range h[name] {
			size += len(value)
		}
		if size > maxHeaders {
			break
		}
		kept[name] = h[name]
	}
	return kept
}
