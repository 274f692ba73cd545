package events

import (
	"crypto/sha1" //nolint:gosec // what version 5 UUIDs are made with
	"time"

	"github.com/google/uuid"
)

// SpecVersion is the version of CloudEvents that Segue speaks.
const SpecVersion = "1.0"

// JSON is the content type of all data that Segue itself writes.
const JSON = "application/json"

// Event is a CloudEvent 1.0 with the attributes that Segue uses as fields. The
// zero value of a field means that the attribute is absent.
type Event struct {
	// ID is unique in Source. Inside a run it is derived, see [DeriveID].
	ID string
	// Source is a URI reference, such as [Orchestrator] or [ServiceSource].
	Source string
	// Type is one of the Type constants, or a stranger's.
	Type string
	// Subject names the step a message is about; empty on messages about the run.
	Subject string
	// Time says when the event was made, by the clock of who made it. Nothing is
	// decided by it: the journal's own time is what counts.
	Time            time.Time
	DataContentType string
	DataSchema      string

	// CorrelationID is the caller's, else the run id (extension correlationid).
	CorrelationID string
	// CausationID is the id of the event that caused this one (causationid).
	CausationID string
	// Expiry is the deadline of a command (expirytime).
	Expiry time.Time
	// DataRef says where the data is, when it is not here (dataref: claim check).
	DataRef string
	// TraceParent and TraceState hold the trace that began the run (W3C Trace
	// Context). That of a command and of its outcome is the attempt's, see [Trace].
	TraceParent string
	TraceState  string
	// RunID is the run (extension runid, Segue's own).
	RunID string
	// ReplyTo is the subject that takes the outcome of a command (replyto, Segue's own).
	ReplyTo string

	// Extensions holds every other extension attribute, decoded.
	Extensions map[string]string

	// Data is the payload as DataContentType says. Empty and absent are the same;
	// the JSON value null is four bytes.
	Data []byte
}

// Caused fills the attributes that an event inherits from the one that caused it.
func (e Event) Caused(by Event) Event {
	e.CausationID = by.ID
	e.CorrelationID = by.CorrelationID
	e.TraceParent = by.TraceParent
	e.TraceState = by.TraceState
	e.RunID = by.RunID
	return e
}

// Orchestrator is the source of every event that the orchestrator writes.
const Orchestrator = "/segue/orchestrator"

// Client is the source of starts and signals that the segue command sends.
const Client = "/segue/client"

// ServiceSource returns the source of the outcomes of a service.
func ServiceSource(service string) string { return "/segue/services/" + service }

// namespace is the root of all derived ids, itself derived from the schema name.
var namespace = uuid.NewSHA1(uuid.NameSpaceURL, []byte("segue:events:v1"))

// DeriveID returns the id of an event inside a run: a version 5 UUID of its
// subject, source and type. The subject holds run, step and attempt, so the
// same decision always carries the same id, while the reply of a service and
// the orchestrator's timeout, which compete for one subject, differ.
func DeriveID(subject Subject, source, eventType string) string {
	return derived(subject.String(), source, eventType).String()
}

// derived returns the version 5 UUID of parts with a zero byte between them. It is
// what uuid.NewSHA1 returns, at a fraction of the cost.
func derived(parts ...string) uuid.UUID {
	name := append(make([]byte, 0, 2*MaxSubject), namespace[:]...)
	for i, part := range parts {
		if i > 0 {
			name = append(name, 0)
		}
		name = append(name, part...)
	}
	sum := sha1.Sum(name)
	u := uuid.UUID(sum[:16])
	u[6] = u[6]&0x0f | 0x50 // version 5
	u[8] = u[8]&0x3f | 0x80 // the variant of RFC 9562
	return u
}

// RunID returns the id of the run that a start event makes. CloudEvents says
// that source and id together identify an event; so the same event, however
// often it is published, makes one run.
func RunID(source, id string) string {
	return derived(source, id).String()
}

// NewStartID returns a new, time-ordered id for a start event.
func NewStartID() string {
	return uuid.Must(uuid.NewV7()).String() // fails only without a source of randomness
}
