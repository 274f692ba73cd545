package participant_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"segue/events"
	"segue/journal"
	"segue/journal/memory"
	"segue/participant"
)

// loads is a journal that counts what is loaded, and may fail at it.
type loads struct {
	journal.Journal
	count *atomic.Int32
	err   error
}

func (l loads) Load(ctx context.Context, filter string) ([]journal.Record, error) {
	l.count.Add(1)
	if l.err != nil {
		return nil, l.err
	}
	return l.Journal.Load(ctx, filter)
}

// A broker that was killed forgets that commands were acked. Their handlers must
// not be called again, whatever the outcome was.
func TestForgottenAck(t *testing.T) {
	for name, test := range map[string]struct {
		err   error // of the handler
		look  error // of looking for the outcome
		calls int32
	}{
		"done":              {nil, nil, 1},
		"failed":            {errors.New("busy"), nil, 1},
		"unknown":           {&participant.Error{Err: errors.New("cut off"), Unknown: true}, nil, 1},
		"cannot be told by": {nil, memory.ErrTimeout, 2},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, memory.Config{Faults: memory.Faults{Forgotten: 1}}, func(b *bench) {
				var calls, looks atomic.Int32
				b.run("w", func(c *participant.Config) { c.Journal = loads{c.Journal, &looks, test.look} },
					doing(func(context.Context, participant.Command[in]) error {
						calls.Add(1)
						return test.err
					}))
				passes(time.Second)
				b.send(command("r", first, `{}`))
				passes(2 * time.Second)
				before := b.outcome("r", first)
				if calls.Load() != 1 || looks.Load() != 0 {
					t.Fatalf("a new command: %d calls of the handler and %d looks for its outcome, want 1 and 0", calls.Load(), looks.Load())
				}
				b.broker.Crash(time.Second)
				passes(time.Minute)
				if calls.Load() != test.calls || looks.Load() != 1 {
					t.Errorf("%d calls of the handler and %d looks for the outcome, want %d and 1", calls.Load(), looks.Load(), test.calls)
				}
				if after := b.outcome("r", first); after.ID != before.ID {
					t.Errorf("the outcome became %+v", after)
				}
				b.drained()
			})
		})
	}
}

// A command that waited in its queue is looked after and handled.
func TestOldCommand(t *testing.T) {
	onBench(t, memory.Config{}, func(b *bench) {
		b.send(command("r", first, `{}`))
		passes(time.Minute)
		var looks atomic.Int32
		b.run("w", func(c *participant.Config) { c.Journal = loads{c.Journal, &looks, nil} },
			doing(func(context.Context, participant.Command[in]) error { return nil }))
		passes(time.Second)
		if e := b.outcome("r", first); e.Type != events.TypeStepCompleted || looks.Load() != 1 {
			t.Errorf("outcome %s after %d looks, want %s after 1", e.Type, looks.Load(), events.TypeStepCompleted)
		}
		b.drained()
	})
}

// slowAppend is a journal that stores nothing until an instant.
type slowAppend struct {
	journal.Journal
	until time.Time
}

func (s slowAppend) Append(ctx context.Context, messages ...events.Message) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Until(s.until)):
		return s.Journal.Append(ctx, messages...)
	}
}

// A failure that could not be stored soon after its ack promises nothing: the
// broker may have forgotten the ack, and another worker may have the command.
func TestPromiseDoesNotLast(t *testing.T) {
	for away, unknown := range map[time.Duration]bool{0: false, 500 * time.Millisecond: false, 3 * time.Second: true, 20 * time.Second: true} {
		t.Run(away.String(), func(t *testing.T) {
			onBench(t, memory.Config{}, func(b *bench) {
				b.run("w", func(c *participant.Config) {
					c.Journal = slowAppend{c.Journal, time.Now().Add(time.Second + away)}
				}, doing(func(context.Context, participant.Command[in]) error { return errors.New("busy") }))
				passes(time.Second)
				b.send(command("r", first, `{}`))
				passes(time.Minute)
				if f := b.failed("r", first); f.Unknown != unknown {
					t.Errorf("unknown %t, want %t", f.Unknown, unknown)
				}
				b.drained()
			})
		})
	}
}
