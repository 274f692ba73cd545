package saga

import (
	"time"

	"segue/events"
)

// NewApplied returns the event that applies a definition to a running system. The
// id is a new one each time: a definition may be applied, replaced and applied again.
func NewApplied(d *Definition, id string, now time.Time) events.Entry {
	subject := events.DefinitionSubject(d.Name)
	e := newEvent(subject, events.TypeDefinitionApplied, now)
	e.ID, e.Source = id, events.Client
	e.Data = events.MarshalData(events.DefinitionApplied{Digest: d.Digest, Text: d.Text})
	return events.Entry{Subject: subject, Event: e}
}
