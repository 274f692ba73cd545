package world

import (
	"fmt"
	"strings"
	"time"
)

// Plan makes up the world of a seed: mostly a small one, in which a few things go
// wrong and each of them matters, now and then a large one; the saga ingest or
// scripted handlers; rarely a calm one.
func Plan(seed uint64) Options {
	d := dice(seed)
	o := Options{
		Runs: 2 + d.below(3, "plan runs"), Engines: 1 + d.below(2, "plan engines"), Workers: 1 + d.below(2, "plan workers"),
		Chaos: d.between(10*time.Second, 40*time.Second, "plan chaos"), Partitions: 1 + d.below(3, "plan partitions"),
		Kills: none(d.below(4, "plan kills")), Crashes: none(d.below(2, "plan crashes")),
		Ingest: d.chance(0.5, "plan ingest"), Calm: d.chance(0.03, "plan calm"),
	}
	if d.chance(0.005, "plan large") {
		o = Options{Ingest: o.Ingest}
	}
	if o.Leave = d.chance(0.3, "plan leave"); o.Leave && o.Chaos > 0 { // some leave while others begin and processes die
		o.Chaos = d.between(40*time.Second, 4*time.Minute, "plan long chaos")
	}
	o.Clock = d.chance(0.3, "plan clock")
	if o.Ingest {
		o.Storm, o.Again = d.chance(0.3, "plan storm"), d.chance(0.2, "plan again")
	} else {
		o.Fickle = d.chance(0.3, "plan fickle")
	}
	return o
}

// none is a count for Options, in which 0 stands for the default.
func none(n int) int {
	if n == 0 {
		return -1
	}
	return n
}

// String describes a world in a line.
func (o Options) String() string {
	what := []string{"scripted handlers"}
	if o.Ingest {
		what = []string{"the saga ingest"}
	}
	for _, mood := range []struct {
		is   bool
		word string
	}{{o.Calm, "calm"}, {o.Storm, "storm"}, {o.Fickle, "fickle"}, {o.Leave, "ended runs leave"}, {o.Clock, "some start by the clock"}, {o.Again, "the same documents again"}} {
		if mood.is {
			what = append(what, mood.word)
		}
	}
	return fmt.Sprintf("%s; %d starts in %v, %d engines, %d workers, %d partitions, %d kills, %d crashes of the broker",
		strings.Join(what, ", "), o.Runs, o.Chaos.Round(time.Second), o.Engines, o.Workers, o.Partitions, o.Kills, o.Crashes)
}
