package memory

import (
	"context"
	"fmt"
	"slices"
	"time"

	"segue/events"
	"segue/journal"
)

// worker is a member of a queue.
type worker struct {
	client *Client
	queue  *queue
	id     uint64
	limit  int

	// Guarded by the journal's mutex.
	leased  int         // messages leased to it
	waiting int         // calls of Next that wait
	coming  int         // messages leased to it that have not arrived
	inbox   []*delivery // arrived and not yet taken; at most limit
	closed  bool

	ready  chan struct{} // of size 1: there may be something in the inbox
	done   chan struct{}
	forget func() bool // forgets the context
}

// Consume implements [journal.Journal].
func (c *Client) Consume(ctx context.Context, queue journal.Queue) (journal.Work, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("consume %q: %w", queue.Service, err)
	}
	c.j.mu.Lock()
	defer c.j.mu.Unlock()
	if c.dead {
		return nil, errClosed("consume " + queue.Service)
	}
	w := &worker{
		client: c, queue: c.j.queue(queue.Service), limit: queue.Limit,
		ready: make(chan struct{}, 1), done: make(chan struct{}),
	}
	if w.limit <= 0 {
		w.limit = journal.DefaultLimit
	}
	c.joined[queue.Service]++
	w.id = mix(c.id ^ w.queue.id ^ uint64(c.joined[queue.Service]))
	w.forget = context.AfterFunc(ctx, w.Close)
	c.workers[w] = struct{}{}
	w.queue.workers = append(w.queue.workers, w)
	return w, nil
}

// wants says whether the worker may be given a message.
func (w *worker) wants() bool {
	return w.leased < w.limit && w.waiting > len(w.inbox)+w.coming
}

// receive takes a delivery in from the network. One that meets a closed worker
// is lost, and its lease runs out.
func (w *worker) receive(d *delivery) {
	if w.closed {
		return
	}
	w.inbox = append(w.inbox, d)
	w.ring()
}

func (w *worker) ring() {
	select {
	case w.ready <- struct{}{}:
	default: // someone has been told and has not looked yet
	}
}

// Next implements [journal.Work].
func (w *worker) Next(ctx context.Context) (journal.Delivery, error) {
	j := w.client.j
	j.mu.Lock()
	defer j.mu.Unlock()
	w.waiting++
	defer func() { w.waiting-- }()
	for {
		if w.closed {
			return nil, errClosed("wait for a delivery")
		}
		if len(w.inbox) > 0 {
			return w.take(), nil
		}
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("wait for a delivery: %w", err)
		}
		w.queue.matchSoon()
		j.mu.Unlock()
		select {
		case <-w.ready:
		case <-w.done:
		case <-ctx.Done():
		}
		j.mu.Lock()
	}
}

func (w *worker) take() *delivery {
	d := w.inbox[0]
	w.inbox = slices.Delete(w.inbox, 0, 1)
	if len(w.inbox) > 0 {
		w.ring()
	}
	return d
}

// Close implements [journal.Work].
func (w *worker) Close() {
	w.client.j.mu.Lock()
	defer w.client.j.mu.Unlock()
	if w.closed {
		return
	}
	for _, d := range w.inbox { // nobody has seen them
		if d.held() {
			w.queue.giveBack(d, 0)
		}
	}
	w.end()
}

// end closes the worker without a word to the broker.
func (w *worker) end() {
	if w.closed {
		return
	}
	w.closed = true
	w.inbox = nil
	w.forget()
	close(w.done)
	delete(w.client.workers, w)
	w.queue.workers = slices.DeleteFunc(w.queue.workers, func(other *worker) bool { return other == w })
}

// delivery is one lease of a message.
type delivery struct {
	queue   *queue
	item    *item
	worker  *worker
	count   int
	settled bool // by its owner, whether or not the broker knows yet
}

// held says whether the lease is still this delivery's.
func (d *delivery) held() bool { return d.item.holder == d }

// Message implements [journal.Delivery].
func (d *delivery) Message() events.Message { return clone(d.item.record.Message) }

// Stored implements [journal.Delivery].
func (d *delivery) Stored() time.Time { return d.item.record.stored }

// Count implements [journal.Delivery].
func (d *delivery) Count() int { return d.count }

// Ack implements [journal.Delivery].
func (d *delivery) Ack() error {
	if err := d.claim("ack "+d.item.record.Subject, true); err != nil {
		return err
	}
	d.send(func() { d.queue.remove(d) })
	return nil
}

// DoubleAck implements [journal.Delivery]. After [ErrTimeout], or the context's end,
// it may be called again.
func (d *delivery) DoubleAck(ctx context.Context) error {
	doing := "ack " + d.item.record.Subject
	if err := d.claim(doing, true); err != nil {
		return err
	}
	err := d.worker.client.ask(ctx, doing, d.item.record.Subject, d.id(), func() error {
		switch {
		case d.held():
			d.queue.remove(d)
		case d.item.gone != d: // else the answer to an earlier try was lost
			return journal.ErrLost
		}
		return nil
	})
	if err != nil {
		j := d.queue.j
		j.mu.Lock()
		d.settled = false
		j.mu.Unlock()
	}
	return err
}

// Nak implements [journal.Delivery].
func (d *delivery) Nak(delay time.Duration) error {
	doing := "nak " + d.item.record.Subject
	if err := d.claim(doing, true); err != nil {
		return err
	}
	d.send(func() { d.queue.giveBack(d, max(delay, 0)) })
	return nil
}

// Extend implements [journal.Delivery].
func (d *delivery) Extend() error {
	doing := "extend " + d.item.record.Subject
	if err := d.claim(doing, false); err != nil {
		return err
	}
	d.send(func() {
		j := d.queue.j
		j.cancel(d.item.expiry)
		d.item.expiry = j.afterUp(j.config.Lease, d.id(), func() { d.queue.expire(d) })
	})
	return nil
}

// claim checks that the delivery is not settled and not lost, and, to settle it,
// keeps others from doing so too.
func (d *delivery) claim(doing string, settle bool) error {
	d.queue.j.mu.Lock()
	defer d.queue.j.mu.Unlock()
	if d.worker.client.dead {
		return errClosed(doing)
	}
	if d.settled || !d.held() && d.item.gone != d {
		return fmt.Errorf("%s: %w", doing, journal.ErrLost)
	}
	d.settled = settle
	return nil
}

// send tells the broker something that is not answered.
func (d *delivery) send(do func()) {
	j, id := d.queue.j, d.id()^d.worker.client.id
	j.mu.Lock()
	defer j.mu.Unlock()
	r := request{client: d.worker.client, epoch: j.epoch}
	j.after(j.travel(toArrive, id), id, func() {
		switch {
		case !r.reaches(), j.happens(j.config.Faults.LostAppend, lose, id):
			j.trace("lost", d.item.record.Subject, uint64(d.count))
		case d.held():
			do()
		}
	})
}

// id is what the delivery is to chance.
func (d *delivery) id() uint64 {
	return mix(d.item.record.id ^ uint64(d.count))
}
