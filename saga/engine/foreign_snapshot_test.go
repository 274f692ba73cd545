package engine_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"segue/events"
	"segue/journal"
	"segue/journal/memory"
	"segue/saga"
	"segue/saga/engine"
)

// lagging is a journal whose feeds deliver late.
type lagging struct {
	journal.Journal
	by time.Duration
}

func (l lagging) Follow(ctx context.Context, filter string, after uint64) (journal.Feed, error) {
	feed, err := l.Journal.Follow(ctx, filter, after)
	return laggingFeed{feed, l.by}, err
}

type laggingFeed struct {
	journal.Feed
	by time.Duration
}

func (f laggingFeed) Next(ctx context.Context) (journal.Record, error) {
	r, err := f.Feed.Next(ctx)
	select {
	case <-time.After(time.Until(r.Stored.Add(f.by))):
	case <-ctx.Done():
		return r, ctx.Err()
	}
	return r, err
}

// A snapshot claims no more than what was applied when it was taken, though the
// journal has long gone on.
func TestSnapshotClaimsWhatWasApplied(t *testing.T) {
	onStage(t, memory.Config{Partitions: 1}, func(s *stage) {
		d := load(t, one)
		first := s.engine("a", func(c *engine.Config) { c.Journal, c.SnapshotEvery = lagging{c.Journal, time.Second}, 1 }, d)
		s.serve(func(events.Entry) answer { return completed })
		s.start("one", "ends", `{"n":1}`)
		s.await(run("ends"), events.TypeRunCompleted, time.Minute)
		const runs = 8
		for i := range runs { // stored at once; the engine reads the end of the first run a second later
			s.start("one", fmt.Sprint(i), `{"n":1}`)
		}
		passes(1500 * time.Millisecond)
		first.kill()
		if _, err := s.data.Stat(s.ctx, "snapshot/0"); err != nil {
			t.Fatalf("there is no snapshot: %v", err)
		}
		s.engine("b", nil, d)
		for i := range runs {
			s.await(run(fmt.Sprint(i)), events.TypeRunCompleted, time.Minute)
		}
	})
}

// renamed is a journal that gives itself out for another.
type renamed struct {
	journal.Journal
	id string
}

func (r renamed) Info(ctx context.Context) (journal.Info, error) {
	info, err := r.Journal.Info(ctx)
	info.ID = r.id
	return info, err
}

// A snapshot of a journal that was there before, or of this one when it held more
// (as after a backup was brought back), is passed over.
func TestForeignSnapshots(t *testing.T) {
	for name, test := range map[string]struct {
		first, second string // ids of the journals
		runs          int    // in the second; the first has 4 that have ended, with 16 messages
	}{
		"another journal":         {"first", "second", 24},
		"this journal, held more": {"same", "same", 1},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, memory.Config{Partitions: 1}, func(s *stage) {
				d := load(t, one)
				earlier := memory.New(memory.Config{Partitions: 1, Latency: time.Millisecond})
				defer earlier.Close()
				later := s.broker
				as := func(id string) func(*engine.Config) {
					return func(c *engine.Config) { c.Journal, c.SnapshotEvery = renamed{c.Journal, id}, 1 }
				}
				s.broker = earlier
				first := s.engine("a", as(test.first), d)
				s.serve(func(events.Entry) answer { return completed })
				for i := range 4 {
					s.start("one", fmt.Sprint("old", i), `{"n":1}`)
					s.await(run(fmt.Sprint("old", i)), events.TypeRunCompleted, time.Minute)
				}
				passes(time.Second)
				if err := first.stop(); err != nil {
					t.Fatal(err)
				}
				if _, err := s.data.Stat(s.ctx, "snapshot/0"); err != nil {
					t.Fatalf("there is no snapshot: %v", err)
				}
				s.broker = later
				for i := range test.runs {
					e := event(fmt.Sprint("new", i), `{"n":1}`)
					s.publish(saga.NewStarted(d, e, 1, time.Now()).Message())
				}
				second := s.engine("b", as(test.second), d)
				passes(time.Second)
				if n := second.gauge(t, "segue_runs_running"); n != float64(test.runs) {
					t.Errorf("%v runs go on, want the %d of this journal", n, test.runs)
				}
				for i := range test.runs {
					s.await(run(fmt.Sprint("new", i)), events.TypeStepRequested, time.Minute)
				}
			})
		})
	}
}
