package engine

import (
	"testing"
	"time"
)

func TestCuts(t *testing.T) {
	t.Parallel()
	start := time.Now()
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	c := &cuts{partitions: 2}
	steps := []struct {
		what string
		do   func()
		now  int // seconds
		want uint64
	}{
		{"nothing is known", func() {}, 0, 0},
		{"one partition has another owner", func() { c.need(0, note{needsNothing, at(0)}); c.may(50, 1) }, 0, 0},
		{"one needs nothing", func() { c.need(1, note{40, at(0)}) }, 0, 40},
		{"it is being cut", func() { c.need(1, note{45, at(1)}); c.may(60, pruneBatch) }, 1, 0},
		{"that failed", func() { c.end(40, false) }, 2, 45},
		{"that was done, and the rest is not worth it", func() { c.end(45, true); c.may(70, 1); c.need(1, note{65, at(3)}) }, 3, 0},
		{"it is worth it in time, when what is needed is not known any more", func() {}, 3 + int(pruneRest/time.Second), 0},
		{"of one", func() { c.need(0, note{needsNothing, at(33)}) }, 33, 0},
		{"it is known of both", func() { c.need(1, note{65, at(33)}) }, 33, 65},
		{"nothing is needed", func() { c.end(65, true); c.need(1, note{needsNothing, at(34)}); c.may(70, pruneBatch) }, 34, 70},
		{"no more may leave", func() { c.end(70, true); c.may(70, pruneBatch) }, 35, 0},
		{"one has another owner again", func() { c.forget(1); c.may(90, pruneBatch) }, 35, 0},
	}
	for _, s := range steps {
		s.do()
		if got := c.begin(at(s.now)); got != s.want {
			t.Errorf("%s: it is cut at %d, want %d", s.what, got, s.want)
		}
	}
	if got := c.below(); got != 70 {
		t.Errorf("all has left below %d, want 70", got)
	}
}

// A cut that others have made while an errand is done is entered behind it: an errand
// counts its runs from the front of the line.
func TestCutDuringErrand(t *testing.T) {
	t.Parallel()
	p, _ := benchPartition(t)
	p.cuts.partitions = 1
	for _, run := range []string{"a", "b", "c"} {
		first := uint64(10 * (len(p.ledger.gone.leaving) + 1))
		p.ledger.gone.leaving = append(p.ledger.gone.leaving, departure{run: run, first: first, last: first + 5})
	}
	p.woke = time.Now()
	p.tidying = true // "a" and "b" leave one by one
	e := errand{leave: p.ledger.gone.leaving[:2:2]}
	p.cuts.end(20, true) // and "a" in a cut
	p.tidy(t.Context(), nil)
	p.tidying = false
	p.errandDone(&e)
	if left := p.ledger.gone.leaving; len(left) != 1 || left[0].run != "c" {
		t.Errorf("%v are to leave yet, want c", left)
	}
}
