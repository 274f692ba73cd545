//go:build unix

package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"segue/events"
	"segue/faults/fleet"
	"segue/journal"
)

// pulse notes when messages came into the journal, by the broker's clock, which
// is that of this machine.
type pulse struct {
	c      *fleet.Client
	mu     sync.Mutex
	last   uint64 // sequence of the last message seen
	stored []time.Time
	second int // attempts of a step after its first
	timed  int // attempts that timed out
}

// newPulse follows the journal until ctx is done.
func newPulse(ctx context.Context, c *fleet.Client) *pulse {
	p := &pulse{c: c}
	c.Watch(ctx, func(r journal.Record, s events.Subject) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.last, p.stored = r.Sequence, append(p.stored, r.Stored)
		switch {
		case s.Kind == events.KindCommand && s.Attempt.N > 1 && !s.Attempt.Undo:
			p.second++
		case s.Kind == events.KindOutcome:
			if e, err := r.Entry(); err == nil && e.Event.Type == events.TypeStepTimedOut {
				p.timed++
			}
		}
	})
	return p
}

// longest returns the longest time without a message between two instants that
// are over. It waits until all that is stored has been seen: who watches may be
// behind.
func (p *pulse) longest(ctx context.Context, from, to time.Time) (time.Duration, error) {
	err := fleet.Within(ctx, time.Minute, func() error {
		_, info, err := p.c.Info(ctx, "SAGA_RUNS")
		if err != nil {
			return err
		}
		if seen := p.sequence(); seen < info.State.LastSeq {
			return fmt.Errorf("%d of %d messages have been seen", seen, info.State.LastSeq)
		}
		return nil
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	return longestGap(p.stored, from, to), err
}

func (p *pulse) sequence() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

// longestGap returns the longest time between two instants that holds none of
// the others, which are in order.
func longestGap(all []time.Time, from, to time.Time) time.Duration {
	var longest time.Duration
	last := from
	for _, at := range append(slices.Clone(all), to) {
		if at.Before(last) || at.After(to) {
			continue
		}
		longest = max(longest, at.Sub(last))
		last = at
	}
	return longest
}

// attempts returns how many attempts of steps came after their first, and how
// many timed out.
func (p *pulse) attempts() (second, timed int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.second, p.timed
}
