package transform

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"time"
)

// meter counts the work for one record. It is the context that gojq's machine
// looks at before each instruction, so that counting there costs next to nothing
// and no program can get round it.
type meter struct {
	context.Context // the caller's

	limit    int64 // of work
	left     int64 // of it
	small    int64 // what is left of it when large is to be asked
	large    func() error
	deadline time.Time
	took     time.Duration // that the deadline allows
	steps    uint          // instructions, to look at the clock now and then
	err      error         // why the program has to stop

	patterns map[[2]string]*pattern
}

// stopped is a channel that is closed: what Done returns when it is over.
var stopped = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// clockEvery is after how many instructions the clock and the caller's context
// are looked at. One of them may take some milliseconds, if a text is long.
const clockEvery = 64

func (m *meter) start(ctx context.Context, l Limits, size int64) {
	work := l.Work + workPerByte*size
	m.Context, m.err, m.limit, m.left, m.steps = ctx, nil, work, work, 0
	m.deadline, m.took = time.Now().Add(l.Time), l.Time
	m.large, m.small = l.Large, work-l.Small/workCost
}

// Done implements [context.Context]. It counts one instruction.
func (m *meter) Done() <-chan struct{} {
	m.steps++
	if m.steps%clockEvery == 0 {
		m.lookAtClock()
	}
	if !m.take(1) {
		return stopped
	}
	return nil
}

func (m *meter) lookAtClock() {
	if m.err != nil {
		return
	}
	if err := m.Context.Err(); err != nil {
		m.err = err
	} else if time.Now().After(m.deadline) {
		m.err = &Error{fmt.Sprintf("it takes more than %v for one record", m.took), true}
	}
}

// Err implements [context.Context].
func (m *meter) Err() error { return m.err }

// take pays for work. It reports false if it must not be done.
func (m *meter) take(work int64) bool {
	m.left -= work
	if m.left < m.small && m.large != nil && m.err == nil {
		m.enlarge()
	}
	if m.left < 0 && m.err == nil {
		m.err = &Error{fmt.Sprintf("it does more work for one record than the limit of %d steps allows", m.limit), true}
	}
	return m.err == nil
}

// enlarge asks, once, to take more memory.
func (m *meter) enlarge() {
	began := time.Now()
	m.err = m.large()
	m.large = nil
	m.deadline = m.deadline.Add(time.Since(began))
}

// maxDepth is how deep a value may be nested that is looked at as a whole.
const maxDepth = 1000

// Sizes, in units of work.
const (
	textUnit   = 16 // bytes of text in a unit
	memberSize = 4  // of a member of an object, beside its value
)

// size returns the size of a value written out, up to what there is left to pay
// for it. A value in memory may hold another one many times over, and so be very
// much larger written out than it is.
func (m *meter) size(v any) int64 { return m.sizeUpTo(v, m.left+1, maxDepth) }

func (m *meter) sizeUpTo(v any, most int64, depth int) int64 {
	if depth == 0 && m.err == nil {
		m.err = &Error{fmt.Sprintf("it makes a value that is nested deeper than %d", maxDepth), true}
	}
	if depth == 0 {
		return most
	}
	n := flat(v)
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			if n >= most {
				return most
			}
			n += m.sizeUpTo(item, most-n, depth-1)
		}
	case map[string]any:
		for name, item := range v {
			if n >= most {
				return most
			}
			n += int64(len(name))/textUnit + m.sizeUpTo(item, most-n, depth-1)
		}
	}
	return min(n, most)
}

// flat returns the size of a value without what is in it. Time for numbers with
// many digits grows with their square.
func flat(v any) int64 {
	switch v := v.(type) {
	case string:
		return 1 + int64(len(v))/textUnit
	case json.Number:
		return numberSize(len(v))
	case *big.Int:
		return numberSize(v.BitLen() / 3)
	case []any:
		return 1 + int64(len(v))
	case map[string]any:
		return 1 + memberSize*int64(len(v))
	}
	return 1
}

func numberSize(digits int) int64 {
	n := int64(digits)
	return 1 + n/textUnit + n*n/1024
}
