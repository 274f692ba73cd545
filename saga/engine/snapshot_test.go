package engine_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"segue/events"
	"segue/journal"
	"segue/journal/memory"
	"segue/saga/engine"
)

// watched is a journal that says from where runs are to be followed before they are.
type watched struct {
	journal.Journal
	following func(after uint64)
}

func (w watched) Follow(ctx context.Context, filter string, after uint64) (journal.Feed, error) {
	if strings.HasPrefix(filter, "saga.run.") {
		w.following(after)
	}
	return w.Journal.Follow(ctx, filter, after)
}

// places notes from where a journal is followed.
type places struct {
	sync.Mutex
	after []uint64
}

func (p *places) note(after uint64) {
	p.Lock()
	defer p.Unlock()
	p.after = append(p.after, after)
}

// A new owner begins at the last snapshot and carries on as if it had read all.
func TestSnapshot(t *testing.T) {
	onStage(t, memory.Config{Partitions: 2}, func(s *stage) {
		often := func(c *engine.Config) { c.SnapshotEvery, c.KeepAge, c.KeepRuns = 10, time.Hour, 10 }
		d := load(t, two)
		first := s.engine("a", often, d)
		bulk := strings.Repeat("x", 20_000)
		s.serve(func(c events.Entry) answer {
			switch id := c.Subject.Run; {
			case c.Subject.Attempt.Undo:
				return answer{}
			case id == run("fails") && c.Subject.Step == "second":
				return refusing
			case c.Subject.Step == "first":
				return answer{events.TypeStepCompleted, map[string]string{"bulk": bulk}}
			case strings.HasPrefix(c.Event.CorrelationID, "ends"):
				return completed
			}
			return answer{}
		})
		for _, id := range []string{"goes-on", "fails"} {
			s.start("two", id, `{}`)
		}
		for i := range 40 {
			s.start("two", fmt.Sprint(i), `{}`)
		}
		for i := range 60 {
			e := event("ends-"+fmt.Sprint(i), `{}`)
			e.CorrelationID = e.ID
			s.publish(events.Encode(events.StartSubject("two").String(), e))
			s.await(run(e.ID), events.TypeRunCompleted, time.Minute)
			if i == 30 {
				passes(2 * time.Second) // the history has those so far; they wait to leave, and stand in a snapshot
			}
		}
		passes(time.Second)
		first.kill()
		var begun places
		second := s.engine("b", func(c *engine.Config) {
			often(c)
			c.Journal = watched{c.Journal, begun.note}
		}, d)
		passes(10 * time.Second)
		begun.Lock()
		for _, from := range begun.after {
			if from < 200 {
				t.Errorf("a partition was read from %d on", from)
			}
		}
		begun.Unlock()
		if n := second.gauge(t, "segue_runs_running"); n != 42 {
			t.Errorf("%v runs go on behind the snapshot, want 42", n)
		}
		passes(time.Minute) // the deadline: all turn back
		for i := range 40 {
			wantText(t, s.told(run(fmt.Sprint(i))), `
started run.started
command first.1 step.requested
outcome first.1 step.completed
command second.1 step.requested
outcome second.1 step.timedout
command first.u1 undo.requested
outcome first.u1 undo.timedout
command first.u2 undo.requested
outcome first.u2 undo.timedout`)
			if i == 0 {
				for _, e := range s.journal(run("0")) {
					if e.Event.Type == events.TypeUndoRequested && e.Event.DataRef == "" {
						t.Error("the undo does not have the large output of its step")
					}
				}
			}
		}
		if n := len(s.history(run("ends-0"))); n != 1 {
			t.Errorf("a run that ended before the snapshot is %d times in the history", n)
		}
		passes(2 * time.Hour)
		if told := s.told(run("ends-0")); told != "" {
			t.Errorf("a run that ended before the snapshot has not left:\n%s", told)
		}
	})
}

// Runs that come from a snapshot are decided on in the order in which they began, as
// those that come from the journal are.
func TestSnapshotKeepsTheOrderOfRuns(t *testing.T) {
	onStage(t, memory.Config{Partitions: 1}, func(s *stage) {
		d := load(t, patient)
		often := func(c *engine.Config) { c.SnapshotEvery, c.KeepAge = 10, time.Hour }
		first := s.engine("a", often, d)
		quick := make(map[string]bool)
		var slow []string
		for i := range 30 {
			if id := fmt.Sprint(i); i < 10 {
				slow = append(slow, run(id))
			} else {
				quick[run(id)] = true
			}
		}
		s.serve(func(c events.Entry) answer {
			if quick[c.Subject.Run] {
				return completed
			}
			return answer{}
		})
		for i := range 30 {
			s.start("one", fmt.Sprint(i), `{"n":1}`)
			s.await(run(fmt.Sprint(i)), events.TypeStepRequested, time.Minute)
		}
		passes(time.Second)
		first.kill()
		passes(10 * time.Minute) // all steps are over time
		var begun places
		s.engine("b", func(c *engine.Config) { c.Journal = watched{c.Journal, begun.note} }, d)
		passes(10 * time.Second)
		begun.Lock()
		if len(begun.after) != 1 || begun.after[0] < 20 {
			t.Fatalf("the partition was read from %d on, not from a snapshot with all runs", begun.after)
		}
		begun.Unlock()
		var decided []string
		records, err := journal.Load(s.ctx, s.broker, events.AllRuns)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			if e, err := r.Entry(); err == nil && e.Event.Type == events.TypeStepTimedOut && e.Subject.Attempt.N == 1 {
				decided = append(decided, e.Subject.Run)
			}
		}
		if !slices.Equal(decided, slow) {
			t.Errorf("runs that began as\n%q\nwere decided on as\n%q", slow, decided)
		}
	})
}

// A snapshot that is broken, or of another journal, is passed over.
func TestUselessSnapshots(t *testing.T) {
	onStage(t, memory.Config{Partitions: 1}, func(s *stage) {
		d := load(t, one)
		first := s.engine("a", func(c *engine.Config) { c.SnapshotEvery = 1 }, d)
		for _, id := range []string{"x", "y", "z"} {
			s.start("one", id, `{"n":1}`)
		}
		passes(25 * time.Second) // third attempts
		first.kill()
		good, err := s.data.Stat(s.ctx, "snapshot/0")
		if err != nil || good.Size == 0 {
			t.Fatalf("there is no snapshot: %v", err)
		}
		for _, broken := range []string{"", "garbage", strings.Repeat("\xff", 100)} {
			if _, err := s.data.Put(s.ctx, "snapshot/0", strings.NewReader(broken)); err != nil {
				t.Fatal(err)
			}
			p := s.engine("b"+fmt.Sprint(len(broken)), nil, d)
			passes(10 * time.Second)
			if n := p.gauge(t, "segue_runs_running"); n != 3 {
				t.Errorf("behind the snapshot %.10q %v runs go on, want 3", broken, n)
			}
			p.kill()
		}
		if n := s.logs.count("partition is read from its beginning"); n < 3 {
			t.Errorf("the log tells %d times that a snapshot was passed over, want 3 or more", n)
		}
	})
}

// A run that goes on in a snapshot and has left the journal since does not come
// back with it.
func TestSnapshotBringsNothingBack(t *testing.T) {
	onStage(t, memory.Config{Partitions: 1}, func(s *stage) {
		d := load(t, one)
		soon := func(c *engine.Config) { c.SnapshotEvery, c.KeepAge = 1, time.Minute }
		first := s.engine("a", soon, d)
		for i := range 10 { // so that there is something to write a snapshot for
			s.start("one", fmt.Sprint(i), `{"n":1}`)
		}
		passes(25 * time.Second)
		if _, err := s.data.Stat(s.ctx, "snapshot/0"); err != nil {
			t.Fatal(err)
		}
		s.serve(func(events.Entry) answer { return undone })
		passes(5 * time.Minute)
		if n := s.inJournal(10); n != 0 {
			t.Fatalf("%d runs have not left", n)
		}
		first.kill()
		second := s.engine("b", soon, d)
		passes(5 * time.Minute)
		if n := second.gauge(t, "segue_runs_running"); n != 0 {
			t.Errorf("%v runs have come back", n)
		}
		if n := s.inJournal(10); n != 0 {
			t.Errorf("%d runs are written again", n)
		}
	})
}

// A new owner has read the last snapshot when the one before it stores another and
// lets a run leave: that run, which goes on in the first of them, does not come back. Nor
// does it where there was none before.
func TestSnapshotReplacedDuringTakeover(t *testing.T) {
	for name, every := range map[string]int{"the second": 1, "the first": engine.DefaultSnapshot} {
		t.Run(name, func(t *testing.T) { replacedDuringTakeover(t, every) })
	}
}

func replacedDuringTakeover(t *testing.T, every int) {
	onStage(t, memory.Config{Partitions: 1}, func(s *stage) {
		d := load(t, patient)
		first := s.engine("a", func(c *engine.Config) { c.SnapshotEvery = every }, d)
		s.start("one", "x", `{"n":1}`)
		s.await(run("x"), events.TypeStepRequested, time.Minute)
		passes(10 * time.Second)
		first.kill()
		s.engine("b", func(c *engine.Config) { c.Journal, c.KeepAge = lonely{c.Journal, "b"}, time.Minute }, d)
		var asked atomic.Int32
		s.serve(func(events.Entry) answer { asked.Add(1); return completed })
		s.await(run("x"), events.TypeRunCompleted, time.Minute)
		passes(50 * time.Second)
		if s.told(run("x")) == "" {
			t.Fatal("the run has left too early: the test shows nothing")
		}
		begun, let := make(chan struct{}, 10), make(chan struct{})
		hold := func(uint64) { begun <- struct{}{}; <-let }
		s.engine("c", func(c *engine.Config) {
			c.Journal, c.KeepAge = watched{lonely{c.Journal, "c"}, hold}, time.Minute
		}, d)
		<-begun
		passes(time.Minute)
		if told := s.told(run("x")); told != "" {
			t.Fatalf("the run has not left:\n%s", told)
		}
		close(let)
		passes(10 * time.Minute)
		if n := asked.Load(); n != 1 {
			t.Errorf("the step was asked for %d times, the last time when its run had ended and left", n)
		}
	})
}
