package engine

import (
	"slices"
	"time"

	"segue/saga"
)

// departure is a run that has ended and whose messages are still in the journal.
// First it is kept in the history, later it leaves.
type departure struct {
	run   string
	ended time.Time
	first uint64 // sequence of its first message
	last  uint64 // and of the one that ended it
	// state is the run, as long as it has to be kept in the history and there are
	// not too many of them: nil is read from the journal.
	state *saga.Run
}

// maxStates bounds how many runs that have ended a partition holds in memory.
const maxStates = 256

// departures are those of one partition, each in one of two lines: to be kept,
// and to leave, in the order in which they came there.
type departures struct {
	keeping []departure
	leaving []departure
}

// ended takes a run that has ended.
func (d *departures) ended(dep departure) {
	if len(d.keeping) >= maxStates {
		dep.state = nil
	}
	d.keeping = append(d.keeping, dep)
}

// keepAt returns when the next runs are to be kept; zero if there are none.
func (d *departures) keepAt() time.Time {
	switch n := len(d.keeping); {
	case n == 0:
		return time.Time{}
	case n >= keepBatch:
		return d.keeping[0].ended
	default:
		return d.keeping[0].ended.Add(keepRest)
	}
}

// toKeep returns how many, the first ones, are to be kept now.
func (d *departures) toKeep(now time.Time) int {
	if now.Before(d.keepAt()) {
		return 0
	}
	return min(maxStates, len(d.keeping))
}

// kept says that the first n are in the history.
func (d *departures) kept(n int) {
	for _, dep := range d.keeping[:n] {
		dep.state = nil
		d.leaving = append(d.leaving, dep)
	}
	d.keeping = d.keeping[n:]
	if len(d.keeping) == 0 {
		d.keeping = nil // let go of the array
	}
}

// due returns how many may leave now, and when the next one may: those that have
// stayed for age, and of those beyond count the oldest, once they have stayed for
// MinKeepAge.
func (d *departures) due(now time.Time, age time.Duration, count int) (n int, next time.Time) {
	for n < len(d.leaving) {
		stay := age
		if len(d.leaving)-n > count {
			stay = MinKeepAge
		}
		next = d.leaving[n].ended.Add(stay)
		if next.After(now) {
			return n, next
		}
		n++
	}
	return n, time.Time{}
}

// low returns the lowest sequence that must stay if the first n leave, of those
// that depart; limit if it is lower.
func (d *departures) low(n int, limit uint64) uint64 {
	for _, dep := range d.keeping {
		limit = min(limit, dep.first)
	}
	for _, dep := range d.leaving[n:] {
		limit = min(limit, dep.first)
	}
	return limit
}

// above returns the lowest sequence of those that do not lie wholly below a mark;
// needsNothing if all do.
func (d *departures) above(mark uint64) (low uint64) {
	low = needsNothing
	for _, dep := range d.keeping {
		low = min(low, dep.first)
	}
	for _, dep := range d.leaving {
		if dep.last >= mark {
			low = min(low, dep.first)
		}
	}
	return low
}

// below returns how many of the first n lie wholly below a sequence, and the sequence
// behind the last message of theirs.
func (d *departures) below(n int, sequence uint64) (count int, behind uint64) {
	for _, dep := range d.leaving[:n] {
		if dep.last < sequence {
			count, behind = count+1, max(behind, dep.last+1)
		}
	}
	return count, behind
}

// pruned says that all below a sequence is no longer in the journal, and returns how
// many runs have left with it.
func (d *departures) pruned(before uint64) int {
	n := len(d.leaving)
	d.leaving = slices.DeleteFunc(d.leaving, func(dep departure) bool { return dep.last < before })
	return n - len(d.leaving)
}

// left says that the first n are no longer in the journal.
func (d *departures) left(n int) { d.leaving = slices.Delete(d.leaving, 0, n) }
