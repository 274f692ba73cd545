package simulator

import (
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// simulate runs a world in a bubble.
func simulate(t *testing.T, seed uint64, o Options) (r Report) {
	synctest.Test(t, func(*testing.T) { r = Run(seed, o) })
	return r
}

// fixedSeeds is how many worlds every run of the tests looks at.
const fixedSeeds = 16

// seeds are the one that SEGUE_SEED names, or else some that never change and
// SEGUE_SEEDS more at random.
func seeds(t *testing.T) []uint64 {
	if s := os.Getenv("SEGUE_SEED"); s != "" {
		seed, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("SEGUE_SEED: %v", err)
		}
		return []uint64{seed}
	}
	var all []uint64
	for seed := range uint64(fixedSeeds) {
		all = append(all, seed)
	}
	if s := os.Getenv("SEGUE_SEEDS"); s != "" {
		more, err := strconv.Atoi(s)
		if err != nil {
			t.Fatalf("SEGUE_SEEDS: %v", err)
		}
		for range more {
			all = append(all, rand.Uint64())
		}
	}
	return all
}

// TestWorlds is the point of this package: whatever goes wrong, no rule is
// broken. SEGUE_SEEDS=1000 looks at 1000 more worlds, SEGUE_SEED=7 at one.
func TestWorlds(t *testing.T) {
	t.Parallel()
	happened := make(map[string]int)
	runs, messages, took, began := 0, 0, time.Duration(0), time.Now()
	list := seeds(t)
	for _, seed := range list {
		r := simulate(t, seed, Options{})
		for what, n := range r.Happened {
			happened[what] += n
		}
		runs, messages, took = runs+r.Runs, messages+r.Messages, took+r.Took
		tell(t, r)
	}
	spent := time.Since(began)
	t.Logf("%d worlds, %d runs, %d messages, %v of virtual time in %v: %.0f runs/s", len(list), runs, messages,
		took.Round(time.Minute), spent.Round(time.Millisecond), float64(runs)/spent.Seconds())
	if len(list) < fixedSeeds {
		return
	}
	// What never happened, nothing has been shown about.
	wanted := []string{
		"completed", "compensated", "signal cancel", "signal retry-1", "signal retry-2", "barred", "repeated",
		"lost", "unheard", "taken", "duplicated", "expired", "crash", "killed", "stopped",
		"died before an append", "died behind an append",
	}
	for _, a := range append(doing, undoing...) {
		wanted = append(wanted, string(a))
	}
	for _, what := range wanted {
		if happened[what] == 0 {
			t.Errorf("%q never happened; what did: %v", what, happened)
		}
	}
}

// tell reports what is wrong with a world, and how to see it again.
func tell(t *testing.T, r Report) {
	t.Helper()
	if len(r.Violations) == 0 {
		return
	}
	shown := r.Violations[:min(10, len(r.Violations))]
	t.Errorf("seed %d breaks %d rules; again: SEGUE_SEED=%d go test -count 1 -run '^%s$' ./simulator (SEGUE_TRACE=FILE keeps the trace)\n%s",
		r.Seed, len(r.Violations), r.Seed, t.Name(), strings.Join(shown, "\n"))
	if file := os.Getenv("SEGUE_TRACE"); file != "" {
		if err := os.WriteFile(file, []byte(strings.Join(r.Trace, "\n")), 0o644); err != nil {
			t.Error(err)
		}
	}
}

// TestSameSeedSameWorld: a seed that failed can be looked at again.
func TestSameSeedSameWorld(t *testing.T) {
	t.Parallel()
	for _, seed := range []uint64{11, 12, 13, 14} {
		first, second := simulate(t, seed, Options{}), simulate(t, seed, Options{})
		if !slices.Equal(first.Trace, second.Trace) {
			for i := range min(len(first.Trace), len(second.Trace)) {
				if first.Trace[i] != second.Trace[i] {
					t.Fatalf("seed %d: line %d differs:\n%s\n%s", seed, i, first.Trace[i], second.Trace[i])
				}
			}
			t.Fatalf("seed %d: one trace is longer: %d and %d lines", seed, len(first.Trace), len(second.Trace))
		}
		if diff := cmp.Diff(first, second); diff != "" {
			t.Errorf("seed %d: the reports differ:\n%s", seed, diff)
		}
		if other := simulate(t, seed+1000, Options{}); slices.Equal(first.Trace, other.Trace) {
			t.Errorf("seeds %d and %d make the same world", seed, seed+1000)
		}
	}
}

// TestCalm: in a world where only handlers and operators misbehave, every process
// lives to the end and nothing is lost.
func TestCalm(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		r := simulate(t, seed, Options{Calm: true, Runs: 40})
		tell(t, r)
		for _, fault := range []string{"lost", "unheard", "duplicated", "crash", "ended early"} {
			if n := r.Happened[fault]; n > 0 {
				t.Errorf("seed %d: %q happened %d times in a calm world", seed, fault, n)
			}
		}
	}
}

// TestFickle: handlers that answer differently when they are called again for
// the same attempt, as real ones do. A failure that promises that nothing was
// done must hold for every later delivery of the command as well.
func TestFickle(t *testing.T) {
	t.Parallel()
	for _, seed := range seeds(t) {
		tell(t, simulate(t, seed, Options{Fickle: true}))
	}
}
