//go:build unix

package main

import (
	"context"
	"fmt"
	"time"

	"segue/events"
	"segue/faults/fleet"
	"segue/journal"
)

func init() {
	register(Fault{
		Name:  "orchestrators",
		Goal:  "work of a lost orchestrator taken over within 5 s; no command done twice, no run ends twice, with two owners at once too",
		Limit: 100 * time.Second, LongLimit: 60 * time.Minute,
		Run: orchestrators,
	})
}

// takeOver is how long the runs of an orchestrator may stand still when it is gone.
const takeOver = 5 * time.Second

// change is something that befalls an orchestrator; it returns what puts it
// right, once its work has been taken over.
type change struct {
	name string
	do   func(f *fleet.Fleet, member string) (back func() error)
}

// orchestrators has orchestrators join, leave, die and stand still while runs go
// on in every partition.
func orchestrators(ctx context.Context, b *Bench) (r Report, err error) {
	rounds, still := b.Pick(1, 17), time.Duration(b.Pick(8, 60))*time.Second
	cfg, err := b.actors(b.Dir, 3, 2)
	if err != nil {
		return r, err
	}
	rate := b.Pick(100, 30)
	seconds := rounds * (int(still.Seconds()) + 60) // at most
	s, err := b.Stage(ctx, cfg, acts(seconds*rate, "run", act{Do: "ok"}, ""))
	if err != nil {
		return r, err
	}
	s.Load(ctx, float64(rate))
	doubled := 0
	changes := []change{
		{"leaves", func(f *fleet.Fleet, m string) func() error {
			f.Stop(m)
			return func() error { return f.Start(m) }
		}},
		{"killed", func(f *fleet.Fleet, m string) func() error {
			f.Kill(m)
			return func() error { return f.Start(m) }
		}},
		{"paused", func(f *fleet.Fleet, m string) func() error {
			p := f.Member(m)
			p.Pause()
			resume := time.Now().Add(still)
			return func() error {
				pause(ctx, time.Until(resume))
				doubled = max(doubled, s.doubled())
				p.Resume()
				return nil
			}
		}},
	}
	worst := make(map[string]time.Duration)
	for range rounds {
		for _, c := range changes {
			took, err := s.strike(ctx, c, b)
			if err != nil {
				return r, fmt.Errorf("orchestrator %s: %w", c.name, err)
			}
			b.Log("an orchestrator %s: taken over after %.1f s", c.name, took.Seconds())
			worst[c.name] = max(worst[c.name], took)
		}
	}
	s.Enough()
	for _, c := range changes {
		r.Want(worst[c.name] <= takeOver, "%s: taken over after %.1f s at most", c.name, worst[c.name].Seconds())
	}
	if err := s.Finish(ctx, &r); err != nil {
		return r, err
	}
	r.Did = fmt.Sprintf("3 orchestrators, %d runs at %d a second; %d times one leaves and joins, is killed and started, is paused for %v", len(s.Tasks), rate, rounds, still)
	r.Want(doubled > 0, "at most %d of %d partitions had two owners at once", doubled, journal.DefaultPartitions)
	return r, b.onceEach(&r, len(s.Tasks))
}

// doubled is how many partitions have two owners, as far as the orchestrators'
// logs tell: a paused one has not heard yet that it was given up.
func (s *Scene) doubled() int {
	owned := 0
	for _, member := range s.Members {
		if lines := s.Member(member).Lines("partitions shared out"); len(lines) > 0 {
			n, _ := lines[len(lines)-1]["owned"].(float64)
			owned += int(n)
		}
	}
	return max(0, owned-journal.DefaultPartitions)
}

// strike has something befall a random orchestrator and waits until every
// partition goes on without it, then puts it right and waits for that, too. It
// returns how long the slowest partition stood still.
func (s *Scene) strike(ctx context.Context, c change, b *Bench) (time.Duration, error) {
	member := fmt.Sprintf("orchestrator-%d", 1+b.Rand.IntN(3))
	at := time.Now() // this machine's clock is the broker's, too
	back := c.do(s.Fleet, member)
	took, err := s.goesOn(ctx, at)
	if err != nil {
		return took, err
	}
	if err := back(); err != nil {
		return took, err
	}
	back2 := time.Now()
	if err := s.Ready(ctx, member); err != nil {
		return took, err
	}
	again, err := s.goesOn(ctx, back2)
	return max(took, again), err
}

// goesOn waits until an orchestrator has decided something in every partition
// after an instant, and returns how long the slowest took.
func (s *Scene) goesOn(ctx context.Context, after time.Time) (slowest time.Duration, err error) {
	first := make(map[int]time.Time)
	err = fleet.Within(ctx, 30*time.Second, func() error {
		for p := range journal.DefaultPartitions {
			if at := s.Watch.Latest(p, events.KindCommand); first[p].IsZero() && at.After(after) {
				first[p] = at
			}
		}
		if len(first) < journal.DefaultPartitions {
			return fmt.Errorf("%d of %d partitions go on", len(first), journal.DefaultPartitions)
		}
		return nil
	})
	for _, at := range first {
		slowest = max(slowest, at.Sub(after))
	}
	return slowest, err
}

// onceEach holds that each step of so many runs of act was done once.
func (b *Bench) onceEach(r *Report, runs int) error {
	e, err := readEffects(b.Dir)
	if err != nil {
		return err
	}
	r.Want(e.repeated() == 0 && len(e.did) == runs*actSteps, "%d steps done, %d of them more than once", len(e.did), e.repeated())
	return nil
}

// actSteps is how many steps a run of act has.
const actSteps = 3
