package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"segue/events"
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
