package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"segue/events"
	"segue/saga"
)

// book is a ledger with a journal that stores at once what it is given.
type book struct {
	*ledger
	t          *testing.T
	definition *saga.Definition
	now        time.Time
	sequence   uint64
	seen       int
}

func newBook(t *testing.T) *book {
	d, err := saga.Load("saga.yaml", []byte(`
saga: one
steps:
  work: {service: worker, timeout: 10s, retry: {attempts: 2, backoff: 2s, max: 2s}}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	return &book{ledger: newLedger(), t: t, definition: d, now: time.Unix(1_000_000, 0)}
}

func (b *book) stored(e events.Entry) events.Entry {
	b.sequence++
	e.Sequence, e.Stored = b.sequence, b.now
	return e
}

func (b *book) start(id string) string {
	e := saga.NewStarted(b.definition, events.Event{ID: id, Source: "/t", Data: []byte("null")}, 1, b.now)
	if err := b.begin(b.definition, b.stored(e)); err != nil {
		b.t.Fatal(err)
	}
	return e.Subject.Run
}

// decided returns what is decided now, in short, and does not store it.
func (b *book) decided(limit int) []events.Entry {
	return b.decide(b.now, limit, func(*account) { b.seen++ })
}

func (b *book) answer(command events.Entry, kind string) {
	e := events.Entry{Subject: command.Subject.With(events.KindOutcome), Event: events.Event{ID: "o", Type: kind, Data: []byte(`{"retryable":true}`)}}
	b.apply(b.stored(e))
}

func TestLedgerDecidesOnce(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.start("x")
	first := b.decided(10)
	if len(first) != 1 || first[0].Subject.Kind != events.KindCommand {
		t.Fatalf("decided %v, want a command", first)
	}
	if again := b.decided(10); len(again) != 0 || b.seen != 1 {
		t.Errorf("decided %v without news, looked %d times", again, b.seen)
	}
	// News come before what was decided: nothing more is decided until it is back.
	signal := events.Entry{Subject: first[0].Subject.With(events.KindSignal), Event: events.Event{ID: "c", Type: events.TypeCancel}}
	signal.Subject.Signal = events.SignalCancel
	b.apply(b.stored(signal))
	if early := b.decided(10); len(early) != 0 {
		t.Errorf("decided %v while a message is on its way", early)
	}
	b.apply(b.stored(first[0]))
	if due := b.next(); !due.IsZero() && due.Before(b.now) {
		t.Errorf("a timer is due at %v", due)
	}
	b.decided(10)
	b.answer(first[0], events.TypeStepFailed)
	end := b.decided(10)
	if len(end) != 1 || end[0].Subject.Kind != events.KindCommand || end[0].Event.Type != events.TypeStepWithheld {
		t.Fatalf("decided %v, want the second attempt withheld", end)
	}
}

func TestLedgerTimers(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.start("x")
	command := b.decided(10)[0]
	b.apply(b.stored(command))
	b.decided(10)
	if got, want := b.next(), b.now.Add(10*time.Second); !got.Equal(want) {
		t.Fatalf("next is %v, want the timeout at %v", got, want)
	}
	b.now = b.now.Add(10*time.Second - 1)
	if early := b.decided(10); len(early) != 0 {
		t.Errorf("decided %v early", early)
	}
	b.now = b.now.Add(1)
	late := b.decided(10)
	if len(late) != 1 || late[0].Event.Type != events.TypeStepTimedOut {
		t.Fatalf("decided %v, want the timeout", late)
	}
	// The service was faster: its outcome is what comes back.
	b.answer(command, events.TypeStepCompleted)
	end := b.decided(10)
	if len(end) != 1 || end[0].Event.Type != events.TypeRunCompleted {
		t.Fatalf("decided %v, want the end", end)
	}
	b.apply(b.stored(end[0]))
	if len(b.runs) != 0 || len(b.timers) != 0 || !b.next().IsZero() {
		t.Errorf("after the end %d runs and %d timers are left", len(b.runs), len(b.timers))
	}
	if a := b.apply(b.stored(late[0])); a != nil {
		t.Error("a message of a run that has ended was applied")
	}
}

func TestLedgerLimit(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	var runs []string
	for i := range 100 {
		runs = append(runs, b.start(fmt.Sprint(i)))
	}
	var order []string
	for {
		batch := b.decided(7)
		if len(batch) == 0 {
			break
		}
		if len(batch) > 7 {
			t.Fatalf("a batch of runs of one message each has %d, limit 7", len(batch))
		}
		for _, e := range batch {
			order = append(order, e.Subject.Run)
		}
	}
	if !slices.Equal(order, runs) {
		t.Error("runs were not decided on in the order they came")
	}
}

// TestTimersHeap compares the heap with a list.
func TestTimersHeap(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	l := newLedger()
	accounts := make([]*account, 20)
	for i := range accounts {
		accounts[i] = &account{run: &saga.Run{ID: fmt.Sprint(i)}, index: -1}
	}
	for range 5000 {
		a := accounts[r.IntN(len(accounts))]
		due := time.Unix(int64(r.IntN(50)), 0)
		if r.IntN(3) == 0 {
			due = time.Time{}
		}
		l.schedule(a, due)
		var want time.Time
		n := 0
		for _, a := range accounts {
			if a.due.IsZero() {
				continue
			}
			n++
			if want.IsZero() || a.due.Before(want) {
				want = a.due
			}
		}
		if !l.next().Equal(want) || len(l.timers) != n {
			t.Fatalf("next is %v of %d, want %v of %d", l.next(), len(l.timers), want, n)
		}
	}
}

// TestLedgerForgetsWhatEnded: while a journal is read nothing is decided, and what has
// ended by its end must not be held until then.
func TestLedgerForgetsWhatEnded(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	first := b.start("first")
	for i := range 10 * dirtyRoom {
		run := b.start(fmt.Sprint(i))
		ended := events.Entry{Subject: events.RunSubject(events.KindEnded, run, 1), Event: events.Event{ID: "e", Type: events.TypeRunCompleted}}
		b.apply(b.stored(ended))
	}
	last := b.start("last")
	if n := len(b.dirty); len(b.runs) != 2 || n > 2*len(b.runs)+dirtyRoom {
		t.Errorf("%d runs wait to be decided on, %d go on", n, len(b.runs))
	}
	batch := b.decided(10)
	if len(batch) != 2 || batch[0].Subject.Run != first || batch[1].Subject.Run != last {
		t.Errorf("decided %v, want a command for the first run and the last", batch)
	}
}
