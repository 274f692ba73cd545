package main

import (
	"cmp"
	"context"
	"slices"
	"time"

	"segue/daemon"
	"segue/events"
	"segue/journal"
	"segue/saga"
)

// listed is one line of the list.
type listed struct {
	Run         string      `json:"run"`
	Saga        string      `json:"saga"`
	Status      saga.Status `json:"status"`
	Correlation string      `json:"correlation"`
	Started     time.Time   `json:"started"`
	Ended       time.Time   `json:"ended,omitzero"`
	At          string      `json:"at,omitempty"` // where an unfinished run stands, why another turned back

	record journal.Record // that began it; without data once Saga is known
}

// query says which runs are looked for. A zero field means any.
type query struct {
	saga         string
	status       saga.Status
	correlation  string
	since, until time.Time // of their start
	limit        int       // the newest so many; 0 is all
}

// began says whether a run that began then, with that correlation id, may be one.
func (q query) began(at time.Time, correlation string) bool {
	return (q.correlation == "" || q.correlation == correlation) &&
		(q.since.IsZero() || !at.Before(q.since)) && (q.until.IsZero() || !at.After(q.until))
}

// list returns the runs that are asked for, oldest first. The journal is read
// before the history: a run that moves meanwhile is found in one of them.
func list(ctx context.Context, t *tracker, q query) ([]*listed, error) {
	found := &newest{limit: q.limit}
	if err := listJournal(ctx, t, q, found); err != nil {
		return nil, err
	}
	if q.status == "" || q.status.Ended() {
		if err := listHistory(ctx, t.bus, q, found); err != nil {
			return nil, err
		}
	}
	found.trim()
	for _, r := range found.runs {
		if err := r.complete(ctx, t.bus); err != nil {
			return nil, err
		}
	}
	return found.runs, nil
}

// listJournal finds the runs that are in the journal. Of one that has ended the
// two messages at its ends tell enough.
func listJournal(ctx context.Context, t *tracker, q query, found *newest) error {
	ended, err := ends(ctx, t.bus)
	if err != nil {
		return err
	}
	open := &newest{limit: q.limit}
	if q.status != "" {
		open.limit = 0 // of what status they are is not known yet
	}
	err = each(ctx, t.bus.Journal, "saga.run.*.*.started", 0, func(record journal.Record) (bool, error) {
		r, err := begun(ctx, t.bus, q, record)
		if r == nil || err != nil {
			return false, err
		}
		if end, ok := ended[r.Run]; !ok {
			open.add(r)
		} else if r.end(end); q.status == "" || r.Status == q.status {
			found.add(r)
		}
		return false, nil
	})
	if err != nil || q.status.Ended() {
		return err
	}
	open.trim()
	if err := standings(ctx, t, open.runs); err != nil {
		return err
	}
	for _, r := range open.runs {
		// One without a status was purged meanwhile: the history has it.
		if r.Status != "" && (q.status == "" || r.Status == q.status) {
			found.add(r)
		}
	}
	return nil
}

// ends returns the ended messages of the runs in the journal, by run.
func ends(ctx context.Context, bus *daemon.Bus) (map[string]events.Entry, error) {
	ended := make(map[string]events.Entry)
	err := each(ctx, bus.Journal, events.AllEnds, 0, func(record journal.Record) (bool, error) {
		if entry, err := record.Entry(); err == nil {
			if entry.Event.Type == events.TypeRunCompleted {
				entry.Event.Data = nil // an output takes room and is not shown
			}
			ended[entry.Subject.Run] = entry
		}
		return false, nil
	})
	return ended, err
}

// begun returns the line of a run that began with a record, or nil if it is not
// asked for.
func begun(ctx context.Context, bus *daemon.Bus, q query, record journal.Record) (*listed, error) {
	entry, err := record.Entry()
	if err != nil || !q.began(entry.Stored, entry.Event.CorrelationID) {
		return nil, nil // a run that cannot be read is doctor's to report
	}
	r := &listed{Run: entry.Subject.Run, Started: entry.Stored, Correlation: entry.Event.CorrelationID, record: record}
	if entry.Event.DataRef == "" || q.saga != "" {
		if err := r.complete(ctx, bus); err != nil {
			return nil, err
		}
	}
	if q.saga != "" && r.Saga != q.saga {
		return nil, nil
	}
	return r, nil
}

// complete reads the name of the saga, which may have been put aside with a
// large input.
func (r *listed) complete(ctx context.Context, bus *daemon.Bus) error {
	if r.Saga != "" || r.record.Sequence == 0 {
		return nil
	}
	entry, err := bus.Open(ctx, r.record)
	if err != nil {
		return err
	}
	if data, err := saga.ReadStarted(entry); err == nil {
		r.Saga = data.Saga
	}
	r.record.Data = nil
	return nil
}

// end enters how the run ended.
func (r *listed) end(e events.Entry) {
	r.Ended, r.Status = e.Stored, saga.StatusCompleted
	if e.Event.Type == events.TypeRunCompensated {
		r.Status, r.At = saga.StatusCompensated, why(e.Event)
	}
}

func why(e events.Event) string {
	var data events.RunCompensated
	if err := events.ReadData(e, &data); err != nil {
		return err.Error()
	}
	return reasonText(saga.View{Reason: &data.Reason})
}

// standings fills in where runs that have not ended stand; they are in the order
// of their start.
func standings(ctx context.Context, t *tracker, open []*listed) error {
	if err := t.read(ctx, open); err != nil {
		return err
	}
	for _, r := range open {
		if run := t.runs[r.Run]; run != nil {
			view := run.View()
			r.Saga, r.Status, r.At, r.Ended = view.Saga, view.Status, standing(view), view.Ended
		}
	}
	return nil
}

// standing names the steps at which a run is.
func standing(v saga.View) string {
	text := ""
	for _, s := range v.Steps {
		switch s.State {
		case saga.StateRunning, saga.StateRetrying, saga.StateUndoing, saga.StateStuck:
			if text != "" {
				text += ", "
			}
			text += s.Step + " " + string(s.State)
		}
	}
	return text
}

// newest collects runs and keeps those that began last.
type newest struct {
	limit int // 0 is no limit
	runs  []*listed
}

// room is how many more than the limit are collected before they are sorted.
const room = 256

func (n *newest) add(r *listed) {
	n.runs = append(n.runs, r)
	if n.limit > 0 && len(n.runs) >= n.limit+room {
		n.trim()
	}
}

// trim sorts the runs, each once, and drops those beyond the limit.
func (n *newest) trim() {
	slices.SortStableFunc(n.runs, func(a, b *listed) int {
		return cmp.Or(a.Started.Compare(b.Started), cmp.Compare(a.Run, b.Run))
	})
	n.runs = slices.CompactFunc(n.runs, func(a, b *listed) bool { return a.Run == b.Run })
	if n.limit > 0 && len(n.runs) > n.limit {
		n.runs = slices.Clone(n.runs[len(n.runs)-n.limit:])
	}
}

// full says that no run that began before the given time has a place any more.
func (n *newest) full(before time.Time) bool {
	n.trim()
	return n.limit > 0 && len(n.runs) == n.limit && !n.runs[0].Started.Before(before)
}
