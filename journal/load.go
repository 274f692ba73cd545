package journal

import (
	"context"
	"fmt"

	"segue/events"
)

// Load returns what [Journal.Load] does, by following. It takes longer, but no
// answer can get lost on the way.
func Load(ctx context.Context, j Journal, filter string) ([]Record, error) {
	feed, err := j.Follow(ctx, filter, 0)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", filter, err)
	}
	defer feed.Close()
	var records []Record
	for {
		r, err := feed.Next(ctx)
		if err != nil {
			return nil, fmt.Errorf("load %s: %w", filter, err)
		}
		if r.Live {
			return records, nil
		}
		records = append(records, r)
	}
}

// Entry decodes a record; see [events.DecodeEntry] for the errors.
func (r Record) Entry() (events.Entry, error) {
	return events.DecodeEntry(r.Message, r.Stored, r.Sequence)
}
