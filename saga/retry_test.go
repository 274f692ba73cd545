package saga

import (
	"fmt"
	"testing"
	"time"

	"segue/events"
)

// TestDelay holds what a delay promises: at least half of the doubled backoff,
// at most all of it, at most Max, and the same for the same attempt.
func TestDelay(t *testing.T) {
	t.Parallel()
	p := Policy{Attempts: 10, Backoff: 100 * time.Millisecond, Max: time.Second}
	for failures, full := range []time.Duration{1: 100, 2: 200, 3: 400, 4: 800, 5: 1000, 6: 1000, 900: 1000} {
		if full == 0 {
			continue
		}
		full *= time.Millisecond
		for run := range 200 {
			n := events.Attempt{N: failures + 1}
			got := p.Delay(fmt.Sprint(run), "s", n, failures)
			if got < full/2 || got > full {
				t.Errorf("run %d after %d failures: %s, want %s to %s", run, failures, got, full/2, full)
			}
			if again := p.Delay(fmt.Sprint(run), "s", n, failures); again != got {
				t.Errorf("run %d after %d failures: %s and then %s", run, failures, got, again)
			}
		}
	}
}

// TestJitterSpreads checks that runs which fail together do not come back
// together: each tenth of the range gets its share.
func TestJitterSpreads(t *testing.T) {
	t.Parallel()
	const runs = 10_000
	var tenths [10]int
	for i := range runs {
		f := fraction(fmt.Sprintf("run-%d", i), "fetch", events.Attempt{N: 2})
		if f < 0 || f >= 1 {
			t.Fatalf("fraction %v is not in [0, 1)", f)
		}
		tenths[int(f*10)]++
	}
	for i, n := range tenths {
		if n < runs/10*8/10 || n > runs/10*12/10 {
			t.Errorf("tenth %d has %d of %d", i, n, runs)
		}
	}
}

func FuzzDelay(f *testing.F) {
	f.Add(int64(time.Second), int64(time.Minute), 3, "run")
	f.Fuzz(func(t *testing.T, backoff, limit int64, failures int, run string) {
		p := Policy{Attempts: 1, Backoff: time.Duration(backoff), Max: time.Duration(limit)}
		if p.Backoff <= 0 || p.Max < p.Backoff || p.Max > MaxDuration {
			t.Skip("Load lets no such policy through")
		}
		if d := p.Delay(run, "s", events.Attempt{N: 2}, failures); d < 0 || d > p.Max {
			t.Errorf("delay %s, want 0 to %s", d, p.Max)
		}
	})
}
