// Command sim runs simulated worlds; package world says what is in them.
//
//	go run ./sim -seed 7 -v             the story of one world
//	go run ./sim -seeds 20000           many worlds, on all cores
//	go run ./sim -seeds 1000 -from 5000 seeds 5000 to 5999
//	go run ./sim -seeds 1000 -twice     each twice, and both times the same must happen
//
// It prints what happened in figures and ends with status 1 when a world breaks a
// rule, with the command that shows that world again.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"testing"

	"segue/sim/world"
)

// memoryLimit is from when on garbage is collected whatever it costs, in bytes.
const memoryLimit = 1 << 30

// command is what the program was asked for.
type command struct {
	from, seeds uint64
	verbose     bool
	parallel    int
	twice       bool
}

func main() {
	c, err := parse(os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(0)
	case err != nil:
		os.Exit(2) // the flag set has said why
	}
	// Worlds make garbage and keep nothing: collect it rarely, but before it is too
	// much. When a world panics, the arguments of world.Run in the traces tell its seed.
	debug.SetGCPercent(800)
	debug.SetMemoryLimit(memoryLimit)
	debug.SetTraceback("all")
	asTest(func(t *testing.T) int { return c.run(t) })
}

func parse(args []string) (command, error) {
	flags := flag.NewFlagSet("sim", flag.ContinueOnError)
	seed := flags.Int64("seed", -1, "run the world of this seed")
	verbose := flags.Bool("v", false, "tell the story of each world")
	seeds := flags.Uint64("seeds", 100, "how many worlds to run, if no -seed is given")
	from := flags.Uint64("from", 0, "the first seed")
	parallel := flags.Int("parallel", runtime.GOMAXPROCS(0), "how many worlds to run at a time")
	twice := flags.Bool("twice", false, "run each world twice: the same seed has to make the same world")
	if err := flags.Parse(args); err != nil {
		return command{}, err
	}
	c := command{from: *from, seeds: *seeds, verbose: *verbose, parallel: *parallel, twice: *twice}
	if *seed >= 0 {
		c.from, c.seeds = uint64(*seed), 1
	}
	if flags.NArg() > 0 || c.parallel < 1 || c.seeds < 1 {
		fmt.Fprintln(flags.Output(), "sim: want at least one seed, one world at a time, and no arguments beside flags")
		flags.Usage()
		return command{}, errors.New("bad arguments")
	}
	return c, nil
}

// asTest calls f with a test and ends the program with the status it returns.
//
// Worlds live in bubbles of testing/synctest, and only a test can make one. The
// package testing hands out a test to whoever plays the role of "go test", which
// is what testing.Main is for; its flags get defaults, and ours are not its.
func asTest(f func(*testing.T) int) {
	testing.Init()
	if err := flag.CommandLine.Parse(nil); err != nil {
		panic(err) // unreachable: there is nothing to parse
	}
	all := func(string, string) (bool, error) { return true, nil }
	testing.Main(all, []testing.InternalTest{{Name: "sim", F: func(t *testing.T) { os.Exit(f(t)) }}}, nil, nil)
}

// run runs the worlds and returns the program's status.
func (c command) run(t *testing.T) int {
	sum := newSummary()
	worlds(t, c, func(r world.Report) {
		if c.verbose {
			tell(os.Stdout, r)
		}
		sum.add(r)
		for _, v := range r.Violations {
			fmt.Printf("seed %d: %s\n", r.Seed, v)
		}
		if len(r.Violations) > 0 {
			fmt.Printf("seed %d breaks %d rules; again: go run ./sim -seed %d -v\n", r.Seed, len(r.Violations), r.Seed)
		}
	})
	sum.print(os.Stdout)
	if sum.broken > 0 {
		return 1
	}
	return 0
}
