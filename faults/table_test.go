//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestResult holds what is a pass and what is not.
func TestResult(t *testing.T) {
	t.Parallel()
	var good, bad Report
	good.Want(true, "ready after %d s", 1)
	bad.Want(true, "nothing lost")
	bad.Want(false, "ready after %d s", 9)
	for name, test := range map[string]struct {
		report Report
		err    error
		want   result
		why    string
	}{
		"goals met":           {good, nil, passed, ""},
		"goal missed":         {bad, nil, failed, "missed: ready after 9 s"},
		"something broke":     {good, errors.New("record c/1 is missing\nand more"), failed, "record c/1 is missing\nand more"},
		"nothing measured":    {Report{Did: "much"}, nil, failed, "nothing was measured"},
		"not on this machine": {Report{}, fmt.Errorf("power cut: %w", Cannot("it needs %s", "root")), notRun, "it needs root"},
	} {
		r := newRow(Fault{Name: "x", Goal: "g"}, test.report, test.err, time.Second)
		if r.Result != test.want || !strings.Contains(r.Why, test.why) || (test.why == "") != (r.Why == "") {
			t.Errorf("%s: %q because of %q, want %q, %q", name, r.Result, r.Why, test.want, test.why)
		}
		var out bytes.Buffer
		table(&out, []row{r}, options{seed: 7})
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		last := lines[len(lines)-1]
		if !strings.Contains(last, string(test.want)) || strings.Count(last, " | ") != 4 || !strings.Contains(lines[0], "-seed 7") {
			t.Errorf("%s: the table is\n%s", name, out.String())
		}
	}
}

// TestFaults holds that every fault says what it is for, and that names are unique.
func TestFaults(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for _, f := range faults {
		if f.Name == "" || f.Goal == "" || f.Run == nil || f.Limit <= 0 || f.LongLimit < f.Limit || seen[f.Name] {
			t.Errorf("fault %q lacks something or is there twice", f.Name)
		}
		seen[f.Name] = true
	}
	chosen, err := choose("^kill-", false)
	if err != nil || len(chosen) != 3 {
		t.Errorf("-run ^kill- chooses %d faults, %v", len(chosen), err)
	}
	for pattern, want := range map[string]int{"": 0, "^retention$": 1} {
		short, err := choose(pattern, false)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, f := range short {
			if f.LongOnly {
				found++
			}
		}
		if found != want {
			t.Errorf("the short form of %q has %d faults of the long form, want %d", pattern, found, want)
		}
	}
	if _, err := choose("no such fault", false); err == nil {
		t.Error("a pattern that nothing matches chooses nothing and says nothing")
	}
}

func TestSum(t *testing.T) {
	t.Parallel()
	const metrics = "# HELP segue_runs_running x\nsegue_runs_running{partition=\"1\"} 3\nsegue_runs_running{partition=\"2\"} 4\nsegue_runs_running_more 9\n"
	if n := sum(metrics, "segue_runs_running"); n != 7 {
		t.Errorf("the sum is %d, want 7", n)
	}
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	times := []time.Duration{5, 1, 3}
	if quantile(nil, 0.5) != 0 || quantile(times, 0) != 1 || quantile(times, 0.5) != 3 || quantile(times, 1) != 5 {
		t.Errorf("quantiles of 1, 3, 5 are %d, %d, %d", quantile(times, 0), quantile(times, 0.5), quantile(times, 1))
	}
}

// TestRunAll holds that gentle faults run beside one another and others alone, that
// the rows stand in order, and that in the long form each is alone.
func TestRunAll(t *testing.T) {
	t.Parallel()
	chosen := []Fault{{Name: "a", Gentle: true}, {Name: "b"}, {Name: "c", Gentle: true}, {Name: "d"}}
	for _, long := range []bool{false, true} {
		var here, alone atomic.Int32
		var both sync.WaitGroup
		both.Add(2)
		rows := runAll(t.Context(), options{long: long}, chosen, func(f Fault) row {
			defer here.Add(-1)
			switch n := here.Add(1); {
			case f.Gentle && !long:
				both.Done()
				both.Wait() // for the other one
			case n == 1:
				alone.Add(1)
			}
			return row{Fault: f.Name}
		})
		var names []string
		for _, r := range rows {
			names = append(names, r.Fault)
		}
		if want := map[bool]int32{false: 2, true: 4}[long]; alone.Load() != want || strings.Join(names, "") != "abcd" {
			t.Errorf("long %v: %v ran alone, rows %v", long, alone.Load(), names)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	rows := runAll(ctx, options{}, chosen, func(f Fault) row {
		if f.Name == "b" {
			cancel()
		}
		return row{Fault: f.Name}
	})
	if len(rows) != 3 {
		t.Errorf("%d rows of three faults that were begun", len(rows))
	}
}
