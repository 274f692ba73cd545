package saga

import (
	"encoding/json"
	"math"
	"slices"
	"time"
)

// Definition is a saga as loaded and checked. It is immutable.
type Definition struct {
	// Name is the last token of the subject its starts are published on.
	Name string
	// Digest is the sha256, in lower-case hex, of Text. A run is pinned to it.
	Digest string
	// Text is the definition as canonical JSON: sorted keys, the $ref of input
	// resolved, durations as written, no descriptions. Loading it gives the same
	// Definition.
	Text []byte
	// Deadline is how long a run may take before it turns back.
	Deadline time.Duration
	// Steps are in an order in which each comes after all it needs; among those
	// that are free, by name. The order of the file does not matter.
	Steps []Step
	// Output makes the output of a completed run. The zero Template makes null.
	Output Template

	input *inputSchema
	index map[string]int // step name => position in Steps
	pivot int            // position in Steps counted from 1; 0 if there is none
}

// Step is one step of a Definition.
type Step struct {
	Name    string
	Service string
	// Needs lists the positions in Definition.Steps of the steps that must have
	// completed before, ascending.
	Needs []int
	// When says, once all that the step needs has completed, whether there is anything
	// to do: a step for which it is false is skipped. The zero Template is true.
	When Template
	// With makes the input of the service.
	With Template
	// Timeout is how long an attempt may take from the moment its command is stored.
	Timeout time.Duration
	Retry   Policy
	// Undo is nil for a step that is never undone.
	Undo *Undo
	// NothingToUndo says that the definition says so ("undo: false"): the step
	// changes nothing that would have to be undone. A step with neither that may
	// have been done in a run that turns back forgets its undo; see package check.
	NothingToUndo bool
	// Pivot marks the point of no return: once it has completed, the run is not
	// undone any more but driven on.
	Pivot bool
}

// Undo says how a step is undone.
type Undo struct {
	Timeout time.Duration
	Retry   Policy
}

// Policy says how often and how fast something is tried again.
type Policy struct {
	// Attempts is the number of tries in all, at least 1, or Unlimited.
	Attempts int
	// Backoff is the delay before the second try; it doubles with each further
	// one up to Max. See [Policy.Delay].
	Backoff time.Duration
	Max     time.Duration
}

// Unlimited is the number of attempts of a step with "attempts: unlimited": it is
// tried again for as long as the run goes forward. Behind the point of no return
// that is for ever, and not even a permanent failure ends it.
const Unlimited = math.MaxInt

// Defaults of a definition file.
const (
	DefaultDeadline     = 10 * time.Minute
	DefaultTimeout      = time.Minute
	DefaultAttempts     = 3
	DefaultBackoff      = 500 * time.Millisecond
	DefaultMaxBackoff   = 30 * time.Second
	DefaultUndoAttempts = 10
)

// Limits of a definition file.
const (
	// MaxSteps is the largest number of steps.
	MaxSteps = 100
	// MaxAttempts is the largest number of attempts of a policy.
	MaxAttempts = 1000
	// MinUnlimited is the least longest pause of a step with unlimited attempts.
	MinUnlimited = time.Second
	// MaxDuration is the longest deadline, timeout or backoff.
	MaxDuration = 30 * 24 * time.Hour
	// MaxText is the largest definition file, in bytes, its $refs resolved.
	MaxText = 1 << 20
)

// Step returns the position of a step in Steps, or -1.
func (d *Definition) Step(name string) int {
	if i, ok := d.index[name]; ok {
		return i
	}
	return -1
}

// Pivot returns the position of the pivot step, or -1.
func (d *Definition) Pivot() int { return d.pivot - 1 }

// CheckInput returns an error that names every place where the data of a start
// event does not fit the definition's input schema.
func (d *Definition) CheckInput(data json.RawMessage) error { return d.input.check(data) }

// Services returns the names of the services that definitions need, each once,
// sorted.
func Services(definitions ...*Definition) []string {
	var names []string
	for _, d := range definitions {
		for _, s := range d.Steps {
			names = append(names, s.Service)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
