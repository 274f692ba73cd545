package engine_test

import (
	"context"
	"testing"
	"time"

	"segue/journal/memory"
	"segue/saga/engine"
)

// A feed ends with the context it was opened in, and whoever reads it must know
// of it by then: else the engine takes an orderly stop for a closed journal.
func TestStopIsNoError(t *testing.T) {
	onStage(t, memory.Config{}, func(s *stage) {
		e, err := engine.New(engine.Config{Journal: s.broker.Client("a"), Data: s.data, Log: quiet, ID: "a"})
		if err != nil {
			s.t.Fatal(err)
		}
		ctx := &slowly{Context: s.ctx, done: make(chan struct{})}
		ended := make(chan error, 1)
		s.all.Go(func() { ended <- e.Run(ctx) })
		passes(time.Second)
		ctx.cancel()
		if err := <-ended; err != nil {
			s.t.Errorf("an engine that was stopped returned: %v", err)
		}
	})
}

// slowly is a context that tells the contexts made of it one after the other, as
// any does, but with a second between.
type slowly struct {
	context.Context
	done     chan struct{}
	children []func()
}

func (c *slowly) Done() <-chan struct{} { return c.done }

func (c *slowly) Err() error {
	select {
	case <-c.done:
		return context.Canceled
	default:
		return nil
	}
}

// AfterFunc is how package context learns of the end of a context of another kind.
func (c *slowly) AfterFunc(tell func()) (stop func() bool) {
	c.children = append(c.children, tell)
	return func() bool { return false }
}

func (c *slowly) cancel() {
	close(c.done)
	for _, tell := range c.children {
		tell()
		time.Sleep(time.Second)
	}
}
