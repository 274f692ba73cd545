package world

import (
	"errors"
	"sync"
)

// work identifies what a step does, across all attempts.
type work struct{ run, step string }

// effects is the outside world: a database with one row per piece of work, which
// was done, undone or both. Each method is one transaction.
type effects struct {
	barrier bool
	note    func(what, run, step string, n int)

	mu     sync.Mutex
	rows   map[work]*effect
	calls  map[string]int // of handlers, by attempt
	active int            // handlers at work
}

type effect struct {
	present int  // how often the effect is there: once or not at all, if all is well
	done    bool // barriers: it was done, it was undone
	undone  bool
}

func newEffects(barrier bool, note func(what, run, step string, n int)) *effects {
	return &effects{barrier: barrier, note: note, rows: make(map[work]*effect), calls: make(map[string]int)}
}

// errUndone is returned for work whose undo came first.
var errUndone = errors.New("it has been undone")

func (e *effects) of(w work) *effect {
	r := e.rows[w]
	if r == nil {
		r = new(effect)
		e.rows[w] = r
	}
	return r
}

// do makes the effect, unless it is there or has been undone.
func (e *effects) do(w work) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	r := e.of(w)
	switch {
	case e.barrier && r.undone:
		e.note("barred", w.run, w.step, r.present)
		return errUndone
	case e.barrier && r.done:
		e.note("repeated", w.run, w.step, r.present)
		return nil
	}
	r.done = true
	r.present++
	e.note("done", w.run, w.step, r.present)
	return nil
}

// undo takes the effect back, if it is there, and keeps it from coming later.
func (e *effects) undo(w work) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r := e.of(w)
	r.undone = true
	if r.present > 0 {
		r.present--
	}
	e.note("undone", w.run, w.step, r.present)
}

// present says how often the effect of a piece of work is there.
func (e *effects) present(w work) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if r := e.rows[w]; r != nil {
		return r.present
	}
	return 0
}

// wasUndone says that an undo of the work took place.
func (e *effects) wasUndone(w work) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	r := e.rows[w]
	return r != nil && r.undone
}

// enter counts a call of a handler for an attempt and returns its number.
func (e *effects) enter(attempt string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.active++
	e.calls[attempt]++
	return e.calls[attempt]
}

func (e *effects) leave() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.active--
}

func (e *effects) idle() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.active == 0
}
