package participant_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"segue/events"
	"segue/journal"
	"segue/journal/memory"
	"segue/participant"
)

// A handler that runs for ten leases runs once, whatever the lease is.
func TestLeaseIsRenewed(t *testing.T) {
	for _, lease := range []time.Duration{journal.Lease, 3 * time.Second} {
		t.Run(lease.String(), func(t *testing.T) {
			onBench(t, memory.Config{Lease: lease}, func(b *bench) {
				var calls atomic.Int32
				slow := doing(func(ctx context.Context, _ participant.Command[in]) error {
					calls.Add(1)
					return wait(ctx, 10*lease)
				})
				own := func(c *participant.Config) { c.Lease = lease }
				b.run("w1", own, slow)
				b.run("w2", own, slow)
				for i := range 16 {
					b.send(command(fmt.Sprint(i), first, `{}`))
				}
				passes(11 * lease)
				for i := range 16 {
					if e := b.outcome(fmt.Sprint(i), first); e.Type != events.TypeStepCompleted {
						t.Errorf("run %d came to %s", i, e.Type)
					}
				}
				if n := calls.Load(); n != 16 {
					t.Errorf("the handler was called %d times for 16 commands", n)
				}
				b.drained()
			})
		})
	}
}

// wrapped is a journal whose deliveries are someone else's.
type wrapped struct {
	journal.Journal
	wrap func(journal.Delivery) journal.Delivery
}

func (w wrapped) Consume(ctx context.Context, q journal.Queue) (journal.Work, error) {
	work, err := w.Journal.Consume(ctx, q)
	return wrappedWork{work, w.wrap}, err
}

type wrappedWork struct {
	journal.Work
	wrap func(journal.Delivery) journal.Delivery
}

func (w wrappedWork) Next(ctx context.Context) (journal.Delivery, error) {
	d, err := w.Work.Next(ctx)
	if err != nil {
		return nil, err
	}
	return w.wrap(d), nil
}

// unextendable is a delivery whose lease cannot be renewed.
type unextendable struct {
	journal.Delivery
	err error
}

func (u unextendable) Extend() error { return u.err }

// Who loses the lease must stop: the context ends, for that reason, at once if
// the broker says so and else when the lease has run out unseen.
func TestLeaseLost(t *testing.T) {
	for name, test := range map[string]struct {
		err   error
		after time.Duration
	}{
		"told":   {journal.ErrLost, journal.Lease / 3},
		"unseen": {errors.New("no answer"), journal.Lease},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, memory.Config{}, func(b *bench) {
				var ended time.Duration
				var cause error
				b.run("w1", func(c *participant.Config) {
					c.Journal = wrapped{c.Journal, func(d journal.Delivery) journal.Delivery { return unextendable{d, test.err} }}
					c.Concurrency = 1
				}, doing(func(ctx context.Context, _ participant.Command[in]) error {
					began := time.Now()
					<-ctx.Done()
					ended, cause = time.Since(began), context.Cause(ctx)
					return ctx.Err()
				}))
				b.send(command("r", first, `{}`))
				passes(test.after + time.Second)
				if ended.Round(time.Second) != test.after || !errors.Is(cause, journal.ErrLost) {
					t.Errorf("the context ended after %v because of %v, want %v, ErrLost", ended, cause, test.after)
				}
				b.none("r") // whoever has the lease now answers
			})
		})
	}
}

// A command whose worker dies is taken up by another.
func TestWorkerDies(t *testing.T) {
	onBench(t, memory.Config{}, func(b *bench) {
		doomed := b.run("w1", nil, doing(func(ctx context.Context, _ participant.Command[in]) error { return wait(ctx, time.Hour) }))
		b.send(command("r", first, `{}`))
		passes(time.Second)
		doomed.client.Kill()
		doomed.term()
		b.run("w2", nil, doing(func(context.Context, participant.Command[in]) error { return nil }))
		passes(journal.Lease - 2*time.Second)
		b.none("r")
		passes(3 * time.Second)
		if e := b.outcome("r", first); e.Type != events.TypeStepCompleted {
			t.Errorf("the outcome is %s", e.Type)
		}
	})
}

// A command that was worked on before may have been done: a failure of its
// second delivery does not promise that it was not.
func TestFailureOfSecondDelivery(t *testing.T) {
	for name, failure := range map[string]error{"plain": io.EOF, "permanent": participant.Permanent("gone", io.EOF)} {
		t.Run(name, func(t *testing.T) {
			onBench(t, memory.Config{}, func(b *bench) {
				doomed := b.run("w1", nil, doing(func(ctx context.Context, _ participant.Command[in]) error { return wait(ctx, time.Hour) }))
				b.send(command("r", first, `{}`))
				passes(time.Second)
				doomed.client.Kill()
				doomed.term()
				b.run("w2", nil, doing(func(context.Context, participant.Command[in]) error { return failure }))
				b.send(command("fresh", first, `{}`))
				passes(journal.Lease + time.Second)
				if f := b.failed("r", first); !f.Unknown || f.Retryable != (name == "plain") {
					t.Errorf("the second delivery says %+v, want unknown", f)
				}
				if f := b.failed("fresh", first); f.Unknown {
					t.Errorf("a first delivery says %+v, want that nothing was done", f)
				}
			})
		})
	}
}

// A command that kills whoever takes it up is failed in the end.
func TestDeliveryLimit(t *testing.T) {
	onBench(t, memory.Config{}, func(b *bench) {
		const limit = 3
		var calls atomic.Int32
		for i := range limit + 1 {
			name := fmt.Sprint("w", i)
			w := b.run(name, func(c *participant.Config) { c.MaxDeliveries, c.Concurrency = limit, 1 },
				doing(func(ctx context.Context, _ participant.Command[in]) error {
					calls.Add(1)
					b.broker.Client(name).Kill()
					return nil
				}))
			if i == 0 {
				b.send(command("r", first, `{}`))
			}
			passes(journal.Lease + time.Second)
			if i < limit {
				b.none("r")
			}
			w.term()
		}
		if n := calls.Load(); n != limit {
			t.Errorf("the handler was called %d times, want %d", n, limit)
		}
		if f := b.failed("r", first); f.Code != participant.CodeCrash || f.Retryable || !f.Unknown || !strings.Contains(f.Message, "3 times") {
			t.Errorf("the outcome says %+v, want crash, for good, unknown what was done", f)
		}
		b.drained()
	})
}
