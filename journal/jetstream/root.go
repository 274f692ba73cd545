package jetstream

import (
	"fmt"
	"strings"

	"segue/events"
)

// root is a subject root and what its stream does with it.
type root struct {
	prefix string
	stream string
	once   bool // each subject is written once
	asks   bool // by messages that ask for it: its stream makes room for what is new, and then cannot refuse
	queue  bool // its messages are consumed, not read
	narrow int  // position of the token, a run's or a start's id, that leaves few subjects to a filter
}

var roots = []root{
	{prefix: strings.TrimSuffix(events.AllRuns, ">"), stream: RunsStream, once: true, narrow: 3},
	{prefix: strings.TrimSuffix(events.AllStarts, "*"), stream: StartsStream, queue: true},
	{prefix: strings.TrimSuffix(events.AllRejected, ">"), stream: RejectedStream, once: true, narrow: 3},
	{prefix: strings.TrimSuffix(events.AllHistory, ">"), stream: HistoryStream, once: true, asks: true, narrow: 4},
	{prefix: strings.TrimSuffix(events.AllDefinitions, "*"), stream: DefinitionsStream},
	{prefix: strings.TrimSuffix(events.AllSchedules, "*.*"), stream: SchedulesStream},
}

// rootOf returns the root of a subject or a filter.
func rootOf(subject string) (root, bool) {
	for _, r := range roots {
		if strings.HasPrefix(subject, r.prefix) {
			return r, true
		}
	}
	return root{}, false
}

// readable returns the root of a filter to read by.
func readable(filter string) (root, error) {
	r, known := rootOf(filter)
	if !known || r.queue {
		return root{}, fmt.Errorf("no stream to read by filter %q: %w", filter, events.ErrSubject)
	}
	return r, nil
}
