//go:build unix

package fleet

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"

	"segue/events"
	"segue/journal"
)

// Source is that of the start events.
const Source = "/segue/faults"

// Task is a start event with what ought to become of its run.
type Task struct {
	ID     string // of the start event
	Source string // defaults to Source
	Saga   string
	Input  any
	// FailsAt is the step that fails, for good; empty: the run completes.
	FailsAt string
	// Cancel, if it is not zero, is the number of messages at which the run is
	// canceled. It may win all the same.
	Cancel int
	// Document is what the run is to save; nil if it is not to save anything.
	Document *Document
}

// Run is the id of the task's run.
func (t *Task) Run() string { return events.RunID(cmp.Or(t.Source, Source), t.ID) }

// Message is the task's start.
func (t *Task) Message() events.Message {
	return events.Encode(events.StartSubject(t.Saga).String(), events.Event{
		ID: t.ID, Source: cmp.Or(t.Source, Source), Type: events.TypeRunRequested, DataContentType: events.JSON, Data: events.MarshalData(t.Input),
	})
}

// Load is work for a fleet.
type Load struct {
	Tasks []*Task
	// Rate is how many starts are published a second; zero: as many as the broker acks.
	Rate float64
	// Stop, when it is closed, ends the load early. Optional.
	Stop <-chan struct{}
	// Seed decides which starts are published more than once.
	Seed uint64
}

// publishers is how many starts may wait for their ack at a time.
const publishers = 32

// Publish publishes all starts, each until it is acked, a fifth of them twice,
// and cancels those that are to be. It returns when the last is acked, with the
// number of tasks, from the first on, that were published.
func (l Load) Publish(ctx context.Context, c *Client, w *Watch) (published int, err error) {
	group, ctx := errgroup.WithContext(ctx)
	var cancels errgroup.Group
	group.SetLimit(publishers)
	random := rand.New(rand.NewPCG(l.Seed, 3))
	begin := time.Now()
	for i, t := range l.Tasks {
		if l.Rate > 0 {
			wait(ctx, l.Stop, time.Until(begin.Add(time.Duration(float64(i)/l.Rate*float64(time.Second)))))
		}
		if l.stopped() || ctx.Err() != nil {
			break
		}
		published++
		if t.Cancel > 0 && w != nil {
			cancels.Go(func() error { return c.cancel(ctx, w, t) })
		}
		times := 1
		if random.IntN(5) == 0 {
			times = 2
		}
		group.Go(func() error {
			for range times {
				if err := c.Publish(ctx, t.Message()); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err = cancels.Wait()
	if failed := group.Wait(); failed != nil {
		err = failed
	}
	return published, err
}

func (l Load) stopped() bool {
	select {
	case <-l.Stop:
		return true
	default:
		return false
	}
}

// cancel sends the signal when the run has come as far as its task says.
func (c *Client) cancel(ctx context.Context, w *Watch, t *Task) error {
	if err := Await(ctx, w.Reached(t.Run(), t.Cancel)); err != nil {
		return fmt.Errorf("cancel: %w", err)
	}
	subject := events.RunSubject(events.KindSignal, t.Run(), journal.DefaultPartitions)
	subject.Signal = events.SignalCancel
	return c.Publish(ctx, events.Encode(subject.String(), events.Event{
		ID: t.ID + "-cancel", Source: Source, Type: events.TypeCancel, DataContentType: events.JSON, Data: []byte(`{"note":"faults"}`),
	}))
}

func wait(ctx context.Context, stop <-chan struct{}, d time.Duration) {
	if d <= 0 {
		return
	}
	select {
	case <-ctx.Done():
	case <-stop:
	case <-time.After(d):
	}
}
