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
	"segue/saga"
	"segue/saga/engine"
)

// Whenever an engine dies, the next one carries on from what the journal holds.
func TestRecoveryByReading(t *testing.T) {
	for _, after := range []time.Duration{
		time.Millisecond, 3 * time.Millisecond, 6 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond,
		time.Second, 3500 * time.Millisecond, 12 * time.Second,
	} {
		t.Run(after.String(), func(t *testing.T) {
			onStage(t, memory.Config{}, func(s *stage) {
				first := s.engine("a", nil, load(t, two))
				s.serve(func(c events.Entry) answer {
					time.Sleep(2 * time.Second)
					if c.Subject.Step == "second" {
						return refusing
					}
					if c.Subject.Attempt.Undo {
						return undone
					}
					return completed
				})
				for i := range 5 {
					s.start("two", fmt.Sprint(i), `{}`)
				}
				passes(after)
				first.kill()
				second := s.engine("b", nil, load(t, two))
				for i := range 5 {
					s.await(run(fmt.Sprint(i)), events.TypeRunCompensated, 2*time.Minute)
					wantText(t, s.told(run(fmt.Sprint(i))), `
started run.started
command first.1 step.requested
outcome first.1 step.completed
command second.1 step.requested
outcome second.1 step.failed
command first.u1 undo.requested
outcome first.u1 undo.completed
ended run.compensated`)
				}
				passes(time.Second)
				if n := second.gauge(t, "segue_runs_running"); n != 0 {
					t.Errorf("%v runs go on when all have ended", n)
				}
			})
		})
	}
}

// A run keeps to the definition it started with, even if the engine that carries
// it on knows another one by its name, or none.
func TestPinnedDefinition(t *testing.T) {
	for name, sagas := range map[string][]*saga.Definition{
		"changed": {load(t, strings.ReplaceAll(two, "second", "other"))},
		"gone":    nil,
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, memory.Config{}, func(s *stage) {
				old := load(t, two)
				first := s.engine("a", nil, old)
				s.start("two", "x", `{}`)
				s.await(run("x"), events.TypeStepRequested, time.Minute)
				if err := first.stop(); err != nil {
					t.Fatal(err)
				}
				s.engine("b", nil, sagas...)
				s.serve(func(events.Entry) answer { return completed })
				s.await(run("x"), events.TypeRunCompleted, time.Minute)
				wantText(t, s.told(run("x")), `
started run.started
command first.1 step.requested
outcome first.1 step.completed
command second.1 step.requested
outcome second.1 step.completed
ended run.completed`)
				s.start("two", "new", `{}`)
				passes(10 * time.Second)
				if got := s.told(run("new")); (got == "") != (sagas == nil) || strings.Contains(got, "second") {
					t.Errorf("a new run is\n%s\nand must be of the new definition, if there is one", got)
				}
				again, err := engine.LoadDefinition(s.ctx, s.data, old.Digest)
				if err != nil || again.Digest != old.Digest {
					t.Errorf("the old definition loads as %v, %v", again, err)
				}
			})
		})
	}
}

// A journal that has no room is waited for.
func TestFullJournal(t *testing.T) {
	onStage(t, memory.Config{}, func(s *stage) {
		full := &narrow{Journal: s.broker.Client("a")}
		s.engine("a", func(c *engine.Config) { c.Journal = full }, load(t, one))
		s.serve(func(events.Entry) answer { return completed })
		full.closed.Store(true)
		s.start("one", "waits", `{"n":1}`)
		passes(30 * time.Second)
		if got := s.told(run("waits")); got != "" {
			t.Fatalf("a full journal took\n%s", got)
		}
		full.closed.Store(false)
		s.await(run("waits"), events.TypeStepRequested, 3*time.Second)
		s.await(run("waits"), events.TypeRunCompleted, 3*time.Second)

		s.start("one", "midway", `{"n":1}`)
		s.await(run("midway"), events.TypeRunStarted, time.Minute)
		full.closed.Store(true)
		passes(time.Minute)
		full.closed.Store(false)
		s.await(run("midway"), events.TypeRunCompleted, 3*time.Second)
		if n := s.logs.count("journal is full"); n < 60 || n > 200 {
			t.Errorf("the log tells of it %d times in a minute and a half; want about once a second", n)
		}
	})
}

// narrow is a journal that takes nothing while it is closed.
type narrow struct {
	journal.Journal
	closed atomic.Bool
}

func (n *narrow) Append(ctx context.Context, messages ...events.Message) error {
	if n.closed.Load() {
		return fmt.Errorf("append: %w", journal.ErrFull)
	}
	return n.Journal.Append(ctx, messages...)
}
