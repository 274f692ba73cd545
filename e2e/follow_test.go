//go:build unix

package e2e

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"segue/events"
)

// follower reads the journal as it grows, through whatever befalls the broker.
type follower struct {
	b *broker

	mu       sync.Mutex
	last     uint64            // sequence of the last message read
	messages map[string]int    // by run
	endings  map[string]string // type of the ended event, by run
	times    []time.Time       // of each end
}

// follow starts a follower; it stops when the test ends.
func (b *broker) follow() *follower {
	ctx, stop := context.WithCancel(context.Background())
	f := &follower{b: b, messages: make(map[string]int), endings: make(map[string]string)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			_ = f.read(ctx) // the broker was killed: again, behind what has been read
			time.Sleep(poll)
		}
	}()
	b.t.Cleanup(func() { stop(); <-done })
	return f
}

func (f *follower) read(ctx context.Context) error {
	attempt, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	consumer, err := f.b.js.OrderedConsumer(attempt, "SAGA_RUNS", jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: f.sequence() + 1,
	})
	if err != nil {
		return err
	}
	messages, err := consumer.Messages()
	if err != nil {
		return err
	}
	defer messages.Stop()
	for ctx.Err() == nil {
		m, err := messages.Next(jetstream.NextMaxWait(time.Second))
		switch {
		case errors.Is(err, nats.ErrTimeout) && f.b.js.Conn().IsConnected():
			continue // nothing new
		case err != nil:
			return err
		}
		if err := f.see(m); err != nil {
			return err
		}
	}
	return nil
}

func (f *follower) see(m jetstream.Msg) error {
	meta, err := m.Metadata()
	if err != nil {
		return err
	}
	subject, err := events.ParseSubject(m.Subject())
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if meta.Sequence.Stream <= f.last {
		return nil
	}
	f.last = meta.Sequence.Stream
	f.messages[subject.Run]++
	if subject.Kind == events.KindEnded {
		f.times = append(f.times, meta.Timestamp)
		f.endings[subject.Run] = m.Headers().Get("ce-type")
	}
	return nil
}

func (f *follower) sequence() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last
}

// reached says whether the journal has come to a sequence.
func (f *follower) reached(sequence uint64) func() error {
	return func() error {
		if last := f.sequence(); last < sequence {
			return fmt.Errorf("the journal is at %d, %d is waited for", last, sequence)
		}
		return nil
	}
}

// ended says whether so many runs have.
func (f *follower) ended(runs int) func() error {
	return func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		if len(f.endings) < runs {
			return fmt.Errorf("%d of %d runs have ended", len(f.endings), runs)
		}
		return nil
	}
}

// has says whether a run has so many messages, or has ended.
func (f *follower) has(run string, messages int) func() error {
	return func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.messages[run] < messages && f.endings[run] == "" {
			return fmt.Errorf("run %s has %d messages, %d are waited for", run, f.messages[run], messages)
		}
		return nil
	}
}
