// Package participant makes a service out of a handler.
//
// A handler receives a command and returns a result; it never publishes, acks
// or retries. Its error decides what becomes of the attempt:
//
//	nil                            => completed, with the result as output
//	*Error, Permanent              => failed for good, nothing was done
//	any other error                => failed, nothing was done, may be tried again
//	panic, or an error after the
//	context's end                  => failed, what was done is unknown, may be tried again
//
// The outcome is stored and then the command acked, but for a failure of the
// second or third row: there the ack comes first, so that no second delivery can
// do what the failure says was not done.
//
// A command that is delivered a second time may have been worked on the first
// time: whatever its handler says then of a failure, what was done is unknown.
//
// Every message may come more than once and an undo may come before, during or
// after what it undoes; (Run, Step) identifies the work across all attempts.
package participant

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"segue/events"
)

// Command asks a service to do a step.
type Command[In any] struct {
	// Run and Step identify the work; Attempt counts the tries, from 1.
	Run     string
	Step    string
	Attempt int
	// Correlation is the caller's id of the whole job, else the run id.
	Correlation string
	Input       In
}

// Undo asks a service to take a step back, so that it is as if it had never
// been done. It succeeds if there is nothing to take back.
type Undo[In, Out any] struct {
	Run         string
	Step        string
	Attempt     int // of the undo, from 1
	Correlation string
	// Input is what the step was last asked to do.
	Input In
	// Output is what it answered; nil if that is unknown, and then it may have been
	// done, may be being done at this moment, or may yet begin.
	Output *Out
	// Attempts is how often the step was tried.
	Attempts int
}

// Service is a named pair of handlers.
type Service struct {
	name string
	do   handler
	undo handler
}

// handler is a typed handler with the types wrapped away: data in, data out.
type handler func(ctx context.Context, e events.Entry) (json.RawMessage, error)

// New makes a service. The name selects its commands and is the last part of
// its event source. In and Out are read and written as JSON; fields of the input
// that In does not have are ignored. A service without an undo handler (nil)
// answers an undo command with a permanent failure.
func New[In, Out any](
	name string,
	do func(context.Context, Command[In]) (Out, error),
	undo func(context.Context, Undo[In, Out]) error,
) Service {
	s := Service{name: name, do: doHandler(do), undo: noUndo(name)}
	if undo != nil {
		s.undo = undoHandler(undo)
	}
	return s
}

// Name returns the name of the service.
func (s Service) Name() string { return s.name }

func doHandler[In, Out any](do func(context.Context, Command[In]) (Out, error)) handler {
	return func(ctx context.Context, e events.Entry) (json.RawMessage, error) {
		c := Command[In]{Run: e.Subject.Run, Step: e.Subject.Step, Attempt: e.Subject.Attempt.N, Correlation: e.Event.CorrelationID}
		if err := readInput(e.Event.Data, &c.Input); err != nil {
			return nil, err
		}
		out, err := do(ctx, c)
		if err != nil {
			return nil, err
		}
		data, err := json.Marshal(out)
		if err != nil {
			return nil, &Error{Code: CodeBadOutput, Permanent: true, Unknown: true, Err: fmt.Errorf("marshal output: %w", err)}
		}
		return data, nil
	}
}

func undoHandler[In, Out any](undo func(context.Context, Undo[In, Out]) error) handler {
	return func(ctx context.Context, e events.Entry) (json.RawMessage, error) {
		var req events.UndoRequested
		if err := readInput(e.Event.Data, &req); err != nil {
			return nil, err
		}
		u := Undo[In, Out]{
			Run: e.Subject.Run, Step: e.Subject.Step, Attempt: e.Subject.Attempt.N,
			Correlation: e.Event.CorrelationID, Attempts: req.Attempts,
		}
		if err := readInput(req.Input, &u.Input); err != nil {
			return nil, err
		}
		if len(req.Output) > 0 {
			u.Output = new(Out)
			if err := readInput(req.Output, u.Output); err != nil {
				return nil, err
			}
		}
		return nil, undo(ctx, u)
	}
}

func noUndo(name string) handler {
	return func(context.Context, events.Entry) (json.RawMessage, error) {
		return nil, &Error{Code: CodeNoUndo, Permanent: true, Err: fmt.Errorf("service %s has no undo", name)}
	}
}

func readInput(data json.RawMessage, into any) error {
	if err := json.Unmarshal(data, into); err != nil {
		return &Error{Code: CodeBadInput, Permanent: true, Err: fmt.Errorf("read input: %w", err)}
	}
	return nil
}

// The codes of failures that the runtime itself reports.
const (
	CodeBadInput  = "bad_input"  // the command does not fit the service's types
	CodeBadOutput = "bad_output" // the result cannot be sent
	CodeNoUndo    = "no_undo"    // an undo was asked of a service that has none
	CodePanic     = "panic"      // the handler panicked
	CodeCrash     = "crash"      // the command was delivered too often without an answer
	CodeDeadline  = "deadline"   // the handler ran into its deadline
)

// Error is a failure with all that a saga can know of it.
type Error struct {
	// Err is what people read. Required.
	Err error
	// Code is for programs. Optional.
	Code string
	// Permanent says that another attempt would fail as well.
	Permanent bool
	// Unknown says that the work may have been done, wholly or in part.
	Unknown bool
	// RetryAfter is the least delay before the next attempt. 0 leaves it to the saga.
	RetryAfter time.Duration
	// Details is marshalled to JSON into the outcome. Optional.
	Details any
}

// Error returns the message of Err.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Permanent marks an error as one that another attempt would meet again.
func Permanent(code string, err error) error {
	return &Error{Code: code, Permanent: true, Err: err}
}

// doubted takes back the promise of a handler's error that nothing was done, if
// nobody can know that: when the context had ended, unless the handler insists
// that the failure is for good, and when the command had been delivered before,
// so that an earlier handler may have worked on it. What does not fit the
// service's types has never reached a handler.
func doubted(err error, ended, again bool) error {
	var e *Error
	switch {
	case !errors.As(err, &e):
		e = &Error{Err: err, Unknown: ended || again}
		if ended {
			e.Code = CodeDeadline
		}
		return e
	case ended && !e.Permanent || again && e.Code != CodeBadInput:
		doubtful := *e
		doubtful.Err, doubtful.Unknown = err, true
		return &doubtful
	default:
		return err
	}
}

// failure returns what the outcome says of an error.
func failure(err error) events.Failed {
	var e *Error
	if !errors.As(err, &e) {
		e = new(Error)
	}
	f := events.Failed{
		Message:      shortened(err.Error()),
		Code:         e.Code,
		Retryable:    !e.Permanent,
		Unknown:      e.Unknown,
		RetryAfterMS: e.RetryAfter.Milliseconds(),
	}
	if e.Details != nil {
		if details, err := json.Marshal(e.Details); err == nil && len(details) <= maxDetails {
			f.Details = details
		}
	}
	return f
}

// maxDetails is the largest size of Error.Details as JSON, in bytes; larger ones
// are left out of the outcome.
const maxDetails = 256 << 10

// maxMessage is the longest message of a failure, in bytes; the rest of a longer
// one is cut off, so that the outcome can be stored at all.
const maxMessage = 8 << 10

func shortened(message string) string {
	if len(message) <= maxMessage {
		return message
	}
	return strings.ToValidUTF8(message[:maxMessage], "") + " …"
}
