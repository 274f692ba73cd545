package participant_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"segue/events"
	"segue/journal"
	"segue/journal/memory"
	"segue/participant"
)

// notes is what happens, in order.
type notes struct {
	mu   sync.Mutex
	list []string
}

func (n *notes) add(what string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.list = append(n.list, what)
}

// notedAck is a delivery that notes its ack, which may fail.
type notedAck struct {
	journal.Delivery
	notes *notes
	err   error
}

func (n notedAck) Ack() error {
	n.notes.add("ack")
	return n.Delivery.Ack()
}

func (n notedAck) DoubleAck(ctx context.Context) error {
	n.notes.add("ack")
	if n.err != nil {
		return n.err
	}
	return n.Delivery.DoubleAck(ctx)
}

// notedAppend is a journal that notes each append.
type notedAppend struct {
	journal.Journal
	notes *notes
}

func (n notedAppend) Append(ctx context.Context, messages ...events.Message) error {
	n.notes.add("outcome")
	return n.Journal.Append(ctx, messages...)
}

// A failure that says that nothing was done is stored when no other worker can be
// handed the command any more; if that is not sure, it does not say so. All other
// outcomes are stored before the command leaves its queue.
func TestPromise(t *testing.T) {
	for name, test := range map[string]struct {
		err     error // of the handler
		ack     error
		order   []string
		unknown bool
	}{
		"done":            {nil, nil, []string{"outcome", "ack"}, false},
		"failed":          {errors.New("busy"), nil, []string{"ack", "outcome"}, false},
		"failed for good": {participant.Permanent("no", errors.New("no")), nil, []string{"ack", "outcome"}, false},
		"unknown":         {&participant.Error{Err: errors.New("cut off"), Unknown: true}, nil, []string{"outcome", "ack"}, true},
		"ack not sure":    {errors.New("busy"), memory.ErrTimeout, []string{"ack", "outcome", "ack"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, memory.Config{}, func(b *bench) {
				var seen notes
				b.run("w", func(c *participant.Config) {
					c.Journal = wrapped{notedAppend{c.Journal, &seen}, func(d journal.Delivery) journal.Delivery {
						return notedAck{d, &seen, test.ack}
					}}
				}, doing(func(context.Context, participant.Command[in]) error { return test.err }))
				b.send(command("r", first, `{}`))
				passes(time.Second)
				if !slices.Equal(seen.list, test.order) {
					t.Errorf("order %v, want %v", seen.list, test.order)
				}
				if test.err == nil {
					return
				}
				if f := b.failed("r", first); f.Unknown != test.unknown {
					t.Errorf("unknown %t, want %t", f.Unknown, test.unknown)
				}
			})
		})
	}
}
