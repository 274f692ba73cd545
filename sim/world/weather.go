package world

import (
	"context"
	"strings"
	"time"
)

// weather is how the outside world treats its visitors: probabilities for each
// thing that is asked of it.
type weather struct {
	failure float64 // nothing was done
	unheard float64 // it was done, and the answer is an error
	stall   float64 // it takes longer than a lease
	crash   float64 // the process dies before it, and again behind it, while there is chaos
}

func (o Options) outside() weather {
	switch {
	case o.Calm:
		return weather{}
	case o.Storm:
		return weather{failure: 0.05, unheard: 0.12, stall: 0.12, crash: 0.04}
	default:
		return weather{failure: 0.02, unheard: 0.02, stall: 0.01, crash: 0.02}
	}
}

// chance decides, and counts what happens.
func (w *world) chance(p float64, what, word string) bool {
	if !w.dice.chance(p, what, word) {
		return false
	}
	w.count(what)
	return true
}

// delay is how long a message to or from the outside is on its way.
func (w *world) delay(p weather, way, word string) time.Duration {
	if w.dice.chance(p.stall/2, "stall "+way, word) {
		w.count("stall")
		return w.dice.between(20*time.Second, 100*time.Second, "stall time", way, word)
	}
	return w.dice.between(time.Microsecond, 30*time.Millisecond, way, word)
}

// cursed says that what a run left can never be taken away.
func (w *world) cursed(object string) bool {
	run, _, _ := strings.Cut(object, "/")
	return !w.options.Calm && w.dice.chance(0.03, "cursed", run)
}

// dead says that the process is no more. What it does then has no effect.
func (l *life) dead() bool {
	select {
	case <-l.killed:
		return true
	default:
		return false
	}
}

// rest waits, unless ctx ends or the process dies.
func (l *life) rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-l.killed:
		return errKilled
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		if l.dead() {
			return errKilled
		}
		return nil
	}
}

// mayDie kills the process at one of the worst moments outside.
func (l *life) mayDie(when, what, word string) {
	l.die(l.w.options.outside().crash, when+" a "+what, when, what, word)
}

// die kills the process at a moment, while there is chaos, with a probability; the
// words tell the moment from others.
func (l *life) die(p float64, moment string, words ...string) {
	if l.w.since() > l.w.options.Chaos || l.dead() || !l.w.dice.chance(p, words...) {
		return
	}
	l.w.count("died " + moment)
	l.kill()
}
