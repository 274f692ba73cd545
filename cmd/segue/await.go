package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"segue/daemon"
	"segue/events"
	"segue/journal"
	"segue/saga"
)

// result is what became of a start.
type result struct {
	Name     string     `json:"name"`
	Run      string     `json:"run"`
	Status   string     `json:"status"` // of the run, or "rejected"
	Rejected string     `json:"rejected,omitempty"`
	View     *saga.View `json:"view,omitempty"`
}

func (r result) completed() bool { return r.Status == string(saga.StatusCompleted) }

// final says that waiting for a run brings no more: it has ended, or it is stuck
// and waits for us.
func final(s saga.Status) bool { return s.Ended() || s == saga.StatusStuck }

// await shows the runs of starts until each has ended, is stuck or was rejected,
// and says what became of them. It returns errNotCompleted unless all completed.
func await(ctx context.Context, g *globals, bus *daemon.Bus, after uint64, starts []start, w io.Writer) error {
	results, err := follow(ctx, g, bus, after, starts)
	if err != nil {
		return err
	}
	good := true
	for _, r := range results {
		good = good && r.completed()
		if g.JSON {
			if err := json.NewEncoder(w).Encode(r); err != nil {
				return err
			}
			continue
		}
		sayResult(w, r)
	}
	if !good {
		return errNotCompleted
	}
	return nil
}

// follow draws the picture of the runs and returns their results, in the order
// of the starts.
func follow(ctx context.Context, g *globals, bus *daemon.Bus, after uint64, starts []start) ([]result, error) {
	ctx, done := context.WithCancel(ctx)
	defer done()
	w := &waiter{results: make(map[string]*result), done: done}
	for _, s := range starts {
		w.results[s.run()] = &result{Name: s.name, Run: s.run()}
	}
	w.open = len(w.results)
	if !g.JSON {
		w.picture = newPicture(os.Stderr)
		defer w.picture.close()
	}
	var group sync.WaitGroup
	group.Go(func() { w.watchRejected(ctx, bus) })
	err := w.watchRuns(ctx, bus, after)
	done()
	group.Wait()
	if w.open > 0 { // interrupted, if nothing worse
		return nil, cmp.Or(err, ctx.Err())
	}
	results := make([]result, len(starts))
	for i, s := range starts {
		results[i] = *w.results[s.run()]
	}
	return results, nil
}

// waiter collects results from two feeds.
type waiter struct {
	mu      sync.Mutex
	results map[string]*result // by run
	open    int
	picture picture // nil: none
	done    func()  // called when nothing is open any more
}

func (w *waiter) settle(r *result, status string) {
	if r.Status != "" {
		return
	}
	r.Status = status
	if w.open--; w.open == 0 {
		w.done()
	}
}

func (w *waiter) watchRuns(ctx context.Context, bus *daemon.Bus, after uint64) error {
	t := newTracker(bus)
	// A run may be older than this start event: the same id was sent before.
	for id := range w.results {
		run, err := findExactly(ctx, t, id)
		if err != nil {
			return err
		}
		w.seeView(run.View, events.Entry{})
	}
	if ctx.Err() != nil {
		return nil
	}
	return t.follow(ctx, events.AllRuns, after, func(run *saga.Run, e events.Entry) bool {
		if run != nil {
			w.see(run, e)
		}
		return ctx.Err() != nil
	})
}

func (w *waiter) see(run *saga.Run, e events.Entry) {
	if w.results[run.ID] != nil { // of others no view is made
		w.seeView(run.View(), e)
	}
}

func (w *waiter) seeView(view saga.View, e events.Entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.results[view.Run]
	if r == nil {
		return
	}
	if w.picture != nil && e.Sequence > 0 {
		w.picture.show(r.Name, view, e)
	}
	if final(view.Status) {
		r.View = &view
		w.settle(r, string(view.Status))
	}
}

func (w *waiter) watchRejected(ctx context.Context, bus *daemon.Bus) {
	feed, err := bus.Journal.Follow(ctx, events.AllRejected, 0)
	if err != nil {
		return // the runs' feed tells
	}
	defer feed.Close()
	for {
		record, err := feed.Next(ctx)
		if err != nil {
			return
		}
		w.reject(ctx, bus, record)
	}
}

func (w *waiter) reject(ctx context.Context, bus *daemon.Bus, record journal.Record) {
	entry, err := bus.Open(ctx, record)
	if record.Live || err != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if r := w.results[entry.Subject.Start]; r != nil {
		var data events.StartRejected
		_ = events.ReadData(entry.Event, &data) // without a reason it is rejected all the same
		r.Rejected = data.Reason
		w.settle(r, "rejected")
	}
}

// sayResult says in a few lines what became of a start.
func sayResult(w io.Writer, r result) {
	switch {
	case r.View == nil:
		fmt.Fprintf(w, "%s: rejected: %s\n", r.Name, oneLine(r.Rejected))
	case r.completed():
		took := r.View.Ended.Sub(r.View.Started).Round(time.Millisecond)
		fmt.Fprintf(w, "%s: completed in %s%s\n", r.Name, took, summary(r.View.Output))
	default:
		fmt.Fprintf(w, "%s: %s: %s\n", r.Name, r.Status, reasonText(*r.View))
		sayFailure(w, *r.View)
		fmt.Fprintf(w, "  run %s; segue show %s\n", r.Run, r.Run)
	}
}

// sayFailure lists what was undone, what is stuck and what the violations are.
func sayFailure(w io.Writer, v saga.View) {
	for _, s := range v.Steps {
		if s.Failure == nil || s.State == saga.StateCompleted {
			continue
		}
		sayDetails(w, s.Failure.Details)
		if s.State == saga.StateStuck {
			fmt.Fprintf(w, "  stuck at %s after %d attempts: %s\n  mend the cause, then: segue retry %s\n",
				s.Step, s.Attempts+s.Undos, oneLine(s.Failure.Message), v.Run)
		}
	}
	switch {
	case len(v.Undone) > 0:
		fmt.Fprintf(w, "  undone: %s\n", strings.Join(v.Undone, ", "))
	case v.Status == saga.StatusCompensated:
		fmt.Fprintln(w, "  undone: nothing, for nothing had been done")
	}
}

// reasonText says why a run did not complete.
func reasonText(v saga.View) string {
	if v.Reason == nil {
		return "waiting for an operator"
	}
	switch v.Reason.Kind {
	case events.ReasonFailed:
		return v.Reason.Step + ": " + oneLine(v.Reason.Message)
	case events.ReasonDeadline:
		return "its deadline had passed"
	default:
		return "canceled"
	}
}

// maxViolationLines is how many violations of a document are listed.
const maxViolationLines = 10

// sayDetails lists the violations that a validator found.
func sayDetails(w io.Writer, details json.RawMessage) {
	var d struct {
		Violations []struct {
			Pointer string `json:"pointer"`
			Line    int    `json:"line"`
			Message string `json:"message"`
		} `json:"violations"`
		More int `json:"more"`
	}
	if json.Unmarshal(details, &d) != nil || len(d.Violations) < 2 {
		return // the one there is stands in the message
	}
	for i, v := range d.Violations {
		if i == maxViolationLines {
			fmt.Fprintf(w, "  and %d more\n", len(d.Violations)-i+d.More)
			return
		}
		where := ""
		if v.Line > 0 {
			where = fmt.Sprintf("line %d, ", v.Line)
		}
		if v.Pointer != "" {
			where += oneLine(v.Pointer) + ": "
		}
		fmt.Fprintf(w, "  %s%s\n", where, oneLine(v.Message))
	}
}
