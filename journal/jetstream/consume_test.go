package jetstream_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"segue/broker"
	"segue/events"
	"segue/journal"
	"segue/journal/jetstream"
)

// TestCloseUnderWay: what is on its way to a worker when that is closed goes to another
// at once as well.
func TestCloseUnderWay(t *testing.T) {
	t.Parallel()
	const rounds, each = 60, 8
	r := newRig(t, broker.Config{})
	j, _ := r.open(t, jetstream.Options{Lease: 10 * time.Minute})
	for round := range rounds {
		worker, _ := r.open(t, jetstream.Options{Lease: 10 * time.Minute})
		work, err := worker.Consume(t.Context(), journal.Commands("svc", each))
		if err != nil {
			t.Fatal(err)
		}
		var batch []events.Message
		for n := range each {
			batch = append(batch, command(fmt.Sprint("run-", round), n+1))
		}
		stored := make(chan error, 1)
		go func() { stored <- j.Append(t.Context(), batch...) }()
		if round%2 == 0 {
			if _, err := work.Next(within(t, time.Minute)); err != nil {
				t.Fatal(err)
			}
		}
		work.Close()
		worker.Close()
		if err := <-stored; err != nil {
			t.Fatal(err)
		}
	}
	other, err := j.Consume(t.Context(), journal.Commands("svc", each))
	if err != nil {
		t.Fatal(err)
	}
	for range rounds*each - rounds/2 { // half of the workers took one
		d, err := other.Next(within(t, 20*time.Second))
		if err != nil {
			t.Fatalf("a command was lost on its way to a worker that was closed: %v", err)
		}
		if err := d.Ack(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWorkerHoldsNoMoreThanItsLimit looks at the broker's account: what a worker
// has been sent and has not settled, waiting or handled, is within its limit.
func TestWorkerHoldsNoMoreThanItsLimit(t *testing.T) {
	t.Parallel()
	const limit = 3
	r := newRig(t, broker.Config{})
	j, nc := r.open(t, jetstream.Options{Lease: time.Minute})
	js, err := natsjs.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Append(t.Context(), manyCommands(50)...); err != nil {
		t.Fatal(err)
	}
	work, err := j.Consume(t.Context(), journal.Commands("svc", limit))
	if err != nil {
		t.Fatal(err)
	}
	c, err := js.Consumer(t.Context(), jetstream.RunsStream, "svc")
	if err != nil {
		t.Fatal(err)
	}
	var held []journal.Delivery
	for i := range 20 {
		d, err := work.Next(within(t, time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		if held = append(held, d); len(held) == limit || i%2 == 0 {
			if err := held[0].DoubleAck(t.Context()); err != nil {
				t.Fatal(err)
			}
			held = held[1:]
		}
		info, err := c.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if info.NumAckPending > limit {
			t.Errorf("the worker has been sent %d messages, its limit is %d", info.NumAckPending, limit)
		}
	}
}

// TestCloseGivesBack: what a worker has been sent and not looked at goes to
// another at once, not when its lease ends.
func TestCloseGivesBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, broker.Config{})
	j, _ := r.open(t, jetstream.Options{Lease: 10 * time.Minute})
	if err := j.Append(t.Context(), manyCommands(8)...); err != nil {
		t.Fatal(err)
	}
	work, err := j.Consume(t.Context(), journal.Commands("svc", 8))
	if err != nil {
		t.Fatal(err)
	}
	first, err := work.Next(within(t, time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	work.Close()
	other, err := j.Consume(t.Context(), journal.Commands("svc", 8))
	if err != nil {
		t.Fatal(err)
	}
	for range 7 {
		d, err := other.Next(within(t, 20*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		if d.Message().Subject == first.Message().Subject {
			t.Error("the one that was taken came again")
		}
	}
	if err := first.DoubleAck(t.Context()); err != nil {
		t.Errorf("ack after close: %v", err)
	}
}

// TestConsumerDeleted: a consumer that an operator deletes is made again.
func TestConsumerDeleted(t *testing.T) {
	t.Parallel()
	r := newRig(t, broker.Config{})
	j, nc := r.open(t, jetstream.Options{Log: testLog(t)})
	js, err := natsjs.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	work, err := j.Consume(t.Context(), journal.Commands("svc", 2))
	if err != nil {
		t.Fatal(err)
	}
	defer work.Close()
	if err := js.DeleteConsumer(t.Context(), jetstream.RunsStream, "svc"); err != nil {
		t.Fatal(err)
	}
	if err := j.Append(t.Context(), command("a", 1)); err != nil {
		t.Fatal(err)
	}
	d, err := work.Next(within(t, 30*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.DoubleAck(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestExtendNeedsAnAnswer: a lease is not extended by a request that may never
// have arrived.
func TestExtendNeedsAnAnswer(t *testing.T) {
	t.Parallel()
	r := newRig(t, broker.Config{})
	j, _ := r.open(t, jetstream.Options{})
	if err := j.Append(t.Context(), command("a", 1)); err != nil {
		t.Fatal(err)
	}
	work, err := j.Consume(t.Context(), journal.Commands("svc", 1))
	if err != nil {
		t.Fatal(err)
	}
	defer work.Close()
	d, err := work.Next(within(t, time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	r.stop()
	for begin := time.Now(); ; {
		err := d.Extend()
		if errors.Is(err, journal.ErrLost) {
			break
		}
		if err == nil {
			t.Fatal("the lease was extended without a broker")
		}
		if time.Since(begin) > 2*testLease {
			t.Fatalf("the lease still stands after %v: %v", time.Since(begin), err)
		}
	}
	r.start(t)
	if again, err := work.Next(within(t, time.Minute)); err != nil || again.Count() < 2 {
		t.Errorf("it did not come again: %v", err)
	}
}

func TestBadQueues(t *testing.T) {
	t.Parallel()
	j, _ := newRig(t, broker.Config{}).open(t, jetstream.Options{})
	for _, q := range []journal.Queue{{Service: "a.b"}, {Service: "*"}, {Limit: -1}, {Limit: 1 << 20}} {
		if _, err := j.Consume(t.Context(), q); err == nil {
			t.Errorf("%+v: no error", q)
		}
	}
	for _, filter := range []string{"", ">", "saga.start.>", "elsewhere.>"} {
		if _, err := j.Follow(t.Context(), filter, 0); err == nil {
			t.Errorf("follow %q: no error", filter)
		}
	}
	if _, err := j.Members(t.Context(), "a b", nil); err == nil {
		t.Error("a member with a space: no error")
	}
}
