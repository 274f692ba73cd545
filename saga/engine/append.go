package engine

import (
	"context"

	"segue/document"
	"segue/events"
	"segue/journal"
)

// append stores a batch, for as long as it is not out of date.
func (p *partition) append(ctx context.Context, batch []events.Entry) error {
	ctx, cancel := context.WithTimeoutCause(ctx, journal.LongSilence, errOutdated)
	defer cancel()
	messages := make([]events.Message, len(batch))
	err := persist(ctx, p.log, "storing event data", func() error {
		for i, entry := range batch {
			e, err := document.CheckIn(ctx, p.Data, entry.Event)
			if err != nil {
				return err
			}
			entry.Event = e
			messages[i] = entry.Message()
		}
		return nil
	})
	if err == nil {
		err = persist(ctx, p.log, "appending to the journal", func() error {
			return p.Journal.Append(ctx, messages...)
		})
	}
	if err != nil {
		return context.Cause(ctx)
	}
	return nil
}
