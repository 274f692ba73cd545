package fetch

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"segue/participant"
)

const (
	// turnLease is how long a turn is held without a sign of life; then it is
	// another's. It is renewed three times as often. It is short because the turns of
	// fetchers that are killed would keep all others from a host for as long.
	turnLease = 5 * time.Second
	// busyDelay is when to come again if nobody can say when a turn will be free.
	busyDelay = 10 * time.Second
	// firstLook and lastLook are the pauses between two looks whether a turn is free.
	firstLook, lastLook = 10 * time.Millisecond, 500 * time.Millisecond
	// boardTimeout bounds what is done to the board beyond the wait for a turn.
	boardTimeout = 5 * time.Second
)

// turns gives turns at hosts: so many requests at a time, so many a second, over
// all fetchers that share a board.
type turns struct {
	board   Board
	perHost int           // at a time; 0 for no limit
	every   time.Duration // between two starts; 0 for no limit
	wait    time.Duration
	metrics *metrics
	id      string
	count   atomic.Uint64
	writing chan struct{} // of size 1, full during a change: who shares this does not race
}

func newTurns(cfg Config, m *metrics) *turns {
	t := &turns{board: cfg.Board, perHost: max(cfg.PerHost, 0), wait: cfg.TurnWait, metrics: m, id: uuid.NewString(), writing: make(chan struct{}, 1)}
	if cfg.HostRate > 0 {
		t.every = time.Duration(float64(time.Second) / cfg.HostRate)
	}
	if t.board == nil {
		t.board = newMemoryBoard()
	}
	return t
}

// take waits for a turn at a host, for [Config.TurnWait] at most. The turn has to
// be released.
func (t *turns) take(ctx context.Context, at place, host string) (*turn, error) {
	if t.perHost == 0 && t.every == 0 {
		return nil, nil // a nil turn is released like any other
	}
	begin := time.Now()
	defer func() { t.metrics.waited(time.Since(begin)) }()
	id := t.id + "/" + strconv.FormatUint(t.count.Add(1), 36)
	delay, ok, err := t.queue(ctx, host, id)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, at.wrap(context.Cause(ctx))
	case err != nil:
		return nil, at.wrap(fmt.Errorf("wait for a turn at %s: %w", host, err))
	case !ok:
		return nil, &participant.Error{Code: CodeHostBusy, RetryAfter: cmp.Or(delay, busyDelay), Err: at.wrap(over(limitTurn, fmt.Errorf(
			"there was no turn at %s within %v; raise --per-host or --host-rate if the host bears it, or --turn-wait", host, t.wait)))}
	}
	u := &turn{turns: t, host: host, id: id}
	u.hold(ctx)
	if err := pause(ctx, delay); err != nil {
		u.release()
		return nil, at.wrap(err)
	}
	return u, nil
}

// queue asks for a turn until there is one or the wait is over.
func (t *turns) queue(ctx context.Context, host, id string) (delay time.Duration, ok bool, err error) {
	begin := time.Now()
	for look := firstLook; ; look = min(2*look, lastLook) {
		left := t.wait - time.Since(begin)
		err = t.change(ctx, host, func(v *visits, now time.Time) bool {
			delay, ok = v.enter(now, id, t.perHost, t.every, left)
			return ok
		})
		if err != nil || ok || delay > 0 || left <= 0 {
			return delay, ok && err == nil, err
		}
		if err = pause(ctx, min(look/2+rand.N(look), left)); err != nil {
			return 0, false, err
		}
	}
}

// change changes the note of a host, if f says so. Who is raced looks anew.
func (t *turns) change(ctx context.Context, host string, f func(v *visits, now time.Time) bool) error {
	ctx, cancel := context.WithTimeout(ctx, t.wait+boardTimeout)
	defer cancel()
	select {
	case t.writing <- struct{}{}:
		defer func() { <-t.writing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		now, err := t.board.Now(ctx)
		if err != nil {
			return err
		}
		note, revision, err := t.board.Read(ctx, host)
		if err != nil {
			return err
		}
		v := readVisits(note)
		if !f(&v, now) {
			return nil
		}
		if note, err = json.Marshal(v); err != nil {
			return err // unreachable: numbers and strings
		}
		if err = t.board.Write(ctx, host, note, revision); !errors.Is(err, ErrRaced) {
			return err
		}
		if err := pause(ctx, rand.N(firstLook)); err != nil {
			return err
		}
	}
}

// turn is the right to have a request under way at a host.
type turn struct {
	*turns
	host, id string
	stop     context.CancelFunc
	stopped  chan struct{}
}

// hold renews a turn until it is released. A board that cannot be reached does not
// end a fetch that has begun.
func (u *turn) hold(ctx context.Context) {
	if u.perHost == 0 {
		return // only starts are counted
	}
	ctx, u.stop = context.WithCancel(context.WithoutCancel(ctx))
	u.stopped = make(chan struct{})
	go func() {
		defer close(u.stopped)
		for pause(ctx, turnLease/3) == nil {
			_ = u.change(ctx, u.host, func(v *visits, now time.Time) bool {
				v.Turns[u.id] = now.Add(turnLease).UnixMicro()
				return true
			})
		}
	}()
}

// release gives a turn back. One that cannot be given back ends by itself.
func (u *turn) release() {
	if u == nil || u.stop == nil {
		return
	}
	u.stop()
	<-u.stopped
	ctx, cancel := context.WithTimeout(context.Background(), boardTimeout)
	defer cancel()
	_ = u.change(ctx, u.host, func(v *visits, _ time.Time) bool {
		delete(v.Turns, u.id)
		return true
	})
}

// pause waits, or returns why ctx has ended.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
