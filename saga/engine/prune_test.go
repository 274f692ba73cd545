package engine_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
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

func partitionOf(run string) int { return events.PartitionOf(run, journal.DefaultPartitions) }

// counting counts prunings by what they are of.
type counting struct {
	journal.Journal
	mu  sync.Mutex
	all map[int]int // by partition
}

func (c *counting) Prune(ctx context.Context, partition int, before uint64) error {
	c.mu.Lock()
	c.all[partition]++
	c.mu.Unlock()
	return c.Journal.Prune(ctx, partition, before)
}

// silent is a journal whose user says nothing to the others, as those of an earlier
// release.
type silent struct{ journal.Journal }

func (s silent) Members(ctx context.Context, id string, _ func() []byte) (<-chan []journal.Member, error) {
	return s.Journal.Members(ctx, id, nil)
}

// What has ended in all partitions is taken out at once, by one or several engines;
// what runs that go on hold up, or who does not say what it needs, leaves partition by
// partition.
func TestPartitionsAreCutTogether(t *testing.T) {
	for _, test := range []struct {
		name          string
		stays         bool
		engines, mute int
		cut, pruned   bool
	}{
		{"alone", false, 1, 0, true, false},
		{"held up", true, 1, 0, true, true},
		{"several engines", false, 3, 0, true, false},
		{"several engines, held up", true, 3, 0, true, true},
		{"none says anything", false, 2, 2, false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			onStage(t, memory.Config{}, func(s *stage) {
				all := make([]*counting, test.engines)
				for i := range all {
					id := fmt.Sprint("engine", i)
					var j journal.Journal = s.broker.Client(id)
					if i < test.mute {
						j = silent{j}
					}
					all[i] = &counting{Journal: j, all: make(map[int]int)}
					s.engine(id, func(c *engine.Config) { c.Journal, c.KeepAge = all[i], engine.MinKeepAge }, load(t, one))
				}
				s.serve(func(c events.Entry) answer {
					if c.Subject.Run == run("stays") {
						return answer{}
					}
					return completed
				})
				passes(time.Second)
				if test.stays {
					s.start("one", "stays", `{"n":1}`)
				}
				const runs = 50
				for i := range runs {
					s.start("one", fmt.Sprint(i), `{"n":1}`)
					passes(time.Second)
				}
				passes(8 * time.Minute)
				for i := range runs {
					id := run(fmt.Sprint(i))
					if test.stays && partitionOf(id) == partitionOf(run("stays")) {
						continue
					}
					if told := s.told(id); told != "" {
						t.Errorf("run %d has not left:\n%s", i, told)
					}
				}
				cuts, prunings := 0, 0
				for _, c := range all {
					for partition, n := range c.all {
						if partition == journal.EveryPartition {
							cuts += n
						} else {
							prunings += n
						}
					}
				}
				if (cuts > 0) != test.cut || (prunings > 0) != test.pruned {
					t.Errorf("%d cuts, %d prunings of a partition", cuts, prunings)
				}
			})
		})
	}
}
