package engine_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"segue/events"
	"segue/journal"
	"segue/journal/memory"
	"segue/saga/engine"
)

// A run that goes on keeps all its messages, however long it does, and whatever
// ends before, beside and behind it and leaves.
func TestRunsThatGoOnStay(t *testing.T) {
	onStage(t, memory.Config{Partitions: 1}, func(s *stage) {
		s.engine("a", keepFor(engine.MinKeepAge), load(t, one))
		s.serve(func(c events.Entry) answer {
			if strings.HasPrefix(c.Event.CorrelationID, "stays") {
				return answer{}
			}
			return completed
		})
		s.start("one", "first", `{"n":1}`)
		passes(time.Second)
		const rounds = 20
		for round := range rounds {
			stays := event(fmt.Sprint("stays", round), `{"n":1}`) // it gets stuck
			stays.CorrelationID = stays.ID
			s.start("one", fmt.Sprint("before", round), `{"n":1}`)
			s.publish(events.Encode(events.StartSubject("one").String(), stays))
			s.start("one", fmt.Sprint("behind", round), `{"n":1}`)
			passes(10 * time.Second)
		}
		passes(3 * time.Minute)
		want := s.told(run(fmt.Sprint("stays", rounds-1)))
		for round := range rounds {
			if told := s.told(run(fmt.Sprint("stays", round))); told != want || !strings.HasPrefix(told, "started run.started") {
				t.Errorf("of run %d, which goes on, there is\n%s\nwant\n%s", round, told, want)
			}
		}
		if told := s.told(run("first")); told != "" {
			t.Errorf("a run that ended before all others has not left:\n%s", told)
		}
	})
}

// What leaves ends before what has not been read yet.
func TestUnreadRunsStay(t *testing.T) {
	for at := 58 * time.Second; at < 70*time.Second; at += time.Second {
		t.Run(at.String(), func(t *testing.T) {
			onStage(t, memory.Config{Partitions: 1}, func(s *stage) {
				s.engine("a", func(c *engine.Config) {
					c.Journal, c.KeepAge = lagging{c.Journal, 2 * time.Second}, engine.MinKeepAge
				}, load(t, one))
				s.serve(func(events.Entry) answer { return completed })
				s.start("one", "old", `{"n":1}`)
				passes(at) // the old run leaves at about 64 s
				s.start("one", "new", `{"n":1}`)
				s.await(run("new"), events.TypeRunCompleted, time.Minute)
				if told := s.told(run("new")); !strings.HasPrefix(told, "started run.started") {
					t.Errorf("a run has left before it was read; there is\n%s", told)
				}
				passes(10 * time.Second)
				if told := s.told(run("old")); told != "" {
					t.Errorf("the old run has not left:\n%s", told)
				}
			})
		})
	}
}

// counting counts how runs leave.
type counting struct {
	journal.Journal
	cuts, prunings, runs *atomic.Int64
}

func (c counting) Prune(ctx context.Context, partition int, before uint64) error {
	if partition == journal.EveryPartition {
		c.cuts.Add(1)
	} else {
		c.prunings.Add(1)
	}
	return c.Journal.Prune(ctx, partition, before)
}

func (c counting) Purge(ctx context.Context, run string) error {
	c.runs.Add(1)
	return c.Journal.Purge(ctx, run)
}

// silent is a journal whose user says nothing to the others, as those of an earlier
// release.
type silent struct{ journal.Journal }

func (s silent) Members(ctx context.Context, id string, _ func() []byte) (<-chan []journal.Member, error) {
	return s.Journal.Members(ctx, id, nil)
}

// allButStays completes the steps of all runs but "stays", which goes on.
func allButStays(c events.Entry) answer {
	if c.Subject.Run == run("stays") {
		return answer{}
	}
	return completed
}

// What has ended in all partitions is taken out at once, by one or several engines;
// what runs that go on hold up, or who does not say what it needs, leaves run by run.
func TestPartitionsAreCutTogether(t *testing.T) {
	for _, test := range []struct {
		name          string
		stays         bool
		engines, mute int
		cut, parted   bool
	}{
		{"alone", false, 1, 0, true, false},
		{"held up", true, 1, 0, true, true},
		{"several engines", false, 3, 0, true, false},
		{"several engines, held up", true, 3, 0, true, true},
		{"none says anything", false, 2, 2, false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			onStage(t, memory.Config{}, func(s *stage) {
				count := counting{nil, new(atomic.Int64), new(atomic.Int64), new(atomic.Int64)}
				for i := range test.engines {
					id, mine := fmt.Sprint("engine", i), count
					mine.Journal = s.broker.Client(id)
					if i < test.mute {
						mine.Journal = silent{mine.Journal}
					}
					s.engine(id, func(c *engine.Config) { c.Journal, c.KeepAge = mine, engine.MinKeepAge }, load(t, one))
				}
				s.serve(allButStays)
				passes(time.Second)
				const runs = 50
				for i := range runs {
					if test.stays && i == runs/2 {
						s.start("one", "stays", `{"n":1}`)
					}
					s.start("one", fmt.Sprint(i), `{"n":1}`)
					passes(time.Second)
				}
				passes(8 * time.Minute)
				if n := s.inJournal(runs); n != 0 {
					t.Errorf("%d runs have not left", n)
				}
				if test.stays && s.told(run("stays")) == "" {
					t.Error("a run that goes on has left")
				}
				cuts, parted := count.cuts.Load(), count.runs.Load()
				if (cuts > 0) != test.cut || (parted > 0) != test.parted || count.prunings.Load() > 0 {
					t.Errorf("%d cuts, %d runs one by one, %d prunings of a partition", cuts, parted, count.prunings.Load())
				}
			})
		})
	}
}

// reluctant is a journal that takes its time for each run that leaves.
type reluctant struct{ journal.Journal }

func (r reluctant) Purge(ctx context.Context, run string) error {
	time.Sleep(time.Second)
	return r.Journal.Purge(ctx, run)
}

// Many runs leave one by one, however long it takes, and nobody takes what was read
// for out of date.
func TestRunsLeaveSlowly(t *testing.T) {
	onStage(t, memory.Config{Partitions: 1}, func(s *stage) {
		s.engine("a", func(c *engine.Config) { c.Journal, c.KeepAge = reluctant{c.Journal}, engine.MinKeepAge }, load(t, one))
		s.serve(allButStays)
		s.start("one", "stays", `{"n":1}`)
		const runs = 100
		for i := range runs {
			s.start("one", fmt.Sprint(i), `{"n":1}`)
		}
		passes(10 * time.Minute)
		if n := s.inJournal(runs); n != 0 {
			t.Errorf("%d runs have not left", n)
		}
		if n := s.logs.count("partition is read again"); n != 0 {
			t.Errorf("the partition was read again %d times", n)
		}
	})
}
