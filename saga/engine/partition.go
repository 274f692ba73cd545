package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"segue/document"
	"segue/events"
	"segue/journal"
	"segue/saga"
)

// partition is the loop of one partition: one goroutine owns the ledger; a
// second one reads ahead, others carry messages to the journal.
type partition struct {
	*Engine
	number  int
	log     *slog.Logger
	ledger  *ledger
	live    bool
	counted int // runs counted into Engine.running
	flying  int // batches on their way to the journal
}

func newPartition(e *Engine, number int) *partition {
	return &partition{Engine: e, number: number, ledger: newLedger(), log: e.Log.With("partition", number)}
}

// item is a message of the journal, ready to be applied.
type item struct {
	entry      events.Entry
	definition *saga.Definition // of a started message
	live       bool             // the mark that all that was stored has been read
}

// run reads the partition from its beginning and decides for its runs until ctx
// is done or the feed breaks.
func (p *partition) run(ctx context.Context) error {
	feed, err := p.Journal.Follow(ctx, events.PartitionFilter(p.number), 0)
	if err != nil {
		return err
	}
	defer feed.Close()
	group, ctx := errgroup.WithContext(ctx)
	items := make(chan item, p.Batch)
	landed := make(chan struct{}, p.Window)
	group.Go(func() error { return p.read(ctx, feed, items) })
	group.Go(func() error { return p.loop(ctx, group, items, landed) })
	return group.Wait()
}

// leave takes the partition's runs out of what the engine counts.
func (p *partition) leave() {
	p.running.Add(int64(-p.counted))
	p.counted = 0
	for _, a := range p.ledger.runs {
		if a.stuck {
			p.Metrics.stuck(-1) // whoever owns the partition next counts it
		}
	}
	if p.live {
		p.current.Add(-1)
		p.live = false
	}
	p.Metrics.forget(p.number)
}

// read turns records into items: decodes them, fetches what their data refers
// to, finds the definition of a run that begins.
func (p *partition) read(ctx context.Context, feed journal.Feed, items chan<- item) error {
	for {
		record, err := feed.Next(ctx)
		if err != nil {
			return fmt.Errorf("read partition: %w", err)
		}
		it := item{live: record.Live}
		if !record.Live {
			p.clock.Saw(record.Stored)
			if it, err = p.open(ctx, record); err != nil {
				return err
			}
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
	it := item{entry: entry}
	if err != nil {
		p.log.Error("message of the journal cannot be read", "subject", record.Subject, "sequence", record.Sequence, "error", err)
		it.entry.Event, err = events.Event{}, nil
	} else {
		err = persist(ctx, p.log, "reading event data", func() error {
			it.entry.Event, err = checkOut(ctx, p.Data, entry.Event)
			if err == nil || !gone(err) {
				return err
			}
			p.log.Error("event data is gone", "subject", record.Subject, "dataref", entry.Event.DataRef, "error", err)
			it.entry.Event = events.Event{}
			return nil
		})
	}
	if err == nil && entry.Subject.Kind == events.KindStarted {
		it.definition, err = p.definition(ctx, it.entry)
	}
	return it, err
}

// definition returns the definition that a started message is pinned to, or nil
// if there is no way to carry on its run.
func (p *partition) definition(ctx context.Context, started events.Entry) (d *saga.Definition, err error) {
	orphan := func(reason error) {
		p.log.Error("run cannot be carried on", "run", started.Subject.Run, "error", reason)
		p.Metrics.orphan()
	}
	if want := events.PartitionOf(started.Subject.Run, p.partitions); want != p.number {
		orphan(fmt.Errorf("it belongs to partition %d", want))
		return nil, nil
	}
	data, err := saga.ReadStarted(started)
	if err != nil {
		orphan(err)
		return nil, nil
	}
	err = persist(ctx, p.log, "reading a definition", func() error {
		d, err = p.catalogue.pinned(ctx, data.Digest)
		var problem saga.Problems
		if err != nil && (gone(err) || errors.As(err, &problem)) {
			orphan(err)
			return nil
		}
		return err
	})
	return d, err
}

// gone says that data is not there and waiting does not bring it.
func gone(err error) bool {
	return errors.Is(err, document.ErrNotFound) || errors.Is(err, document.ErrChanged) || errors.Is(err, document.ErrDataTooLarge)
}

// loop applies items and, once it has read up to the present, decides.
func (p *partition) loop(ctx context.Context, group *errgroup.Group, items <-chan item, landed chan struct{}) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(p.untilNext())
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		case <-landed:
			p.flying--
		case it := <-items:
			p.take(it)
			p.drain(items)
		}
		for p.live && p.flying < p.Window {
			batch := p.ledger.decide(p.clock.Now(), p.Batch, p.seen)
			if len(batch) == 0 {
				break
			}
			p.flying++
			group.Go(func() error { return p.append(ctx, batch, landed) })
		}
	}
}

// untilNext returns how long the loop may sleep. With a full window nothing can
// be decided before a batch has landed, whatever is due.
func (p *partition) untilNext() time.Duration {
	next := p.ledger.next()
	if next.IsZero() || !p.live || p.flying >= p.Window {
		return time.Hour
	}
	return max(0, next.Sub(p.clock.Now()))
}

// drain takes what else is there already, so that one decision and one batch
// serve many messages when there is much to do.
func (p *partition) drain(items <-chan item) {
	for range p.Batch {
		select {
		case it := <-items:
			p.take(it)
		default:
			return
		}
	}
}

func (p *partition) take(it item) {
	if it.live {
		p.live = true
		p.current.Add(1)
		p.log.Debug("partition is read up to the present", "runs", len(p.ledger.runs))
		return
	}
	if it.definition != nil {
		if err := p.ledger.begin(it.definition, it.entry); err != nil {
			p.log.Error("run cannot be carried on", "run", it.entry.Subject.Run, "error", err)
			p.Metrics.orphan()
		} else if p.live {
			p.began(it.entry)
		}
	} else if a := p.ledger.apply(it.entry); a != nil && p.live {
		p.applied(a, it.entry)
	}
	p.count()
}

// count keeps the engine's number of runs that go on.
func (p *partition) count() {
	n := len(p.ledger.runs)
	p.running.Add(int64(n - p.counted))
	p.counted = n
	p.Metrics.runs(p.number, n)
}

// append stores a batch, however long that takes.
func (p *partition) append(ctx context.Context, batch []events.Entry, landed chan<- struct{}) error {
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
		return err
	}
	landed <- struct{}{} // has room for the whole window
	return nil
}
