package engine

import (
	"cmp"
	"container/heap"
	"container/list"
	"maps"
	"slices"
	"time"

	"segue/events"
	"segue/saga"
)

// ledger holds the runs of one partition that have not ended, and knows which
// of them have to be decided on. It has no clock and no goroutine.
type ledger struct {
	runs   map[string]*account
	dirty  []*account
	timers timers
	order  list.List // of accounts, as they began
	gone   departures
	// late, if it is not nil, hears by how much a timer fired after its instant.
	late func(time.Duration)
	// orphans are the runs that cannot be carried on, with their first sequence.
	orphans map[string]uint64
	tidy    time.Time // when the next run may leave the journal; zero if none waits for it
}

// account is one run and what is on its way for it.
type account struct {
	run *saga.Run
	// awaited holds the subjects of messages that were decided on and have not come
	// back from the journal. Until they have, nothing more is decided: a decision
	// must know of all that its decider has written.
	awaited map[events.Subject]bool
	dirty   bool
	stuck   bool
	turned  bool
	due     time.Time
	index   int           // in timers, -1 if absent
	place   *list.Element // in order
}

func newLedger() *ledger {
	return &ledger{runs: make(map[string]*account), orphans: make(map[string]uint64)}
}

// low returns the lowest sequence of the runs that have not ended; limit if it is
// lower.
func (l *ledger) low(limit uint64) uint64 {
	if first := l.order.Front(); first != nil {
		limit = min(limit, first.Value.(*account).run.Sequence())
	}
	for _, sequence := range l.orphans {
		limit = min(limit, sequence)
	}
	return limit
}

// inOrder lists the runs that have not ended, those that began first first.
func (l *ledger) inOrder() []*account {
	return slices.SortedFunc(maps.Values(l.runs), func(a, b *account) int { return cmp.Compare(a.run.Sequence(), b.run.Sequence()) })
}

// size is about how much there is to write in a snapshot, in messages.
func (l *ledger) size() int {
	const messagesOfRun = 5
	return messagesOfRun*len(l.runs) + (len(l.gone.leaving)+len(l.gone.keeping))/messagesOfRun
}

// begin opens the account of a run.
func (l *ledger) begin(d *saga.Definition, started events.Entry) error {
	if l.runs[started.Subject.Run] != nil {
		return nil
	}
	run, err := saga.Begin(d, started)
	if err != nil {
		return err
	}
	a := &account{run: run, awaited: make(map[events.Subject]bool), index: -1}
	l.runs[run.ID] = a
	a.place = l.order.PushBack(a)
	l.touch(a)
	return nil
}

// oldest returns when the run began that goes on for longest; zero if none does.
func (l *ledger) oldest() time.Time {
	if first := l.order.Front(); first != nil {
		return first.Value.(*account).run.Started()
	}
	return time.Time{}
}

// apply enters a message and returns the account it belongs to: nil if that run
// is not known here, because it has ended or never began.
func (l *ledger) apply(e events.Entry) *account {
	a := l.runs[e.Subject.Run]
	if a == nil {
		return nil
	}
	delete(a.awaited, e.Subject)
	a.run.Apply(e)
	if a.run.Ended() {
		l.drop(a)
		return a
	}
	l.touch(a)
	return a
}

func (l *ledger) drop(a *account) {
	delete(l.runs, a.run.ID)
	l.schedule(a, time.Time{})
	l.order.Remove(a.place)
	a.awaited = nil
}

// touch has a run decided on. While a journal is read nothing is, and most of the
// runs that pass by end: those are let go.
func (l *ledger) touch(a *account) {
	if a.dirty {
		return
	}
	if len(l.dirty) >= 2*len(l.runs)+dirtyRoom {
		l.dirty = slices.DeleteFunc(l.dirty, func(a *account) bool { return a.run.Ended() })
	}
	a.dirty = true
	l.dirty = append(l.dirty, a)
}

// dirtyRoom is how many runs that have ended may wait to be let go.
const dirtyRoom = 64

// decide returns messages to append, about limit of them, and forgets that their
// runs need a decision. Runs that were looked at are handed to seen.
func (l *ledger) decide(now time.Time, limit int, seen func(*account)) []events.Entry {
	for len(l.timers) > 0 && !l.timers[0].due.After(now) {
		a := l.timers[0]
		if l.late != nil {
			l.late(now.Sub(a.due))
		}
		l.schedule(a, time.Time{})
		l.touch(a)
	}
	var out []events.Entry
	for len(l.dirty) > 0 && len(out) < limit {
		a := l.dirty[0]
		l.dirty = l.dirty[1:]
		a.dirty = false
		if len(a.awaited) > 0 || a.run.Ended() {
			continue
		}
		d := a.run.Decide(now)
		for _, e := range d.Append {
			e = storable(e)
			a.awaited[e.Subject] = true
			out = append(out, e)
		}
		l.schedule(a, d.Next)
		seen(a)
	}
	if len(l.dirty) == 0 {
		l.dirty = nil // let go of the array
	}
	return out
}

// next returns the instant at which a run has to be decided on again; zero if
// there is none.
func (l *ledger) next() time.Time {
	if len(l.timers) == 0 {
		return time.Time{}
	}
	return l.timers[0].due
}

// schedule sets the instant of a run's next decision; the zero time takes it away.
func (l *ledger) schedule(a *account, due time.Time) {
	a.due = due
	switch {
	case due.IsZero() && a.index >= 0:
		heap.Remove(&l.timers, a.index)
	case due.IsZero():
	case a.index >= 0:
		heap.Fix(&l.timers, a.index)
	default:
		heap.Push(&l.timers, a)
	}
}

// timers is a heap of accounts by the instant they are due; see container/heap.
type timers []*account

func (t timers) Len() int { return len(t) }
func (t timers) Less(i, j int) bool {
	if t[i].due.Equal(t[j].due) {
		return t[i].run.ID < t[j].run.ID
	}
	return t[i].due.Before(t[j].due)
}
func (t timers) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].index, t[j].index = i, j
}
func (t *timers) Push(x any) {
	a := x.(*account)
	a.index = len(*t)
	*t = append(*t, a)
}
func (t *timers) Pop() any {
	old := *t
	a := old[len(old)-1]
	a.index = -1
	old[len(old)-1] = nil
	*t = old[:len(old)-1]
	return a
}
