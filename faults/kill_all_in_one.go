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
		Name:  "kill-all-in-one",
		Goal:  "0 acked starts lost, rows exact; every restart ready within 2 s",
		Limit: 100 * time.Second, LongLimit: 20 * time.Minute,
		Run: killAllInOne,
	})
}

// killAllInOne kills `segue up`, with its broker and its database, again and
// again while documents come in; one time in five before it is ready.
func killAllInOne(ctx context.Context, b *Bench) (r Report, err error) {
	kills, rate := b.Pick(15, 100), float64(b.Pick(60, 200))
	docs := int(rate * float64(kills) * meanUp.Seconds())
	lease := time.Duration(b.Pick(5, 30)) * time.Second
	s, err := b.allInOne(ctx, docs, lease)
	if err != nil {
		return r, err
	}
	s.Load(ctx, rate)
	var starts []time.Duration
	for range kills {
		p := s.Member("segue")
		if b.Rand.IntN(5) == 0 {
			pause(ctx, b.between(0, 300*time.Millisecond)-time.Since(p.Started))
		} else {
			if err := s.Ready(ctx, "segue"); err != nil {
				return r, err
			}
			starts = append(starts, time.Since(p.Started))
			pause(ctx, b.between(300*time.Millisecond, 2*time.Second))
		}
		s.Kill("segue")
		if err := s.Start("segue"); err != nil {
			return r, err
		}
	}
	if err := s.Ready(ctx, "segue"); err != nil {
		return r, err
	}
	starts = append(starts[1:], time.Since(s.Member("segue").Started)) // the first was no restart
	r.Did = fmt.Sprintf("%d documents at %.0f a second, %d kills -9 of segue up, lease %v", docs, rate, kills, lease)
	if err := s.Finish(ctx, &r); err != nil {
		return r, err
	}
	slowest := quantile(starts, 1)
	r.Want(slowest <= 2*time.Second, "ready again after %.2f s at most, %.2f s in the median", slowest.Seconds(), quantile(starts, 0.5).Seconds())
	r.Note("%d messages stored", s.Watch.Sequence())
	return r, nil
}

// meanUp is the mean time between two kills, about.
const meanUp = 1300 * time.Millisecond

// allInOne makes a scene of `segue up` and documents for it.
func (b *Bench) allInOne(ctx context.Context, docs int, lease time.Duration) (*Scene, error) {
	saga, err := sturdyWithin(b, 4*lease)
	if err != nil {
		return nil, err
	}
	shelf, err := b.Shelf(docs, sturdyName)
	if err != nil {
		return nil, err
	}
	address, err := fleet.FreeAddress()
	if err != nil {
		return nil, err
	}
	return b.Stage(ctx, fleet.Config{
		Server: "nats://" + address, Members: []string{"segue"}, Sagas: []string{saga},
		Env: []string{fmt.Sprintf("SEGUE_LEASE=%v", lease)},
	}, shelf.Tasks)
}
