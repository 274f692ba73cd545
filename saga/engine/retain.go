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
		again := false // the answer may have been lost, and the broker forgets ids after a while
		return persist(ctx, p.log, "keeping runs in the history", func() error {
			err := p.keep(ctx, e.keep, again)
			again = true
			return err
		})
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

// keep stores runs in the history. Again says that it was tried before.
func (p *partition) keep(ctx context.Context, list []departure, again bool) error {
	var messages []events.Message
	for _, d := range list {
		d.again = d.again || again
		m, err := p.archived(ctx, d)
		if err != nil {
			return err
		}
		if m.Subject != "" {
			messages = append(messages, m)
		}
	}
	return p.Journal.Append(ctx, messages...)
}

// archived returns the message that keeps a run, none if it is kept already.
func (p *partition) archived(ctx context.Context, d departure) (m events.Message, err error) {
	if d.again {
		if found, err := p.inHistory(ctx, d.run); found || err != nil {
			return m, err
		}
	}
	run := d.state
	if run == nil {
		if run, err = p.reread(ctx, d.run); run == nil {
			return m, err
		}
	}
	entry := run.NewArchived(p.clock.Now())
	if m, err = p.message(ctx, entry); err != nil {
		return m, err
	}
	m.Header.Set(events.HeaderMsgID, entry.Event.ID) // two owners at once keep it once
	return m, nil
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
	for _, r := range records {
		if keptRun(r) == run {
			return true, nil
		}
	}
	return false, nil
}

// keptRun returns the run that a message of the history is about.
func keptRun(r journal.Record) string {
	entry, err := r.Entry()
	if err != nil {
		return ""
	}
	return entry.Event.RunID
}
