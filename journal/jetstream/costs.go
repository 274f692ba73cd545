package jetstream

import (
	"sync"
	"time"
)

// costs is what storing a message costs in an atomic batch and alone. Where the
// server syncs always a batch is far cheaper, having one sync for all; where it does
// not, what is staged for a batch is for nothing. Nobody tells a client which it is, so
// both are tried, some batches each, and from time to time again.
//
// What counts is the least that each has cost: the rest is the wait for what others
// store, which the dear way makes long for all.
type costs struct {
	mu    sync.Mutex
	tried [2]int     // batches of this time: alone, atomic
	least [2]float64 // nanoseconds a message
	since time.Time  // when trying began
}

// Indices of costs.
const alone, batch = 0, 1

const (
	// costsLast is how long it is believed what was found. To try the dear way again costs
	// more than it is likely to find.
	costsLast = time.Minute
	// costsPatience is how long a trial may take. Where too little comes to try both ways,
	// nothing waits for it.
	costsPatience = 10 * time.Second
	// costsTries is how many batches are tried each way.
	costsTries = 5
	// syncCost is what a message costs alone at least, in nanoseconds, if it is synced. One
	// that costs less is not, whatever a batch costs at a busy time: what is staged for it
	// is work, which the time does not show as long as others wait.
	syncCost = 100_000
)

// gather says whether messages are to wait for each other, so many being under way:
// where batches pay, and while that is tried. Where there are too few for a batch
// nothing is tried.
func (c *costs) gather(now time.Time, flying int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.since) > costsLast && flying >= minBatch {
		c.tried, c.least, c.since = [2]int{}, [2]float64{}, now
	}
	if !c.known() {
		return now.Sub(c.since) <= costsPatience
	}
	return c.pays()
}

// batches says whether the next messages are to go in an atomic batch.
func (c *costs) batches() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.known() {
		return c.tried[batch] <= c.tried[alone]
	}
	return c.pays()
}

// pays says that batches cost less.
func (c *costs) pays() bool {
	return c.least[batch] < c.least[alone] && c.least[alone] >= syncCost
}

// known says that both ways have been tried.
func (c *costs) known() bool { return c.tried[batch] >= costsTries && c.tried[alone] >= costsTries }

// took says how long it took to store so many messages.
func (c *costs) took(atomic bool, messages int, d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	way := alone
	if atomic {
		way = batch
	}
	each := float64(d) / float64(messages)
	if c.tried[way] == 0 || each < c.least[way] {
		c.least[way] = each
	}
	c.tried[way]++
}
