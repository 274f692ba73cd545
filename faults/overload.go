//go:build unix

package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"segue/faults/fleet"
)

func init() {
	register(Fault{
		Name:  "overload",
		Goal:  "starts beyond --max-running wait, those beyond the limit of SAGA_STARTS are refused with the reason; all acked ones end; every program within 256 MiB",
		Limit: 100 * time.Second, LongLimit: 45 * time.Minute,
		Run: overload,
	})
}

const (
	// overloadRunning is --max-running.
	overloadRunning = 200
	// overshoot is how far the orchestrator may go over it: as many starts as it
	// takes in at a time, twice, for it counts a run when it has read it.
	overshoot = 32
)

// overload publishes starts at ten times the rate at which they are done.
func overload(ctx context.Context, b *Bench) (r Report, err error) {
	cfg, err := b.actors(b.Dir, 1, 2)
	if err != nil {
		return r, err
	}
	cfg.Args["orchestrator"] = []string{"--max-running", fmt.Sprint(overloadRunning)}
	cfg.Env = []string{"GOMEMLIMIT=200MiB"}
	s, err := b.Stage(ctx, cfg, nil)
	if err != nil {
		return r, err
	}
	const warm = 500
	tasks := acts(warm, "warm", act{Do: "ok"}, "")
	took, err := s.turn(ctx, tasks, tasks)
	if err != nil {
		return r, err
	}
	capacity := warm / took.Seconds()
	more := acts(int(10*capacity*float64(b.Pick(2, 60))), "more", act{Do: "ok"}, "")
	limit := int64(len(more)) * 300 / 2 // about half of them fit
	if err := s.limitStarts(ctx, limit); err != nil {
		return r, err
	}
	s.Tasks = more
	s.Load(ctx, 10*capacity)
	memory, deepest := s.watchOverload(ctx)
	s.Tasks = append(tasks, more...)
	r.Did = fmt.Sprintf("%d starts at %.0f a second, 10 times what is done, SAGA_STARTS of %d KiB", len(more), 10*capacity, limit>>10)
	if err := s.Finish(ctx, &r); err != nil {
		return r, err
	}
	r.Want(deepest > 0, "at most %d starts waited", deepest)
	r.Want(s.Refused.Load() > 0, "%d publishes refused, tried again", s.Refused.Load())
	r.Want(s.Watch.MostRunning() <= overloadRunning+overshoot, "at most %d runs at a time (--max-running %d)", s.Watch.MostRunning(), overloadRunning)
	most := slices.MaxFunc(s.Members, func(a, b string) int { return int(memory[a]>>10) - int(memory[b]>>10) })
	r.Want(memory[most] > 0 && memory[most] <= maxMemory, "at most %d MiB in memory (%s)", memory[most]>>20, most)
	return r, nil
}

// limitStarts has the stream of starts hold so many bytes.
func (s *Scene) limitStarts(ctx context.Context, bytes int64) error {
	_, info, err := s.Info(ctx, "SAGA_STARTS")
	if err != nil {
		return err
	}
	config := info.Config
	config.MaxBytes = bytes
	if _, err := s.JS.UpdateStream(ctx, config); err != nil {
		return fmt.Errorf("limit SAGA_STARTS: %w", err)
	}
	return nil
}

// watchOverload returns, when all has ended, the most that each member had in
// memory and the most starts that waited.
func (s *Scene) watchOverload(ctx context.Context) (memory map[string]int64, deepest uint64) {
	done, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		defer stop()
		_ = fleet.Await(done, func() error { // its error is found by Finish
			if s.Watch.Through(s.Tasks).IsZero() {
				return fmt.Errorf("starts are waiting")
			}
			return nil
		})
	}()
	depth := make(chan uint64)
	go func() {
		var most uint64
		for done.Err() == nil {
			if _, info, err := s.Info(done, "SAGA_STARTS"); err == nil {
				most = max(most, info.State.Msgs)
			}
			pause(done, 100*time.Millisecond)
		}
		depth <- most
	}()
	memory = s.memory(done)
	return memory, <-depth
}
