package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"segue/events"
	"segue/journal"
	"segue/saga"
)

// archive keeps runs in the history that began at the given times, in this order.
func (w *ward) archive(starts []time.Time) {
	w.t.Helper()
	var messages []events.Message
	for i, at := range starts {
		a := events.RunArchived{
			Run: events.RunID("/test", fmt.Sprint(i)), Saga: "one", Status: "completed",
			Correlation: fmt.Sprint("c", i%7), Started: at, Ended: at.Add(time.Second),
		}
		if i%3 == 0 {
			a.Saga, a.Status, a.Reason = "two", "compensated", &events.Reason{Kind: events.ReasonCanceled}
		}
		s := events.HistorySubject(a.Saga, a.Status, a.Run)
		messages = append(messages, events.Entry{Subject: s, Event: events.Event{
			ID: a.Run, Source: events.Orchestrator, Type: events.TypeRunArchived, DataContentType: events.JSON,
			RunID: a.Run, CorrelationID: a.Correlation, Data: events.MarshalData(a),
		}}.Message())
	}
	if err := w.bus.Journal.Append(w.t.Context(), messages...); err != nil {
		w.t.Fatal(err)
	}
}

// TestListHistory compares what is found from the end of the history, with a
// limit, with what a look at all of it finds.
func TestListHistory(t *testing.T) {
	if testing.Short() {
		t.Skip("A LONG HISTORY WAS NOT LISTED: run without -short")
	}
	t.Parallel()
	const seed = 4711
	dice := rand.New(rand.NewPCG(seed, 0))
	w := newWard(t)
	now := time.Now().UTC()
	var starts []time.Time
	for range 2*firstPage + 300 { // three pages; they are kept in another order than they began
		starts = append(starts, now.Add(-time.Duration(dice.IntN(3600))*time.Second))
	}
	w.archive(starts)
	w.archive(starts[:50]) // twice: what is kept may be
	t1 := newTracker(w.bus)
	everything, err := list(t.Context(), t1, query{})
	if err != nil {
		t.Fatal(err)
	}
	if len(everything) != len(starts)+1 { // and the run in the journal
		t.Fatalf("%d runs are listed, want %d", len(everything), len(starts)+1)
	}
	for _, q := range []query{
		{}, {status: saga.StatusCompleted}, {status: saga.StatusCompensated}, {status: saga.StatusRunning}, {saga: "two"}, {saga: "nobody"},
		{correlation: "c3"}, {correlation: w.run}, {since: now.Add(-10 * time.Minute)}, {until: now.Add(-50 * time.Minute)},
		{saga: "one", correlation: "c1", since: now.Add(-30 * time.Minute), until: now.Add(-20 * time.Minute)},
	} {
		for _, limit := range []int{0, 1, 10, 300, 5000} {
			q.limit = limit
			got, err := list(t.Context(), newTracker(w.bus), q)
			if err != nil {
				t.Fatal(err)
			}
			if want := dumb(everything, q); !slices.Equal(ids(got), ids(want)) {
				t.Errorf("seed %d, %+v: %d runs are listed, want %d, or in another order", seed, q, len(got), len(want))
			}
		}
	}
}

// dumb chooses from all runs by looking at each.
func dumb(all []*listed, q query) (chosen []*listed) {
	for _, r := range all {
		if (q.saga == "" || r.Saga == q.saga) && (q.status == "" || r.Status == q.status) && q.began(r.Started, r.Correlation) {
			chosen = append(chosen, r)
		}
	}
	if q.limit > 0 {
		chosen = chosen[max(0, len(chosen)-q.limit):]
	}
	return chosen
}

func ids(list []*listed) (ids []string) {
	for _, r := range list {
		ids = append(ids, r.Run)
	}
	return ids
}

// TestPages holds that the end of the history is enough where no more is wanted,
// and that nothing is left out where all is.
func TestPages(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.archive(make([]time.Time, 3*firstPage))
	for _, more := range []bool{false, true} {
		var seen []uint64
		err := pages(t.Context(), w.bus, events.AllHistory, func(r journal.Record) error {
			seen = append(seen, r.Sequence)
			return nil
		}, func(time.Time) bool { return more })
		if err != nil {
			t.Fatal(err)
		}
		want := firstPage
		if more {
			want = 3 * firstPage
		}
		slices.Sort(seen)
		if len(seen) != want || len(slices.Compact(seen)) != want || seen[want-1] != 3*firstPage {
			t.Errorf("more %t: %d messages are read, want %d, each once", more, len(seen), want)
		}
	}
}
