package journal

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Clock tells a journal's time without asking each time. It is never ahead of
// the journal: it counts on from the last time the journal told by the local
// monotonic clock, so that a wall clock that is wrong or jumps changes nothing,
// and a timer set by it fires late by the delay of a message and never early.
type Clock struct {
	mu    sync.Mutex
	base  time.Time // journal's time
	local time.Time // local instant at which base was known, with monotonic reading
	heard time.Time // latest time that the journal told
	epoch int       // silences that are over
}

// NewClock asks a journal for its time.
func NewClock(ctx context.Context, j Journal) (*Clock, error) {
	c := new(Clock)
	return c, c.Sync(ctx, j)
}

// Sync asks again, against drift.
func (c *Clock) Sync(ctx context.Context, j Journal) error {
	info, err := j.Info(ctx)
	if err != nil {
		return fmt.Errorf("read journal time: %w", err)
	}
	c.Saw(info.Now)
	return nil
}

const (
	// ClockInterval is how often [Clock.Keep] asks for the journal's time.
	ClockInterval = 10 * time.Second
	// LongSilence is how long nothing may be heard of the journal before whoever
	// decides by what it has read has to read again; see [Clock.Epoch].
	LongSilence = 30 * time.Second
)

// Keep calls Sync again and again until ctx is done. A call that gets no answer
// leaves the clock as it is.
func (c *Clock) Keep(ctx context.Context, j Journal) {
	tick := time.NewTicker(ClockInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_ = c.Sync(ctx, j)
		}
	}
}

// Saw tells the clock of a time that has passed in the journal, such as that of
// a message just stored.
func (c *Clock) Saw(t time.Time) {
	local := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.base.IsZero() || t.After(c.base.Add(local.Sub(c.local))) {
		c.base, c.local = t, local
	}
	if !t.After(c.heard) {
		return
	}
	if !c.heard.IsZero() && t.Sub(c.heard) > LongSilence {
		c.epoch++
	}
	c.heard = t
}

// Epoch grows when nothing has been heard of the journal for [LongSilence]: the
// broker was away, or this process stood still. What was read before may by then
// have left the journal.
func (c *Clock) Epoch() int {
	now := c.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.heard) > LongSilence {
		return c.epoch + 1
	}
	return c.epoch
}

// Now returns the journal's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.base.Add(time.Since(c.local))
}
