package jetstream

import (
	"testing"
	"time"
)

// Each way is tried; then messages go the way that costs the least when nobody else
// stores anything, until it is time to look again.
func TestCosts(t *testing.T) {
	t.Parallel()
	now := time.Now()
	cost := map[bool]time.Duration{false: 40 * time.Millisecond, true: 5 * time.Millisecond} // for 50 messages
	var c costs
	store := func(wait time.Duration) bool {
		atomic := c.atomic(now)
		c.took(atomic, 50, cost[atomic]+wait)
		return atomic
	}
	for _, syncs := range []bool{true, false} {
		ways := map[bool]int{}
		for i := range 2 * costsTries {
			ways[store(time.Duration(i%3)*30*time.Millisecond)]++
		}
		if ways[true] != costsTries || ways[false] != costsTries {
			t.Errorf("tried %v, want %d each", ways, costsTries)
		}
		for range 100 {
			if got := store(50 * time.Millisecond); got != syncs {
				t.Fatalf("in a batch: %v, want %v", got, syncs)
			}
		}
		cost[false], cost[true] = 2*time.Millisecond, 8*time.Millisecond
		now = now.Add(costsLast + 1)
	}
	// A batch that is always refused is not tried for ever.
	now = now.Add(costsLast + 1)
	for range 100 {
		if c.atomic(now) {
			c.took(true, 50, time.Hour)
		}
		c.took(false, 50, 40*time.Millisecond)
	}
	if c.atomic(now) {
		t.Error("messages go in batches, which are refused")
	}
}
