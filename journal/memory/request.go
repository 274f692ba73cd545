package memory

import (
	"context"
	"fmt"
	"time"
)

// request is something asked of the broker, from the question to the answer.
type request struct {
	client   *Client
	epoch    int // in which it was sent
	timeout  *event
	answered chan error // of size 1; takes the answer or ErrTimeout, whichever is first
}

// await sends a request and waits for its answer. id is what the request is to
// chance. begin is called with the journal locked and enters the request's arrival
// into the agenda.
func (c *Client) await(ctx context.Context, doing string, id uint64, begin func(*request)) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	c.j.mu.Lock()
	if c.dead {
		c.j.mu.Unlock()
		return errClosed(doing)
	}
	r := &request{client: c, epoch: c.j.epoch, answered: make(chan error, 1)}
	r.timeout = c.j.after(c.j.config.Timeout, id, func() { r.answered <- ErrTimeout })
	begin(r)
	c.j.mu.Unlock()
	select {
	case err := <-r.answered:
		if err != nil {
			return fmt.Errorf("%s: %w", doing, err)
		}
		return nil
	case <-c.done:
		return errClosed(doing)
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", doing, ctx.Err())
	}
}

// ask awaits a request that the broker does in one go. It may be lost, and so
// may its answer; the timeout then speaks.
func (c *Client) ask(ctx context.Context, doing, subject string, id uint64, do func() error) error {
	id ^= c.id
	return c.await(ctx, doing, id, func(r *request) {
		c.j.after(c.j.travel(toArrive, id), id, func() {
			if !r.reaches() || c.j.happens(c.j.config.Faults.LostAppend, lose, id) {
				c.j.trace("lost", subject, id)
				return
			}
			err := do()
			if c.j.happens(c.j.config.Faults.LostAck, loseReply, id) {
				c.j.trace("unheard", subject, id)
				return
			}
			r.answer(id, err)
		})
	})
}

// reaches says whether the broker that a message was sent to, or comes from, is
// still the one that runs.
func (r *request) reaches() bool {
	j := r.client.j
	return !r.client.dead && r.epoch == j.epoch && !time.Now().Before(j.upAt)
}

// answer sends the answer on its way.
func (r *request) answer(id uint64, err error) {
	j := r.client.j
	j.after(j.travel(toAnswer, id), id, func() {
		if r.timeout.index < 0 || !r.reaches() {
			return
		}
		j.cancel(r.timeout)
		r.answered <- err
	})
}
