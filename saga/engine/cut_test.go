package engine

import (
	"strconv"
	"testing"
	"time"
)

func TestCuts(t *testing.T) {
	t.Parallel()
	start := time.Now()
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	c := &cuts{partitions: 2}
	rest := int(cutRest / time.Second)
	steps := []struct {
		what string
		do   func()
		now  int // seconds
		want uint64
	}{
		{"nothing is known", func() {}, 0, 0},
		{"one partition has another owner", func() { c.need(0, note{needsNothing, at(0)}); c.may(50, 1) }, 0, 0},
		{"one needs nothing", func() { c.need(1, note{40, at(0)}) }, 0, 40},
		{"it is being cut", func() { c.need(1, note{45, at(rest)}); c.may(60, pruneBatch) }, rest, 0},
		{"that failed", func() { c.end(40, false) }, rest, 45},
		{"that was done, but a moment ago", func() { c.end(45, true); c.may(70, pruneBatch); c.need(1, note{65, at(rest)}) }, 2*rest - 1, 0},
		{"that is over", func() {}, 2 * rest, 65},
		{"the rest is not worth it", func() { c.end(65, true); c.may(80, 1); c.need(1, note{75, at(2 * rest)}) }, 3 * rest, 0},
		{"it is worth it in time, when what is needed is not known any more", func() {}, 2*rest + int(pruneRest/time.Second), 0},
		{"of one", func() { c.need(0, note{needsNothing, at(40)}) }, 40, 0},
		{"it is known of both", func() { c.need(1, note{75, at(40)}) }, 40, 75},
		{"nothing is needed", func() { c.end(75, true); c.need(1, note{needsNothing, at(44)}); c.may(80, pruneBatch) }, 44, 80},
		{"no more may leave", func() { c.end(80, true); c.may(80, pruneBatch) }, 48, 0},
		{"one has another owner again", func() { c.forget(1); c.may(90, pruneBatch) }, 48, 0},
	}
	for _, s := range steps {
		s.do()
		if got := c.begin(at(s.now)); got != s.want {
			t.Errorf("%s: it is cut at %d, want %d", s.what, got, s.want)
		}
	}
	if got := c.below(); got != 80 {
		t.Errorf("all has left below %d, want 80", got)
	}
}

// Engines cut at what each has said, and not without one of them.
func TestCutsOfSeveral(t *testing.T) {
	t.Parallel()
	start := time.Now()
	a, b := &cuts{partitions: 3}, &cuts{partitions: 3}
	a.need(0, note{70, start})
	a.may(100, 2)
	b.need(1, note{needsNothing, start})
	b.need(2, note{60, start.Add(time.Second)})
	b.may(90, 1)
	heard := func(words ...string) {
		var others [][]byte
		for _, w := range words {
			others = append(others, []byte(w))
		}
		a.hear(others, start)
	}
	said := string(b.say())
	for what, words := range map[string][]string{
		"nothing":                       {},
		"an earlier release":            {""},
		"a future one":                  {`{"partitions":["1-2"]}`},
		"not what is needed":            {`{"partitions":[1,2],"time":"` + start.Format(time.RFC3339Nano) + `"}`},
		"not when":                      {`{"partitions":[1,2],"needs":60}`},
		"of fewer":                      {`{"partitions":[2],"needs":60,"time":"` + start.Format(time.RFC3339Nano) + `"}`},
		"of those that do not exist":    {`{"partitions":[1,3],"needs":60,"time":"` + start.Format(time.RFC3339Nano) + `"}`},
		"of those before they existed":  {`{"partitions":[1,2,-1],"needs":60,"time":"` + start.Format(time.RFC3339Nano) + `"}`},
		"that it still needs the first": {said, `{"partitions":[1],"needs":1,"time":"` + start.Format(time.RFC3339Nano) + `"}`},
	} {
		heard(words...)
		if before, _ := a.where(start); before > 1 {
			t.Errorf("it is cut at %d though another says %s", before, what)
		}
	}
	heard(said)
	if got := a.begin(start.Add(noteLife + time.Millisecond)); got != 0 {
		t.Errorf("it is cut at %d though it is not known any more what another needs", got)
	}
	before, waiting := a.where(start)
	if before != 60 || waiting != 3 {
		t.Errorf("it may be cut at %d, %d wait; want 60 and 3", before, waiting)
	}
	if got := a.begin(start); got != 60 {
		t.Errorf("it is cut at %d, want 60", got)
	}
	a.end(60, true)
	b.hear([][]byte{a.say()}, start)
	if got := b.below(); got != 60 {
		t.Errorf("another hears that all below %d has left, want 60", got)
	}
	b.need(2, note{80, start})
	if got := b.begin(start.Add(cutRest - 1)); got != 0 {
		t.Errorf("another cuts at %d at once", got)
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

// What is held up is pruned by a partition alone only when there is too much of it to
// leave one by one.
func TestFloodIsPruned(t *testing.T) {
	t.Parallel()
	for _, runs := range []int{leaveBatch, flood} {
		p, _ := benchPartition(t)
		ended := p.clock.Now().Add(-p.KeepAge)
		for i := range runs {
			first := uint64(10 * (i + 1))
			p.ledger.gone.leaving = append(p.ledger.gone.leaving, departure{run: strconv.Itoa(i), ended: ended, first: first, last: first + 5})
		}
		if e, _ := p.errand(); e.prune == 0 || e.alone {
			t.Errorf("of %d runs that may leave: %+v, want a cut", runs, e)
		}
		p.marked, p.pruned = p.ledger.gone.leaving[runs-1].last+1, time.Time{}
		p.awaitedSince = p.awaitedSince.Add(-heldWait)
		if e, _ := p.errand(); e.alone != (runs == flood) {
			t.Errorf("of %d runs that have waited for a cut: alone %t", runs, e.alone)
		}
		if e, _ := p.errand(); len(e.leave) != leaveBatch {
			t.Errorf("of %d runs %d leave one by one, want %d", runs, len(e.leave), leaveBatch)
		}
	}
}
