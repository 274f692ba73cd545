package world

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"segue/document"
	"segue/events"
	"segue/journal"
	"segue/journal/memory"
)

// world is one simulation.
type world struct {
	seed    uint64
	dice    dice
	options Options
	began   time.Time

	journal  *memory.Journal
	data     *document.Memory
	play     play
	claims   claims
	engines  []*process
	workers  []*process
	caller   *caller
	operator *operator

	mu       sync.Mutex // guards what follows; the journal may be locked when it is taken
	trace    []string
	happened map[string]int
	queued   int                      // starts stored and not acked
	waiting  map[string]bool          // commands stored and not acked
	purged   map[string]time.Duration // run => when it left the journal, since began
	acked    map[string]time.Duration // command => when it was acked, since began
	about    map[string]string        // message of the journal => what it holds
	rejected []string                 // subjects of rejections
	over     bool                     // what follows is the end of the simulation, not of the world
}

// Run simulates a world. It must be called in a bubble of testing/synctest, and
// when it returns nothing of it is running any more.
func Run(seed uint64, o Options) Report {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	w, err := newWorld(ctx, seed, o.withDefaults())
	if err != nil {
		return Report{Seed: seed, Violations: []string{"the world could not begin: " + err.Error()}}
	}
	defer w.journal.Close()
	defer w.play.close()
	var all sync.WaitGroup
	for _, p := range append(w.engines[:len(w.engines):len(w.engines)], w.workers...) {
		all.Go(func() { p.keep(ctx) })
	}
	all.Go(func() { w.operator.watch(ctx) })
	all.Go(func() { w.caller.call(ctx) })
	all.Go(func() { w.misfortune(ctx) })
	w.await(ctx)
	c := newChecker(w)
	c.load(ctx)
	w.finish()
	cancel()
	all.Wait()
	return w.report(c.check())
}

func newWorld(ctx context.Context, seed uint64, o Options) (*world, error) {
	var err error
	w := &world{
		seed: seed, dice: dice(seed), options: o, began: time.Now(),
		data: document.NewMemory(document.DataBucket), happened: make(map[string]int), acked: make(map[string]time.Duration), about: make(map[string]string), waiting: make(map[string]bool), purged: make(map[string]time.Duration),
	}
	w.journal = memory.New(memory.Config{
		Seed: seed, Partitions: o.Partitions, Latency: 5 * time.Millisecond, Faults: o.faults(), Trace: w.note,
	})
	for i := range o.Engines {
		w.engines = append(w.engines, &process{w: w, name: "engine-" + strconv.Itoa(i), serve: serveEngine})
	}
	for i := range o.Workers {
		w.workers = append(w.workers, &process{w: w, name: "worker-" + strconv.Itoa(i), serve: serveWorker})
	}
	if w.play, err = o.play(ctx, w); err != nil {
		w.journal.Close()
		return nil, err
	}
	w.caller = newCaller(w)
	w.operator = newOperator(w)
	return w, nil
}

// play returns what the options say is to be played.
func (o Options) play(ctx context.Context, w *world) (play, error) {
	if o.Ingest {
		return newIngest(ctx, w)
	}
	return newScripted(w), nil
}

// since is how old the world is.
func (w *world) since() time.Duration { return time.Since(w.began) }

// count notes that something happened, beside the trace.
func (w *world) count(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.happened[what]++
}

// note takes a line of the trace: an instant, what happened, to what, a number.
func (w *world) note(line string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return
	}
	w.trace = append(w.trace, line)
	fields := strings.Fields(line)
	what, subject := fields[1], fields[len(fields)-2]
	w.happened[what]++
	kind := kindOf(subject)
	switch {
	case what == "stored" && kind == events.KindRejected:
		w.rejected = append(w.rejected, subject)
	case what == "stored" && kind == events.KindStart:
		w.queued++
	case what == "stored" && kind == events.KindCommand:
		w.waiting[subject] = true
	case what == "acked" && kind == events.KindStart:
		w.queued--
	case what == "acked":
		delete(w.waiting, subject)
		w.acked[subject] = w.since()
	case what == "purged":
		w.leave(subject)
	}
}

// leave takes a run out of what waits; a purge takes its commands along.
func (w *world) leave(run string) {
	if _, known := w.purged[run]; !known {
		w.purged[run] = w.since()
	}
	for subject := range w.waiting {
		if strings.Contains(subject, run) {
			delete(w.waiting, subject)
		}
	}
}

// finish ends the trace.
func (w *world) finish() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
}

// kindOf tells the kind of a subject without parsing all of it.
func kindOf(subject string) events.Kind {
	switch tokens := strings.SplitN(subject, ".", 6); {
	case len(tokens) < 3 || tokens[0] != "saga":
		return ""
	case tokens[1] != "run":
		return events.Kind(tokens[1])
	case len(tokens) > 4:
		return events.Kind(tokens[4])
	default:
		return ""
	}
}

// misfortune kills and stops processes and crashes the broker, at moments all
// over the chaos.
func (w *world) misfortune(ctx context.Context) {
	n := w.options.Kills + w.options.Crashes
	for i := range n {
		word := strconv.Itoa(i)
		slot := w.options.Chaos / time.Duration(n)
		pause(ctx, time.Until(w.began.Add(slot*time.Duration(i)+w.dice.between(0, slot, "misfortune", word))))
		if ctx.Err() != nil {
			return
		}
		if i%(w.options.Kills/max(1, w.options.Crashes)+1) == 1 {
			w.journal.Crash(w.dice.between(100*time.Millisecond, 3*time.Second, "down", word))
			continue
		}
		victims := w.engines
		if w.dice.chance(0.5, "victim", word) {
			victims = w.workers
		}
		l := victims[w.dice.below(len(victims), "which", word)].alive()
		switch {
		case l == nil:
		case w.dice.chance(0.3, "gently", word):
			w.note(fmt.Sprintf("%d stopped %s 0", w.since(), l.id))
			l.stop()
		default:
			l.kill()
		}
	}
}

// await waits until nothing is left to happen, or patience ends.
func (w *world) await(ctx context.Context) {
	calm := 0
	for w.since() < w.options.Patience && calm < 12 { // a minute: engines read on, members settle
		pause(ctx, 5*time.Second)
		calm++
		if !w.quiet() {
			calm = 0
		}
	}
}

func (w *world) quiet() bool {
	w.mu.Lock()
	queued := w.queued + len(w.waiting)
	if w.options.Leave {
		queued += w.operator.ended() - len(w.purged) // in time they all leave
	}
	w.mu.Unlock()
	return w.since() > w.options.Chaos && queued == 0 && w.caller.done() && w.operator.done() && w.play.idle()
}

func (w *world) report(violations []string) Report {
	w.mu.Lock()
	defer w.mu.Unlock()
	return Report{
		Seed: w.seed, Violations: violations, Trace: w.trace, Happened: w.happened,
		World: w.options.String(), Names: w.caller.names(), About: w.about,
		Runs: len(w.caller.runs), Messages: w.happened["journal"], Took: w.since(),
	}
}

// insist appends until it is done.
func insist(ctx context.Context, j journal.Journal, m events.Message) {
	for ctx.Err() == nil {
		err := j.Append(ctx, m)
		if err == nil || !errors.Is(err, memory.ErrTimeout) {
			return
		}
		pause(ctx, 100*time.Millisecond)
	}
}
