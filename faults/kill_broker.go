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
		Name:  "kill-broker",
		Goal:  "0 acked starts lost, rows exact; after each kill the journal goes on within 5 s of the broker's restart",
		Limit: 90 * time.Second, LongLimit: 20 * time.Minute,
		Run: killBroker,
	})
}

// resume is how long after the broker's restart the journal may stand still.
const resume = 5 * time.Second

// killBroker kills the broker, a program of its own, while two orchestrators and
// the services are at work, and starts it again.
func killBroker(ctx context.Context, b *Bench) (r Report, err error) {
	kills, rate := b.Pick(5, 50), 40.0
	lease := time.Duration(b.Pick(5, 30)) * time.Second
	saga, err := sturdyWithin(b, 4*lease)
	if err != nil {
		return r, err
	}
	shelf, err := b.Shelf(int(rate)*kills*4, sturdyName)
	if err != nil {
		return r, err
	}
	s, err := b.Stage(ctx, fleet.Config{
		Members: []string{"orchestrator-1", "orchestrator-2", "fetcher", "validator", "parser", "saver"},
		Sagas:   []string{saga}, Env: []string{fmt.Sprintf("SEGUE_LEASE=%v", lease)},
	}, shelf.Tasks)
	if err != nil {
		return r, err
	}
	s.Load(ctx, rate)
	var still []time.Duration
	for range kills {
		pause(ctx, b.between(500*time.Millisecond, 3*time.Second))
		s.Broker().Kill()
		pause(ctx, b.between(0, time.Second))
		if err := s.StartBroker(); err != nil {
			return r, err
		}
		took, err := s.grows(ctx)
		if err != nil {
			return r, err
		}
		still = append(still, took)
	}
	s.Enough()
	if err := s.Finish(ctx, &r); err != nil {
		return r, err
	}
	r.Did = fmt.Sprintf("%d documents at %.0f a second, %d kills -9 of nats-server, lease %v", len(s.Tasks), rate, kills, lease)
	slowest := quantile(still, 1)
	r.Want(slowest <= resume, "the journal went on %.2f s after the restart at most, %.2f s in the median", slowest.Seconds(), quantile(still, 0.5).Seconds())
	return r, nil
}

// grows waits until the journal has a message that it has not yet, and returns
// how long that took.
func (s *Scene) grows(ctx context.Context) (time.Duration, error) {
	begin := time.Now()
	err := fleet.Await(ctx, func() error {
		if !s.Watch.Stored().After(begin) {
			return fmt.Errorf("nothing has been stored for %v", time.Since(begin).Round(time.Second))
		}
		return nil
	})
	return s.Watch.Stored().Sub(begin), err
}
