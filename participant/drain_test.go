package participant_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"segue/events"
	"segue/journal/memory"
	"segue/participant"
)

// A drain lets running handlers end, takes nothing new and returns nil.
func TestDrain(t *testing.T) {
	onBench(t, memory.Config{}, func(b *bench) {
		var calls atomic.Int32
		slow := doing(func(ctx context.Context, _ participant.Command[in]) error {
			calls.Add(1)
			return wait(ctx, 15*time.Second)
		})
		w := b.run("w1", func(c *participant.Config) { c.Concurrency = 4 }, slow)
		for i := range 3 {
			b.send(command(fmt.Sprint(i), first, `{}`))
		}
		passes(5 * time.Second)
		w.term()
		b.send(command("late", first, `{}`))
		passes(5 * time.Second)
		select {
		case err := <-w.ended:
			t.Fatalf("Run returned %v while handlers run", err)
		default:
		}
		passes(5*time.Second + 100*time.Millisecond)
		if err := <-w.ended; err != nil {
			t.Errorf("Run returned %v after a drain", err)
		}
		for i := range 3 {
			if e := b.outcome(fmt.Sprint(i), first); e.Type != events.TypeStepCompleted {
				t.Errorf("run %d came to %s", i, e.Type)
			}
		}
		if n := calls.Load(); n != 3 {
			t.Errorf("%d commands were taken, want those that came before the drain: 3", n)
		}
		b.none("late")
		b.run("w2", nil, slow)
		passes(16 * time.Second) // it was never leased, so nothing has to run out
		if e := b.outcome("late", first); e.Type != events.TypeStepCompleted {
			t.Errorf("the late command came to %s", e.Type)
		}
	})
}

// Handlers that a drain does not wait for are told so, and their commands go to
// others at once; what they did is not told by them.
func TestDrainIsOver(t *testing.T) {
	onBench(t, memory.Config{}, func(b *bench) {
		var cause error
		w := b.run("w1", func(c *participant.Config) { c.Drain = 3 * time.Second }, doing(func(ctx context.Context, _ participant.Command[in]) error {
			<-ctx.Done()
			cause = context.Cause(ctx)
			return ctx.Err()
		}))
		b.send(command("r", first, `{}`))
		passes(time.Second)
		w.term()
		began := time.Now()
		if err := <-w.ended; err != nil || time.Since(began).Round(time.Second) != 3*time.Second {
			t.Errorf("Run returned %v after %v, want nil after the drain of 3s", err, time.Since(began))
		}
		synctest.Wait()
		if cause == nil || cause.Error() != "service is stopping" {
			t.Errorf("the handler was told %v", cause)
		}
		b.none("r")
		if n := w.sum(t, "segue_commands_returned_total"); n != 1 {
			t.Errorf("%v commands are counted as returned, want 1", n)
		}
		b.run("w2", nil, doing(func(context.Context, participant.Command[in]) error { return nil }))
		passes(3 * time.Second) // not a lease
		if e := b.outcome("r", first); e.Type != events.TypeStepCompleted {
			t.Errorf("the outcome is %s", e.Type)
		}
	})
}

// A result that comes when the drain is over is still published.
func TestResultAfterDrain(t *testing.T) {
	onBench(t, memory.Config{}, func(b *bench) {
		w := b.run("w1", func(c *participant.Config) { c.Drain = 3 * time.Second }, doing(func(ctx context.Context, _ participant.Command[in]) error {
			<-ctx.Done()
			time.Sleep(time.Second)
			return nil
		}))
		b.send(command("r", first, `{}`))
		passes(time.Second)
		w.term()
		if err := <-w.ended; err != nil {
			t.Errorf("Run returned %v", err)
		}
		if e := b.outcome("r", first); e.Type != events.TypeStepCompleted {
			t.Errorf("the outcome is %s", e.Type)
		}
	})
}
