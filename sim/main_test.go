package main

import (
	"bytes"
	"strings"
	"testing"

	"segue/sim/world"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args string
		want command
	}{
		{"-seed 7 -v -parallel 3", command{from: 7, seeds: 1, verbose: true, parallel: 3}},
		{"-seed 0 -parallel 1", command{from: 0, seeds: 1, parallel: 1}},
		{"-seeds 20 -from 5 -parallel 2 -twice", command{from: 5, seeds: 20, parallel: 2, twice: true}},
	} {
		if got, err := parse(strings.Fields(test.args)); err != nil || got != test.want {
			t.Errorf("%s: %+v, %v", test.args, got, err)
		}
	}
	for _, args := range []string{"-seeds 0", "-parallel 0", "7", "-seed x"} {
		if _, err := parse(strings.Fields(args)); err == nil {
			t.Errorf("%s: no error", args)
		}
	}
}

// TestWorlds runs some worlds as the program does: each once, the same figures
// whether one at a time or several, and their stories.
func TestWorlds(t *testing.T) {
	t.Parallel()
	var stories [2]string
	for i, parallel := range []int{1, 4} {
		seen := make(map[uint64]string)
		worlds(t, command{from: 3, seeds: 8, parallel: parallel}, func(r world.Report) {
			var b bytes.Buffer
			tell(&b, r)
			seen[r.Seed] = b.String()
		})
		for seed := range uint64(8) {
			if !strings.Contains(seen[3+seed], "run.started") {
				t.Errorf("seed %d tells of no run:\n%s", 3+seed, seen[3+seed])
			}
			stories[i] += seen[3+seed]
		}
		if len(seen) != 8 {
			t.Errorf("%d worlds, want 8", len(seen))
		}
	}
	if stories[0] != stories[1] {
		t.Error("worlds go another way when several run at a time")
	}
}

// TestCompare: worlds that differ are told from those that do not.
func TestCompare(t *testing.T) {
	t.Parallel()
	r := world.Report{Trace: []string{"a", "b"}}
	if compare(&r, world.Report{Trace: []string{"a", "b"}}); len(r.Violations) > 0 {
		t.Errorf("the same: %q", r.Violations)
	}
	if compare(&r, world.Report{Trace: []string{"a", "c"}}); len(r.Violations) != 1 || !strings.Contains(r.Violations[0], "line 2") {
		t.Errorf("not the same: %q", r.Violations)
	}
}

// TestSummary: figures are added up, and worlds that broke a rule counted.
func TestSummary(t *testing.T) {
	t.Parallel()
	s := newSummary()
	s.add(world.Report{Runs: 2, Happened: map[string]int{"completed": 1, "stuck": 1, "killed": 3}})
	s.add(world.Report{Runs: 1, Violations: []string{"no"}, Happened: map[string]int{"completed": 1}})
	var b bytes.Buffer
	s.print(&b)
	for _, want := range []string{"2 worlds, 1 broke a rule", "3 runs", "2 completed, 0 compensated, 1 stuck", "killed 3"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}
}
