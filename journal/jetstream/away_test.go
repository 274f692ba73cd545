package jetstream_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"segue/broker"
	"segue/document"
	"segue/document/objectstore"
	"segue/events"
	"segue/journal"
	"segue/journal/jetstream"
)

// TestBrokerAway asks for everything that a program asks for while it starts,
// each while the broker is away. All of it must wait until the broker is back.
func TestBrokerAway(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(context.Context, *jetstream.Journal, *nats.Conn) error{
		"open": func(ctx context.Context, _ *jetstream.Journal, nc *nats.Conn) error {
			j, err := jetstream.Open(ctx, nc, jetstream.Options{Services: []string{"svc"}})
			if err == nil {
				j.Close()
			}
			return err
		},
		"bind": func(ctx context.Context, _ *jetstream.Journal, nc *nats.Conn) error {
			j, err := jetstream.Bind(ctx, nc, jetstream.Options{})
			if err == nil {
				j.Close()
			}
			return err
		},
		"info": func(ctx context.Context, j *jetstream.Journal, _ *nats.Conn) error {
			_, err := j.Info(ctx)
			return err
		},
		"load": func(ctx context.Context, j *jetstream.Journal, _ *nats.Conn) error {
			_, err := j.Load(ctx, events.RunFilter("a"))
			return err
		},
		"load one": func(ctx context.Context, j *jetstream.Journal, _ *nats.Conn) error {
			_, err := j.Load(ctx, "saga.run.00.a.started")
			return err
		},
		"load all": func(ctx context.Context, j *jetstream.Journal, _ *nats.Conn) error {
			_, err := j.Load(ctx, events.AllRuns)
			return err
		},
		"purge": func(ctx context.Context, j *jetstream.Journal, _ *nats.Conn) error { return j.Purge(ctx, "a") },
		"follow": func(ctx context.Context, j *jetstream.Journal, _ *nats.Conn) error {
			feed, err := j.Follow(ctx, events.AllRuns, 0)
			if err == nil {
				feed.Close()
			}
			return err
		},
		"consume": func(ctx context.Context, j *jetstream.Journal, _ *nats.Conn) error {
			work, err := j.Consume(ctx, journal.Commands("svc", 1))
			if err == nil {
				work.Close()
			}
			return err
		},
		"members": func(ctx context.Context, j *jetstream.Journal, _ *nats.Conn) error {
			ctx, leave := context.WithCancel(ctx)
			defer leave()
			_, err := j.Members(ctx, "a", nil)
			return err
		},
		"documents": func(ctx context.Context, _ *jetstream.Journal, nc *nats.Conn) error {
			_, err := objectstore.Open(ctx, nc, document.DataBucket)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, broker.Config{})
			j, nc := r.open(t, jetstream.Options{Log: testLog(t)})
			r.stop()
			done := make(chan error, 1)
			go func() { done <- do(t.Context(), j, nc) }()
			select {
			case err := <-done:
				t.Fatalf("without a broker: %v", err)
			case <-time.After(200 * time.Millisecond): // it is waiting, or has not begun: both are tries of what follows
			}
			r.start(t)
			select {
			case err := <-done:
				if err != nil {
					t.Errorf("when the broker was back: %v", err)
				}
			case <-within(t, time.Minute).Done():
				t.Error("it still waits a minute after the broker was back")
			}
		})
	}
}

// TestBrokerStaysAway: what waits for the broker ends with its context.
func TestBrokerStaysAway(t *testing.T) {
	t.Parallel()
	r := newRig(t, broker.Config{})
	j, nc := r.open(t, jetstream.Options{})
	r.stop()
	for name, do := range map[string]func(context.Context) error{
		"bind": func(ctx context.Context) error {
			_, err := jetstream.Bind(ctx, nc, jetstream.Options{Wait: time.Minute})
			return err
		},
		"info": func(ctx context.Context) error { _, err := j.Info(ctx); return err },
		"load": func(ctx context.Context) error { _, err := j.Load(ctx, events.AllRuns); return err },
		"documents": func(ctx context.Context) error {
			_, err := objectstore.Open(ctx, nc, document.DataBucket)
			return err
		},
	} {
		begin := time.Now()
		if err := do(within(t, 300*time.Millisecond)); err == nil {
			t.Errorf("%s without a broker: no error", name)
		}
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("%s: it took %v to end with its context", name, took)
		}
	}
}
