package saga

import (
	"encoding/json"
	"slices"
	"time"

	"segue/events"
)

// Phase is where the attempts at something stand.
type Phase int

// The phases.
const (
	PhaseIdle      Phase = iota // no attempt yet
	PhaseRunning                // the last attempt has no outcome
	PhaseWaiting                // another attempt is due at some instant
	PhaseDone                   // an attempt completed, or there was nothing to do
	PhaseExhausted              // no attempt is left
	PhaseWithheld               // the next attempt was given up when the run turned back
)

// String returns the phase in a word.
func (p Phase) String() string {
	return [...]string{"idle", "running", "waiting", "done", "exhausted", "withheld"}[p]
}

// attempt holds the two messages of one attempt.
type attempt struct {
	n         int // its number, from 1
	requested mark
	withheld  bool // requested holds a withheld message in place of a command
	skipped   bool // requested holds a skipped message in place of a command
	settled   mark
	verdict   verdict
	failure   events.Failed   // for failed, and for unknown as far as it is told
	output    json.RawMessage // for completed
}

// over returns the message with which the attempt came to its end.
func (a *attempt) over() mark {
	if a.skipped {
		return a.requested
	}
	return a.settled
}

type verdict int

const (
	pending   verdict = iota // no outcome yet
	completed                // done
	failed                   // not done
	unknown                  // maybe done
)

// series is the attempts at one thing that are remembered, by number. What a
// message claims costs no more memory than that message.
type series []attempt

// at returns the place of an attempt.
func (list *series) at(n int) *attempt {
	i, found := slices.BinarySearchFunc(*list, n, func(a attempt, n int) int { return a.n - n })
	if !found {
		*list = slices.Insert(*list, i, attempt{n: n})
	}
	return &(*list)[i]
}

// remembered is how many of the last attempts of an unlimited series are kept.
const remembered = 8

// forget drops attempts that nothing depends on any more: in an unlimited series
// each attempt that was asked for tells that those before it failed. The first is
// kept for the time it began, and the first unknown because it may have been done.
func (list *series) forget() {
	newest, seen := list.newest(), false
	*list = slices.DeleteFunc(*list, func(a attempt) bool {
		doubt := a.verdict == unknown && !seen
		seen = seen || doubt
		return a.n <= newest-remembered && a.n > 1 && !doubt
	})
}

// newest returns the number of the last attempt that was asked for.
func (list series) newest() int {
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].requested.set() {
			return list[i].n
		}
	}
	return 0
}

// asked returns the attempts that were made, without what claims to be an answer to
// one that was not.
func (list series) asked(s Standing) series {
	return slices.DeleteFunc(slices.Clone(list), func(a attempt) bool { return s.last == nil || a.n > s.last.n })
}

// Standing is where the attempts at a step, or at undoing it, stand.
type Standing struct {
	Phase Phase
	// Next is the number of the attempt to make (idle, waiting) or being made (running).
	Next int
	// Skipped says of a step that is done that there was nothing to do.
	Skipped bool
	// Unknown says that some attempt may have been done without our knowing.
	Unknown bool
	// Spare says that an operator has given another round of attempts, to begin when
	// this one is exhausted.
	Spare bool

	last *attempt  // nil when idle
	made int       // how many attempts were asked for
	due  time.Time // when to make the next one; zero: at once
}

// stand walks through a series of attempts. Each round holds as many as the
// policy allows and ends early with a permanent failure, unless the run is driven
// on for ever.
func (r *Run) stand(step string, attempts series, undo bool, p Policy, rounds int, forever bool) Standing {
	s := Standing{Next: 1, Spare: rounds > 1}
	failures, round, known := 0, 1, 0
	if p.Attempts == Unlimited {
		known = attempts.newest()
	}
	for i := range attempts {
		a := &attempts[i]
		if a.n != s.Next && a.n > known || !a.requested.set() && !a.settled.set() {
			break // what lies behind a gap was never asked for
		}
		failures += a.n - s.Next // those that were forgotten
		s.last, s.Next = a, a.n
		if a.withheld {
			s.Phase = PhaseWithheld
			return s
		}
		if a.skipped {
			s.Phase, s.Skipped = PhaseDone, true
			return s
		}
		s.made = a.n
		if a.verdict == completed {
			s.Phase = PhaseDone
			return s
		}
		if a.verdict == pending {
			s.Phase = PhaseRunning
			return s
		}
		s.Unknown = s.Unknown || a.verdict == unknown
		s.Next++
		failures++
		if failures >= p.Attempts || !a.failure.Retryable && !forever {
			if round == rounds {
				s.Phase = PhaseExhausted
				return s
			}
			round, failures = round+1, 0
			s.Spare = round < rounds
		}
	}
	if s.last == nil {
		return s
	}
	if s.Next > events.MaxAttempt {
		s.Phase = PhaseExhausted // no subject has a number for it
		return s
	}
	s.Phase = PhaseWaiting
	if failures > 0 {
		delay := p.Delay(r.ID, step, events.Attempt{N: s.Next, Undo: undo}, failures)
		asked := time.Duration(s.last.failure.RetryAfterMS) * time.Millisecond
		s.due = s.last.settled.at.Add(max(delay, min(asked, MaxDuration)))
	}
	return s
}

// Do returns where the attempts at a step stand, by its position in the definition.
func (r *Run) Do(i int) Standing { return r.do(i) }

// Undo returns where the attempts at undoing a step stand: idle for one without undo.
func (r *Run) Undo(i int) Standing {
	if r.Definition.Steps[i].Undo == nil {
		return Standing{Next: 1}
	}
	return r.undo(i)
}

// Committed says that the point of no return has been passed, or may have been:
// the run does not turn back any more.
func (r *Run) Committed() bool { return r.committed() }

// do returns the standing of a step.
func (r *Run) do(i int) Standing {
	step := &r.Definition.Steps[i]
	rounds, forever := 1, false
	if r.committed() {
		rounds, forever = r.rounds(), step.Retry.Attempts == Unlimited
	}
	return r.stand(step.Name, r.steps[i].do, false, step.Retry, rounds, forever)
}

// undo returns the standing of a step's undo. The step must have one.
func (r *Run) undo(i int) Standing {
	step := &r.Definition.Steps[i]
	return r.stand(step.Name, r.steps[i].undo, true, step.Undo.Retry, r.rounds(), false)
}

// committed says that the pivot has completed, or may have.
func (r *Run) committed() bool {
	i := r.Definition.Pivot()
	if i < 0 {
		return false
	}
	step := &r.Definition.Steps[i]
	s := r.stand(step.Name, r.steps[i].do, false, step.Retry, 1, false)
	return s.Phase == PhaseDone || s.Unknown
}
