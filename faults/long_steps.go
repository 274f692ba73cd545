//go:build unix

package main

import (
	"context"
	"fmt"
	"time"
)

func init() {
	register(Fault{
		Name:  "long-steps",
		Goal:  "steps of ten leases are each executed once",
		Limit: 60 * time.Second, LongLimit: 45 * time.Minute,
		Run: longSteps,
	})
}

// longSteps has actors work ten times as long as a command is leased to them.
func longSteps(ctx context.Context, b *Bench) (r Report, err error) {
	lease, steps := time.Duration(b.Pick(2, 30))*time.Second, b.Pick(32, 100)
	cfg, err := b.actors(b.Dir, 1, 2)
	if err != nil {
		return r, err
	}
	cfg.Env = []string{fmt.Sprintf("SEGUE_LEASE=%v", lease)}
	cfg.Args["actor"] = append(cfg.Args["actor"], "--concurrency", "20")
	long := act{Do: "sleep", At: "second", Milliseconds: int(10 * lease / time.Millisecond)}
	s, err := b.Stage(ctx, cfg, acts(steps, "long", long, ""))
	if err != nil {
		return r, err
	}
	s.Load(ctx, 0)
	r.Did = fmt.Sprintf("%d steps of %v with a lease of %v, on 2 actors", steps, 10*lease, lease)
	if err := s.Finish(ctx, &r); err != nil {
		return r, err
	}
	if err := b.onceEach(&r, steps); err != nil {
		return r, err
	}
	redelivered, commands, err := s.redelivered(ctx, "actor")
	if err != nil {
		return r, err
	}
	r.Want(redelivered == 0, "%d of %d commands delivered again", redelivered, commands)
	return r, nil
}

// redelivered returns how many deliveries of a service's commands were not the
// first, and how many commands there were.
func (s *Scene) redelivered(ctx context.Context, service string) (again, commands int, err error) {
	q, err := s.Queue(ctx, "SAGA_RUNS", service)
	if err != nil {
		return 0, 0, err
	}
	commands = s.Watch.Commands(service)
	return int(q.Delivered.Consumer) - commands, commands, nil
}
