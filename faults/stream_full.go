//go:build unix

package main

import (
	"context"
	"fmt"
	"time"

	"segue/faults/fleet"
)

func init() {
	register(Fault{
		Name:  "stream-full",
		Goal:  "a journal, then a queue of starts, at its size: told within 5 s, nothing lost, all goes on by itself when there is room",
		Limit: 90 * time.Second, LongLimit: 20 * time.Minute,
		Run: streamFull,
	})
}

// streamFull takes the room of the journal away, and then that of the starts.
func streamFull(ctx context.Context, b *Bench) (r Report, err error) {
	rounds := b.Pick(1, 10)
	const rate = 40
	s, err := b.diskScene(ctx, rate*rounds*25, fleet.Config{})
	if err != nil {
		return r, err
	}
	pulse := newPulse(ctx, s.Client)
	s.Load(ctx, rate)
	var told, back time.Duration
	for range rounds {
		pause(ctx, b.between(time.Second, 2*time.Second))
		if !s.Loading() {
			return r, errQuiet
		}
		begin := time.Now()
		room, err := s.shrink(ctx, "SAGA_RUNS")
		if err != nil {
			return r, err
		}
		at, err := s.logged(ctx, "orchestrator", begin, "", "maximum bytes exceeded")
		if err != nil {
			return r, err
		}
		told = max(told, at.Sub(begin))
		pause(ctx, full)
		stood := s.Watch.Sequence()
		still, err := pulse.longest(ctx, begin, time.Now())
		if err != nil {
			return r, err
		}
		if still < full/2 {
			return r, fmt.Errorf("the journal stood still for %v only: it was not full", still)
		}
		begin = time.Now()
		if err := room(); err != nil {
			return r, err
		}
		if err := fleet.Within(ctx, 30*time.Second, func() error {
			if s.Watch.Sequence() <= stood {
				return fmt.Errorf("the journal stands at message %d", stood)
			}
			return nil
		}); err != nil {
			return r, err
		}
		back = max(back, time.Since(begin))

		if room, err = s.shrink(ctx, "SAGA_STARTS"); err != nil {
			return r, err
		}
		pause(ctx, full)
		if err := room(); err != nil {
			return r, err
		}
	}
	s.Enough()
	r.Did = fmt.Sprintf("documents at %d/s, %d times a full journal and a full queue of starts for %v each", rate, rounds, full)
	r.Want(told <= 5*time.Second, "the orchestrator said so after %.1f s", told.Seconds())
	r.Want(back <= 5*time.Second, "went on %.1f s after there was room", back.Seconds())
	return r, s.Finish(ctx, &r)
}

// slack is the room that a stream is left, in bytes: what comes while it is
// shrunk must fit, or the server would take out the oldest messages.
const slack = 64 << 10

// shrink lets a stream be full soon, and returns how to give it its room back.
func (s *Scene) shrink(ctx context.Context, stream string) (room func() error, err error) {
	_, info, err := s.Info(ctx, stream)
	if err != nil {
		return nil, err
	}
	before, small := info.Config, info.Config
	small.MaxBytes = int64(info.State.Bytes) + slack
	if _, err := s.JS.UpdateStream(ctx, small); err != nil {
		return nil, fmt.Errorf("shrink stream %s: %w", stream, err)
	}
	return func() error {
		_, err := s.JS.UpdateStream(ctx, before)
		return err
	}, nil
}
