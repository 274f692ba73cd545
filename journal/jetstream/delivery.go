package jetstream

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"segue/events"
	"segue/journal"
)

// delivery is a message in a worker's place. The place is free again when the
// message is settled or its lease has run out.
//
// The lease is counted here, and must end here before it does at the broker, who
// counts from when it sent the message. How long that took is not known, so the
// first lease is counted a tenth short; a renewed one is counted from before the
// request, which is safe.
type delivery struct {
	w       *work
	reply   string // where the broker takes what becomes of it
	meta    *nats.MsgMetadata
	message events.Message

	mu    sync.Mutex
	over  bool // settled or lost
	until time.Time
	timer *time.Timer
}

func newDelivery(w *work, m *nats.Msg) (*delivery, error) {
	meta, err := m.Metadata()
	if err != nil {
		return nil, err
	}
	lease := w.lease - w.lease/10
	d := &delivery{w: w, reply: m.Reply, meta: meta, message: message(m), until: time.Now().Add(lease)}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.timer = time.AfterFunc(lease, d.expire)
	return d, nil
}

func (d *delivery) Message() events.Message { return d.message }
func (d *delivery) Stored() time.Time       { return d.meta.Timestamp }
func (d *delivery) Count() int              { return int(d.meta.NumDelivered) }

// held says that the lease still stands.
func (d *delivery) held() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.holds()
}

// holds is held with the lock taken. A timer may be late, a time is not.
func (d *delivery) holds() bool { return !d.over && time.Now().Before(d.until) }

func (d *delivery) expire() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if left := time.Until(d.until); !d.over && left > 0 {
		d.timer.Reset(left) // was extended while this waited for the lock
		return
	}
	d.leave()
}

// leave frees the place. The lock is taken.
func (d *delivery) leave() {
	if d.over {
		return
	}
	d.over = true
	d.timer.Stop()
	d.w.slots <- struct{}{}
}

func (d *delivery) DoubleAck(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.holds() {
		return d.lost("ack")
	}
	if err := d.tell(ctx, done); err != nil {
		return fmt.Errorf("ack %s: %w", d.message.Subject, err)
	}
	d.leave()
	return nil
}

func (d *delivery) Ack() error { return d.send("ack", done) }

func (d *delivery) Nak(delay time.Duration) error {
	// With a delay of its own: a consumer's BackOff governs leases, not naks.
	return d.send("nak", fmt.Appendf(nil, `-NAK {"delay": %d}`, max(delay, 0)))
}

// send settles the message and does not wait for the broker to say that it knows.
func (d *delivery) send(doing string, what []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.holds() {
		return d.lost(doing)
	}
	if err := d.w.j.reason(d.w.j.nc.Publish(d.reply, what)); err != nil {
		return fmt.Errorf("%s %s: %w", doing, d.message.Subject, err)
	}
	d.leave()
	return nil
}

// Extend asks the broker for an answer, which the client's InProgress does not:
// a lease must not be thought extended because the request lies in the buffer
// of a broken connection.
func (d *delivery) Extend() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.holds() {
		return d.lost("extend")
	}
	asked := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), min(requestTimeout, d.w.lease/3))
	defer cancel()
	if err := d.tell(ctx, inProgress); err != nil {
		return fmt.Errorf("extend lease on %s: %w", d.message.Subject, err)
	}
	d.until = asked.Add(d.w.lease)
	d.timer.Reset(time.Until(d.until))
	return nil
}

// What the broker is told of a message, and answers.
var (
	done       = []byte("+ACK")
	inProgress = []byte("+WPI")
)

// tell says what has become of the message and waits for the answer.
func (d *delivery) tell(ctx context.Context, what []byte) error {
	return d.w.j.during(ctx, func(ctx context.Context) error {
		return d.w.j.link.online(ctx, func(ctx context.Context) error {
			_, err := d.w.j.nc.RequestWithContext(ctx, d.reply, what)
			return err
		})
	})
}

func (d *delivery) lost(what string) error {
	return fmt.Errorf("%s %s: %w", what, d.message.Subject, journal.ErrLost)
}
