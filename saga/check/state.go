package check

import "segue/saga"

// state is where a run stands, as far as it matters to what can follow.
type state struct {
	do, undo  []saga.Standing
	turned    bool
	committed bool
	status    saga.Status
}

func look(r *saga.Run) *state {
	n := len(r.Definition.Steps)
	both := make([]saga.Standing, 2*n)
	s := &state{do: both[:n:n], undo: both[n:], turned: r.Turned(), committed: r.Committed()}
	for i := range n {
		s.do[i], s.undo[i] = r.Do(i), r.Undo(i)
	}
	s.status = s.standsAt(r)
	return s
}

// standsAt returns the status that follows from where the steps stand. That the
// run says the same is a rule; see [walker.rest].
func (s *state) standsAt(r *saga.Run) saga.Status {
	if r.Ended() {
		return r.Status()
	}
	for i := range s.do {
		if s.committed && s.do[i].Phase == saga.PhaseExhausted || s.turned && s.undo[i].Phase == saga.PhaseExhausted {
			return saga.StatusStuck
		}
	}
	if s.turned {
		return saga.StatusUndoing
	}
	return saga.StatusRunning
}

// key is the same for states that differ in nothing that matters: two bytes a step
// and one for the run.
func (s *state) key() []byte {
	key := make([]byte, 0, 2*len(s.do)+1)
	for i := range s.do {
		key = append(key, doByte(s.do[i]), undoByte(s.undo[i]))
	}
	return append(key, s.runByte())
}

// The bits of a byte of a step; the lower ones are its phase.
const (
	unknownBit = 1 << 3
	spareBit   = 1 << 4
	skippedBit = 1 << 5
)

func doByte(s saga.Standing) byte {
	b := byte(s.Phase)
	if s.Phase == saga.PhaseDone && s.Skipped && !s.Unknown {
		return b | skippedBit
	}
	if s.Phase == saga.PhaseDone {
		return b // how it got there does not matter
	}
	if s.Unknown {
		b |= unknownBit
	}
	if s.Spare && s.Phase != saga.PhaseExhausted && s.Phase != saga.PhaseWithheld {
		b |= spareBit
	}
	return b
}

func undoByte(s saga.Standing) byte {
	s.Unknown = false // an undo that may have been done is tried again like one that was not
	return doByte(s)
}

func (s *state) runByte() byte {
	var b byte
	if s.turned {
		b |= 1
	}
	if s.committed {
		b |= 2
	}
	switch s.status {
	case saga.StatusCompleted:
		b |= 4
	case saga.StatusCompensated:
		b |= 8
	}
	return b
}

// open are the messages that are decided and not stored: what some orchestrator may
// still store, if nobody takes their places before. A byte a step and one for the run.
type open []byte

const (
	openAsk = 1 << iota
	openWithhold
	openUndo
	openDone   // in the last byte
	openUndone // in the last byte
)

func (o open) add(m message) {
	switch m.what {
	case asked:
		if m.undo {
			o[m.step] |= openUndo
		} else {
			o[m.step] |= openAsk
		}
	case withheld:
		o[m.step] |= openWithhold
	case allDone:
		o[len(o)-1] |= openDone
	case allUndone:
		o[len(o)-1] |= openUndone
	}
}

// carry returns what stays open in a state that one more message has made.
func (o open) carry(by message, s *state) open {
	next := make(open, len(o))
	free := func(p saga.Phase) bool { return p == saga.PhaseIdle || p == saga.PhaseWaiting }
	for i := range s.do {
		if free(s.do[i].Phase) && (by.what >= canceled || int(by.step) != i || by.undo) {
			next[i] |= o[i] & (openAsk | openWithhold)
		}
		if free(s.undo[i].Phase) && (by.what >= canceled || int(by.step) != i || !by.undo) {
			next[i] |= o[i] & openUndo
		}
	}
	if !s.status.Ended() {
		next[len(s.do)] = o[len(s.do)]
	}
	return next
}

// messages lists what is open, in the order of the definition. Those that are not
// decided now are stale.
func (o open) messages(now open) []message {
	var list []message
	for i, bits := range o {
		take := func(bit byte, m message) {
			if bits&bit != 0 {
				m.step, m.stale = int16(i), now[i]&bit == 0
				list = append(list, m)
			}
		}
		take(openAsk, message{what: asked})
		take(openWithhold, message{what: withheld})
		take(openUndo, message{what: asked, undo: true})
		take(openDone, message{what: allDone})
		take(openUndone, message{what: allUndone})
	}
	return list
}
