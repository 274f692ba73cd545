package engine_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"segue/events"
	"segue/journal"
	"segue/journal/memory"
	"segue/saga/engine"
)

// skewed is a journal whose time is another than that of the machine it is used on.
type skewed struct {
	journal.Journal
	by time.Duration
}

func (s skewed) Info(ctx context.Context) (journal.Info, error) {
	info, err := s.Journal.Info(ctx)
	info.Now = info.Now.Add(s.by)
	return info, err
}

func (s skewed) Follow(ctx context.Context, filter string, after uint64) (journal.Feed, error) {
	feed, err := s.Journal.Follow(ctx, filter, after)
	return skewedFeed{feed, s.by}, err
}

type skewedFeed struct {
	journal.Feed
	by time.Duration
}

func (f skewedFeed) Next(ctx context.Context) (journal.Record, error) {
	r, err := f.Feed.Next(ctx)
	r.Stored = r.Stored.Add(f.by)
	return r, err
}

// A wall clock that is wrong by hours makes no timer early and none late.
func TestWrongWallClock(t *testing.T) {
	for _, by := range []time.Duration{-time.Hour, time.Hour} {
		t.Run(by.String(), func(t *testing.T) {
			onStage(t, memory.Config{}, func(s *stage) {
				s.engine("a", func(c *engine.Config) { c.Journal = skewed{c.Journal, by} }, load(t, one))
				s.serve(func(events.Entry) answer { return answer{} })
				s.start("one", "x", `{"n":1}`)
				command := s.await(run("x"), events.TypeStepRequested, time.Second)
				late := s.await(run("x"), events.TypeStepTimedOut, time.Minute)
				wantGap(t, "the timeout", command, late, 10*time.Second)
			})
		})
	}
}

// What was decided and could not be stored for long is given up: its run may have
// ended and left meanwhile, and its subject would be free.
func TestOutdatedDecisionIsGivenUp(t *testing.T) {
	onStage(t, memory.Config{}, func(s *stage) {
		d := load(t, one)
		slow := &narrow{Journal: s.broker.Client("a")}
		slow.closed.Store(true)
		s.engine("a", func(c *engine.Config) { c.Journal, c.KeepAge = lonely{slow, "a"}, engine.MinKeepAge }, d)
		s.engine("b", func(c *engine.Config) { c.Journal, c.KeepAge = lonely{c.Journal, "b"}, engine.MinKeepAge }, d)
		s.serve(func(events.Entry) answer { return completed })
		s.start("one", "x", `{"n":1}`)
		s.await(run("x"), events.TypeRunCompleted, time.Minute)
		passes(2 * engine.MinKeepAge)
		slow.closed.Store(false)
		s.wantNothing(run("x"), 10*time.Second)
	})
}

// patient is the saga one, whose step may take so long that its run can have ended
// and left by then.
var patient = strings.Replace(one, "timeout: 10s", "timeout: 5m", 1)

// muted is a journal that from a moment on tells its user nothing more. What the user
// writes arrives.
type muted struct {
	journal.Journal
	is atomic.Bool
}

func (m *muted) Info(ctx context.Context) (journal.Info, error) {
	if m.is.Load() {
		return journal.Info{}, memory.ErrTimeout
	}
	return m.Journal.Info(ctx)
}

func (m *muted) Follow(ctx context.Context, filter string, after uint64) (journal.Feed, error) {
	feed, err := m.Journal.Follow(ctx, filter, after)
	return mutedFeed{feed, m}, err
}

type mutedFeed struct {
	journal.Feed
	m *muted
}

func (f mutedFeed) Next(ctx context.Context) (journal.Record, error) {
	r, err := f.Feed.Next(ctx)
	if f.m.is.Load() {
		<-ctx.Done()
		return journal.Record{}, ctx.Err()
	}
	return r, err
}

// An owner that hears nothing does not decide by what it has read: its run may have
// ended and left meanwhile, and its subjects would be free.
func TestDeafOwnerDoesNotDecide(t *testing.T) {
	onStage(t, memory.Config{}, func(s *stage) {
		d := load(t, patient)
		ears := &muted{Journal: s.broker.Client("a")}
		s.engine("a", func(c *engine.Config) { c.Journal, c.KeepAge = lonely{ears, "a"}, engine.MinKeepAge }, d)
		s.engine("b", func(c *engine.Config) { c.Journal, c.KeepAge = lonely{c.Journal, "b"}, engine.MinKeepAge }, d)
		s.serve(func(events.Entry) answer {
			time.Sleep(time.Second) // by then both have read the command
			ears.is.Store(true)
			return completed
		})
		s.start("one", "x", `{"n":1}`)
		s.await(run("x"), events.TypeRunCompleted, time.Minute)
		passes(3 * engine.MinKeepAge)
		s.wantNothing(run("x"), 5*time.Minute) // when the step would have timed out
	})
}

// wantNothing fails if a run has messages, or gets one within a while.
func (s *stage) wantNothing(run string, within time.Duration) {
	s.t.Helper()
	if told := s.told(run); told != "" {
		s.t.Fatalf("the run has not left:\n%s", told)
	}
	ctx, cancel := context.WithTimeout(s.ctx, within)
	defer cancel()
	feed, err := s.broker.Follow(ctx, events.RunFilter(run), 0)
	if err != nil {
		s.t.Fatal(err)
	}
	defer feed.Close()
	for {
		switch r, err := feed.Next(ctx); {
		case err != nil: // the time is over
			return
		case !r.Live:
			s.t.Errorf("in a run that has left there is again %s", r.Subject)
		}
	}
}

// stalled is a journal that holds up the first started message until it is let go
// or its writer gives up.
type stalled struct {
	journal.Journal
	seen  atomic.Bool
	letGo chan struct{}
}

func (s *stalled) Append(ctx context.Context, messages ...events.Message) error {
	if strings.HasSuffix(messages[0].Subject, ".started") && !s.seen.Swap(true) {
		select {
		case <-s.letGo:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return s.Journal.Append(ctx, messages...)
}

// A start whose run could not be stored for long is given up: it has come again by
// then, and its run may have ended and left meanwhile.
func TestSlowStartIsGivenUp(t *testing.T) {
	onStage(t, memory.Config{}, func(s *stage) {
		slow := &stalled{Journal: s.broker.Client("a"), letGo: make(chan struct{})}
		s.engine("a", func(c *engine.Config) { c.Journal, c.KeepAge = slow, engine.MinKeepAge }, load(t, one))
		s.serve(func(events.Entry) answer { return completed })
		s.start("one", "x", `{"n":1}`)
		s.await(run("x"), events.TypeRunCompleted, 2*journal.Lease)
		if !slow.seen.Load() {
			t.Fatal("the first try was not held up")
		}
		passes(2 * engine.MinKeepAge)
		if told := s.told(run("x")); told != "" {
			t.Fatalf("the run has not left:\n%s", told)
		}
		close(slow.letGo)
		passes(5 * time.Second)
		if told := s.told(run("x")); told != "" {
			t.Errorf("the first try made a second run:\n%s", told)
		}
	})
}
