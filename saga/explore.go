package saga

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"segue/events"
)

// Exploration is what [Explore] found.
type Exploration struct {
	// States is the number of different states that runs can get into.
	States int
	// Complete says that all of them were looked at; false when MaxStates was reached.
	Complete bool
	// Endings counts the states in which nothing more happens, by status:
	// completed, compensated, and stuck.
	Endings map[Status]int
	// StuckAt lists the steps at which a run can get stuck, in the order of the
	// definition.
	StuckAt []string
	// Violation is empty unless a state breaks a rule of the package documentation:
	// then it says which, and how a run gets there.
	Violation string
}

// MaxStates is the default bound of [Explore].
const MaxStates = 200_000

// Explore walks through all that can become of a run of a definition: each
// attempt may complete, fail, fail for good or time out, at any point the run
// may be canceled or meet its deadline, and a second orchestrator that has read
// less may write what it believes is next. It checks every state against the
// rules. To keep the number of states finite and small, it gives every step and
// every undo at most two attempts, and does not evaluate expressions.
func Explore(d *Definition, maxStates int) Exploration {
	return explore(d, maxStates, (*Run).Decide)
}

// explore walks with another Decide, so that tests can show that the walk finds
// what is wrong with one.
func explore(d *Definition, maxStates int, decide func(*Run, time.Time) Decision) Exploration {
	x := &explorer{
		definition: skeleton(d),
		decide:     decide,
		max:        maxStates,
		seen:       make(map[string]bool),
		stuck:      make(map[string]bool),
		result:     Exploration{Endings: make(map[Status]int), Complete: true},
	}
	x.visit(nil, nil)
	x.result.States = len(x.seen)
	for _, s := range d.Steps {
		if x.stuck[s.Name] {
			x.result.StuckAt = append(x.result.StuckAt, s.Name)
		}
	}
	return x.result
}

// skeleton returns the definition with all that does not matter to the order of
// things taken out.
func skeleton(d *Definition) *Definition {
	bare := *d
	bare.Output = Template{}
	bare.Steps = slices.Clone(d.Steps)
	for i := range bare.Steps {
		s := &bare.Steps[i]
		s.With = Template{}
		s.Retry = Policy{Attempts: min(s.Retry.Attempts, 2), Backoff: time.Second, Max: time.Second}
		if s.Undo != nil {
			s.Undo = &Undo{Timeout: s.Undo.Timeout, Retry: Policy{Attempts: min(s.Undo.Retry.Attempts, 2), Backoff: time.Second, Max: time.Second}}
		}
	}
	return &bare
}

type explorer struct {
	definition *Definition
	decide     func(*Run, time.Time) Decision
	max        int
	seen       map[string]bool
	stuck      map[string]bool
	result     Exploration
}

// fold returns the run that a list of messages makes. Sequences and times are
// the places in the list.
func (x *explorer) fold(path []events.Entry) *Run {
	started := events.Entry{
		Subject:  events.Subject{Kind: events.KindStarted, Run: "explored"},
		Event:    events.Event{ID: "started", Type: events.TypeRunStarted},
		Stored:   time.Unix(0, 0),
		Sequence: 1,
	}
	started.Event.Data = events.MarshalData(events.RunStarted{Saga: x.definition.Name, Digest: x.definition.Digest, Input: []byte("null")})
	run, err := Begin(x.definition, started)
	if err != nil {
		panic("saga: explore: " + err.Error()) // unreachable: the message is made for the definition
	}
	for i, e := range path {
		e.Sequence, e.Stored = uint64(i+2), started.Stored
		run.Apply(e)
	}
	return run
}

// visit looks at the state behind a path and at all that can follow. Pending
// holds what was decided on the way and is not stored: an orchestrator that has
// not read on may still write it.
func (x *explorer) visit(path, pending []events.Entry) {
	run := x.fold(path)
	pending = x.pending(run, pending)
	key := run.fingerprint() + subjects(pending)
	if x.seen[key] || x.result.Violation != "" {
		return
	}
	if len(x.seen) >= x.max {
		x.result.Complete = false
		return
	}
	x.seen[key] = true
	if rule := run.broken(); rule != "" {
		x.result.Violation = rule + ": " + route(path)
		return
	}
	next := slices.Concat(pending, x.moves(run))
	if status := run.Status(); len(next) == 0 || status == StatusStuck {
		x.rest(run, status, path)
	}
	for _, e := range next {
		x.visit(append(path[:len(path):len(path)], e), pending)
	}
}

// pending returns what was decided before or is decided now and has no place in
// the run yet.
func (x *explorer) pending(run *Run, earlier []events.Entry) []events.Entry {
	start := run.at.at
	all := slices.Concat(earlier,
		x.decide(run, start).Append,                  // at once
		x.decide(run, start.Add(time.Minute)).Append, // when backoffs have passed, and maybe timeouts
	)
	var open []events.Entry
	for _, e := range all {
		same := func(o events.Entry) bool { return o.Subject == e.Subject && o.Event.Type == e.Event.Type }
		if !run.filled(e.Subject) && !slices.ContainsFunc(open, same) {
			open = append(open, e)
		}
	}
	slices.SortFunc(open, func(a, b events.Entry) int {
		return cmp.Or(strings.Compare(a.Subject.String(), b.Subject.String()), strings.Compare(a.Event.Type, b.Event.Type))
	})
	return open
}

// filled says that a message on a subject would change nothing.
func (r *Run) filled(s events.Subject) bool {
	switch s.Kind {
	case events.KindCommand:
		return r.slot(s).requested.set()
	case events.KindOutcome:
		return r.slot(s).settled.set()
	case events.KindSignal:
		return r.deadline.set()
	default:
		return r.Ended()
	}
}

func subjects(entries []events.Entry) string {
	var b strings.Builder
	for _, e := range entries {
		b.WriteString(" " + e.Subject.String() + " " + e.Event.Type)
	}
	return b.String()
}

// rest counts a state in which a run may stay for ever.
func (x *explorer) rest(run *Run, status Status, path []events.Entry) {
	if !status.Ended() && status != StatusStuck {
		x.result.Violation = "a run stays " + string(status) + " for ever: " + route(path)
		return
	}
	x.result.Endings[status]++
	for _, s := range run.View().Steps {
		if s.State == StateStuck {
			x.stuck[s.Step] = true
		}
	}
}

// moves returns every message that others may store next: operators, services
// and, when time is up, the orchestrator.
func (x *explorer) moves(run *Run) []events.Entry {
	if run.Ended() {
		return nil
	}
	var moves []events.Entry
	if run.turn() == nil && !run.committed() {
		// A deadline that passes turns the run back just as this does.
		subject := events.Subject{Kind: events.KindSignal, Run: run.ID, Signal: events.SignalCancel}
		moves = append(moves, events.Entry{Subject: subject, Event: events.Event{ID: "cancel", Type: events.TypeCancel}})
	}
	for i := range run.Definition.Steps {
		step := &run.Definition.Steps[i]
		if s := run.do(i); s.phase == running {
			moves = append(moves, run.answers(step, events.Attempt{N: s.next})...)
		}
		if step.Undo == nil {
			continue
		}
		if s := run.undo(i); s.phase == running {
			moves = append(moves, run.answers(step, events.Attempt{N: s.next, Undo: true})...)
		}
	}
	return moves
}

// answers returns all that an attempt can come to.
func (r *Run) answers(step *Step, n events.Attempt) []events.Entry {
	subject := r.subject(events.KindOutcome, step, n)
	completedType, failedType, timedOut := events.TypeStepCompleted, events.TypeStepFailed, events.TypeStepTimedOut
	if n.Undo {
		completedType, failedType, timedOut = events.TypeUndoCompleted, events.TypeUndoFailed, events.TypeUndoTimedOut
	}
	answer := func(kind string, data any) events.Entry {
		return events.Entry{Subject: subject, Event: events.Event{ID: kind, Type: kind, Data: events.MarshalData(data)}}
	}
	return []events.Entry{
		answer(completedType, nil),
		answer(failedType, events.Failed{Retryable: true}),
		answer(failedType, events.Failed{}),
		answer(timedOut, events.TimedOut{}),
	}
}

// fingerprint is the same for states that differ in nothing that matters to
// what can follow.
func (r *Run) fingerprint() string {
	var b strings.Builder
	for i := range r.steps {
		b.WriteString(r.do(i).fingerprint())
		if r.Definition.Steps[i].Undo != nil {
			b.WriteString("/" + r.undo(i).fingerprint())
		}
		b.WriteByte(';')
	}
	fmt.Fprintf(&b, "%t %t %s", r.cancel.set(), r.turn() != nil, r.ended.Event.Type)
	return b.String()
}

func (s standing) fingerprint() string {
	switch s.phase {
	case done:
		return "done" // how it got there does not matter
	case exhausted, withheld:
		return fmt.Sprint(s.phase, s.unknown)
	default:
		return fmt.Sprint(s.phase, s.unknown, s.made)
	}
}

// broken returns the rule that a state breaks, or "".
func (r *Run) broken() string {
	turned := r.turn()
	for i := range r.Definition.Steps {
		s, name := r.do(i), r.Definition.Steps[i].Name
		begun := r.Definition.Steps[i].Undo != nil && r.undo(i).made > 0
		switch {
		case s.made > 0 && !r.free(i):
			return "step " + name + " was asked for before what it needs was done"
		case begun && !r.mustUndo(i):
			return "step " + name + " is undone and never was done"
		case begun && turned == nil:
			return "step " + name + " is undone in a run that goes forward"
		case begun && s.phase == running:
			return "step " + name + " is undone while it runs"
		case begun && !r.dependentsUndone(i):
			return "step " + name + " is undone before what depends on it"
		}
	}
	return r.brokenEnd()
}

func (r *Run) brokenEnd() string {
	for i := range r.Definition.Steps {
		s, name := r.do(i), r.Definition.Steps[i].Name
		switch {
		case !r.Ended():
		case s.phase == running:
			return "the run ended while step " + name + " runs"
		case r.Status() == StatusCompleted && s.phase != done:
			return "the run completed without step " + name
		case r.Status() == StatusCompensated && r.mustUndo(i) && r.undo(i).phase != done:
			return "the run ended and step " + name + " is not undone"
		case r.Status() == StatusCompensated && r.committed():
			return "the run turned back behind its pivot"
		}
	}
	return ""
}

// dependentsUndone says that all that needs a step, directly or not, is undone
// as far as it must be.
func (r *Run) dependentsUndone(i int) bool {
	for j := range r.Definition.Steps {
		if !slices.Contains(r.Definition.Steps[j].Needs, i) {
			continue
		}
		if r.mustUndo(j) && r.undo(j).phase != done || !r.dependentsUndone(j) {
			return false
		}
	}
	return true
}

// route tells how a run got somewhere.
func route(path []events.Entry) string {
	words := make([]string, len(path))
	for i, e := range path {
		words[i] = strings.TrimPrefix(e.Subject.String(), "saga.run.00.explored.")
		if e.Subject.Kind == events.KindOutcome {
			words[i] += " " + strings.TrimSuffix(strings.TrimPrefix(e.Event.Type, "segue."), ".v1")
		}
	}
	return strings.Join(words, ", ")
}
