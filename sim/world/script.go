package world

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"segue/document"
	"segue/events"
	"segue/participant"
)

// act is what a handler does with one attempt.
type act string

const (
	completes   act = "completes" // soon
	dawdles     act = "dawdles"   // after some seconds
	outstays    act = "outstays"  // after more than a lease, if there is time for it
	fails       act = "fails"     // having done nothing; may be tried again
	refuses     act = "refuses"   // having done nothing, for good
	panics      act = "panics"    // having done nothing
	breaks      act = "breaks"    // panics when the effect is there
	doubts      act = "doubts"    // says it does not know, when the effect is there
	waits       act = "waits"     // until its time is up, and says so
	overstays   act = "overstays" // and makes its effect when its time is long up
	bulky       act = "bulky"     // completes with an output too large for a message
	lastAttempt     = 8           // from which on everything completes: the world is mended
)

// doing holds one act for each percent.
var doing = deal(acts, map[act]int{
	completes: 50, dawdles: 10, outstays: 6, fails: 12, refuses: 4, panics: 3, breaks: 3, doubts: 2, waits: 3, overstays: 5, bulky: 2,
})

// undoing holds the acts of undos that do not simply complete.
var undoing = deal(acts, map[act]int{fails: 45, refuses: 10, panics: 10, breaks: 10, doubts: 5, waits: 10, overstays: 10})

var acts = []act{completes, dawdles, outstays, fails, refuses, panics, breaks, doubts, waits, overstays, bulky}

// deal makes a deck that holds each thing as often as its share says.
func deal[T comparable](things []T, share map[T]int) []T {
	var all []T
	for _, t := range things {
		for range share[t] {
			all = append(all, t)
		}
	}
	return all
}

// script decides what handlers do.
type script struct{ dice }

func (s script) do(key string, attempt int) act {
	if attempt >= lastAttempt {
		return completes
	}
	return doing[s.below(len(doing), "do", key)]
}

// undo goes wrong for the first few attempts: mostly none, sometimes so many
// that the run gets stuck.
func (s script) undo(run, step, key string, attempt int) act {
	wrong := []int{0, 0, 0, 0, 0, 0, 1, 1, 2, 5}[s.below(10, "undo", run, step)]
	if attempt > wrong {
		return completes
	}
	return undoing[s.below(len(undoing), "undo", key)]
}

// output is what every step answers.
type output struct {
	Token string `json:"token"`
	Bulk  string `json:"bulk,omitempty"`
}

// errKilled ends a handler whose process is no more.
var errKilled = errors.New("the process was killed")

// services returns the services of one life of a worker.
func (p *scripted) services(l *life) []participant.Service {
	var all []participant.Service
	for _, name := range services {
		do := func(ctx context.Context, c participant.Command[any]) (output, error) {
			h := p.handling(l, c.Run, c.Step, events.Attempt{N: c.Attempt})
			defer p.effects.leave()
			out := output{Token: c.Step + "-" + strconv.Itoa(c.Attempt)}
			if h.act == bulky {
				out.Bulk = strings.Repeat("x", document.InlineLimit)
			}
			return out, h.perform(ctx, func() error {
				if name == "reader" {
					return nil
				}
				return p.effects.do(work{c.Run, c.Step})
			})
		}
		undo := func(ctx context.Context, u participant.Undo[any, output]) error {
			h := p.handling(l, u.Run, u.Step, events.Attempt{N: u.Attempt, Undo: true})
			defer p.effects.leave()
			return h.perform(ctx, func() error {
				p.effects.undo(work{u.Run, u.Step})
				return nil
			})
		}
		all = append(all, participant.New(name, do, undo))
	}
	return all
}

// handling is one call of a handler.
type handling struct {
	*life
	act act
	key string // what it is to the dice
	// reaction is how long it takes to notice that time is up. It differs from call
	// to call, so that two of one command do not go on at one instant.
	reaction time.Duration
}

// handling says what a call of a handler will do. Whoever asks must leave.
func (p *scripted) handling(l *life, run, step string, n events.Attempt) handling {
	h := handling{life: l, key: run + "/" + step + "/" + n.String()}
	call := strconv.Itoa(p.effects.enter(h.key))
	h.reaction = l.w.dice.between(0, 20*time.Millisecond, "reaction", h.key, call)
	if l.w.options.Fickle {
		h.key += "/" + call
	}
	h.act = p.script.do(h.key, n.N)
	if n.Undo {
		h.act = p.script.undo(run, step, h.key, n.N)
	}
	l.w.count(string(h.act))
	return h
}

// perform does what the act says. effect is its work.
func (h handling) perform(ctx context.Context, effect func() error) error {
	if err := h.spendTime(ctx); err != nil {
		return err
	}
	switch h.act {
	case fails:
		return &participant.Error{Err: errors.New("not now"), Code: "busy", RetryAfter: h.w.dice.between(0, 2*time.Second, "after", h.key)}
	case refuses:
		return participant.Permanent("refused", errors.New("never"))
	case panics:
		panic("before the effect")
	}
	switch err := effect(); {
	case errors.Is(err, errUndone):
		return participant.Permanent("undone", err)
	case err != nil:
		return err
	}
	switch h.act {
	case breaks:
		panic("behind the effect")
	case doubts:
		return &participant.Error{Err: errors.New("the line went dead"), Unknown: true}
	}
	return nil
}

// spendTime waits as the act demands. The end of the context ends the wait,
// unless the handler does not listen.
func (h handling) spendTime(ctx context.Context) error {
	d := h.w.dice.between(time.Millisecond, time.Second, "time", h.key)
	listens := ctx.Done()
	switch h.act {
	case dawdles:
		d *= 8
	case outstays:
		d = 35*time.Second + 40*d
	case waits:
		d = time.Hour
	case overstays:
		deadline, _ := ctx.Deadline()
		d = time.Until(deadline) + 25*d + h.reaction
		listens = nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-h.killed:
		return errKilled
	case <-listens:
		time.Sleep(h.reaction)
		return ctx.Err()
	case <-timer.C:
	}
	select {
	case <-h.killed: // at this very moment
		return errKilled
	default:
		return nil
	}
}
