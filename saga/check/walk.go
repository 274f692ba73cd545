package check

import (
	"slices"
	"time"

	"segue/saga"
)

type decider func(*saga.Run, time.Time) saga.Decision

// walker goes through the states of a definition's runs.
type walker struct {
	definition *saga.Definition // its skeleton
	original   *saga.Definition
	decide     decider
	limit      int
	// narrow looks at one thing after the other, runs with fewer faults first.
	narrow bool
	// suspect, with narrow, is the only step at which something goes wrong; -1 for any.
	suspect int

	nodes []node
	seen  map[string]int32 // key of state and open messages => node
	plans map[string]*plan // key of state => what is decided in it
	// queues hold the nodes to go on from, by the faults that led to them; without
	// narrow the first holds all.
	queues [maxFaults + 1][]int32
	// visit is told of every step of the walk, if it is not nil.
	visit func(from, to *state)

	cut     bool
	endings map[saga.Status]int
	stuckAt map[int]bool
	asked   []bool        // steps that are asked for in some run
	spent   map[int]int32 // step => the first node in which it is exhausted
	flaw    *Flaw
}

// node is a state that was reached, with the messages that are open in it.
type node struct {
	run    *saga.Run // nil once what follows has been looked at
	plan   *plan
	open   open
	parent int32
	depth  uint16
	faults uint8
	by     message
}

// plan is what is decided in a state.
type plan struct {
	open open
	// due are the messages that time brings, and that take the place of answers.
	due []message
	// wrong is what no rule asks for.
	wrong error
	// rested says that the state has been counted as one in which nothing happens.
	rested bool
}

func newWalker(d *saga.Definition, decide decider, limit int) *walker {
	return &walker{
		definition: skeleton(d),
		original:   d,
		decide:     decide,
		limit:      limit,
		suspect:    -1,
		seen:       make(map[string]int32),
		plans:      make(map[string]*plan),
		endings:    make(map[saga.Status]int),
		stuckAt:    make(map[int]bool),
		asked:      make([]bool, len(d.Steps)),
		spent:      make(map[int]int32),
	}
}

// walk goes on until everything has been looked at, there are too many states, or
// a rule is broken.
func (w *walker) walk() {
	w.arrive(node{run: begin(w.definition), parent: -1}, nil)
	for w.flaw == nil && !w.cut {
		i, found := w.next()
		if !found {
			break
		}
		w.leave(i)
	}
	if w.flaw == nil {
		w.flaw = w.unreachable()
	}
}

func (w *walker) next() (int32, bool) {
	for f := range w.queues {
		if q := w.queues[f]; len(q) > 0 {
			w.queues[f] = q[1:]
			return q[0], true
		}
	}
	return 0, false
}

// leave goes to every state that follows from one.
func (w *walker) leave(i int32) {
	from := w.nodes[i]
	s := look(from.run)
	moves := w.moves(&from, s)
	if len(moves) == 0 || len(moves) == 1 && moves[0].what == retried {
		w.rest(i, s)
	}
	for _, m := range moves {
		faults := from.faults
		if w.narrow && m.what.fault() {
			faults++
		}
		if faults > maxFaults || w.flaw != nil || w.spared(m) {
			continue
		}
		to := node{run: from.run.Clone(), parent: i, depth: from.depth + 1, faults: faults, by: m}
		e := m.entry(from.run, uint64(from.depth)*2+2)
		to.run.Apply(e)
		to.run.Apply(contrary(e))
		w.arrive(to, s)
	}
	w.nodes[i].run = nil
}

// spared says that a message is left out because it is not about the suspect.
func (w *walker) spared(m message) bool {
	if w.suspect < 0 || !m.what.fault() {
		return false
	}
	return m.what >= canceled || m.undo || int(m.step) != w.suspect
}

// arrive takes a state up unless it is known. From is the state before it.
func (w *walker) arrive(n node, from *state) {
	s := look(n.run)
	key := s.key()
	n.plan = w.plans[string(key)]
	isNew := n.plan == nil
	if isNew {
		n.plan = w.decided(n.run, s)
		w.plans[string(key)] = n.plan
	}
	n.open = slices.Clone(n.plan.open)
	if n.parent >= 0 {
		for i, bits := range w.nodes[n.parent].open.carry(n.by, s) {
			n.open[i] |= bits
		}
		if w.visit != nil {
			w.visit(from, s)
		}
	}
	key = append(key, n.open...)
	key = append(key, n.faults)
	if _, known := w.seen[string(key)]; known {
		return
	}
	if len(w.nodes) >= w.limit {
		w.cut = true
		return
	}
	i := int32(len(w.nodes))
	w.seen[string(key)] = i
	w.nodes = append(w.nodes, n)
	w.queues[n.faults] = append(w.queues[n.faults], i)
	if n.by.what == asked && !n.by.undo && n.parent >= 0 {
		w.asked[n.by.step] = true
	}
	for step := range s.do {
		if _, known := w.spent[step]; !known && s.do[step].Phase == saga.PhaseExhausted {
			w.spent[step] = i
		}
	}
	w.flaw = w.broken(i, s, isNew)
}

// decided asks for what is decided in a state when everything has timed out and, if
// that turns the run back, before.
func (w *walker) decided(run *saga.Run, s *state) *plan {
	p := &plan{open: make(open, len(s.do)+1)}
	instants := []time.Duration{timeIsUp}
	if !s.turned && !s.committed {
		instants = []time.Duration{retriesDue, timeIsUp}
	}
	for _, after := range instants {
		for _, e := range w.decide(run, epoch.Add(after)).Append {
			m, err := read(run, e)
			switch {
			case err != nil:
				p.wrong = err
			case m.what == timedOut || m.what == impossible || m.what == late:
				if !slices.Contains(p.due, m) {
					p.due = append(p.due, m)
				}
			default:
				p.open.add(m)
			}
		}
	}
	return p
}

// rest takes note of a state in which nothing happens by itself.
func (w *walker) rest(i int32, s *state) {
	said := w.nodes[i].run.Status()
	switch {
	case said != s.status:
		w.flaw = w.fault(i, -1, "says that it is "+string(said)+" where it is "+string(s.status))
		return
	case !s.status.Ended() && s.status != saga.StatusStuck:
		w.flaw = w.fault(i, -1, "stays "+string(s.status)+" for ever")
		return
	}
	if p := w.nodes[i].plan; !p.rested {
		p.rested = true
		w.endings[s.status]++
	}
	for step := range s.undo {
		if s.undo[step].Phase == saga.PhaseExhausted {
			w.stuckAt[step] = true
		}
	}
}

func (w *walker) result() Result {
	return Result{
		States:   len(w.nodes),
		Complete: !w.cut && w.flaw == nil,
		Endings:  w.endings,
		StuckAt:  w.stuckSteps(nil),
		Flaw:     w.flaw,
	}
}

// stuckSteps names the steps whose undo can be exhausted, of two walks.
func (w *walker) stuckSteps(other map[int]bool) []string {
	var names []string
	for i, s := range w.original.Steps {
		if w.stuckAt[i] || other[i] {
			names = append(names, s.Name)
		}
	}
	return names
}
