package engine

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"segue/document"
	"segue/events"
	"segue/journal"
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

	restored document.Ref // of the snapshot that reading began with; zero if there was none
	epoch    int          // of the clock when reading began
	woke     time.Time    // when the loop last came round
	began    time.Time    // when reading began
	sequence uint64       // of the message read last
	unsaved  int          // messages read since the last snapshot
	keeping  bool         // runs are being kept in the history
	tidying  bool         // an errand is being done, or a snapshot stored
	pruned   time.Time    // when something was last to be pruned
	parted   time.Time    // when runs last left one by one
	noted    time.Time    // when it was last said what the partition needs

	below        uint64 // all the partition's messages below have left the journal
	marked       uint64 // and those below are to
	awaited      uint64 // all that might leave at awaitedSince lay below; 0 for nothing
	awaitedSince time.Time
}

func newPartition(e *Engine, number int) *partition {
	return &partition{Engine: e, number: number, ledger: newLedger(), log: e.Log.With("partition", number)}
}

// run reads the partition, from its last snapshot on, and decides for its runs
// until ctx is done, the feed breaks or what was read may be out of date.
func (p *partition) run(ctx context.Context) error {
	p.epoch, p.began = p.clock.Epoch(), time.Now()
	after, err := p.restore(ctx)
	if err != nil {
		return err
	}
	feed, err := p.Journal.Follow(ctx, events.PartitionFilter(p.number), after)
	if err != nil {
		return err
	}
	defer feed.Close()
	group, ctx := errgroup.WithContext(ctx)
	items := make(chan item, p.Batch)
	group.Go(func() error { return p.read(ctx, feed, items) })
	group.Go(func() error { return p.loop(ctx, group, items) })
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
	p.cuts.forget(p.number)
	p.Metrics.forget(p.number)
}

// loop applies items and, once it has read up to the present, decides, keeps
// what has ended and takes snapshots. What takes time is done beside it.
func (p *partition) loop(ctx context.Context, group *errgroup.Group, items <-chan item) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	done := make(chan func(), p.Window+3) // has room for all that is done beside the loop
	beside := func(work func() error, landed func()) {
		group.Go(func() error {
			err := work()
			done <- landed
			return err
		})
	}
	for p.woke = time.Now(); ; {
		timer.Reset(min(p.untilNext(), noteRest))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		case landed := <-done:
			landed()
		case it := <-items:
			p.take(it)
			p.drain(items)
		}
		if p.outdated() {
			return errOutdated
		}
		if p.live {
			p.decide(ctx, beside)
			p.tidy(ctx, beside)
		}
	}
}

// errOutdated says that what was read may have left the journal since.
var errOutdated = fmt.Errorf("nothing was heard of the journal for %v", journal.LongSilence)

// outdated says that this process stood still, or the journal was silent, for
// so long that others may have ended runs, and taken them out of the journal,
// that look as if they went on. What would be written for them would be stored.
func (p *partition) outdated() bool {
	now := time.Now()
	asleep := now.Sub(p.woke)
	p.woke = now
	return asleep > journal.LongSilence || p.clock.Epoch() != p.epoch
}

// decide sends what ought to be in the journal on its way.
func (p *partition) decide(ctx context.Context, beside func(work func() error, landed func())) {
	for p.flying < p.Window {
		batch := p.ledger.decide(p.clock.Now(), p.Batch, p.seen)
		if len(batch) == 0 {
			return
		}
		p.flying++
		beside(func() error { return p.append(ctx, batch) }, func() { p.flying-- })
	}
}

// tidy takes care of what has ended and, beside that, of what may leave and of
// snapshots, one after the other.
func (p *partition) tidy(ctx context.Context, beside func(work func() error, landed func())) {
	now := p.clock.Now()
	p.keepEnded(ctx, now, beside)
	if p.tidying { // what leaves meanwhile is entered when the errand is
		p.ledger.tidy = time.Time{} // asked anew when that is done
		return
	}
	p.note()
	// To look what may leave is to look at every run: not each time round.
	if !now.Before(p.ledger.tidy) {
		var e errand
		if e, p.ledger.tidy = p.errand(); !e.none() {
			p.tidying, p.ledger.tidy = true, time.Time{}
			beside(func() error { return p.runErrand(ctx, &e) }, func() { p.tidying = false; p.errandDone(&e) })
			return
		}
	}
	// A snapshot costs as much as there is to write: it is worth its while when half
	// as much has come since the last, which is what there is to read again.
	if p.unsaved >= max(p.SnapshotEvery, p.ledger.size()/2) {
		p.tidying = true
		s := p.snapshot()
		beside(func() error {
			if err := p.save(ctx, s); err != nil && ctx.Err() == nil {
				p.log.Warn("snapshot was not stored", "error", err) // it is not missed
			}
			return nil
		}, func() { p.tidying = false })
	}
}

// untilNext returns how long the loop may sleep. With a full window nothing can
// be decided before a batch has landed, whatever is due.
func (p *partition) untilNext() time.Duration {
	if !p.live {
		return time.Hour
	}
	next := p.ledger.tidy
	if keep := p.ledger.gone.keepAt(); !p.keeping && !keep.IsZero() && (next.IsZero() || keep.Before(next)) {
		next = keep
	}
	if due := p.ledger.next(); !due.IsZero() && p.flying < p.Window && (next.IsZero() || due.Before(next)) {
		next = due
	}
	if next.IsZero() {
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
		p.ledger.late = p.Metrics.late
		p.current.Add(1)
		p.log.Debug("partition is read up to the present", "runs", len(p.ledger.runs), "took", time.Since(p.began).String())
		return
	}
	if it.sequence > 0 {
		p.sequence = it.sequence
		p.unsaved++
	}
	switch {
	case it.definition != nil:
		if err := p.ledger.begin(it.definition, it.entry); err != nil {
			p.orphan(it.entry, err)
		} else if p.live {
			p.beginning(it.entry)
		}
	case it.entry.Subject.Kind == events.KindStarted:
		p.orphan(it.entry, it.orphan)
	default:
		p.apply(it.entry)
	}
	p.count()
}

// orphan takes a run that there is no way to carry on. It stays in the journal
// for people to see.
func (p *partition) orphan(started events.Entry, reason error) {
	of(p.log, started).Error("run cannot be carried on", "error", reason)
	p.Metrics.orphan()
	p.ledger.orphans[started.Subject.Run] = started.Sequence
}

// apply enters a message of a run that has begun.
func (p *partition) apply(e events.Entry) {
	a := p.ledger.apply(e)
	if a == nil {
		return
	}
	if a.run.Ended() {
		p.ledger.gone.ended(departure{run: a.run.ID, ended: e.Stored, first: a.run.Sequence(), last: e.Sequence, state: a.run})
	}
	if p.live {
		p.applied(a, e)
	}
}

// count keeps the engine's number of runs that go on.
func (p *partition) count() {
	n := len(p.ledger.runs)
	p.running.Add(int64(n - p.counted))
	p.counted = n
	p.Metrics.runs(p.number, n, p.ledger.oldest())
}
