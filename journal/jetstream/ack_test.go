package jetstream_test

import (
	"context"
	"testing"
	"time"

	"segue/broker"
	"segue/journal"
	"segue/journal/jetstream"
)

// TestAckNeedsAnAnswer: an ack that may never have arrived is an error: the
// message may come again.
func TestAckNeedsAnAnswer(t *testing.T) {
	t.Parallel()
	r := newRig(t, broker.Config{})
	j, _ := r.open(t, jetstream.Options{Lease: time.Minute})
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
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := d.DoubleAck(ctx); err == nil {
		t.Error("a command was acked without a broker")
	}
	r.start(t)
	if err := d.DoubleAck(within(t, time.Minute)); err != nil {
		t.Errorf("with a broker: %v", err)
	}
}
