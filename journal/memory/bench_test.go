package memory_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"segue/events"
	"segue/journal"
	"segue/journal/memory"
)

// TestSimulatedRunsPerSecond takes runs of ten messages through a journal in
// virtual time: four commands are leased and answered, two feeds follow. The
// simulator is to make a thousand sagas a second of which this is the journal's
// part; the figure is logged.
func TestSimulatedRunsPerSecond(t *testing.T) {
	const runs, steps = 500, 4
	began := time.Now()
	synctest.Test(t, func(t *testing.T) {
		j := open(t, memory.Config{Latency: 5 * time.Millisecond})
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() { answer(ctx, t, j.Client("worker")) })
		}
		for i := range 2 {
			feed, err := j.Client(fmt.Sprintf("follower%d", i)).Follow(ctx, events.AllRuns, 0)
			if err != nil {
				t.Fatal(err)
			}
			all.Go(func() {
				for n := 0; n < runs*(2+2*steps)+1; n++ { // and the mark
					if _, err := feed.Next(ctx); err != nil {
						t.Errorf("after %d records: %v", n, err)
						return
					}
				}
			})
		}
		for i := range runs {
			s := events.RunSubject(events.KindStarted, fmt.Sprintf("r%d", i), journal.DefaultPartitions)
			messages := []events.Message{named(s, "engine"), named(s.With(events.KindEnded), "engine")}
			for n := range steps {
				c := s.With(events.KindCommand)
				c.Service, c.Step, c.Attempt = "svc", fmt.Sprintf("s%d", n), events.Attempt{N: 1}
				messages = append(messages, named(c, "engine"))
			}
			if err := j.Append(ctx, messages...); err != nil {
				t.Fatal(err)
			}
		}
		wait(time.Minute)
		cancel()
		all.Wait()
	})
	t.Logf("%.0f runs a second", runs/time.Since(began).Seconds())
}

// answer works on commands until the context ends.
func answer(ctx context.Context, t *testing.T, c *memory.Client) {
	work, err := c.Consume(ctx, journal.Commands("svc", 0))
	if err != nil {
		t.Errorf("consume: %v", err)
		return
	}
	for {
		d, err := work.Next(ctx)
		if err != nil {
			return
		}
		s, err := events.ParseSubject(d.Message().Subject)
		if err != nil {
			t.Errorf("parse: %v", err)
			return
		}
		if err := c.Append(ctx, named(s.With(events.KindOutcome), "svc")); err != nil {
			t.Errorf("append: %v", err)
		}
		if err := d.DoubleAck(ctx); err != nil {
			t.Errorf("ack: %v", err)
		}
	}
}

// BenchmarkAppend is one message from Append to its answer, without latency.
func BenchmarkAppend(b *testing.B) {
	j := memory.New(memory.Config{})
	defer j.Close()
	for i := 0; b.Loop(); i++ {
		s := events.RunSubject(events.KindStarted, fmt.Sprintf("r%d", i), journal.DefaultPartitions)
		if err := j.Append(b.Context(), named(s, "bench")); err != nil {
			b.Fatal(err)
		}
	}
}
