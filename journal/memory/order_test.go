package memory_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"segue/events"
	"segue/journal"
	"segue/journal/memory"
)

func TestDelayKeepsOrderOfFeeds(t *testing.T) {
	within(t, memory.Config{Faults: memory.Faults{Delay: 0.5, MaxDelay: time.Minute}, Timeout: time.Hour}, func(t *testing.T, j *memory.Journal) {
		feed, err := j.Follow(t.Context(), events.AllRuns, 0)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		for i := range 20 {
			if err := j.Append(t.Context(), command(fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
		}
		if time.Since(began) < time.Minute {
			t.Error("20 messages were stored within a minute, though half of all are delayed")
		}
		var last uint64
		for range 21 { // and the mark
			r, err := feed.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if !r.Live && r.Sequence != last+1 {
				t.Errorf("record %d follows %d", r.Sequence, last)
			}
			last = max(last, r.Sequence)
		}
	})
}

func TestReorder(t *testing.T) {
	order := func(t *testing.T, j *memory.Journal) (runs []int) {
		for i := range 20 {
			if err := j.Append(t.Context(), command(fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
			wait(time.Second)
		}
		work, err := j.Consume(t.Context(), journal.Commands("svc", 1))
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			d, err := work.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var run int
			if _, err := fmt.Sscan(string(d.Message().Data), &run); err != nil {
				t.Fatal(err)
			}
			runs = append(runs, run)
			if err := d.DoubleAck(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		return runs
	}
	t.Run("off", func(t *testing.T) {
		within(t, memory.Config{}, func(t *testing.T, j *memory.Journal) {
			if runs := order(t, j); !slices.IsSorted(runs) {
				t.Errorf("the queue's order is %v, want that of storing", runs)
			}
		})
	})
	t.Run("on", func(t *testing.T) {
		within(t, memory.Config{Faults: memory.Faults{Reorder: 1}}, func(t *testing.T, j *memory.Journal) {
			if runs := order(t, j); slices.IsSorted(runs) {
				t.Error("the queue kept its order, though every delivery is to be reordered")
			}
		})
	})
}
