package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"segue/sim/world"
)

// summary adds up what happened in worlds.
type summary struct {
	began                          time.Time
	worlds, broken, runs, messages int
	virtual                        time.Duration
	happened                       map[string]int
}

func newSummary() *summary {
	return &summary{began: time.Now(), happened: make(map[string]int)}
}

func (s *summary) add(r world.Report) {
	s.worlds++
	s.runs += r.Runs
	s.messages += r.Messages
	s.virtual += r.Took
	if len(r.Violations) > 0 {
		s.broken++
	}
	for what, n := range r.Happened {
		s.happened[what] += n
	}
}

// endings are the counts that are shown first: how runs ended.
var endings = []string{"completed", "compensated", "stuck"}

func (s *summary) print(w io.Writer) {
	spent := time.Since(s.began)
	fmt.Fprintf(w, "%d worlds, %d broke a rule\n", s.worlds, s.broken)
	fmt.Fprintf(w, "%d runs, %d messages, %v of virtual time in %v: %.0f runs/s\n",
		s.runs, s.messages, s.virtual.Round(time.Minute), spent.Round(100*time.Millisecond), float64(s.runs)/spent.Seconds())
	var ends []string
	for _, what := range endings {
		ends = append(ends, fmt.Sprintf("%d %s", s.happened[what], what))
		delete(s.happened, what)
	}
	fmt.Fprintf(w, "runs ended: %s\n", strings.Join(ends, ", "))
	var all []string
	for _, what := range slices.Sorted(maps.Keys(s.happened)) {
		all = append(all, fmt.Sprintf("%s %d", what, s.happened[what]))
	}
	fmt.Fprintf(w, "happened: %s\n", strings.Join(all, ", "))
}

// tell prints the story of a world.
func tell(w io.Writer, r world.Report) {
	fmt.Fprintf(w, "seed %d: %s\n", r.Seed, r.World)
	for _, line := range r.Story() {
		fmt.Fprintln(w, line)
	}
}
