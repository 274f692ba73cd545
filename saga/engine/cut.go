package engine

import (
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"segue/journal"
)

// cuts knows what no partition needs any more, of this engine or another. That leaves
// the journal in one cut, which costs about as much as taking out what one partition no
// longer needs, and much less memory: see journal.EveryPartition. Each engine says with
// its signs of life what its partitions need; whichever finds that it is worth it cuts.
//
// It is cut at a mark: up to there a partition's runs ended MinKeepAge ago or earlier.
// A partition that needs nothing now has read all that was stored LongSilence ago or
// earlier. So what it has not read yet lies behind all marks. What a partition has once
// not needed it never needs again, whoever owns it: it said so when it had stored a
// snapshot in which that has ended, and who began with an older one reads again, see
// unreplaced.
type cuts struct {
	partitions int

	mu      sync.Mutex
	notes   map[int]note
	others  []announcement
	mark    uint64    // the highest of all partitions
	waiting int       // runs that wait for the next cut
	last    time.Time // when it was last cut
	cutting bool
	done    uint64 // all below has left
}

// note is what a partition needed at a time of the journal.
type note struct {
	low uint64 // nothing below; needsNothing if it needed nothing
	at  time.Time
}

const (
	needsNothing uint64 = math.MaxUint64
	// noteLife is for how long a note holds: until then a partition has read what was
	// stored twice LongSilence, which is MinKeepAge, before.
	noteLife = journal.LongSilence / 2
	// noteRest is how often, at least, a partition says anew what it needs, however
	// little happens there.
	noteRest = noteLife / 3
	// cutRest is how long, at least, one cut comes after another: by then all engines
	// have heard of it.
	cutRest = journal.MemberTTL
)

// announcement is what an engine says to the others, as JSON.
type announcement struct {
	Partitions []int     `json:"partitions"`         // whose needs are known
	Needs      uint64    `json:"needs"`              // the lowest sequence that they need; see needsNothing
	Time       time.Time `json:"time"`               // as of when, by the journal's clock
	Mark       uint64    `json:"mark,omitzero"`      // see cuts
	Waiting    int       `json:"waiting,omitzero"`   // runs that wait for the next cut
	Cut        uint64    `json:"cut_below,omitzero"` // all below has left
}

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

// say returns what the other engines have to know.
func (c *cuts) say() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	text, err := json.Marshal(c.announce())
	if err != nil {
		return nil // cannot happen, and saying nothing is safe
	}
	return text
}

func (c *cuts) announce() announcement {
	a := announcement{
		Partitions: slices.Sorted(maps.Keys(c.notes)), Needs: needsNothing, Mark: c.mark, Waiting: c.waiting, Cut: c.done,
	}
	for _, n := range c.notes {
		a.Needs = min(a.Needs, n.low)
		if a.Time.IsZero() || n.at.Before(a.Time) {
			a.Time = n.at
		}
	}
	return a
}

// hear takes what the other engines say. One that says nothing, or nothing that can be
// understood, is an engine whose partitions' needs are not known.
func (c *cuts) hear(others [][]byte, now time.Time) {
	heard := make([]announcement, 0, len(others))
	for _, text := range others {
		var a announcement
		strange := func(p int) bool { return p < 0 || p >= c.partitions }
		if json.Unmarshal(text, &a) == nil && !slices.ContainsFunc(a.Partitions, strange) {
			heard = append(heard, a)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.others = heard
	for _, a := range heard {
		if a.Cut > c.done {
			c.done, c.waiting, c.last = a.Cut, 0, now
		}
	}
}

// begin returns where to cut; 0 if it cannot be done, is not worth it yet, or is being
// done. Else end has to be called.
func (c *cuts) begin(now time.Time) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	before, waiting := c.where(now)
	// Half of the partitions have had enough for a pruning of their own.
	rest, worth := now.Sub(c.last), 2*waiting >= pruneBatch*c.partitions
	if c.cutting || before <= c.done || rest < cutRest || !worth && rest < pruneRest {
		return 0
	}
	c.cutting, c.waiting, c.last = true, 0, now
	return before
}

// where returns the sequence below which no partition needs anything and all that has
// ended may leave, 0 if that is not known of all; and how many runs wait.
func (c *cuts) where(now time.Time) (before uint64, waiting int) {
	known, low := make([]bool, c.partitions), needsNothing
	for _, a := range append(slices.Clone(c.others), c.announce()) {
		if len(a.Partitions) > 0 && now.Sub(a.Time) > noteLife {
			return 0, 0
		}
		for _, p := range a.Partitions {
			known[p] = true
		}
		low, before, waiting = min(low, a.Needs), max(before, a.Mark), waiting+a.Waiting
	}
	if slices.Contains(known, false) {
		return 0, 0
	}
	return min(before, low), waiting
}

// end says whether it has been cut.
func (c *cuts) end(before uint64, done bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cutting = false
	if done {
		c.done = max(c.done, before)
	} else {
		c.last = time.Time{}
	}
}

// below returns the sequence below which all has left by cuts.
func (c *cuts) below() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.done
}
