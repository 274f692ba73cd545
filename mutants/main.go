// Command mutants plants the classic bugs of such a protocol in Segue, one at a
// time, and looks whether a test finds each. A test that has never failed proves
// little; a bug that no test finds shows what is not proved at all.
//
//	go run ./mutants                print the table, two mutants at a time
//	go run ./mutants -run saver     those whose names match
//	go run ./mutants -list          what there is to plant
//
// A mutant is data: a file, the text to take out of it and the text to put in its
// place, and the tests that should find it. The changed file goes to a temporary
// folder and into the build by -overlay; the tree itself is not touched. First all
// the tests are run without any mutant, and must pass. A mutant that does not fit
// the file any more, does not compile or selects no test is an error, not a find.
//
// It exits with status 1 if fewer than 95 % are found. Run it from the root of the
// repository.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"sync"
	"syscall"
	"time"
)

// goal is the part of the mutants that must be found, in percent.
const goal = 95

// options are the flags.
type options struct {
	run        string
	list, json bool
	parallel   int
}

func main() {
	var o options
	flag.StringVar(&o.run, "run", "", "plant only the mutants whose names match this `regexp`")
	flag.BoolVar(&o.list, "list", false, "list the mutants and do nothing")
	flag.BoolVar(&o.json, "json", false, "print a line of JSON for each mutant in place of the table")
	flag.IntVar(&o.parallel, "parallel", 2, "how many `mutants` to test at a time")
	flag.Parse()
	if flag.NArg() > 0 || o.parallel < 1 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

// errMissed is returned by run when too many mutants survive.
var errMissed = fmt.Errorf("fewer than %d %% are found", goal)

func run(ctx context.Context, o options, out io.Writer) error {
	chosen, err := choose(o.run)
	if err != nil {
		return err
	}
	if o.list {
		list(out, chosen)
		return nil
	}
	dir, err := os.MkdirTemp("", "segue-mutants-")
	if err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // what is left is in the temporary folder
	begin := time.Now()
	if err := sound(ctx, chosen); err != nil {
		return err
	}
	say("%6.1f s  all tests pass without a mutant", time.Since(begin).Seconds())
	rows := plantAll(ctx, dir, chosen, o.parallel)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if o.json {
		for _, r := range rows {
			_ = json.NewEncoder(out).Encode(r) // what cannot be written is nobody's to read
		}
	} else {
		table(out, rows)
	}
	found := count(rows, found)
	say("found %d of %d (%.0f %%; goal %d %%), %d errors, in %.0f s",
		found, len(rows), 100*float64(found)/float64(len(rows)), goal, count(rows, stale), time.Since(begin).Seconds())
	if 100*found < goal*len(rows) {
		return errMissed
	}
	return nil
}

// choose returns the mutants whose names match.
func choose(pattern string) ([]Mutant, error) {
	match, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("read -run: %w", err)
	}
	var chosen []Mutant
	for _, m := range all() {
		if match.MatchString(m.Name) {
			chosen = append(chosen, m)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("no mutant matches %q; -list shows them", pattern)
	}
	return chosen, nil
}

// sound runs every test that the mutants name, without a mutant.
func sound(ctx context.Context, chosen []Mutant) error {
	for _, t := range together(chosen) {
		v, err := goTest(ctx, "", t)
		switch {
		case err != nil:
			return err
		case v.unbuilt:
			return fmt.Errorf("%s does not build without a mutant:\n%s", t.Package, v.output)
		case v.failed != "":
			return fmt.Errorf("%s fails without a mutant:\n%s", v.failed, v.output)
		case v.tests == 0:
			return fmt.Errorf("%s has no test that matches %s", t.Package, t.Run)
		}
		if len(v.skipped) > 0 {
			say("skipped here, so it can find nothing: %v", v.skipped)
		}
	}
	return nil
}

// plantAll tests the mutants, some at a time, and returns a row for each, in order.
func plantAll(ctx context.Context, dir string, chosen []Mutant, parallel int) []row {
	rows := make([]row, len(chosen))
	places := make(chan struct{}, parallel)
	var all sync.WaitGroup
	for i, m := range chosen {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			rows[i] = plant(ctx, dir, m)
			say("%6.1f s  %s: %s %s", rows[i].Seconds, m.Name, rows[i].Result, rows[i].By+rows[i].Why)
		})
	}
	all.Wait()
	return rows
}

// plant puts one mutant into the build and runs its tests until one fails.
func plant(ctx context.Context, dir string, m Mutant) (r row) {
	begin := time.Now()
	r = row{Mutant: m, Result: survived}
	defer func() { r.Seconds = time.Since(begin).Seconds() }()
	overlay, err := m.overlay(dir)
	if err != nil {
		r.Result, r.Why = stale, err.Error()
		return r
	}
	for _, t := range m.Tests {
		v, err := goTest(ctx, overlay, t)
		r.judge(t, v, err)
		if r.Result != survived {
			break
		}
	}
	return r
}

func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// errStale says that a mutant does not fit the code any more.
var errStale = errors.New("stale")
