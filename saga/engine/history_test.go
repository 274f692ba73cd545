package engine_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"segue/events"
	"segue/journal"
	"segue/journal/memory"
	"segue/saga/engine"
)

// unhistoric is a journal that takes nothing into the history while it is closed.
type unhistoric struct {
	journal.Journal
	closed atomic.Bool
}

func (u *unhistoric) Append(ctx context.Context, messages ...events.Message) error {
	for _, m := range messages {
		if strings.HasPrefix(m.Subject, "saga.history.") && u.closed.Load() {
			return errors.New("no answer from the history")
		}
	}
	return u.Journal.Append(ctx, messages...)
}

// A run leaves the journal only when the history has it, however long that takes.
func TestHistoryOutOfReach(t *testing.T) {
	onStage(t, memory.Config{}, func(s *stage) {
		j := &unhistoric{Journal: s.broker.Client("a")}
		j.closed.Store(true)
		s.engine("a", func(c *engine.Config) { c.Journal, c.KeepAge = j, time.Minute }, load(t, one))
		s.serve(func(events.Entry) answer { return completed })
		s.start("one", "x", `{"n":1}`)
		s.await(run("x"), events.TypeRunCompleted, time.Minute)
		passes(10 * time.Minute)
		if s.told(run("x")) == "" {
			t.Error("the run has left, and nothing is kept of it")
		}
		j.closed.Store(false)
		passes(5 * time.Minute)
		if told, n := s.told(run("x")), len(s.history(run("x"))); told != "" || n != 1 {
			t.Errorf("the run is in the journal with %q and in the history %d times, want once", told, n)
		}
	})
}

// An owner to whom the history was out of reach for long does not keep again what
// another has kept.
func TestHistoryOutOfReachOfOne(t *testing.T) {
	onStage(t, memory.Config{}, func(s *stage) {
		d := load(t, one)
		j := &unhistoric{Journal: s.broker.Client("a")}
		j.closed.Store(true)
		s.engine("a", func(c *engine.Config) { c.Journal = lonely{j, "a"} }, d)
		s.engine("b", func(c *engine.Config) { c.Journal = lonely{c.Journal, "b"} }, d)
		s.serve(func(events.Entry) answer { return completed })
		s.start("one", "x", `{"n":1}`)
		s.await(run("x"), events.TypeRunCompleted, time.Minute)
		passes(5 * time.Minute)
		j.closed.Store(false)
		passes(time.Minute)
		if n := len(s.history(run("x"))); n != 1 {
			t.Errorf("the run is %d times in the history, want once", n)
		}
	})
}
