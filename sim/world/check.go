package world

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"segue/document"
	"segue/events"
	"segue/saga"
)

// checker holds what a world came to, and what is wrong with it. It shares no
// code with what it checks beyond the contract: it reads messages, not states.
type checker struct {
	w          *world
	runs       map[string]*story
	violations []string
	abandoned  map[string]bool        // runs that the operator left stuck
	left       map[string]int         // gauges of the engines, added up
	archive    map[string][]saga.View // what the history holds of a run
}

// story is one run as its messages tell it.
type story struct {
	id         string
	definition *saga.Definition // nil if the started message is missing or strange
	entries    []events.Entry   // in the order of the journal
	commands   map[place]events.Entry
	outcomes   map[place]events.Entry
	ended      events.Entry
}

// place is where an attempt's messages are.
type place struct {
	step    string
	attempt events.Attempt
}

func newChecker(w *world) *checker {
	return &checker{w: w, runs: make(map[string]*story), left: make(map[string]int)}
}

func (c *checker) wrong(format string, args ...any) {
	c.violations = append(c.violations, fmt.Sprintf(format, args...))
}

// load reads the journal and asks the engines what they think is going on.
func (c *checker) load(ctx context.Context) {
	records := c.kept(ctx)
	if replace := c.w.options.sabotage.history; replace != nil {
		records = replace(records)
	}
	for _, r := range records {
		c.w.count("journal")
		entry, err := r.Entry()
		if err == nil {
			entry.Event, err = document.CheckOut(ctx, c.w.data, entry.Event)
		}
		if err != nil {
			c.wrong("a message of the journal cannot be read: %v", err)
			continue
		}
		c.w.about[r.Subject] = about(entry)
		c.add(entry)
	}
	c.abandoned = c.w.operator.abandoned()
	for _, p := range c.w.engines {
		if l := p.alive(); l != nil {
			c.gauges(l)
		}
	}
}

// gauges adds up what the engines say that they have left to do (I4).
func (c *checker) gauges(l *life) {
	families, err := l.metrics.Gather()
	if err != nil {
		c.wrong("metrics of %s cannot be read: %v", l.id, err)
	}
	for _, f := range families {
		if name := f.GetName(); name != "segue_runs_running" && name != "segue_runs_stuck" {
			continue
		}
		for _, m := range f.GetMetric() {
			c.left[f.GetName()] += int(m.GetGauge().GetValue())
		}
	}
}

func (c *checker) story(run string) *story {
	s := c.runs[run]
	if s == nil {
		s = &story{id: run, commands: make(map[place]events.Entry), outcomes: make(map[place]events.Entry)}
		c.runs[run] = s
	}
	return s
}

func (c *checker) add(e events.Entry) {
	s := c.story(e.Subject.Run)
	s.entries = append(s.entries, e)
	at := place{e.Subject.Step, e.Subject.Attempt}
	switch e.Subject.Kind {
	case events.KindStarted:
		if data, err := saga.ReadStarted(e); err == nil && s.definition == nil {
			s.definition = c.w.saga(data.Saga)
		}
	case events.KindCommand:
		s.commands[at] = e
	case events.KindOutcome:
		s.outcomes[at] = e
	case events.KindEnded:
		s.ended = e
	}
}

// check applies all rules and returns what they found.
func (c *checker) check() []string {
	c.starts()
	c.queues()
	for _, id := range slices.Sorted(maps.Keys(c.runs)) {
		s := c.runs[id]
		if s.definition == nil {
			c.wrong("run %s has no started message", id)
			continue
		}
		c.identity(s)
		c.order(s)
		c.times(s)
		c.end(s)
		c.w.play.verify(c, s)
		c.fold(s)
		c.conform(s)
		c.history(s)
	}
	c.w.play.aftermath(c)
	c.claims()
	return c.violations
}

// starts: every accepted start makes one run, every other one a rejection (I1, I7).
func (c *checker) starts() {
	for _, id := range slices.Sorted(maps.Keys(c.w.caller.runs)) {
		name, due := c.w.caller.runs[id].saga, c.w.caller.runs[id].due
		switch s := c.runs[id]; {
		case s == nil:
			c.wrong("the start of run %s of saga %s was lost", id, name)
		case s.definition != nil && s.definition.Name != name:
			c.wrong("run %s is of saga %s, not %s", id, s.definition.Name, name)
		case !due.IsZero() && s.entries[0].Stored.Before(due):
			c.wrong("run %s began %v early", id, due.Sub(s.entries[0].Stored))
		case !due.IsZero():
			c.w.count("by the clock")
		}
	}
	for _, id := range slices.Sorted(maps.Keys(c.runs)) {
		if _, asked := c.w.caller.runs[id]; !asked {
			c.wrong("run %s was never asked for", id)
		}
	}
	if n := len(c.w.rejected); n != len(c.w.caller.refused) {
		c.wrong("%d starts were rejected, not %d: %s", n, len(c.w.caller.refused), strings.Join(c.w.rejected, " "))
	}
}

// queues: nothing waits in a queue, and a command left its queue only when it
// was answered, withheld or past its time (I4, I7).
func (c *checker) queues() {
	if n := c.w.queued + len(c.w.waiting); n != 0 {
		c.wrong("%d messages are left in the queues: %d starts, %v", n, c.w.queued, slices.Sorted(maps.Keys(c.w.waiting)))
	}
	stuck := 0
	for _, is := range c.abandoned {
		if is {
			stuck++
		}
	}
	for _, gauge := range []string{"segue_runs_running", "segue_runs_stuck"} {
		if n := c.left[gauge]; n != stuck {
			c.wrong("the engines say that %s is %d when all is over and %d runs are stuck", gauge, n, stuck)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(c.runs)) {
		s := c.runs[id]
		for _, e := range s.entries {
			at, acked := c.w.acked[e.Subject.String()]
			if e.Subject.Kind != events.KindCommand || !acked || !asks(e) {
				continue
			}
			when := c.w.began.Add(at)
			outcome, answered := s.outcomes[place{e.Subject.Step, e.Subject.Attempt}]
			if early := !answered || outcome.Stored.After(when); early && when.Before(e.Event.Expiry) && !ackedFirst(outcome) {
				c.wrong("command %s was acked %v before it was answered", e.Subject, outcome.Stored.Sub(when))
			}
		}
	}
}

// ackedFirst says that a command with this outcome may be acked before it: a
// failure is, so that it holds for good, and if the worker dies between the two a
// timeout comes in its place. Work that was done must not be lost that way.
func ackedFirst(outcome events.Entry) bool {
	return outcome.Event.Type == events.TypeStepFailed || outcome.Event.Type == events.TypeStepTimedOut
}

// claims: what the engines said of runs is what the journal says (I5).
func (c *checker) claims() {
	for _, said := range c.w.claims.all() {
		s := c.runs[said.run]
		switch {
		case !strings.HasPrefix(said.said, "run ") || strings.HasPrefix(said.said, "run cannot"):
			c.wrong("an engine said: %s (run %s)", said.said, said.run)
		case s == nil:
			c.wrong("an engine said %q of run %q, which is not in the journal", said.said, said.run)
		case said.said == "run completed" && s.ended.Event.Type != events.TypeRunCompleted,
			said.said == "run compensated" && s.ended.Event.Type != events.TypeRunCompensated:
			c.wrong("an engine said %q of run %s, which ended as %q", said.said, said.run, s.ended.Event.Type)
		}
	}
}

// times: nothing that waits for an instant is written before it, by the
// journal's time.
func (c *checker) times(s *story) {
	started := s.entries[0].Stored
	for _, e := range s.entries {
		step, earliest := s.step(e), time.Time{}
		switch e.Event.Type {
		case events.TypeStepTimedOut:
			earliest = s.commands[place{e.Subject.Step, e.Subject.Attempt}].Stored.Add(step.Timeout)
		case events.TypeUndoTimedOut:
			earliest = s.commands[place{e.Subject.Step, e.Subject.Attempt}].Stored.Add(step.Undo.Timeout)
		case events.TypeDeadline:
			earliest = started.Add(s.definition.Deadline)
		case events.TypeStepRequested:
			earliest = s.due(e, step.Retry)
		case events.TypeUndoRequested:
			earliest = s.due(e, step.Undo.Retry)
		}
		if e.Stored.Before(earliest) {
			c.wrong("%s %s came %v early", e.Subject, e.Event.Type, earliest.Sub(e.Stored))
		}
	}
}

// due returns the earliest instant of a command: the outcome before it and half
// of the first backoff, the least that jitter leaves, or what the service asked for.
func (s *story) due(e events.Entry, p saga.Policy) time.Time {
	before, exists := s.outcomes[place{e.Subject.Step, events.Attempt{N: e.Subject.Attempt.N - 1, Undo: e.Subject.Attempt.Undo}}]
	if !exists || len(s.signals()) > 0 {
		return time.Time{} // a retry signal begins a new round at once
	}
	var f events.Failed
	_ = events.ReadData(before.Event, &f) // a timeout's data asks for nothing
	return before.Stored.Add(max(p.Backoff/2, time.Duration(f.RetryAfterMS)*time.Millisecond))
}

// signals lists the retry signals of a run.
func (s *story) signals() (names []string) {
	for _, e := range s.entries {
		if e.Event.Type == events.TypeRetry {
			names = append(names, e.Subject.Signal)
		}
	}
	return names
}

func (s *story) step(e events.Entry) saga.Step {
	if i := s.definition.Step(e.Subject.Step); i >= 0 {
		return s.definition.Steps[i]
	}
	return saga.Step{}
}
