package participant_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"segue/document"
	"segue/events"
	"segue/journal"
	"segue/journal/memory"
	"segue/participant"
)

// wait lets a handler take some time, or less if its context ends.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// narrow is a journal that takes nothing while it is closed.
type narrow struct {
	journal.Journal
	err    error
	closed atomic.Bool
	tries  atomic.Int32
}

func (n *narrow) Append(ctx context.Context, messages ...events.Message) error {
	n.tries.Add(1)
	if n.closed.Load() {
		return fmt.Errorf("append: %w", n.err)
	}
	return n.Journal.Append(ctx, messages...)
}

// An outcome that the journal does not take is kept and offered again; the work
// is not done twice.
func TestJournalOutOfReach(t *testing.T) {
	for _, err := range []error{journal.ErrFull, memory.ErrTimeout} {
		t.Run(strings.ReplaceAll(err.Error(), " ", "-"), func(t *testing.T) {
			onBench(t, memory.Config{}, func(b *bench) {
				var calls atomic.Int32
				n := &narrow{err: err}
				n.closed.Store(true)
				b.run("w", func(c *participant.Config) { n.Journal, c.Journal = c.Journal, n },
					doing(func(context.Context, participant.Command[in]) error { calls.Add(1); return nil }))
				b.send(command("r", first, `{}`))
				passes(5 * time.Minute)
				b.none("r")
				if tries := n.tries.Load(); tries < 50 || tries > 80 {
					t.Errorf("the outcome was offered %d times in 5 minutes, want about every 5 s", tries)
				}
				n.closed.Store(false)
				passes(6 * time.Second)
				if e := b.outcome("r", first); e.Type != events.TypeStepCompleted || calls.Load() != 1 {
					t.Errorf("the outcome is %s after %d calls, want completed after one", e.Type, calls.Load())
				}
				b.drained()
			})
		})
	}
}

// Whatever is lost on the way, each command gets its outcome.
func TestLostMessages(t *testing.T) {
	for seed := range uint64(5) {
		t.Run(fmt.Sprint("seed-", seed), func(t *testing.T) {
			c := memory.Config{Seed: seed, Faults: memory.Faults{LostAppend: 0.2, LostAck: 0.2, Duplicate: 0.1, Delay: 0.1, MaxDelay: 5 * time.Second, Reorder: 0.3}}
			onBench(t, c, func(b *bench) {
				for i := range 40 {
					for b.broker.Append(b.ctx, command(fmt.Sprint(i), first, `{"n":7}`).Message()) != nil {
						passes(time.Second)
					}
				}
				serving := doing(func(ctx context.Context, _ participant.Command[in]) error { return wait(ctx, 300*time.Millisecond) })
				for serves := false; !serves; { // it cannot begin if it does not learn the time
					w := b.run("w", func(c *participant.Config) { c.MaxDeliveries = 1000 }, serving)
					passes(10 * time.Second)
					serves = len(w.ended) == 0
				}
				passes(20 * time.Minute)
				for i := range 40 {
					if e := b.outcome(fmt.Sprint(i), first); e.Type != events.TypeStepCompleted || string(e.Data) != `{"sum":7}` {
						t.Errorf("run %d came to %s %s", i, e.Type, e.Data)
					}
				}
			})
		})
	}
}

// flaky is a store that is out of reach for a while.
type flaky struct {
	document.Store
	until time.Time
}

func (f flaky) Open(ctx context.Context, ref document.Ref) (io.ReadCloser, error) {
	if time.Now().Before(f.until) {
		return nil, errors.New("no answer from the store")
	}
	return f.Store.Open(ctx, ref)
}

// Input that is out of reach is waited for; that is no failure of the command.
func TestStoreOutOfReach(t *testing.T) {
	onBench(t, memory.Config{}, func(b *bench) {
		var length atomic.Int64
		b.run("w", func(c *participant.Config) { c.Data = flaky{c.Data, time.Now().Add(10 * time.Minute)} },
			doing(func(_ context.Context, c participant.Command[in]) error {
				length.Store(int64(len(c.Input.Text)))
				return nil
			}))
		c := command("r", first, `{"text":"`+strings.Repeat("x", 20<<10)+`"}`)
		var err error
		if c.Event, err = document.CheckIn(b.ctx, b.data, c.Event); err != nil {
			t.Fatal(err)
		}
		b.send(c)
		passes(11 * time.Minute)
		if e := b.outcome("r", first); e.Type != events.TypeStepCompleted || length.Load() != 20<<10 {
			t.Errorf("the outcome is %s of an input of %d bytes", e.Type, length.Load())
		}
	})
}

func TestConcurrency(t *testing.T) {
	onBench(t, memory.Config{}, func(b *bench) {
		var mu sync.Mutex
		now, most := 0, 0
		w := b.run("w", func(c *participant.Config) { c.Concurrency = 3 }, doing(func(ctx context.Context, _ participant.Command[in]) error {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			defer func() {
				mu.Lock()
				now--
				mu.Unlock()
			}()
			return wait(ctx, time.Second)
		}))
		for i := range 30 {
			b.send(command(fmt.Sprint(i), first, `{}`))
		}
		passes(500 * time.Millisecond)
		if n := w.sum(t, "segue_attempts_running"); n != 3 {
			t.Errorf("%v handlers are counted as running, want 3", n)
		}
		passes(11 * time.Second)
		if most != 3 {
			t.Errorf("%d handlers ran at a time, want 3", most)
		}
		if n := w.sum(t, "segue_attempts_total"); n != 30 {
			t.Errorf("%v attempts are counted, want 30", n)
		}
	})
}

// Services in one process do not get in each other's way.
func TestTwoServices(t *testing.T) {
	onBench(t, memory.Config{}, func(b *bench) {
		other := participant.New("other", func(context.Context, participant.Command[in]) (string, error) { return "other", nil }, nil)
		b.run("w", func(c *participant.Config) { c.Concurrency = 1 }, other,
			doing(func(ctx context.Context, _ participant.Command[in]) error { return wait(ctx, time.Minute) }))
		c := command("b", first, `{}`)
		c.Subject.Service = "other"
		b.send(command("a", first, `{}`), c)
		passes(time.Second)
		if e := b.outcome("b", first); string(e.Data) != `"other"` || e.Source != "/segue/services/other" {
			t.Errorf("the other service answered %s as %s", e.Data, e.Source)
		}
		b.none("a")
		if other.Name() != "other" {
			t.Errorf("its name is %q", other.Name())
		}
	})
}

func TestClosedJournal(t *testing.T) {
	onBench(t, memory.Config{}, func(b *bench) {
		w := b.run("w", nil, doing(func(context.Context, participant.Command[in]) error { return nil }))
		passes(time.Second)
		w.client.Kill()
		if err := <-w.ended; !errors.Is(err, journal.ErrClosed) {
			t.Errorf("Run returned %v, want ErrClosed", err)
		}
		late := b.run("late", func(c *participant.Config) { c.Journal = w.client })
		if err := <-late.ended; !errors.Is(err, journal.ErrClosed) {
			t.Errorf("Run on a closed journal returned %v, want ErrClosed", err)
		}
	})
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]participant.Config{
		"empty":    {},
		"negative": {Journal: wrapped{}, Data: flaky{}, Log: quiet, Drain: -1},
	} {
		if err := participant.Run(t.Context(), c); err == nil || !strings.HasPrefix(err.Error(), "participant: ") {
			t.Errorf("%s: Run returned %v", name, err)
		}
	}
}

// quiet is a logger that writes nothing.
var quiet = slog.New(slog.DiscardHandler)
