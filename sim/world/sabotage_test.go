package world

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"segue/events"
	"segue/journal"
)

// TestCheckerBites takes away one protection at a time and wants the checker to
// say so within a few worlds. Were it not to, its silence elsewhere would mean nothing.
func TestCheckerBites(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		protection string
		sabotage   func() sabotage
		want       string // in one of the violations
	}{
		{"the journal keeps the first message of a subject", rewritten, "was written twice"},
		{"a handler has a barrier", func() sabotage { return sabotage{noBarrier: true} }, "is there 2 times"},
		{"an undo that comes first bars the work", func() sabotage { return sabotage{noBarrier: true} }, "compensated.v1, is there 1 times, not 0"},
		{"a command is acked behind its outcome", workers(func(j journal.Journal) journal.Journal { return hasty{j} }), "before it was answered"},
		{"a start is acked behind its run", engines(func(j journal.Journal) journal.Journal { return hasty{j} }), "was lost"},
		{"a panic leaves unknown what was done", workers(editing(func(e *events.Event) {
			e.Data = []byte(strings.Replace(string(e.Data), `"unknown":true`, `"unknown":false`, 1))
		})), "is there 1 times, not 0"},
		{"a failure promises that nothing was done", workers(editing(func(e *events.Event) {
			if e.Type == events.TypeStepCompleted {
				e.Type, e.Data = events.TypeStepFailed, []byte(`{"message":"no","retryable":false}`)
			}
		})), "is there 1 times, not 0"},
		{"ids are derived", engines(editing(func(e *events.Event) { e.ID = events.NewStartID() })), "derived is"},
		{"events name their cause", workers(editing(func(e *events.Event) { e.CausationID = "?" })), "was not there before it"},
		{"outcomes carry the run's correlation", workers(editing(func(e *events.Event) { e.CorrelationID = "?" })), "correlation"},
		{"timers are never early", engines(func(j journal.Journal) journal.Journal { return fastClock{j} }), "early"},
		{"a feed has no gaps", engines(func(j journal.Journal) journal.Journal { return gappy{j} }), "did not end"},
		{"what a run needs is written", engines(dropping(events.TypeUndoRequested)), "did not end"},
		{"nothing begins when a run has turned back", engines(dropping(events.TypeStepWithheld)), "did not end"},
	} {
		t.Run(strings.ReplaceAll(test.protection, " ", "-"), func(t *testing.T) {
			t.Parallel()
			bites(t, Options{Patience: 40 * time.Minute, sabotage: test.sabotage()}, test.want)
		})
	}
}

// TestCheckerBitesByTheClock does the same where schedules make starts.
func TestCheckerBitesByTheClock(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		protection string
		sabotage   func() sabotage
		want       string
	}{
		{"a schedule is never early", engines(func(j journal.Journal) journal.Journal { return fastClock{j} }), "began"},
		{"each time has its run", engines(dropping(events.TypeRunRequested)), "was lost"},
		{"a feed of schedules has no gaps", engines(func(j journal.Journal) journal.Journal { return gappy{j} }), "was lost"},
	} {
		t.Run(strings.ReplaceAll(test.protection, " ", "-"), func(t *testing.T) {
			t.Parallel()
			bites(t, Options{Clock: true, Patience: 40 * time.Minute, sabotage: test.sabotage()}, test.want)
		})
	}
}

// bites wants a violation within a few worlds.
func bites(t *testing.T, o Options, want string) {
	t.Helper()
	const worlds = 48
	var last []string
	for seed := range uint64(worlds) {
		r := simulate(t, seed, o)
		last = r.Violations
		for _, v := range r.Violations {
			if strings.Contains(v, want) {
				t.Logf("seed %d: %s", seed, v)
				return
			}
		}
	}
	t.Errorf("%d worlds without it, and no violation says %q; the last had %q", worlds, want, last)
}

func engines(wrap func(journal.Journal) journal.Journal) func() sabotage {
	return func() sabotage { return sabotage{engine: wrap} }
}

func workers(wrap func(journal.Journal) journal.Journal) func() sabotage {
	return func() sabotage { return sabotage{worker: wrap} }
}

// rewritten shows the checker every message that was sent, as a journal would
// hold them that is not write-once.
func rewritten() sabotage {
	var mu sync.Mutex
	var sent []journal.Record
	tell := func(messages []events.Message) {
		mu.Lock()
		defer mu.Unlock()
		for _, m := range messages {
			sent = append(sent, journal.Record{Message: m, Stored: time.Now()})
		}
	}
	wrap := func(j journal.Journal) journal.Journal { return told{j, tell} }
	return sabotage{engine: wrap, worker: wrap, history: func(stored []journal.Record) []journal.Record {
		won := make(map[string]string)
		for _, r := range stored {
			won[r.Subject] = r.Header.Get("ce-id")
		}
		for _, r := range sent {
			if id, taken := won[r.Subject]; taken && id != r.Header.Get("ce-id") {
				r.Sequence = uint64(len(stored) + 1)
				stored = append(stored, r)
			}
		}
		return stored
	}}
}

// told is a journal that tells what it is given.
type told struct {
	journal.Journal
	tell func([]events.Message)
}

func (j told) Append(ctx context.Context, messages ...events.Message) error {
	j.tell(messages)
	return j.Journal.Append(ctx, messages...)
}

// edited is a journal whose user writes something else.
type edited struct {
	journal.Journal
	edit func(*events.Event)
}

func editing(edit func(*events.Event)) func(journal.Journal) journal.Journal {
	return func(j journal.Journal) journal.Journal { return edited{j, edit} }
}

func (j edited) Append(ctx context.Context, messages ...events.Message) error {
	changed := make([]events.Message, len(messages))
	for i, m := range messages {
		changed[i] = m
		if event, err := events.Decode(m); err == nil {
			j.edit(&event)
			changed[i] = events.Encode(m.Subject, event)
		}
	}
	return j.Journal.Append(ctx, changed...)
}

// dropping is a journal whose user forgets messages of a type.
func dropping(eventType string) func(journal.Journal) journal.Journal {
	return func(j journal.Journal) journal.Journal { return forgetful{j, eventType} }
}

type forgetful struct {
	journal.Journal
	eventType string
}

func (j forgetful) Append(ctx context.Context, messages ...events.Message) error {
	var kept []events.Message
	for _, m := range messages {
		if m.Header.Get("ce-type") != j.eventType {
			kept = append(kept, m)
		}
	}
	return j.Journal.Append(ctx, kept...)
}

// hasty is a journal whose messages are acked before they are worked on.
type hasty struct{ journal.Journal }

func (j hasty) Consume(ctx context.Context, q journal.Queue) (journal.Work, error) {
	w, err := j.Journal.Consume(ctx, q)
	return hastyWork{w}, err
}

type hastyWork struct{ journal.Work }

func (w hastyWork) Next(ctx context.Context) (journal.Delivery, error) {
	d, err := w.Work.Next(ctx)
	if err == nil {
		_ = d.DoubleAck(ctx) // whatever comes of it
	}
	return d, err
}

// fastClock is a journal whose clock is ahead.
type fastClock struct{ journal.Journal }

func (j fastClock) Info(ctx context.Context) (journal.Info, error) {
	info, err := j.Journal.Info(ctx)
	info.Now = info.Now.Add(3 * time.Second)
	return info, err
}

// gappy is a journal whose feeds leave out a record now and then.
type gappy struct{ journal.Journal }

func (j gappy) Follow(ctx context.Context, filter string, after uint64) (journal.Feed, error) {
	feed, err := j.Journal.Follow(ctx, filter, after)
	return &gappyFeed{Feed: feed}, err
}

type gappyFeed struct {
	journal.Feed
	n int
}

func (f *gappyFeed) Next(ctx context.Context) (journal.Record, error) {
	for {
		r, err := f.Feed.Next(ctx)
		if f.n++; err != nil || r.Live || f.n%10 > 0 {
			return r, err
		}
	}
}
