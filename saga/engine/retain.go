package engine

import (
	"context"
	"fmt"
	"slices"
	"time"

	"segue/events"
	"segue/journal"
	"segue/saga"
)

// Runs that have ended leave the journal, which would otherwise grow for ever:
//
//	ended => one message in the history, within keepRest
//	      => its own messages leave, after KeepAge or when there are more than KeepRuns
//
// They leave together: all that lies before the first message of the oldest run that
// stays, of any partition, goes in one cut. What a run that goes on holds up for
// heldWait leaves run by run, message by message, which costs as much as storing it;
// and partition by partition, for which the broker stands still, if that is too slow.
//
// A subject that was written once is free when its message has left. What could
// still want to write on it are orchestrators and participants that stood still;
// hence MinKeepAge, and journal.LongSilence, after which a partition is read again.
//
// A snapshot in which a run goes on would bring it back when its end has left. One
// is stored by an owner that has heard of the journal within LongSilence and takes no
// longer than that again: none comes later than MinKeepAge after the end. So when a
// snapshot has been stored that was taken after that, what it says stays, and the
// run may leave. Who has begun with the one before finds it replaced, see unreplaced.

const (
	// keepBatch is how many runs are worth keeping in one go, leaveBatch how many, at
	// most, leave one by one.
	keepBatch  = 64
	leaveBatch = 256
	// keepRest is how long a run that has ended may wait for others to be kept with: it
	// need not compete with those that go on, and many are kept at the price of one.
	keepRest = time.Second
	// pruneBatch is how many runs are worth a pruning at once, pruneRest how long
	// fewer may have to wait for one.
	pruneBatch = 1000
	pruneRest  = 30 * time.Second
	// heldWait is how long runs that may leave wait for a cut before they leave one by
	// one, or pruneRest if a partition has heldBatch of them; a flood it prunes alone.
	heldWait  = 2 * time.Minute
	heldBatch = 2 * pruneBatch
	flood     = 8 * pruneBatch
	// tidyRest is how often a partition looks what may leave.
	tidyRest = time.Second
)

// errand is one go of leaving, done beside the loop.
type errand struct {
	save   snapshot // before anything leaves
	prune  uint64   // everything below leaves
	pruned int      // so many runs that were not to be pruned before
	needs  note     // what the partition needs then
	alone  bool     // of this partition only
	leave  []departure
	below  uint64 // what prune came to: all below has left
}

func (e errand) none() bool { return len(e.leave) == 0 && e.prune == 0 }

// errand returns what is to be done next, or when to ask again.
func (p *partition) errand() (e errand, next time.Time) {
	gone, now := &p.ledger.gone, p.clock.Now()
	n, next := gone.due(now, p.KeepAge, p.keepRuns())
	held := p.held(n, now)
	if n == 0 {
		return errand{}, next
	}
	low := gone.low(n, p.ledger.low(needsNothing))
	count, mark := gone.below(n, low)
	before, _ := gone.below(n, p.marked)
	fresh := count - before
	if fresh >= pruneBatch || count > 0 && now.Sub(p.pruned) >= pruneRest {
		p.pruned = now
		return errand{save: p.snapshot(), prune: mark, pruned: fresh, needs: p.needs(mark), alone: held && count >= flood}, next
	}
	if held && (n >= leaveBatch || now.Sub(p.parted) >= pruneRest) {
		p.parted = now
		return errand{save: p.snapshot(), leave: slices.Clone(gone.leaving[:min(n, leaveBatch)])}, next
	}
	return errand{}, now.Add(tidyRest)
}

// held says, of the n runs that may leave, whether they have waited for a cut for too
// long.
func (p *partition) held(n int, now time.Time) bool {
	if n == 0 {
		p.awaited = 0
		return false
	}
	if p.awaited <= p.below { // has come, or was not awaited
		_, p.awaited = p.ledger.gone.below(n, needsNothing)
		p.awaitedSince = now
	}
	waited := now.Sub(p.awaitedSince)
	return waited >= heldWait || n >= heldBatch && waited >= pruneRest
}

// keepRuns is the partition's share of KeepRuns.
func (p *partition) keepRuns() int { return (p.KeepRuns + p.partitions - 1) / p.partitions }

// runErrand does the errand while its snapshot is young.
func (p *partition) runErrand(ctx context.Context, e *errand) error {
	ctx, cancel := context.WithTimeoutCause(ctx, journal.LongSilence, errOutdated)
	defer cancel()
	err := persist(ctx, p.log, "storing a snapshot", func() error { return p.save(ctx, e.save) })
	if err == nil && e.prune > 0 {
		err = p.prune(ctx, e)
	}
	for i := 0; i < len(e.leave) && err == nil; i++ {
		if time.Since(e.save.taken) > journal.LongSilence/2 { // the rest with a snapshot of its own
			e.leave = e.leave[:i]
			break
		}
		err = persist(ctx, p.log, "taking a run out of the journal", func() error { return p.Journal.Purge(ctx, e.leave[i].run) })
	}
	if err != nil {
		return context.Cause(ctx)
	}
	return nil
}

// prune takes out what is below a sequence of the partition, or of all partitions, or
// leaves it to a later cut.
func (p *partition) prune(ctx context.Context, e *errand) error {
	p.cuts.may(e.prune, e.pruned)
	p.cuts.need(p.number, e.needs)
	if e.alone {
		e.below = e.prune
		return persist(ctx, p.log, "pruning the journal", func() error { return p.Journal.Prune(ctx, p.number, e.prune) })
	}
	before := p.cuts.begin(p.clock.Now())
	if before == 0 {
		return nil
	}
	err := persist(ctx, p.log, "pruning the journal", func() error { return p.Journal.Prune(ctx, journal.EveryPartition, before) })
	p.cuts.end(before, err == nil)
	return err
}

// errandDone enters what an errand has done.
func (p *partition) errandDone(e *errand) {
	p.ledger.gone.left(len(e.leave))
	p.Metrics.left(len(e.leave))
	p.marked = max(p.marked, e.prune)
	p.haveLeft(max(e.below, p.cuts.below()))
}

// needs returns what the partition needs when all below a mark may leave: what goes
// on, what has to be kept, and what may not leave yet.
func (p *partition) needs(mark uint64) note {
	low := min(p.ledger.low(needsNothing), p.ledger.gone.above(mark))
	return note{max(mark, low), p.clock.Now()}
}

// note lets others know what the partition needs, and hears what has left.
func (p *partition) note() {
	p.haveLeft(p.cuts.below())
	if p.woke.Sub(p.noted) >= tidyRest {
		p.noted = p.woke
		p.cuts.need(p.number, p.needs(p.marked))
	}
}

// haveLeft enters that all below a sequence has left the journal.
func (p *partition) haveLeft(below uint64) {
	if below > p.below {
		p.below = below
		p.Metrics.left(p.ledger.gone.pruned(below))
	}
}

// keepEnded has what has ended kept in the history.
func (p *partition) keepEnded(ctx context.Context, now time.Time, beside func(work func() error, landed func())) {
	gone := &p.ledger.gone
	n := gone.toKeep(now)
	if n == 0 || p.keeping {
		return
	}
	p.keeping = true
	list := gone.keeping[:n:n]
	beside(func() error {
		return persist(ctx, p.log, "keeping runs in the history", func() error { return p.keep(ctx, list) })
	}, func() {
		p.keeping, p.ledger.tidy = false, time.Time{} // more of them may leave by number
		gone.kept(n)
		p.Metrics.kept(n)
	})
}

// keep stores runs in the history. One that is there already, kept by an owner
// before or beside this one, stays as it is: definition and status, which are in
// its subject, are decided by messages that are written once.
func (p *partition) keep(ctx context.Context, list []departure) error {
	messages := make([]events.Message, 0, len(list))
	for _, d := range list {
		run := d.state
		if run == nil {
			var err error
			if run, err = p.reread(ctx, d.run); err != nil {
				return err
			}
		}
		if run == nil {
			continue // another owner has kept it, and taken it out since
		}
		m, err := p.message(ctx, run.NewArchived(p.clock.Now()))
		if err != nil {
			return err
		}
		messages = append(messages, m)
	}
	return p.Journal.Append(ctx, messages...)
}

// reread reads a run that has ended from the journal; nil if it is not there.
func (p *partition) reread(ctx context.Context, id string) (*saga.Run, error) {
	records, err := p.Journal.Load(ctx, events.RunFilter(id))
	if err != nil {
		return nil, err
	}
	var run *saga.Run
	for _, r := range records {
		it, err := p.open(ctx, r)
		if err != nil {
			return nil, err
		}
		if it.definition != nil && run == nil {
			run, err = saga.Begin(it.definition, it.entry)
		}
		if err != nil {
			return nil, err
		}
		if run != nil {
			run.Apply(it.entry)
		}
	}
	if run == nil || !run.Ended() {
		return nil, nil
	}
	return run, nil
}

// inHistory says whether a run is kept in the history.
func (e *Engine) inHistory(ctx context.Context, run string) (bool, error) {
	records, err := e.Journal.Load(ctx, events.HistoryFilter(run))
	if err != nil {
		return false, fmt.Errorf("look for run %s in the history: %w", run, err)
	}
	return len(records) > 0, nil
}
