package engine_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"segue/events"
	"segue/journal"
	"segue/journal/memory"
	"segue/saga"
	"segue/saga/engine"
)

// withJournal configures the journal and the window of an engine.
func withJournal(j journal.Journal, window int) func(*engine.Config) {
	return func(c *engine.Config) { c.Journal, c.Window = j, window }
}

// Engines share the partitions; when one dies the others take over its own.
func TestTakeOver(t *testing.T) {
	onStage(t, memory.Config{}, func(s *stage) {
		d := load(t, one)
		engines := map[string]*performer{}
		for _, id := range []string{"a", "b", "c"} {
			engines[id] = s.engine(id, nil, d)
		}
		s.serve(func(events.Entry) answer { time.Sleep(8 * time.Second); return completed })
		passes(time.Second)
		for i := range 48 {
			s.start("one", fmt.Sprint(i), `{"n":1}`)
		}
		passes(time.Second)
		total := 0.0
		for id, p := range engines {
			n := p.gauge(t, "segue_runs_running")
			if n == 0 || !p.Ready() {
				t.Errorf("engine %s has %v runs, ready %t; want a share of 48", id, n, p.Ready())
			}
			total += n
		}
		if total != 48 {
			t.Errorf("all engines together have %v runs, want each to have one owner: 48", total)
		}
		engines["a"].kill()
		died := time.Now()
		passes(journal.MemberTTL + 500*time.Millisecond)
		if n := engines["b"].gauge(t, "segue_runs_running") + engines["c"].gauge(t, "segue_runs_running"); n != 48 {
			t.Errorf("%v after the death the others have %v runs, want 48", time.Since(died), n)
		}
		if err := engines["b"].stop(); err != nil { // says good-bye
			t.Errorf("stop: %v", err)
		}
		passes(100 * time.Millisecond)
		if n := engines["c"].gauge(t, "segue_runs_running"); n != 48 {
			t.Errorf("the last engine has %v runs, want 48", n)
		}
		for i := range 48 {
			s.await(run(fmt.Sprint(i)), events.TypeRunCompleted, time.Minute)
			wantText(t, s.told(run(fmt.Sprint(i))), "started run.started\ncommand work.1 step.requested\noutcome work.1 step.completed\nended run.completed")
		}
		if n := engines["b"].gauge(t, "segue_runs_running"); n != 0 {
			t.Errorf("an engine that was stopped still counts %v runs", n)
		}
	})
}

// Two engines that both believe to own everything do no harm: each thinks that
// it is alone.
func TestTwoOwners(t *testing.T) {
	onStage(t, memory.Config{Latency: 20 * time.Millisecond}, func(s *stage) {
		d := load(t, two)
		for _, id := range []string{"a", "b", "c"} {
			s.engine(id, func(c *engine.Config) { c.Journal = lonely{c.Journal, id} }, d)
		}
		s.serve(func(c events.Entry) answer {
			switch {
			case c.Subject.Attempt.Undo:
				return undone
			case c.Subject.Step == "second":
				return refusing
			}
			return completed
		})
		for i := range 20 {
			s.start("two", fmt.Sprint(i), `{}`)
		}
		for i := range 20 {
			s.await(run(fmt.Sprint(i)), events.TypeRunCompensated, time.Minute)
		}
		passes(time.Minute)
		for i := range 20 {
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
	})
}

// A run that is stuck is told and counted by whoever owns it, until it is not.
func TestStuck(t *testing.T) {
	onStage(t, memory.Config{}, func(s *stage) {
		d := load(t, two)
		first := s.engine("a", nil, d)
		var mended atomic.Bool
		s.serve(func(c events.Entry) answer {
			switch {
			case c.Subject.Attempt.Undo && mended.Load():
				return undone
			case c.Subject.Attempt.Undo:
				return answer{events.TypeUndoFailed, events.Failed{Message: "disk on fire", Retryable: true}}
			case c.Subject.Step == "second":
				return refusing
			}
			return completed
		})
		s.start("two", "x", `{}`)
		started := s.await(run("x"), events.TypeRunStarted, time.Minute)
		passes(time.Hour)
		const attempts = "segue_runs_stuck"
		if n := first.gauge(t, attempts); n != 1 {
			t.Errorf("%v stuck runs are counted, want 1", n)
		}
		if n := s.logs.count(`"level":"ERROR"`, "run is stuck", run("x"), "disk on fire"); n != 1 {
			t.Errorf("the log tells of it %d times, want once", n)
		}
		if n := len(s.journal(run("x"))); n != 9 {
			t.Errorf("a stuck run has %d messages after an hour, want 9:\n%s", n, s.told(run("x")))
		}
		second := s.engine("b", nil, d)
		if err := first.stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
		passes(time.Second)
		if a, b := first.gauge(t, attempts), second.gauge(t, attempts); a != 0 || b != 1 {
			t.Errorf("after a change of owner %v and %v stuck runs are counted, want 0 and 1", a, b)
		}
		s.publish(saga.NewSignal(events.RetrySignal(1), started, "", time.Now()).Message())
		passes(time.Minute) // in vain
		if n := second.gauge(t, attempts); n != 1 {
			t.Errorf("after a round in vain %v stuck runs are counted, want 1", n)
		}
		mended.Store(true)
		s.publish(saga.NewSignal(events.RetrySignal(2), started, "", time.Now()).Message())
		s.await(run("x"), events.TypeRunCompensated, time.Minute)
		passes(time.Second)
		if n := second.gauge(t, attempts); n != 0 {
			t.Errorf("after its end %v stuck runs are counted", n)
		}
	})
}

// An engine is ready when it has read all its partitions, and not before.
func TestReady(t *testing.T) {
	onStage(t, memory.Config{Latency: 100 * time.Millisecond}, func(s *stage) {
		p := s.engine("a", nil, load(t, one))
		if p.Ready() {
			t.Error("an engine is ready before it began")
		}
		passes(10 * time.Second)
		if !p.Ready() {
			t.Error("an engine that has read everything is not ready")
		}
		p.kill()
		if p.Ready() {
			t.Error("an engine is ready after its journal was closed")
		}
	})
}

// Run returns an error when it cannot begin, and when the journal is closed.
func TestRunErrors(t *testing.T) {
	onStage(t, memory.Config{}, func(s *stage) {
		p := s.engine("a", nil, load(t, one))
		passes(time.Second)
		p.client.Kill()
		if err := p.stop(); err != nil && !errors.Is(err, journal.ErrClosed) {
			t.Errorf("the error is %v, want ErrClosed", err)
		}
	})
}

func TestConfig(t *testing.T) {
	t.Parallel()
	good := engine.Config{Journal: lonely{}, Data: noStore{}, Log: quiet}
	for name, edit := range map[string]func(*engine.Config){
		"no journal":      func(c *engine.Config) { c.Journal = nil },
		"no store":        func(c *engine.Config) { c.Data = nil },
		"no log":          func(c *engine.Config) { c.Log = nil },
		"bad id":          func(c *engine.Config) { c.ID = "a.b" },
		"negative":        func(c *engine.Config) { c.Window = -1 },
		"two definitions": func(c *engine.Config) { c.Sagas = []*saga.Definition{load(t, one), load(t, one)} },
	} {
		c := good
		edit(&c)
		if _, err := engine.New(c); err == nil {
			t.Errorf("%s: New takes it", name)
		}
	}
	e, err := engine.New(good)
	if err != nil {
		t.Fatal(err)
	}
	if e.MaxRunning != engine.DefaultMaxRunning || e.Intake != engine.DefaultIntake || e.Window != engine.DefaultWindow ||
		e.Batch != engine.DefaultBatch || !events.ValidName(e.ID) {
		t.Errorf("the defaults are %+v", e.Config)
	}
}
