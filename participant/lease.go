package participant

import (
	"context"
	"errors"
	"sync"
	"time"

	"segue/journal"
)

// lease keeps a delivery for as long as its handler runs. Its context ends with
// the lease: what loses the command must not go on working on it.
type lease struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	d      journal.Delivery
	length time.Duration

	mu    sync.Mutex
	over  bool
	held  time.Time // when the lease was renewed last
	timer *time.Timer
}

// renewals is how often a lease is renewed within its length.
const renewals = 3

func holdLease(ctx context.Context, d journal.Delivery, length time.Duration) *lease {
	l := &lease{d: d, length: length, held: time.Now()}
	l.ctx, l.cancel = context.WithCancelCause(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timer = time.AfterFunc(length/renewals, l.renew)
	return l
}

// renew is called by the timer; most handlers are done before.
func (l *lease) renew() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over || l.ctx.Err() != nil {
		return
	}
	switch err := l.d.Extend(); {
	case err == nil:
		l.held = time.Now()
	case errors.Is(err, journal.ErrLost), time.Since(l.held) >= l.length:
		l.cancel(journal.ErrLost)
		return
	}
	l.timer.Reset(l.length / renewals)
}

// release ends the renewal; the command is settled or given up. It waits for one
// that is under way, and may be called more than once.
func (l *lease) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	l.timer.Stop()
	l.cancel(nil)
}
