// Package check walks through everything that can become of the runs of a
// definition, with the very functions that run it, and refuses a definition that
// is not safe:
//
//	Definition(d)     => Result: how many states, how every way ends, or a Flaw
//	NewGraph(d)       => Graph, every state and every step between two of them
//	Graph.Follows(m)  => whether a recorded run lies in it
//
// # The walk
//
// A walk begins with a started message and goes, breadth first, to every state
// that one more message in the journal makes of a state it has been to: each
// running attempt may complete, fail, fail for good, break off, or be overtaken by
// its timeout; the input of a step may be impossible to make; a step with a when may be
// skipped; the run may be
// canceled or meet its deadline; a stuck run may be given another round by its
// operator; and whatever an orchestrator has decided it may store at any later
// time, when others have stored more than it has read. Each answer comes twice, the
// second time as its contrary and late.
//
// Numbers are taken out of it. A policy of two attempts or more may go on for as
// long as one likes and may be exhausted at any failure, so that a walk through two
// attempts is one through a thousand.
//
// A definition with many steps side by side has more states than can be looked at.
// Then the walk is cut. Others look at the runs in which one thing happens after the
// other: first, for each step that looks suspicious, at those in which only this one
// goes wrong; then at those in which nothing goes wrong, one thing, or two.
//
// # What is refused
//
//   - a step that never runs, because its input cannot be made;
//   - a step that may have been done in a run that turns back, and neither is undone
//     nor says that there is nothing to undo;
//   - a run that gets stuck without an undo that failed: at or behind the pivot, where
//     there is no way back, something can run out of attempts;
//   - whatever breaks the rules of package saga: a step asked for before what it needs,
//     an undo out of order, while the step runs, for what was never done or across the
//     pivot, a message after the end, a run that stays as it is for ever.
package check

import (
	"slices"
	"strings"

	"segue/saga"
)

// Limits of a walk.
const (
	// MaxStates is how many states are looked at before the walk is cut.
	MaxStates = 25_000
	// maxWork bounds the states of a definition with many steps, each of which takes
	// longer to look at: states times steps.
	maxWork = 250_000
	// maxFaults is how many things go wrong, at most, in a run of the walk that looks
	// at one thing after the other.
	maxFaults = 2
)

// Result is what is known of a definition.
type Result struct {
	// States is how many different states a run can get into, as far as they were
	// looked at.
	States int
	// Complete says that all were looked at. Otherwise the walk was cut, and Sampled
	// is how many states of runs in which one thing happens after the other were
	// looked at besides.
	Complete bool
	Sampled  int
	// Endings counts the states in which nothing more happens by itself: completed,
	// compensated and stuck.
	Endings map[saga.Status]int
	// StuckAt lists the steps whose undo can run out of attempts, in the order of the
	// definition.
	StuckAt []string
	// Flaw is why the definition is refused; nil for a good one.
	Flaw *Flaw
}

// Err returns the flaw as an error, or nil.
func (r Result) Err() error {
	if r.Flaw == nil {
		return nil
	}
	return r.Flaw
}

// Flaw is why a definition is refused.
type Flaw struct {
	Saga string
	// Step is the step that has it; empty if it is the run's.
	Step string
	// Reason says what is wrong, WayOut what to write instead.
	Reason string
	WayOut string
	// Story is the shortest way there, a line a message.
	Story []string
}

// Error returns saga, step, reason and way out in one line.
func (f *Flaw) Error() string {
	var b strings.Builder
	b.WriteString("saga " + f.Saga + ": ")
	if f.Step != "" {
		b.WriteString("step " + f.Step + " ")
	}
	return b.String() + f.Reason + "; " + f.WayOut
}

// Definition walks through a definition. It takes time in proportion to the states,
// a second or two at the limit.
func Definition(d *saga.Definition) Result {
	return definition(d, (*saga.Run).Decide, min(MaxStates, maxWork/len(d.Steps)))
}

// definition walks with another Decide, so that tests can show that the walk finds
// what is wrong with one.
func definition(d *saga.Definition, decide decider, limit int) Result {
	full := newWalker(d, decide, limit)
	full.walk()
	result := full.result()
	if result.Complete || result.Flaw != nil {
		return result
	}
	for _, step := range suspects(d) {
		directed := newWalker(d, decide, limit)
		directed.narrow, directed.suspect = true, step
		directed.walk()
		if result.Flaw = directed.flaw; result.Flaw != nil {
			return result
		}
	}
	narrow := newWalker(d, decide, limit)
	narrow.narrow = true
	narrow.walk()
	sample := narrow.result()
	result.Sampled, result.Flaw = sample.States, sample.Flaw
	for status, n := range sample.Endings {
		result.Endings[status] = max(result.Endings[status], n)
	}
	result.StuckAt = full.stuckSteps(narrow.stuckAt)
	return result
}

// suspects lists the steps that, by what the definition says of them, can be
// expected to have a flaw. The walk does not ask; where it is cut it is sent to them.
func suspects(d *saga.Definition) []int {
	var list []int
	behind := make([]bool, len(d.Steps)) // at or behind the pivot
	for i, s := range d.Steps {
		behind[i] = s.Pivot || slices.ContainsFunc(s.Needs, func(n int) bool { return behind[n] })
		endless := s.Retry.Attempts == saga.Unlimited
		undone := s.Undo != nil || s.NothingToUndo
		if behind[i] && !endless || !behind[i] && !undone || s.With.Hopeless() != nil || s.When.Hopeless() != nil {
			list = append(list, i)
		}
	}
	return list
}
