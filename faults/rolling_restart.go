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
		Name:  "rolling-restart",
		Goal:  "0 acked starts lost, rows exact, no attempt times out; each program ends with status 0 within its grace period of 25 s",
		Limit: 90 * time.Second, LongLimit: 30 * time.Minute,
		Run: rollingRestart,
	})
}

// grace is how long a program may take to stop: its handlers have 20 s.
const grace = 25 * time.Second

// pairs are two of each program, so that one works while the other is replaced.
var pairs = []string{
	"orchestrator-1", "orchestrator-2", "fetcher-1", "fetcher-2", "validator-1", "validator-2", "parser-1", "parser-2", "saver-1", "saver-2",
}

// rollingRestart stops one program after another, as an update does, and starts it
// again, while documents come in. Nobody may have to wait for a timeout because
// of it: a program that stops ends what it has begun and gives back the rest.
func rollingRestart(ctx context.Context, b *Bench) (r Report, err error) {
	rounds, rate := b.Pick(1, 20), 40
	docs := b.Pick(1200, 20000)
	saga, err := sturdy(b)
	if err != nil {
		return r, err
	}
	shelf, err := b.Shelf(docs, sturdyName)
	if err != nil {
		return r, err
	}
	s, err := b.Stage(ctx, fleet.Config{Members: pairs, Sagas: []string{saga}}, shelf.Tasks)
	if err != nil {
		return r, err
	}
	s.Load(ctx, float64(rate))
	var stops []time.Duration
	restarts, unclean := 0, 0
	for range rounds {
		for _, member := range pairs {
			p, begin := s.Member(member), time.Now()
			s.Stop(member)
			stops = append(stops, time.Since(begin))
			if p.State() != "exit status 0" {
				b.Log("%s: %s", member, p.State())
				unclean++
			}
			if err := s.Start(member); err != nil {
				return r, err
			}
			if err := s.Ready(ctx, member); err != nil {
				return r, err
			}
			pause(ctx, b.between(200*time.Millisecond, time.Second)) // it takes up work
			if s.Loading() {
				restarts++
			}
		}
	}
	s.Enough()
	if err := s.Finish(ctx, &r); err != nil {
		return r, err
	}
	r.Did = fmt.Sprintf("%d documents at %d a second; %d programs, two of each, stopped with SIGTERM and started again one after the other, %d restarts", len(s.Tasks), rate, len(pairs), restarts)
	r.Want(restarts == rounds*len(pairs), "%d restarts under load", restarts)
	slowest := quantile(stops, 1)
	r.Want(unclean == 0 && slowest <= grace, "%d programs did not end with status 0; they took %.2f s at most, %.2f s in the median", unclean, slowest.Seconds(), quantile(stops, 0.5).Seconds())
	good, bad := s.timedOut()
	r.Want(good+bad == 0, "%d attempts timed out", good+bad)
	return r, nil
}
