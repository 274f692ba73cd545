//go:build unix

// Command faults breaks real processes of Segue on purpose and looks whether it
// keeps its promises: it kills and pauses programs, cuts their connections, takes
// their disks away, and then judges what became of every start.
//
//	go run ./faults                 the short form of every fault
//	go run ./faults -long           the long form
//	go run ./faults -run kill       those whose names match
//
// It prints a table in Markdown and exits with status 1 if a goal is missed. It
// builds what it runs, needs nothing installed for most faults, listens on
// loopback only, and ends by itself. docs/reliability.md says more.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"segue/faults/fleet"
)

// options are the flags.
type options struct {
	long, list, json, require, race bool
	run, keep                       string
	seed                            uint64
}

func main() {
	var o options
	flag.BoolVar(&o.long, "long", false, "run the long form")
	flag.BoolVar(&o.list, "list", false, "list the faults and their goals")
	flag.BoolVar(&o.json, "json", false, "print a line of JSON for each fault in place of the table")
	flag.BoolVar(&o.require, "require", false, "fail if a fault cannot be run on this machine")
	flag.BoolVar(&o.race, "race", false, "build the programs with the race detector; they are slower then than the goals allow for")
	flag.StringVar(&o.run, "run", "", "run only the faults whose names match this `regexp`")
	flag.StringVar(&o.keep, "keep", "", "keep data and logs in this `directory`")
	flag.Uint64Var(&o.seed, "seed", 0, "what is random follows from it; 0: a random one, which is printed")
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	dieWithParent()
	if err := run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		os.Exit(1)
	}
}

// errMissed is returned by run when a fault broke something.
var errMissed = errors.New("a goal is missed")

func run(ctx context.Context, o options, out io.Writer) error {
	chosen, err := choose(o.run, o.long)
	if err != nil {
		return err
	}
	if o.list {
		list(out, chosen)
		return nil
	}
	if o.seed == 0 {
		o.seed = uint64(time.Now().UnixNano() % 1e9)
	}
	dir, remove, err := folder(o.keep)
	if err != nil {
		return err
	}
	defer remove()
	fmt.Fprintf(os.Stderr, "seed %d, %d faults, in %s\n", o.seed, len(chosen), dir)
	bin := filepath.Join(dir, "bin")
	if err := os.MkdirAll(bin, 0o700); err != nil {
		return err
	}
	var flags []string
	if o.race {
		flags = []string{"-race"}
	}
	programs, err := fleet.Build(ctx, bin, flags...)
	if err != nil {
		return err
	}
	var writing sync.Mutex
	rows := runAll(ctx, o, chosen, func(f Fault) row {
		r := f.do(ctx, o, programs, filepath.Join(dir, f.Name))
		if o.json {
			writing.Lock()
			defer writing.Unlock()
			_ = json.NewEncoder(out).Encode(r) // what cannot be written is nobody's to read
		}
		return r
	})
	if !o.json {
		table(out, rows, o)
	}
	for _, r := range rows {
		if r.Result == failed || r.Result == notRun && o.require {
			return errMissed
		}
	}
	return ctx.Err()
}

// gentle is how many gentle faults run at a time.
const gentle = 3

// runAll runs faults one after the other, in the short form those that are gentle
// before them and beside one another. It returns the rows in the order of the
// faults, of those that were begun.
func runAll(ctx context.Context, o options, chosen []Fault, do func(Fault) row) []row {
	rows := make([]*row, len(chosen))
	beside := new(errgroup.Group)
	beside.SetLimit(gentle)
	for i, f := range chosen {
		if f.Gentle && !o.long {
			beside.Go(func() error {
				if ctx.Err() == nil {
					rows[i] = new(do(f))
				}
				return nil
			})
		}
	}
	_ = beside.Wait() // none has an error
	var begun []row
	for i, f := range chosen {
		if rows[i] == nil && ctx.Err() == nil {
			rows[i] = new(do(f))
		}
		if rows[i] != nil {
			begun = append(begun, *rows[i])
		}
	}
	return begun
}

// choose returns the faults whose names match; those that take long only if they
// are asked for.
func choose(pattern string, long bool) ([]Fault, error) {
	match, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("read -run: %w", err)
	}
	var chosen []Fault
	for _, f := range faults {
		if match.MatchString(f.Name) && (long || pattern != "" || !f.LongOnly) {
			chosen = append(chosen, f)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("no fault matches %q; -list shows them", pattern)
	}
	return chosen, nil
}

// folder returns where everything is kept, and what removes it if nobody wants it.
func folder(keep string) (dir string, remove func(), err error) {
	if keep != "" {
		if dir, err = filepath.Abs(keep); err == nil {
			err = os.MkdirAll(dir, 0o700)
		}
		return dir, func() {}, err
	}
	dir, err = os.MkdirTemp("", "segue-faults-")
	return dir, func() { os.RemoveAll(dir) }, err //nolint:errcheck // what is left is in the temporary folder
}

// do runs one fault within its limit.
func (f Fault) do(ctx context.Context, o options, programs fleet.Programs, dir string) row {
	limit := f.Limit
	if o.long {
		limit = f.LongLimit
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not done within %v", limit))
	defer cancel()
	begin := time.Now()
	say := func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, "%6.1f s  %s: %s\n", time.Since(begin).Seconds(), f.Name, fmt.Sprintf(format, args...))
	}
	b := &Bench{Programs: programs, Dir: dir, Long: o.long, Seed: o.seed, Rand: rand.New(rand.NewPCG(o.seed, 2)), Log: say}
	var report Report
	err := os.RemoveAll(dir) // what another run kept there
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err == nil {
		say("begins")
		report, err = f.Run(ctx, b)
	}
	r := newRow(f, report, err, time.Since(begin))
	if r.Result == failed {
		say("FAILED: %s\n%s", r.Why, b.tails())
	}
	b.close()
	say("%s", r.Result)
	if o.keep == "" {
		os.RemoveAll(dir) //nolint:errcheck // a kept file is only a file too many
	}
	return r
}
