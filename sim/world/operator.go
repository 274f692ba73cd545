package world

import (
	"context"
	"sync"
	"time"

	"segue/document"
	"segue/events"
	"segue/journal"
	"segue/saga"
)

// operator watches all runs, as people do with the segue command, and gives signals.
type operator struct {
	w       *world
	signals sync.WaitGroup

	mu    sync.Mutex
	seen  []journal.Record // all of the journal, what has left it too
	runs  map[string]*saga.Run
	start map[string]events.Entry
	asked map[string]bool // run and name of the signals given
}

func newOperator(w *world) *operator {
	return &operator{w: w, runs: make(map[string]*saga.Run), start: make(map[string]events.Entry), asked: make(map[string]bool)}
}

// watch follows the journal until ctx is done.
func (o *operator) watch(ctx context.Context) {
	defer o.signals.Wait()
	client := o.w.journal.Client("operator")
	feed, err := client.Follow(ctx, events.AllRuns, 0)
	if err != nil {
		return
	}
	defer feed.Close()
	for {
		record, err := feed.Next(ctx)
		if err != nil {
			return
		}
		if !record.Live {
			o.mu.Lock()
			o.seen = append(o.seen, record)
			o.mu.Unlock()
		}
		if entry, err := record.Entry(); err == nil && !record.Live {
			if entry.Event, err = document.CheckOut(ctx, o.w.data, entry.Event); err == nil {
				o.see(ctx, entry)
			}
		}
	}
}

func (o *operator) see(ctx context.Context, e events.Entry) {
	o.mu.Lock()
	defer o.mu.Unlock()
	id := e.Subject.Run
	if e.Subject.Kind == events.KindStarted {
		o.begin(ctx, e)
		return
	}
	run := o.runs[id]
	if run == nil {
		return
	}
	run.Apply(e)
	if run.Status() == saga.StatusStuck && !o.gaveUp(run) {
		name := run.View().NextRetry
		o.give(ctx, id, name, o.w.dice.between(time.Second, 40*time.Second, "retry", id, name))
	}
}

func (o *operator) begin(ctx context.Context, e events.Entry) {
	data, err := saga.ReadStarted(e)
	if err != nil || o.w.saga(data.Saga) == nil || o.runs[e.Subject.Run] != nil {
		return
	}
	run, err := saga.Begin(o.w.saga(data.Saga), e)
	if err != nil {
		return
	}
	o.runs[run.ID], o.start[run.ID] = run, e
	if o.w.dice.chance(o.w.options.Cancel, "cancel", run.ID) {
		o.give(ctx, run.ID, events.SignalCancel, o.w.dice.between(0, 20*time.Second, "cancel", run.ID))
	}
}

// give sends a signal after a while, once.
func (o *operator) give(ctx context.Context, run, name string, after time.Duration) {
	if o.asked[run+name] {
		return
	}
	o.asked[run+name] = true
	o.w.count("signal " + name)
	started := o.start[run]
	o.signals.Go(func() {
		pause(ctx, after)
		insist(ctx, o.w.journal.Client("operator"), saga.NewSignal(name, started, "simulated", time.Now()).Message())
	})
}

// done says that every run that must be has been seen to end, or was given up.
func (o *operator) done() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for id := range o.w.caller.runs {
		if run := o.runs[id]; run == nil || !run.Ended() && !o.gaveUp(run) {
			return false
		}
	}
	return true
}

// ended counts the runs that have ended.
func (o *operator) ended() (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, run := range o.runs {
		if run.Ended() {
			n++
		}
	}
	return n
}

// recorded returns all messages of the journal that there ever were.
func (o *operator) recorded() []journal.Record {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.seen
}

// gaveUp says that a run is stuck and the operator has lost patience with it:
// mostly after some rounds, at times at once.
func (o *operator) gaveUp(run *saga.Run) bool {
	if run.Status() != saga.StatusStuck {
		return false
	}
	patience := 6
	if !o.w.options.Calm && o.w.dice.chance(0.08, "patience", run.ID) {
		patience = 0
	}
	return run.View().NextRetry == events.RetrySignal(patience+1)
}

// abandoned lists the runs that were given up.
func (o *operator) abandoned() map[string]bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	ids := make(map[string]bool)
	for id, run := range o.runs {
		ids[id] = o.gaveUp(run)
	}
	return ids
}
