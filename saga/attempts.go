package saga

import (
	"time"

	"segue/events"
)

// phase is where a series of attempts stands.
type phase int

const (
	idle      phase = iota // no attempt yet
	running                // the last attempt has no outcome
	waiting                // another attempt is due at some instant
	done                   // an attempt completed
	exhausted              // no attempt is left
	withheld               // the next attempt was given up when the run turned back
)

// standing is what follows from a series of attempts.
type standing struct {
	phase phase
	// last is the last attempt, nil when idle.
	last *attempt
	// next is the number of the attempt to make (idle, waiting) or being made (running).
	next int
	// made counts the attempts that were asked for.
	made int
	// due is when to make it. Zero: at once.
	due time.Time
	// unknown says that some attempt may have been done without our knowing.
	unknown bool
}

// stand walks through a series of attempts. Each round holds as many as the
// policy allows and ends early with a permanent failure.
func (r *Run) stand(step string, attempts []attempt, undo bool, p Policy, rounds int) standing {
	s := standing{next: 1}
	failures, round := 0, 1
	for i := range attempts {
		a := &attempts[i]
		if !a.requested.set() && !a.settled.set() {
			break // a gap: what lies behind it was never asked for
		}
		s.last, s.next = a, i+1
		if a.withheld {
			s.phase = withheld
			return s
		}
		s.made++
		if a.verdict == completed {
			s.phase = done
			return s
		}
		if a.verdict == pending {
			s.phase = running
			return s
		}
		s.unknown = s.unknown || a.verdict == unknown
		s.next++
		failures++
		if failures >= p.Attempts || !a.failure.Retryable {
			if round == rounds {
				s.phase = exhausted
				return s
			}
			round, failures = round+1, 0
		}
	}
	if s.last == nil {
		return s
	}
	s.phase = waiting
	if failures > 0 {
		delay := p.Delay(r.ID, step, events.Attempt{N: s.next, Undo: undo}, failures)
		asked := time.Duration(s.last.failure.RetryAfterMS) * time.Millisecond
		s.due = s.last.settled.at.Add(max(delay, min(asked, MaxDuration)))
	}
	return s
}

// do returns the standing of a step.
func (r *Run) do(i int) standing {
	step := &r.Definition.Steps[i]
	rounds := 1
	if r.committed() {
		rounds = r.rounds()
	}
	return r.stand(step.Name, r.steps[i].do, false, step.Retry, rounds)
}

// undo returns the standing of a step's undo. The step must have one.
func (r *Run) undo(i int) standing {
	step := &r.Definition.Steps[i]
	return r.stand(step.Name, r.steps[i].undo, true, step.Undo.Retry, r.rounds())
}

// committed says that the pivot has completed, or may have.
func (r *Run) committed() bool {
	i := r.Definition.Pivot()
	if i < 0 {
		return false
	}
	for _, a := range r.steps[i].do {
		if a.verdict == completed || a.verdict == unknown {
			return true
		}
	}
	return false
}
