package world

import (
	"context"
	"fmt"
	"strconv"

	"segue/events"
	"segue/participant"
	"segue/saga"
)

// scripted is the play whose handlers follow a script: every way of answering
// and of not answering, in sagas of many shapes.
type scripted struct {
	w       *world
	script  script
	effects *effects
}

func newScripted(w *world) *scripted {
	return &scripted{w: w, script: script{w.dice}, effects: newEffects(!w.options.sabotage.noBarrier, func(what, run, step string, n int) {
		w.note(fmt.Sprintf("%d %s %s/%s %d", w.since(), what, run, step, n))
	})}
}

func (p *scripted) sagas() []*saga.Definition { return shapes }

func (p *scripted) order(number int) (name, fits, unfit string) {
	shape := shapes[p.w.dice.below(len(shapes), "shape", strconv.Itoa(number))]
	return shape.Name, fmt.Sprintf(`{"n":%d}`, number), fmt.Sprintf(`{"n":"%d"}`, number)
}

func (p *scripted) serve(_ context.Context, l *life) ([]participant.Service, func(), error) {
	return p.services(l), func() {}, nil
}

func (p *scripted) idle() bool { return p.effects.idle() }

// verify: all effects of a completed run are there, once; none of a compensated
// run is, whatever came late (I2, I3).
func (p *scripted) verify(c *checker, s *story) {
	for _, step := range s.definition.Steps {
		want := 0
		skip := skips(s.definition.Name, step.Name, p.w.caller.runs[s.id].number)
		if hasEffect(step) && !skip && s.ended.Event.Type == events.TypeRunCompleted {
			want = 1
		}
		if asked := s.commands[place{step.Name, events.Attempt{N: 1}}]; skip && asked.Event.Type == events.TypeStepRequested {
			c.wrong("%s was written though there was nothing to do", asked.Subject)
		}
		if i := s.definition.Step(step.Name); !skip && s.skipped(i) {
			c.wrong("step %s of run %s was skipped though there was something to do", step.Name, s.id)
		}
		if got := p.effects.present(work{s.id, step.Name}); got != want && s.ended.Sequence > 0 {
			c.wrong("the effect of step %s of run %s, %s, is there %d times, not %d", step.Name, s.id, s.ended.Event.Type, got, want)
		}
		if want == 1 && p.effects.wasUndone(work{s.id, step.Name}) {
			c.wrong("step %s of completed run %s was undone", step.Name, s.id)
		}
	}
}

func (p *scripted) aftermath(*checker) {}

func (p *scripted) close() {}
