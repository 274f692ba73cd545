package events

import (
	"encoding/json"
	"fmt"
	"time"
)

// The event types. See the package documentation for their subjects.
const (
	TypeRunRequested  = "segue.run.requested.v1"
	TypeStartRejected = "segue.start.rejected.v1"

	TypeRunStarted     = "segue.run.started.v1"
	TypeRunCompleted   = "segue.run.completed.v1"
	TypeRunCompensated = "segue.run.compensated.v1"
	TypeRunArchived    = "segue.run.archived.v1"

	TypeStepRequested = "segue.step.requested.v1"
	TypeStepWithheld  = "segue.step.withheld.v1"
	TypeStepSkipped   = "segue.step.skipped.v1"
	TypeStepCompleted = "segue.step.completed.v1"
	TypeStepFailed    = "segue.step.failed.v1"
	TypeStepTimedOut  = "segue.step.timedout.v1"

	TypeUndoRequested = "segue.undo.requested.v1"
	TypeUndoCompleted = "segue.undo.completed.v1"
	TypeUndoFailed    = "segue.undo.failed.v1"
	TypeUndoTimedOut  = "segue.undo.timedout.v1"

	TypeDefinitionApplied = "segue.definition.applied.v1"

	TypeScheduleSet     = "segue.schedule.set.v1"
	TypeScheduleRemoved = "segue.schedule.removed.v1"

	TypeCancel   = "segue.signal.cancel.v1"
	TypeRetry    = "segue.signal.retry.v1"
	TypeDeadline = "segue.signal.deadline.v1"
)

// The names of signals, the last token of their subjects.
const (
	// SignalCancel turns the run back. Written by operators.
	SignalCancel = "cancel"
	// SignalDeadline turns the run back because its time is up. Written by the
	// orchestrator, so that the journal and not a clock decides.
	SignalDeadline = "deadline"
	// SignalRetry, with "-<k>" behind it, gives a stuck run its k-th further
	// round of attempts, k counting from 1. Written by operators. See [RetrySignal].
	SignalRetry = "retry"
)

// RetrySignal returns the name of the k-th retry signal of a run, k from 1.
func RetrySignal(k int) string { return fmt.Sprintf("%s-%d", SignalRetry, k) }

// The data of the events follows. TypeRunRequested carries the input of the
// saga, TypeStepRequested the input of the service and TypeStepCompleted its
// output: any JSON value, so they have no struct here. TypeStepWithheld,
// TypeStepSkipped, TypeUndoCompleted and TypeScheduleRemoved have no data.

// RunStarted is the data of [TypeRunStarted].
type RunStarted struct {
	// Saga is the name of the definition, Digest the sha256 in hex of its
	// canonical text; the run keeps to that text for its whole life.
	Saga   string `json:"saga"`
	Digest string `json:"digest"`
	// Input is what the start event carried.
	Input json.RawMessage `json:"input"`
}

// RunCompleted is the data of [TypeRunCompleted].
type RunCompleted struct {
	// Output is what the definition's output says; absent if it says nothing.
	Output json.RawMessage `json:"output,omitempty"`
}

// RunCompensated is the data of [TypeRunCompensated].
type RunCompensated struct {
	Reason Reason `json:"reason"`
	// Undone lists the steps that were undone, in the order they were. It is
	// written as an empty list if there are none, never as null.
	Undone []string `json:"undone"`
}

// MarshalJSON writes an empty list for a nil one: readers iterate over it.
func (r RunCompensated) MarshalJSON() ([]byte, error) {
	type plain RunCompensated
	if r.Undone == nil {
		r.Undone = []string{}
	}
	return marshal(plain(r))
}

// RunArchived is the data of [TypeRunArchived]: what is kept of a run that has
// ended when its messages leave the journal. A reader that finds a run twice
// takes either: they say the same.
type RunArchived struct {
	Run         string    `json:"run"`
	Saga        string    `json:"saga"`
	Digest      string    `json:"digest"`
	Correlation string    `json:"correlation"`
	Status      string    `json:"status"` // completed or compensated
	Started     time.Time `json:"started"`
	Deadline    time.Time `json:"deadline"`
	Ended       time.Time `json:"ended"`
	// Reason says why a compensated run turned back, Undone what was undone, in
	// the order it was.
	Reason *Reason  `json:"reason,omitempty"`
	Undone []string `json:"undone,omitempty"`
	// Input and Output are left out if they have more than [MaxArchivedValue] bytes.
	Input  json.RawMessage `json:"input,omitempty"`
	Output json.RawMessage `json:"output,omitempty"`
	Steps  []ArchivedStep  `json:"steps"` // in the order of the definition
}

// MaxArchivedValue is the size of the largest input or output, in bytes, that is
// kept of a run that has ended.
const MaxArchivedValue = 1 << 10

// ArchivedStep is one step of a [RunArchived].
type ArchivedStep struct {
	Step     string    `json:"step"`
	Service  string    `json:"service"`
	State    string    `json:"state"`             // as segue show names it
	Attempts int       `json:"attempts"`          // at doing it
	Undos    int       `json:"undos,omitempty"`   // attempts at undoing it
	Started  time.Time `json:"started,omitzero"`  // first command stored
	Settled  time.Time `json:"settled,omitzero"`  // last outcome stored
	Failure  string    `json:"failure,omitempty"` // message of the last attempt that failed
	Code     string    `json:"code,omitempty"`    // and its code
}

// DefinitionApplied is the data of [TypeDefinitionApplied].
type DefinitionApplied struct {
	// Digest is the sha256 in hex of Text, the canonical text of the definition.
	// Its name is the last token of the subject.
	Digest string          `json:"digest"`
	Text   json.RawMessage `json:"text"`
}

// ScheduleSet is the data of [TypeScheduleSet]: when runs are to start. One of Cron,
// Every and At is given. The saga and the name of the schedule are in the subject.
// Durations are like "90s" or "1h30m". Package schedule has the rules.
type ScheduleSet struct {
	// Cron is five fields, minute to day of week, or @hourly, @daily and the like, in
	// the time of Zone, an IANA name. Zone defaults to UTC.
	Cron string `json:"cron,omitempty"`
	Zone string `json:"zone,omitempty"`
	// Every is the time between two starts.
	Every string `json:"every,omitempty"`
	// At is the time of the only start.
	At time.Time `json:"at,omitzero"`
	// CatchUp is how late a start may be that nobody was there to make. Defaults to 24h.
	CatchUp string `json:"catch_up,omitempty"`
	// Input is that of the runs; absent is {}. ${time} and ${date} in it stand for the
	// time of the start.
	Input json.RawMessage `json:"input,omitempty"`
}

// Reason says why a run turned back.
type Reason struct {
	// Kind is "failed", "canceled" or "deadline".
	Kind string `json:"kind"`
	// Step is the step that failed, with its last message; only for "failed".
	Step    string `json:"step,omitempty"`
	Message string `json:"message,omitempty"`
	Code    string `json:"code,omitempty"`
}

// The kinds of [Reason].
const (
	ReasonFailed   = "failed"
	ReasonCanceled = "canceled"
	ReasonDeadline = "deadline"
)

// UndoRequested is the data of [TypeUndoRequested].
type UndoRequested struct {
	// Input is what the step was last asked to do.
	Input json.RawMessage `json:"input"`
	// Output is what the step answered. It is absent when the outcome is unknown:
	// the step may have been done, may be being done now, or may never be.
	Output json.RawMessage `json:"output,omitempty"`
	// Attempts is how often the step was asked to be done.
	Attempts int `json:"attempts"`
}

// Failed is the data of [TypeStepFailed] and [TypeUndoFailed]. A failed step
// promises that nothing was done, unless Unknown says otherwise.
type Failed struct {
	// Message is for people: the thing, the reason and the way out.
	Message string `json:"message"`
	// Code is for programs; see the service's documentation. Optional.
	Code string `json:"code,omitempty"`
	// Retryable says that another attempt may succeed.
	Retryable bool `json:"retryable"`
	// Unknown takes the promise back: the attempt broke off and may have been done,
	// wholly or in part. The saga then treats it as one that timed out.
	Unknown bool `json:"unknown,omitempty"`
	// RetryAfterMS asks for a delay before the next attempt, in milliseconds.
	RetryAfterMS int64 `json:"retry_after_ms,omitempty"`
	// Details is whatever else helps, such as a list of violations. Optional.
	Details json.RawMessage `json:"details,omitempty"`
}

// TimedOut is the data of [TypeStepTimedOut] and [TypeUndoTimedOut]: what the
// attempt came to is unknown.
type TimedOut struct {
	// AfterMS is the time the attempt was given, in milliseconds.
	AfterMS int64 `json:"after_ms"`
}

// Signal is the data of [TypeCancel], [TypeRetry] and [TypeDeadline].
type Signal struct {
	// Note is free text of the operator. Optional.
	Note string `json:"note,omitempty"`
}

// StartRejected is the data of [TypeStartRejected].
type StartRejected struct {
	// Reason says what is wrong with the start and what would be right.
	Reason string `json:"reason"`
	// Subject and Headers are those of the start message, Data its payload
	// (in base64, as encoding/json writes bytes).
	Subject string              `json:"subject"`
	Headers map[string][]string `json:"headers,omitempty"`
	Data    []byte              `json:"data,omitempty"`
	// DataRef says where the payload is if it is too large to stand here, in the
	// form of the dataref attribute.
	DataRef string `json:"dataref,omitempty"`
}
