package jetstream

import (
	"cmp"
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

const (
	// pullHeartbeat is how often the broker gives a sign of life to a worker that
	// waits. Missing two makes it ask again.
	pullHeartbeat = 2 * time.Second
	// maxLimit bounds Queue.Limit.
	maxLimit = MaxAckPending
)

// Consume joins a queue. Its durable consumer is created if it is missing, which
// takes permission only then.
//
// A worker asks the broker for as many messages as it has free places, never
// more: a message that waited behind others in the worker's memory would lose
// its lease there, and would be counted as delivered without having been tried.
func (j *Journal) Consume(ctx context.Context, queue journal.Queue) (journal.Work, error) {
	queue.Limit = cmp.Or(queue.Limit, journal.DefaultLimit)
	if queue.Limit < 0 || queue.Limit > maxLimit {
		return nil, fmt.Errorf("consume: Limit is %d, want 1 to %d", queue.Limit, maxLimit)
	}
	if queue.Service != "" && !events.ValidName(queue.Service) {
		return nil, fmt.Errorf("consume: service name %q is not 1 to %d letters, digits, - and _", queue.Service, events.MaxToken)
	}
	w := &work{
		j:     j,
		queue: queue,
		slots: make(chan struct{}, queue.Limit),
		ready: make(chan *delivery, queue.Limit),
		done:  make(chan struct{}),
	}
	for range queue.Limit {
		w.slots <- struct{}{}
	}
	if err := j.patiently(ctx, "consume", w.bind); err != nil {
		return nil, err
	}
	ctx, cancel := j.join(ctx)
	w.cancel = cancel
	j.busy.Go(func() {
		defer cancel()
		w.end(w.pump(ctx))
	})
	return w, nil
}

// work pulls messages for a worker.
type work struct {
	j        *Journal
	queue    journal.Queue
	stream   string
	consumer string
	lease    time.Duration // of the consumer, which may be another's

	slots  chan struct{} // one token for each free place
	ready  chan *delivery
	cancel context.CancelFunc
	once   sync.Once
	err    error // why done is closed
	done   chan struct{}
}

// bind finds the durable consumer of the queue, or creates it.
func (w *work) bind(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	stream, cfg := queueOf(w.queue, w.j.opts.Lease)
	c, err := w.j.js.Consumer(ctx, stream, cfg.Durable)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		cfg.Metadata = w.j.opts.stamp(cfg.Metadata)
		c, err = w.j.js.CreateConsumer(ctx, stream, cfg)
	}
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return ErrNoJournal
	case err != nil:
		return fmt.Errorf("bind consumer %s of %s: %w", cfg.Durable, stream, err)
	}
	w.stream, w.consumer, w.lease = stream, cfg.Durable, c.CachedInfo().Config.AckWait
	return nil
}

func (w *work) Next(ctx context.Context) (journal.Delivery, error) {
	for {
		select {
		case <-w.done:
			return nil, w.err
		default:
		}
		select {
		case d := <-w.ready:
			if d.held() {
				return d, nil
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-w.done:
			return nil, w.err
		}
	}
}

// Close gives what was not yet taken back at once, to be delivered elsewhere.
func (w *work) Close() { w.end(journal.ErrClosed) }

func (w *work) end(err error) {
	w.once.Do(func() {
		w.err = w.j.reason(err)
		close(w.done)
		w.cancel()
	})
	for {
		select {
		case d := <-w.ready:
			_ = d.Nak(0) // if it does not arrive the lease runs out
		default:
			return
		}
	}
}

// pump fills free places until ctx is done or the connection is closed.
func (w *work) pump(ctx context.Context) error {
	for pause := (backoff{}); ; {
		came, err := w.pull(ctx)
		switch {
		case ctx.Err() != nil:
			return journal.ErrClosed
		case w.j.nc.IsClosed():
			return fmt.Errorf("%w: %w", journal.ErrClosed, nats.ErrConnectionClosed)
		case came:
			pause = backoff{}
		}
		if err == nil {
			continue // the connection broke
		}
		w.j.opts.Log.Debug("pull is tried again", "queue", w.consumer, "error", err)
		_ = pause.sleep(ctx) // the end of ctx is found at the top
		if gone(err) {
			if err := w.bind(ctx); err != nil && ctx.Err() == nil {
				w.j.opts.Log.Warn("queue is out of reach", "queue", w.consumer, "error", err)
			}
		}
	}
}

// gone says that the consumer may have been deleted behind our back.
func gone(err error) bool {
	return errors.Is(err, errEnded) || errors.Is(err, jetstream.ErrNoHeartbeat)
}

// pull asks for messages, again and again, until ctx is done, the connection breaks
// (then its error is nil) or the broker does not answer as it should. It says
// whether any came.
//
// The client library's Fetch would take a message that says "Status" in its header,
// and has no data, for a word of the broker, see reader.
func (w *work) pull(ctx context.Context) (came bool, err error) {
	session, cancel, err := w.j.link.within(ctx)
	if err != nil {
		return false, err
	}
	defer cancel()
	p := &pull{work: w, arrived: make(chan *nats.Msg, w.queue.Limit+wordsRoom)}
	p.inbox, err = w.j.nc.ChanSubscribe(w.j.nc.NewInbox(), p.arrived)
	if err != nil {
		return false, err
	}
	err = p.run(session)
	p.part()
	return p.came, err
}

// errEnded says that the broker ended a request before its time.
var errEnded = errors.New("the request for messages was ended")

// wordsRoom is room for the words of the broker beside the messages of requests.
const wordsRoom = 64

// deliver puts a message where Next finds it. There is room: there are no more
// deliveries than places.
func (w *work) deliver(m *nats.Msg) {
	d, err := newDelivery(w, m)
	if err != nil {
		w.j.opts.Log.Error("message without metadata is left alone", "subject", m.Subject, "error", err)
		w.slots <- struct{}{}
		return
	}
	w.ready <- d
}
