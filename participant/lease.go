package participant

import (
	"context"
	"errors"
	"time"

	"segue/journal"
)

// lease keeps a delivery for as long as its handler runs. Its context ends with
// the lease: what loses the command must not go on working on it.
type lease struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	done   chan struct{}
}

// renewals is how often a lease is renewed within its length.
const renewals = 3

func holdLease(ctx context.Context, d journal.Delivery, length time.Duration) *lease {
	l := &lease{done: make(chan struct{})}
	l.ctx, l.cancel = context.WithCancelCause(ctx)
	go l.renew(d, length)
	return l
}

func (l *lease) renew(d journal.Delivery, length time.Duration) {
	defer close(l.done)
	tick := time.NewTicker(length / renewals)
	defer tick.Stop()
	held := time.Now()
	for {
		select {
		case <-l.ctx.Done():
			return
		case <-tick.C:
		}
		switch err := d.Extend(); {
		case err == nil:
			held = time.Now()
		case errors.Is(err, journal.ErrLost), time.Since(held) >= length:
			l.cancel(journal.ErrLost)
			return
		}
	}
}

// release ends the renewal; the command is settled or given up.
func (l *lease) release() {
	l.cancel(nil)
	<-l.done
}
