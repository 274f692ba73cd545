package engine

import (
	"math"
	"sync"
	"time"

	"segue/journal"
)

// cuts knows what the partitions of an engine no longer need. What none of them needs
// leaves the journal in one cut, which costs about as much as taking out what one
// partition no longer needs, and much less memory: see journal.EveryPartition. Only
// an engine that owns all partitions can cut.
//
// It is cut at a mark: up to there a partition's runs ended MinKeepAge ago or earlier.
// A partition that needs nothing now has read all that was stored LongSilence ago or
// earlier. So what it has not read yet lies behind all marks.
type cuts struct {
	partitions int

	mu      sync.Mutex
	notes   map[int]note
	mark    uint64    // the highest of all partitions
	waiting int       // runs that wait for the next cut
	last    time.Time // when it was last cut
	cutting bool
	done    uint64 // all below has left
}

// note is what a partition needed at a time.
type note struct {
	low uint64 // nothing below; needsNothing if it needed nothing
	at  time.Time
}

const (
	needsNothing uint64 = math.MaxUint64
	// noteLife is for how long a note holds: until then a partition has read what was
	// stored twice LongSilence, which is MinKeepAge, before.
	noteLife = journal.LongSilence / 2
)

// need says what a partition needs.
func (c *cuts) need(partition int, n note) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.notes == nil {
		c.notes = make(map[int]note)
	}
	c.notes[partition] = n
}

// may says that so many more runs may leave, all below a mark.
func (c *cuts) may(mark uint64, runs int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mark = max(c.mark, mark)
	c.waiting += runs
}

// forget is for a partition that has another owner.
func (c *cuts) forget(partition int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.notes, partition)
}

// together says whether what all partitions need is known.
func (c *cuts) together() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.notes) == c.partitions
}

// begin returns where to cut; 0 if it cannot be done, is not worth it yet, or is being
// done. Else end has to be called.
func (c *cuts) begin(now time.Time) (before uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	// Half of the partitions have had enough for a pruning of their own.
	worth := 2*c.waiting >= pruneBatch*c.partitions || now.Sub(c.last) >= pruneRest
	if len(c.notes) < c.partitions || c.cutting || !worth {
		return 0
	}
	before = c.mark
	for _, n := range c.notes {
		if now.Sub(n.at) > noteLife {
			return 0
		}
		before = min(before, n.low)
	}
	if before <= c.done {
		return 0
	}
	c.cutting, c.waiting, c.last = true, 0, now
	return before
}

// end says whether it has been cut.
func (c *cuts) end(before uint64, done bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cutting = false
	if done {
		c.done = max(c.done, before)
	}
}

// below returns the sequence below which all has left by cuts.
func (c *cuts) below() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.done
}
