package main

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"segue/sim/world"
)

// worlds runs the worlds of a command, some at a time, and calls done for each,
// one at a time and in no order.
func worlds(t *testing.T, c command, done func(world.Report)) {
	var next atomic.Uint64
	var mu sync.Mutex
	var workers sync.WaitGroup
	for range min(uint64(c.parallel), c.seeds) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < c.seeds; i = next.Add(1) - 1 {
				r := bubble(t, c.from+i)
				if c.twice {
					compare(&r, bubble(t, c.from+i))
				}
				mu.Lock()
				done(r)
				mu.Unlock()
			}
		})
	}
	workers.Wait()
}

// compare adds it to a report if a second run of its world went another way.
func compare(first *world.Report, second world.Report) {
	if slices.Equal(first.Trace, second.Trace) {
		return
	}
	at := 0
	for at < min(len(first.Trace), len(second.Trace)) && first.Trace[at] == second.Trace[at] {
		at++
	}
	first.Violations = append(first.Violations, fmt.Sprintf("the second run of the world differs from line %d of %d on", at+1, len(first.Trace)))
}

// bubble runs one world. A world in which everybody waits for ever, or of which
// something goes on when it is over, is one that breaks a rule.
func bubble(t *testing.T, seed uint64) (r world.Report) {
	defer func() {
		if p := recover(); p != nil {
			r.Seed, r.Violations = seed, append(r.Violations, fmt.Sprint("panic: ", p))
		}
	}()
	synctest.Test(t, func(*testing.T) { r = world.Run(seed, world.Plan(seed)) })
	return r
}
