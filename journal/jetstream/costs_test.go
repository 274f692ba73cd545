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
	if c.gather(now, minBatch-1) {
		t.Error("messages wait for each other, too few for a batch")
	}
	store := func(wait time.Duration) bool {
		c.gather(now, minBatch)
		atomic := c.batches()
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
			if got := c.gather(now, 1); got != syncs {
				t.Fatalf("they wait for each other: %v, want %v", got, syncs)
			}
		}
		cost[false], cost[true] = 2*time.Millisecond, 8*time.Millisecond
		now = now.Add(costsLast + 1)
	}
	// At a busy time a batch may look cheap where nothing is synced.
	cost[false], cost[true] = 3*time.Millisecond, 2*time.Millisecond
	for range 2*costsTries + 1 {
		store(0)
	}
	if c.batches() {
		t.Error("messages go in batches that cost 60 µs alone")
	}
	// A batch that is always refused is not tried for ever.
	now = now.Add(costsLast + 1)
	c.gather(now, minBatch)
	for range 100 {
		if c.batches() {
			c.took(true, 50, time.Hour)
		}
		c.took(false, 50, 40*time.Millisecond)
	}
	if c.batches() || c.gather(now, minBatch) {
		t.Error("messages go in batches, which are refused")
	}
	// A trial that comes to nothing, as there is too little to store, keeps nobody waiting.
	now = now.Add(costsLast + 1)
	if !c.gather(now, minBatch) || !c.gather(now.Add(costsPatience), 1) {
		t.Error("nothing is tried")
	}
	if c.gather(now.Add(costsPatience+1), 1) {
		t.Error("what nobody could try is waited for")
	}
}
