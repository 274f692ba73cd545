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
//	ended => one message in the history, at once
//	      => its own messages leave, after KeepAge or when there are more than KeepRuns
//
// They leave together: all that lies before the first message of the oldest run
// that stays is pruned in one go. What ended behind a run that goes on for long
// stays with it, unless that becomes more than KeepRuns again: then the oldest
// leave one by one, which costs more.
//
// A subject that was written once is free when its message has left. What could
// still want to write on it are orchestrators and participants that stood still;
// hence MinKeepAge, and journal.LongSilence, after which a partition is read again.
//
// A snapshot in which a run goes on would bring it back when its end has left. One
// is stored by an owner that has heard of the journal within LongSilence and takes no
// longer than that again: none comes later than MinKeepAge after the end. So when a
// snapshot has been stored that was taken after that, what it says stays, and the
// run may leave.

const (
	// keepBatch is how many runs are kept in one go, leaveBatch how many leave one by one.
	keepBatch  = 64
	leaveBatch = 256
	// pruneBatch is how many runs are worth a pruning at once, pruneRest how long
	// fewer may have to wait for one.
	pruneBatch = 1000
	pruneRest  = 30 * time.Second
	// tidyRest is how often a partition looks what may leave.
	tidyRest = time.Second
)

// errand is one go of it, done beside the loop.
type errand struct {
	keep   []departure
	save   snapshot // before anything leaves
	prune  uint64   // everything below leaves
	pruned int      // so many runs
	leave  []departure
}

func (e errand) none() bool { return len(e.keep)+len(e.leave) == 0 && e.prune == 0 }

// errand returns what is to be done next, or when to ask again.
func (p *partition) errand() (e errand, next time.Time) {
	gone := &p.ledger.gone
	if n := min(keepBatch, len(gone.keeping)); n > 0 {
		return errand{keep: gone.keeping[:n:n]}, next
	}
	now := p.clock.Now()
	n, next := gone.due(now, p.KeepAge, p.keepRuns())
	if n == 0 {
		return errand{}, next
	}
	low := gone.low(n, p.ledger.low(p.sequence+1))
	count := gone.below(n, low)
	if count >= pruneBatch || count > 0 && now.Sub(p.pruned) >= pruneRest {
		p.pruned = now
		return errand{save: p.snapshot(), prune: low, pruned: count}, next
	}
	if held := n - count - p.keepRuns(); held > 0 {
		return errand{save: p.snapshot(), leave: slices.Clone(gone.leaving[:min(held, leaveBatch)])}, next
	}
	return errand{}, now.Add(tidyRest)
}

// keepRuns is the partition's share of KeepRuns.
func (p *partition) keepRuns() int { return (p.KeepRuns + p.partitions - 1) / p.partitions }

// runErrand does the errand: keeping however long it takes, leaving while the
// snapshot is young.
func (p *partition) runErrand(ctx context.Context, e errand) error {
	if len(e.keep) > 0 {
		return persist(ctx, p.log, "keeping runs in the history", func() error { return p.keep(ctx, e.keep) })
	}
	ctx, cancel := context.WithTimeoutCause(ctx, journal.LongSilence, errOutdated)
	defer cancel()
	err := persist(ctx, p.log, "storing a snapshot", func() error { return p.save(ctx, e.save) })
	if err == nil && e.prune > 0 {
		err = persist(ctx, p.log, "pruning the journal", func() error { return p.Journal.Prune(ctx, p.number, e.prune) })
	}
	for i := 0; i < len(e.leave) && err == nil; i++ {
		err = persist(ctx, p.log, "taking a run out of the journal", func() error { return p.Journal.Purge(ctx, e.leave[i].run) })
	}
	if err != nil {
		return context.Cause(ctx)
	}
	return nil
}

// errandDone enters what an errand has done.
func (p *partition) errandDone(e errand) {
	gone := &p.ledger.gone
	if e.prune > 0 {
		gone.pruned(e.prune)
	}
	gone.kept(len(e.keep))
	gone.left(len(e.leave))
	p.Metrics.kept(len(e.keep))
	p.Metrics.left(e.pruned + len(e.leave))
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
