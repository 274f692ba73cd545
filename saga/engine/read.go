package engine

import (
	"context"
	"errors"
	"fmt"

	"segue/document"
	"segue/events"
	"segue/journal"
	"segue/saga"
)

// item is a message of the journal, ready to be applied.
type item struct {
	sequence   uint64
	entry      events.Entry
	definition *saga.Definition // of a started message
	orphan     error            // why a started message has none
	live       bool             // the mark that all that was stored has been read
}

// read turns records into items: decodes them, fetches what their data refers
// to, finds the definition of a run that begins.
func (p *partition) read(ctx context.Context, feed journal.Feed, items chan<- item) error {
	for {
		record, err := feed.Next(ctx)
		if err != nil {
			return fmt.Errorf("read partition: %w", err)
		}
		it := item{live: true}
		if record.Live {
			err = p.unreplaced(ctx)
		} else {
			p.clock.Saw(record.Stored)
			it, err = p.open(ctx, record)
		}
		if err != nil {
			return err
		}
		select {
		case items <- it:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// open decodes a record. What cannot be read is passed on without its event, so
// that it holds its place; a journal or store out of reach is waited for.
func (p *partition) open(ctx context.Context, record journal.Record) (item, error) {
	entry, err := record.Entry()
	if err != nil {
		of(p.log, entry).Error("message of the journal cannot be read", "subject", record.Subject, "sequence", record.Sequence, "error", err)
		entry.Event = events.Event{}
	}
	it, err := p.openEntry(ctx, entry)
	it.sequence = record.Sequence
	return it, err
}

// openEntry fetches what an entry refers to.
func (p *partition) openEntry(ctx context.Context, entry events.Entry) (item, error) {
	it := item{entry: entry}
	if entry.Event.DataRef != "" {
		if err := p.fetch(ctx, &it.entry); err != nil {
			return it, err
		}
	}
	if entry.Subject.Kind != events.KindStarted {
		return it, nil
	}
	var err error
	it.definition, it.orphan, err = p.definition(ctx, it.entry)
	return it, err
}

// fetch puts the data that an entry refers to into it. One whose data is gone is left
// without its event.
func (p *partition) fetch(ctx context.Context, entry *events.Entry) error {
	log := of(p.log, *entry)
	return persist(ctx, log, "reading event data", func() error {
		e, err := checkOut(ctx, p.Data, entry.Event)
		switch {
		case err == nil:
			entry.Event = e
		case gone(err):
			log.Error("event data is gone", "subject", entry.Subject.String(), "dataref", entry.Event.DataRef, "error", err)
			entry.Event = events.Event{}
		default:
			return err
		}
		return nil
	})
}

// definition returns the definition that a started message is pinned to, or why
// there is no way to carry on its run.
func (p *partition) definition(ctx context.Context, started events.Entry) (d *saga.Definition, orphan, err error) {
	if want := events.PartitionOf(started.Subject.Run, p.partitions); want != p.number {
		return nil, fmt.Errorf("it belongs to partition %d", want), nil
	}
	data, orphan := saga.ReadStarted(started)
	if orphan != nil {
		return nil, orphan, nil
	}
	err = persist(ctx, of(p.log, started), "reading a definition", func() error {
		d, err = p.catalogue.pinned(ctx, data.Digest)
		var problem saga.Problems
		if err != nil && (gone(err) || errors.As(err, &problem)) {
			orphan = err
			return nil
		}
		return err
	})
	return d, orphan, err
}

// gone says that data is not there and waiting does not bring it.
func gone(err error) bool {
	return errors.Is(err, document.ErrNotFound) || errors.Is(err, document.ErrChanged) || errors.Is(err, document.ErrDataTooLarge)
}
