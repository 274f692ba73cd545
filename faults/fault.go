//go:build unix

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Fault is something that goes wrong, done on purpose to real processes.
type Fault struct {
	// Name is what -run selects, words with dashes: "kill-services".
	Name string
	// Goal is what has to hold, with its numbers; every fault has the goals of the
	// judge (fleet.Judge) besides.
	Goal string
	// Limit is how long it may take; LongLimit with -long. Defaults to 90 s and 30 min.
	Limit, LongLimit time.Duration
	// Gentle says that its short form waits more than it works, so that others like it
	// may run beside it.
	Gentle bool
	// LongOnly leaves it out of the short form, unless -run asks for it.
	LongOnly bool
	// Run does it. The Report says what was done and measured. The error is [Cannot]
	// if the fault cannot be done on this machine; any other says what broke.
	Run func(ctx context.Context, b *Bench) (Report, error)
}

const (
	defaultLimit     = 90 * time.Second
	defaultLongLimit = 30 * time.Minute
)

// faults is filled by the init functions of the files beside this one.
var faults []Fault

// register adds a fault; call it in an init function.
func register(f Fault) {
	f.Limit = cmp.Or(f.Limit, defaultLimit)
	f.LongLimit = cmp.Or(f.LongLimit, defaultLongLimit)
	faults = append(faults, f)
	slices.SortFunc(faults, func(a, b Fault) int { return strings.Compare(a.Name, b.Name) })
}

// Report is what came of a fault.
type Report struct {
	// Did says what was done, with numbers: "300 kills, 5,000 documents".
	Did string
	// Found holds what was measured, a phrase each.
	Found []string
	// Missed holds the phrases of Found that miss their goal.
	Missed []string
}

// Note adds a measurement that has no goal of its own.
func (r *Report) Note(format string, args ...any) {
	r.Found = append(r.Found, fmt.Sprintf(format, args...))
}

// Want adds a measurement that has to meet a goal, and says whether it did.
func (r *Report) Want(met bool, format string, args ...any) {
	r.Note(format, args...)
	if !met {
		r.Missed = append(r.Missed, r.Found[len(r.Found)-1])
	}
}

// errCannot marks what [Cannot] returns.
var errCannot = errors.New("cannot run here")

// Cannot returns the error of a fault that cannot be done on this machine. It is
// shown as NOT RUN, and fails the whole with -require.
func Cannot(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errCannot, fmt.Sprintf(format, args...))
}
