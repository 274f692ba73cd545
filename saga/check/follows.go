package check

import (
	"errors"
	"fmt"
	"strings"

	"segue/events"
	"segue/saga"
)

// ErrStrays is wrapped by the error of [Graph.Follows] for a run that leaves the
// graph.
var ErrStrays = errors.New("not in the checked graph")

// ErrTooLarge is returned by [NewGraph] for a definition with too many states.
var ErrTooLarge = errors.New("too many states for a graph")

// Graph is every state that a run of a definition can be in and every step from
// one to another, attempts and rounds not counted: a run with five attempts, or
// without a limit, lies in it as one with two does. It is immutable and safe for
// concurrent use; keep one for each definition digest.
type Graph struct {
	definition *saga.Definition
	states     map[string]uint32
	steps      map[[2]uint32]bool
}

// NewGraph walks through a definition and returns its graph. The error is the
// [Flaw] of a definition that is refused, or wraps [ErrTooLarge].
func NewGraph(d *saga.Definition) (*Graph, error) { return newGraph(d, MaxStates) }

func newGraph(d *saga.Definition, limit int) (*Graph, error) {
	g := &Graph{definition: d, states: make(map[string]uint32), steps: make(map[[2]uint32]bool)}
	w := newWalker(d, (*saga.Run).Decide, limit)
	w.visit = func(from, to *state) { g.steps[[2]uint32{g.add(from), g.add(to)}] = true }
	w.walk()
	switch {
	case w.flaw != nil:
		return nil, w.flaw
	case w.cut:
		return nil, fmt.Errorf("walk through saga %s: %w: more than %d", d.Name, ErrTooLarge, limit)
	}
	return g, nil
}

// Size returns how many states and steps between them there are.
func (g *Graph) Size() (states, steps int) { return len(g.states), len(g.steps) }

func (g *Graph) add(s *state) uint32 {
	key := s.outline()
	id, known := g.states[string(key)]
	if !known {
		id = uint32(len(g.states))
		g.states[string(key)] = id
	}
	return id
}

// Follows holds a recorded run against the graph. Entries are its messages in
// the order of the journal, the started message first; its data must be in it and
// not elsewhere. The error names the first message that makes a step the graph does
// not have, and wraps [ErrStrays]. It takes microseconds for each message.
//
// A signal may come at any time and change nothing; a command, an outcome and an
// end always change something, because each is written once.
func (g *Graph) Follows(entries []events.Entry) error {
	if len(entries) == 0 {
		return fmt.Errorf("%w: there is no started message", ErrStrays)
	}
	run, err := saga.Begin(g.definition, entries[0])
	if err != nil {
		return fmt.Errorf("begin run: %w", err)
	}
	s := look(run)
	at, known := g.states[string(s.outline())]
	if !known {
		return fmt.Errorf("%w: the beginning", ErrStrays)
	}
	for i, e := range entries[1:] {
		run.Apply(e)
		after := look(run)
		next, known := g.states[string(after.outline())]
		switch {
		case known && next == at && e.Subject.Kind == events.KindSignal:
		case !known || !g.steps[[2]uint32{at, next}]:
			return fmt.Errorf("%w: message %d of run %s, %s on %s: from %s to %s",
				ErrStrays, i+2, run.ID, e.Event.Type, e.Subject, s.describe(run), after.describe(run))
		}
		s, at = after, next
	}
	return nil
}

// outline is the key of a state without what a run that is recorded need not have
// in common with the walk: how many rounds are left.
func (s *state) outline() []byte {
	key := s.key()
	for i := range 2 * len(s.do) {
		key[i] &^= spareBit
	}
	return key
}

// describe names where every step stands that has begun.
func (s *state) describe(r *saga.Run) string {
	words := []string{string(s.status)}
	for i, step := range r.Definition.Steps {
		if s.do[i].Phase != saga.PhaseIdle {
			words = append(words, step.Name+" "+standingText(s.do[i]))
		}
		if s.undo[i].Phase != saga.PhaseIdle {
			words = append(words, "undo of "+step.Name+" "+standingText(s.undo[i]))
		}
	}
	return "(" + strings.Join(words, ", ") + ")"
}

func standingText(s saga.Standing) string {
	if s.Unknown {
		return s.Phase.String() + " and maybe done"
	}
	return s.Phase.String()
}
