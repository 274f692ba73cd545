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
			var err error
			if messages[i], err = p.message(ctx, entry); err != nil {
				return err
			}
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

// message returns an entry as it is stored, its data put aside if it is large.
func (e *Engine) message(ctx context.Context, entry events.Entry) (events.Message, error) {
	var err error
	if entry.Event, err = document.CheckIn(ctx, e.Data, entry.Event); err != nil {
		return events.Message{}, err
	}
	return entry.Message(), nil
}
