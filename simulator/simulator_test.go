package simulator

import (
	"fmt"
	"hash/fnv"
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

// seeds are those that SEGUE_SEED names or else some that never change and
// SEGUE_SEEDS more, at random.
func seeds(t *testing.T) []uint64 {
	if s := os.Getenv("SEGUE_SEED"); s != "" {
		seed, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("SEGUE_SEED: %v", err)
		}
		return []uint64{seed}
	}
	more, err := strconv.Atoi(os.Getenv("SEGUE_SEEDS"))
	if s := os.Getenv("SEGUE_SEEDS"); err != nil && s != "" {
		t.Fatalf("SEGUE_SEEDS: %v", err)
	}
	all := []uint64{1, 2, 3, 4, 5, 6, 7, 8}
	for range more {
		all = append(all, rand.Uint64())
	}
	return all
}

// TestWorlds is the point of this package: whatever goes wrong, no rule is broken.
func TestWorlds(t *testing.T) {
	t.Parallel()
	happened := make(map[string]int)
	runs, messages, began := 0, 0, time.Now()
	for _, seed := range seeds(t) {
		r := simulate(t, seed, Options{})
		for what, n := range r.Happened {
			happened[what] += n
		}
		runs, messages = runs+r.Runs, messages+r.Messages
		tell(t, r)
	}
	took := time.Since(began)
	t.Logf("%d runs, %d messages in %v: %.0f runs/s; %v", runs, messages, took, float64(runs)/took.Seconds(), happened)
	_ = cmp.Diff
	_ = slices.Sort[[]int]
	_ = fnv.New64
	_ = strings.Join
}

// tell reports what is wrong with a world, and how to see it again.
func tell(t *testing.T, r Report) {
	t.Helper()
	if len(r.Violations) == 0 {
		return
	}
	text := fmt.Sprintf("seed %d: %d violations; see them again with\n\tSEGUE_SEED=%d go test -run TestWorlds ./simulator\n", r.Seed, len(r.Violations), r.Seed)
	for i, v := range r.Violations {
		if i == 10 {
			text += "...\n"
			break
		}
		text += v + "\n"
	}
	t.Error(text)
	if file := os.Getenv("SEGUE_TRACE"); file != "" {
		_ = os.WriteFile(file, []byte(strings.Join(r.Trace, "\n")), 0o644)
	}
}
