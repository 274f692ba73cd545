package main

import (
	"context"
	"time"

	"segue/daemon"
	"segue/events"
	"segue/journal"
	"segue/saga"
)

// The history is read from its end, a page at a time: what is asked for is
// mostly of late, and there may be a million runs in it.
const (
	firstPage  = 1 << 10 // messages
	lastPage   = 1 << 17 // the largest
	pageGrowth = 4
)

// past returns what is kept of a run that has left the journal, and the event
// that holds it. A run without a name is one of which nothing is kept.
func past(ctx context.Context, bus *daemon.Bus, run string) (saga.View, events.Entry, error) {
	records, err := bus.Journal.Load(ctx, events.HistoryFilter(run))
	if err != nil {
		return saga.View{}, events.Entry{}, err
	}
	for _, record := range records { // one, but for what a stranger wrote
		entry, err := bus.Open(ctx, record)
		if err != nil {
			return saga.View{}, events.Entry{}, err
		}
		if view, err := saga.ReadArchived(entry); err == nil {
			return view, entry, nil
		}
	}
	return saga.View{}, events.Entry{}, nil
}

// pages hands the records of the history that match a filter to see, the newest
// page first, each page from its oldest to its newest. After each it asks whether
// what was stored before a time is wanted, too.
func pages(ctx context.Context, bus *daemon.Bus, filter string, see func(journal.Record) error, more func(before time.Time) bool) error {
	high, err := bus.Journal.LastArchived(ctx)
	if err != nil {
		return err
	}
	var oldest time.Time // of all that was seen
	for size := uint64(firstPage); high > 0; size = min(size*pageGrowth, lastPage) {
		low := high - min(size, high)
		first := true
		err := each(ctx, bus.Journal, filter, low, func(record journal.Record) (bool, error) {
			if record.Sequence > high {
				return true, nil
			}
			if first {
				first, oldest = false, record.Stored
			}
			return false, see(record)
		})
		if err != nil {
			return err
		}
		if !oldest.IsZero() && !more(oldest) {
			return nil
		}
		high = low
	}
	return nil
}

// listHistory finds the runs that have left the journal.
func listHistory(ctx context.Context, bus *daemon.Bus, q query, found *newest) error {
	see := func(record journal.Record) error {
		entry, err := record.Entry()
		if err != nil || q.correlation != "" && entry.Event.CorrelationID != q.correlation {
			return nil // a stranger's, or not asked for
		}
		if view, err := saga.ReadArchived(entry); err == nil && q.began(view.Started, view.Correlation) {
			found.add(pastLine(view))
		}
		return nil
	}
	// A run was kept after it had begun: what was kept before a time began before it.
	return pages(ctx, bus, q.history(), see, func(before time.Time) bool {
		return !before.Before(q.since) && !found.full(before)
	})
}

// history is the filter of the history's subjects.
func (q query) history() string {
	definition, status := "*", "*"
	if q.saga != "" {
		definition = q.saga
	}
	if q.status != "" {
		status = string(q.status)
	}
	return "saga.history." + definition + "." + status + ".*"
}

func pastLine(v saga.View) *listed {
	r := &listed{Run: v.Run, Saga: v.Saga, Status: v.Status, Correlation: v.Correlation, Started: v.Started, Ended: v.Ended}
	if v.Reason != nil {
		r.At = reasonText(v)
	}
	return r
}
