package engine_test

import (
	"testing"
	"time"

	"segue/events"
	"segue/journal"
	"segue/journal/memory"
	"segue/saga"
)

// lateness is what a timer may be late by: the messages it waits for and those
// it sends are under way, and the journal's clock is behind.
const lateness = 50 * time.Millisecond

// wantGap checks the time between two messages, by the journal's time.
func wantGap(t *testing.T, what string, from, to events.Entry, want time.Duration) {
	t.Helper()
	if got := to.Stored.Sub(from.Stored); got < want || got > want+lateness {
		t.Errorf("%s took %v, want %v and at most %v more", what, got, want, lateness)
	}
}

func TestTimeoutAndBackoff(t *testing.T) {
	onStage(t, memory.Config{}, func(s *stage) {
		d := load(t, one)
		s.engine("a", nil, d)
		s.serve(func(c events.Entry) answer {
			switch c.Subject.Attempt {
			case events.Attempt{N: 2}:
				return failing
			case events.Attempt{N: 3}:
				return completed
			}
			return answer{} // the first is never answered
		})
		s.start("one", "x", `{"n":1}`)
		s.await(run("x"), events.TypeRunCompleted, time.Minute)
		wantText(t, s.told(run("x")), `
started run.started
command work.1 step.requested
outcome work.1 step.timedout
command work.2 step.requested
outcome work.2 step.failed
command work.3 step.requested
outcome work.3 step.completed
ended run.completed`)
		e := s.journal(run("x"))
		wantGap(t, "the timeout", e[1], e[2], 10*time.Second)
		for n, at := range map[int]int{2: 3, 3: 5} {
			delay := d.Steps[0].Retry.Delay(run("x"), "work", events.Attempt{N: n}, n-1)
			wantGap(t, "the backoff", e[at-1], e[at], delay)
		}
		if left := e[1].Event.Expiry.Sub(e[1].Stored); left > 10*time.Second || left < 10*time.Second-lateness {
			t.Errorf("the command expires %v after it was stored, want 10s", left)
		}
	})
}

// A service that asks for time gets it.
func TestRetryAfter(t *testing.T) {
	onStage(t, memory.Config{}, func(s *stage) {
		s.engine("a", nil, load(t, one))
		s.serve(func(c events.Entry) answer {
			if c.Subject.Attempt.N == 1 {
				return answer{events.TypeStepFailed, events.Failed{Message: "later", Retryable: true, RetryAfterMS: 90_000}}
			}
			return completed
		})
		s.start("one", "x", `{"n":1}`)
		s.await(run("x"), events.TypeRunCompleted, 5*time.Minute)
		e := s.journal(run("x"))
		wantGap(t, "the delay", e[2], e[3], 90*time.Second)
	})
}

// A deadline turns a run back, once, whoever looks after it at the time.
func TestDeadline(t *testing.T) {
	onStage(t, memory.Config{}, func(s *stage) {
		d := load(t, `
saga: slow
deadline: 30s
steps:
  first:  {service: worker, undo: true, timeout: 20s}
  second: {service: worker, needs: [first], timeout: 20s, retry: {attempts: 100, backoff: 3s, max: 3s}}`)
		first := s.engine("a", nil, d)
		s.serve(func(c events.Entry) answer {
			switch {
			case c.Subject.Attempt.Undo:
				return undone
			case c.Subject.Step == "second":
				return failing
			}
			return completed
		})
		s.start("slow", "x", `{}`)
		passes(15 * time.Second)
		first.kill()
		s.engine("b", nil, d)
		s.await(run("x"), events.TypeRunCompensated, time.Minute)
		var deadline events.Entry
		for _, e := range s.journal(run("x")) {
			if e.Event.Type == events.TypeDeadline {
				deadline = e
			}
		}
		wantGap(t, "the deadline", s.journal(run("x"))[0], deadline, 30*time.Second)
	})
}

// An engine that was not there when a timer was due catches up at once.
func TestTimerDueWhileDown(t *testing.T) {
	onStage(t, memory.Config{}, func(s *stage) {
		d := load(t, one)
		first := s.engine("a", nil, d)
		s.serve(func(c events.Entry) answer {
			if c.Subject.Attempt.N == 1 {
				return answer{}
			}
			return completed
		})
		s.start("one", "x", `{"n":1}`)
		s.await(run("x"), events.TypeStepRequested, time.Minute)
		first.kill()
		passes(10 * time.Minute)
		s.engine("b", nil, d)
		s.await(run("x"), events.TypeStepTimedOut, lateness)
		s.await(run("x"), events.TypeRunCompleted, 10*time.Second)
	})
}

// An operator's cancel turns a run back; the command that was under way is
// awaited.
func TestCancel(t *testing.T) {
	onStage(t, memory.Config{}, func(s *stage) {
		s.engine("a", nil, load(t, two))
		s.serve(func(c events.Entry) answer {
			if c.Subject.Attempt.Undo {
				return undone
			}
			time.Sleep(10 * time.Second)
			return completed
		})
		s.start("two", "x", `{}`)
		started := s.await(run("x"), events.TypeRunStarted, time.Minute)
		passes(3 * time.Second)
		s.publish(saga.NewSignal(events.SignalCancel, started, "", time.Now()).Message())
		s.await(run("x"), events.TypeRunCompensated, time.Minute)
		wantText(t, s.told(run("x")), `
started run.started
command first.1 step.requested
signal signal.cancel
outcome first.1 step.completed
command second.1 step.withheld
command first.u1 undo.requested
outcome first.u1 undo.completed
ended run.compensated`)
	})
}

// A journal whose window is taken up and whose timers are due must not make the
// engine spin: in virtual time a spin never ends, so that this test would not.
func TestFullWindowDoesNotSpin(t *testing.T) {
	onStage(t, memory.Config{Partitions: 1}, func(s *stage) {
		client := s.broker.Client("a")
		slow := &narrow{Journal: client}
		s.engine("a", withJournal(slow, 1), load(t, one))
		s.start("one", "x", `{"n":1}`)
		s.await(run("x"), events.TypeStepRequested, time.Minute)
		s.start("one", "y", `{"n":2}`)
		s.await(run("y"), events.TypeStepRequested, time.Minute)
		passes(9 * time.Second)
		slow.closed.Store(true) // both timeouts come due; the first takes up the window
		passes(time.Minute)
		slow.closed.Store(false)
		s.await(run("x"), events.TypeStepTimedOut, 2*journal.MemberTTL)
		s.await(run("y"), events.TypeStepTimedOut, 2*journal.MemberTTL)
	})
}
