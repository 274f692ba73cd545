package engine_test

import (
	"fmt"
	"testing"
	"time"

	"segue/events"
	"segue/journal"
	"segue/journal/memory"
	"segue/saga"
	"segue/saga/engine"
)

// history returns what is kept of a run, as often as it is kept.
func (s *stage) history(run string) (views []saga.View) {
	s.t.Helper()
	records, err := s.broker.Load(s.ctx, events.HistoryFilter(run))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, r := range records {
		entry, err := r.Entry()
		if err != nil {
			s.t.Fatal(err)
		}
		view, err := saga.ReadArchived(entry)
		if err != nil {
			s.t.Fatal(err)
		}
		if view.Run == run {
			views = append(views, view)
		}
	}
	return views
}

func keepFor(age time.Duration) func(*engine.Config) {
	return func(c *engine.Config) { c.KeepAge = age }
}

// A run that has ended is kept in the history at once and leaves the journal when
// its time has come; one that goes on stays, however old it gets.
func TestEndedRunsLeave(t *testing.T) {
	onStage(t, memory.Config{}, func(s *stage) {
		p := s.engine("a", keepFor(5*time.Minute), load(t, one), load(t, two))
		s.serve(func(c events.Entry) answer {
			switch {
			case c.Subject.Run == run("stays"): // and gets stuck
				return answer{}
			case c.Subject.Attempt.Undo:
				return undone
			case c.Subject.Step == "second":
				return refusing
			}
			return completed
		})
		s.start("one", "stays", `{"n":1}`)
		s.start("one", "good", `{"n":2}`)
		s.start("two", "bad", `{}`)
		good := s.await(run("good"), events.TypeRunCompleted, time.Minute)
		s.await(run("bad"), events.TypeRunCompensated, time.Minute)
		passes(time.Second)
		for id, status := range map[string]saga.Status{"good": saga.StatusCompleted, "bad": saga.StatusCompensated} {
			if h := s.history(run(id)); len(h) != 1 || h[0].Status != status || len(h[0].Steps) == 0 {
				t.Errorf("the history has of run %s: %+v, want it once, %s", id, h, status)
			}
			if s.told(run(id)) == "" {
				t.Errorf("run %s has left at once", id)
			}
		}
		if h := s.history(run("good")); !h[0].Ended.Equal(good.Stored) || string(h[0].Output) != `"done"` || string(h[0].Input) != `{"n":2}` {
			t.Errorf("what is kept of the run is %+v", h[0])
		}
		passes(8 * time.Minute) // the run that goes on has held them up for a while
		for _, id := range []string{"good", "bad"} {
			if told := s.told(run(id)); told != "" || len(s.history(run(id))) != 1 {
				t.Errorf("run %s is in the journal with %q and in the history %d times", id, told, len(s.history(run(id))))
			}
		}
		if s.told(run("stays")) == "" || len(s.history(run("stays"))) != 0 {
			t.Error("a run that goes on has left")
		}
		if kept, left := p.gauge(t, "segue_runs_kept_total"), p.gauge(t, "segue_runs_purged_total"); kept != 2 || left != 2 {
			t.Errorf("%v runs are counted as kept and %v as purged, want 2 and 2", kept, left)
		}
	})
}

// A start is one run for ever, even when that run has left the journal.
func TestSameStartAfterItsRunHasLeft(t *testing.T) {
	onStage(t, memory.Config{}, func(s *stage) {
		p := s.engine("a", keepFor(time.Minute), load(t, one))
		s.serve(func(events.Entry) answer { return completed })
		s.start("one", "x", `{"n":1}`)
		s.await(run("x"), events.TypeRunCompleted, time.Minute)
		passes(3 * time.Minute)
		s.start("one", "x", `{"n":1}`)
		passes(time.Minute)
		if told := s.told(run("x")); told != "" {
			t.Errorf("the same start made a second run:\n%s", told)
		}
		if n := p.gauge(t, "segue_starts_total"); n != 2 {
			t.Errorf("%v starts are counted, want 2", n)
		}
	})
}

// Of too many runs that have ended the oldest leave before their time, but none
// right after its end.
func TestRunsLeaveByCount(t *testing.T) {
	onStage(t, memory.Config{Partitions: 1}, func(s *stage) {
		s.engine("a", func(c *engine.Config) { c.KeepRuns = 10 }, load(t, one))
		s.serve(func(events.Entry) answer { return completed })
		const runs = 30
		for i := range runs {
			s.start("one", fmt.Sprint(i), `{"n":1}`)
			s.await(run(fmt.Sprint(i)), events.TypeRunCompleted, time.Minute)
		}
		passes(engine.MinKeepAge / 2) // the history has them all
		if n := s.inJournal(runs); n != runs {
			t.Errorf("%d of %d runs are in the journal half a minute after their end", n, runs)
		}
		passes(2 * engine.MinKeepAge)
		if n := s.inJournal(runs); n != 10 {
			t.Errorf("%d runs stay, want 10", n)
		}
		for i := runs - 10; i < runs; i++ {
			if s.told(run(fmt.Sprint(i))) == "" {
				t.Errorf("run %d has left before older ones", i)
			}
		}
	})
}

func (s *stage) inJournal(runs int) (n int) {
	for i := range runs {
		if s.told(run(fmt.Sprint(i))) != "" {
			n++
		}
	}
	return n
}

// What comes so late that its run has left leaves with others that end later.
// A run that cannot be carried on stays for people to see; what began behind it leaves
// in the end.
func TestStraysLeave(t *testing.T) {
	onStage(t, memory.Config{Partitions: 1}, func(s *stage) {
		s.engine("a", func(c *engine.Config) { c.KeepAge, c.KeepRuns = time.Minute, 5 }, load(t, one))
		s.serve(func(events.Entry) answer { return completed })
		complete := func(id string) {
			s.start("one", id, `{"n":1}`)
			s.await(run(id), events.TypeRunCompleted, time.Minute)
		}
		complete("x")
		passes(2 * time.Minute)
		late := events.RunSubject(events.KindOutcome, run("x"), 1)
		late.Service, late.Step, late.Attempt = "worker", "work", events.Attempt{N: 2}
		s.publish(events.Encode(late.String(), event("late", `{}`)))
		passes(2 * time.Minute)
		if s.told(run("x")) == "" {
			t.Fatal("the late outcome is not there")
		}
		complete("y")
		passes(2 * time.Minute)
		if told := s.told(run("x")); told != "" {
			t.Errorf("what came too late stays:\n%s", told)
		}
		lost := saga.NewStarted(load(t, two), event("lost", `{}`), 1, time.Now())
		s.publish(lost.Message())
		const behind = 20
		for i := range behind {
			complete(fmt.Sprint(i))
		}
		passes(2 * time.Minute)
		if n := s.inJournal(behind); n != behind {
			t.Errorf("%d runs stay for a while behind one that cannot be carried on, want %d", n, behind)
		}
		passes(8 * time.Minute)
		if n := len(s.journal(run("lost"))); n != 1 {
			t.Errorf("a run that cannot be carried on has %d messages, want 1", n)
		}
		if n := s.inJournal(behind); n != 0 {
			t.Errorf("%d runs stay for ever behind one that cannot be carried on", n)
		}
	})
}

// Engines that die, and two that own the same partitions, keep each run once.
func TestKeptOnce(t *testing.T) {
	for _, delay := range []time.Duration{time.Millisecond, 3 * time.Millisecond, 5 * time.Millisecond, 20 * time.Millisecond, time.Minute} {
		t.Run(delay.String(), func(t *testing.T) {
			onStage(t, memory.Config{}, func(s *stage) {
				d := load(t, one)
				alone := func(id string) func(*engine.Config) {
					return func(c *engine.Config) { c.Journal, c.KeepAge = lonely{c.Journal, id}, 2*time.Minute }
				}
				a, b := s.engine("a", alone("a"), d), s.engine("b", alone("b"), d)
				s.serve(func(events.Entry) answer { return completed })
				s.start("one", "x", `{"n":1}`)
				s.await(run("x"), events.TypeRunCompleted, time.Minute)
				passes(delay)
				a.kill()
				b.kill()
				passes(5 * time.Minute)
				s.engine("c", alone("c"), d)
				passes(5 * time.Minute)
				if n := len(s.history(run("x"))); n != 1 {
					t.Errorf("the run is %d times in the history, want once", n)
				}
				if told := s.told(run("x")); told != "" {
					t.Errorf("the run has not left:\n%s", told)
				}
			})
		})
	}
}

// An owner that has heard nothing for long reads again before it decides: the
// run may have ended and left meanwhile.
func TestOutdatedOwnerReadsAgain(t *testing.T) {
	onStage(t, memory.Config{}, func(s *stage) {
		s.engine("a", keepFor(time.Minute), load(t, patient)) // nothing is to be written meanwhile, which would tell it too
		s.start("one", "x", `{"n":1}`)
		s.await(run("x"), events.TypeStepRequested, time.Minute)
		s.broker.Crash(2 * journal.LongSilence)
		passes(3 * journal.LongSilence)
		if n := s.logs.count("partition is read again", "nothing was heard"); n == 0 {
			t.Error("after a long silence no partition was read again")
		}
		s.serve(func(c events.Entry) answer {
			if c.Subject.Attempt.Undo {
				return undone
			}
			return answer{}
		})
		s.await(run("x"), events.TypeRunCompensated, 30*time.Minute)
	})
}
