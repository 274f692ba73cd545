//go:build unix

package fleet

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"segue/events"
	"segue/journal"
)

// heartbeat is how often the broker gives a sign of life to a watch.
const heartbeat = time.Second

// Watch reads the journal as it grows, through whatever befalls the broker.
type Watch struct {
	c *Client

	mu       sync.Mutex
	stored   time.Time            // of the last message read
	last     uint64               // sequence of the last message read
	messages map[string]int       // by run
	ended    map[string]time.Time // by run
	commands map[string]int       // by service
	timedOut map[string]bool      // runs in which an attempt timed out
	running  int
	most     int                                    // that ran at a time
	latest   map[int]map[events.Kind]journal.Record // by partition
	hear     func(journal.Record, events.Subject)
}

// Watch starts a watch that ends with ctx. Hear, if it is not nil, is called
// with each message, in order; it must not wait.
func (c *Client) Watch(ctx context.Context, hear func(journal.Record, events.Subject)) *Watch {
	w := &Watch{c: c, messages: make(map[string]int), ended: make(map[string]time.Time), timedOut: make(map[string]bool), commands: make(map[string]int), latest: make(map[int]map[events.Kind]journal.Record), hear: hear}
	go func() {
		for ctx.Err() == nil {
			_ = w.read(ctx) // the broker went away: again, behind what has been read
			select {
			case <-ctx.Done():
			case <-time.After(poll):
			}
		}
	}()
	return w
}

func (w *Watch) read(ctx context.Context) error {
	attempt, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	consumer, err := w.c.JS.OrderedConsumer(attempt, "SAGA_RUNS", jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: w.Sequence() + 1,
	})
	if err != nil {
		return err
	}
	messages, err := consumer.Messages(jetstream.PullHeartbeat(heartbeat))
	if err != nil {
		return err
	}
	defer messages.Stop()
	for ctx.Err() == nil {
		m, err := messages.Next(jetstream.NextMaxWait(3 * heartbeat)) // two missing ones are found in that time
		switch {
		case errors.Is(err, nats.ErrTimeout) && w.c.JS.Conn().IsConnected():
			continue // nothing new
		case err != nil:
			return err
		}
		r, err := record(m)
		if err != nil {
			return err
		}
		w.see(r)
	}
	return nil
}

func (w *Watch) see(r journal.Record) {
	s, err := events.ParseSubject(r.Subject)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil || r.Sequence <= w.last {
		return
	}
	w.last, w.stored = r.Sequence, r.Stored
	w.messages[s.Run]++
	if w.latest[s.Partition] == nil {
		w.latest[s.Partition] = make(map[events.Kind]journal.Record)
	}
	w.latest[s.Partition][s.Kind] = journal.Record{Sequence: r.Sequence, Stored: r.Stored}
	switch s.Kind {
	case events.KindCommand:
		w.commands[s.Service]++
	case events.KindOutcome:
		if e, err := r.Entry(); err == nil && (e.Event.Type == events.TypeStepTimedOut || e.Event.Type == events.TypeUndoTimedOut) {
			w.timedOut[s.Run] = true
		}
	case events.KindStarted:
		w.running++
		w.most = max(w.most, w.running)
	case events.KindEnded:
		w.running--
		w.ended[s.Run] = r.Stored
	}
	if w.hear != nil {
		w.hear(r, s)
	}
}

// Sequence is that of the last message read.
func (w *Watch) Sequence() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last
}

// Stored is when the last message was, by the broker's clock.
func (w *Watch) Stored() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stored
}

// Ended is how many runs have.
func (w *Watch) Ended() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.ended)
}

// MostRunning is how many runs went on at a time at most.
func (w *Watch) MostRunning() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.most
}

// Latest is when the last message of a kind was stored in a partition, by the
// broker's clock; zero if there was none.
func (w *Watch) Latest(partition int, kind events.Kind) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.latest[partition][kind].Stored
}

// Finished says whether so many runs have ended.
func (w *Watch) Finished(runs int) func() error {
	return func() error {
		if ended := w.Ended(); ended < runs {
			return fmt.Errorf("%d of %d runs have ended", ended, runs)
		}
		return nil
	}
}

// Reached says whether a run has so many messages, or has ended.
func (w *Watch) Reached(run string, messages int) func() error {
	return func() error {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.messages[run] < messages && w.ended[run].IsZero() {
			return fmt.Errorf("run %s has %d messages, %d are waited for", run, w.messages[run], messages)
		}
		return nil
	}
}

// LastEnd is when the last run ended, by the broker's clock, but for those in
// which an attempt timed out.
func (w *Watch) LastEnd() (last time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for run, at := range w.ended {
		if !w.timedOut[run] && at.After(last) {
			last = at
		}
	}
	return last
}

// TimedOut says whether an attempt of a task's run timed out.
func (w *Watch) TimedOut(t *Task) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.timedOut[t.Run()]
}

// Commands is how many commands for a service have been stored.
func (w *Watch) Commands(service string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.commands[service]
}

// Through is when the last of some tasks ended; zero if one has not.
func (w *Watch) Through(tasks []*Task) (last time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range tasks {
		at := w.ended[t.Run()]
		if at.IsZero() {
			return time.Time{}
		}
		if at.After(last) {
			last = at
		}
	}
	return last
}
