package jetstream_test

import (
	"testing"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"segue/broker"
	"segue/events"
	"segue/journal/jetstream"
)

// TestFollowRejected: rejected starts are followed as runs are.
func TestFollowRejected(t *testing.T) {
	t.Parallel()
	j, _ := newRig(t, broker.Config{}).open(t, jetstream.Options{})
	m := events.Message{Subject: "saga.rejected.ingest.x", Data: []byte("why")}
	if err := j.Append(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if got := load(t, j, events.AllRejected); len(got) != 1 || string(got[0].Data) != "why" {
		t.Errorf("the rejected starts are %v", got)
	}
}

// TestPurgeDuringReplay purges the last messages of a replay while they are
// awaited. The mark must come all the same, and nothing after it twice.
func TestPurgeDuringReplay(t *testing.T) {
	t.Parallel()
	const stored = 3000 // more than a feed reads ahead and buffers
	j, nc := newRig(t, broker.Config{}).open(t, jetstream.Options{})
	js, err := natsjs.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Append(t.Context(), manyCommands(stored)...); err != nil {
		t.Fatal(err)
	}
	feed, err := j.Follow(t.Context(), events.AllRuns, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer feed.Close()
	if _, err := feed.Next(within(t, time.Minute)); err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), jetstream.RunsStream)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	count, last := 1, uint64(0)
	for {
		rec, err := feed.Next(within(t, time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		if rec.Live {
			break
		}
		if count++; rec.Sequence <= last {
			t.Fatalf("sequence %d came after %d", rec.Sequence, last)
		}
		last = rec.Sequence
	}
	if count >= stored {
		t.Errorf("all %d messages came: nothing was purged in time, the test shows nothing", count)
	}
	if err := j.Append(t.Context(), command("after", 1)); err != nil {
		t.Fatal(err)
	}
	if rec, err := feed.Next(within(t, time.Minute)); err != nil || string(rec.Data) != "after" {
		t.Errorf("after the mark came %+v, %v", rec, err)
	}
}
