package check

import "segue/saga"

// moves returns every message that may be stored next. A retry comes first.
func (w *walker) moves(n *node, s *state) []message {
	var moves []message
	if s.status == saga.StatusStuck {
		moves = append(moves, message{what: retried})
	}
	waiting := n.open.messages(n.plan.open)
	if w.narrow {
		waiting = waiting[:min(1, len(waiting))]
	}
	for _, m := range waiting {
		moves = append(moves, m)
		if m.what == asked && !m.undo && !w.original.Steps[m.step].With.IsZero() {
			moves = append(moves, message{what: impossible, step: m.step})
		}
		if m.what == asked && !m.undo && !w.original.Steps[m.step].When.IsZero() && s.do[m.step].Phase == saga.PhaseIdle {
			moves = append(moves, message{what: skipped, step: m.step, stale: m.stale})
		}
	}
	if !w.narrow || len(waiting) == 0 {
		moves = append(moves, w.answers(n.plan.due, s)...)
	}
	if !s.turned && !s.committed && !s.status.Ended() {
		moves = append(moves, message{what: canceled})
	}
	return moves
}

// answers returns what running attempts may come to and what time brings.
func (w *walker) answers(due []message, s *state) []message {
	if s.status.Ended() {
		return due
	}
	var answers []message
	for i := range s.do {
		for _, undo := range []bool{false, true} {
			standing := s.do[i]
			if undo {
				standing = s.undo[i]
			}
			if standing.Phase != saga.PhaseRunning {
				continue
			}
			for _, a := range []what{completed, failed, refused, lost} {
				answers = append(answers, message{what: a, step: int16(i), undo: undo})
			}
			if w.narrow {
				return append(answers, message{what: timedOut, step: int16(i), undo: undo})
			}
		}
	}
	for _, m := range due {
		if !w.narrow || m.what == impossible {
			answers = append(answers, m)
		}
	}
	return answers
}
