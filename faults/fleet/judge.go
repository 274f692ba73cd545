//go:build unix

package fleet

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"segue/events"
	"segue/journal"
)

// Verdict is what the judge found.
type Verdict struct {
	Completed, Compensated int
	// Records is how many rows there ought to be, and are if Problems is empty.
	Records int
	// Late is how many documents were stored when their step had been undone: a
	// known limit, left to the store's expiry.
	Late int
	// Problems is everything that ought not to be; Problem number [maxProblems] and
	// those after it are only counted.
	Problems []string
	problems int
}

// maxProblems is how many problems are told.
const maxProblems = 8

func (v *Verdict) problem(format string, args ...any) {
	if v.problems++; v.problems <= maxProblems {
		v.Problems = append(v.Problems, fmt.Sprintf(format, args...))
	}
}

// Err is nil if all is as it ought to be.
func (v *Verdict) Err() error {
	switch {
	case v.problems == 0:
		return nil
	case v.problems > len(v.Problems):
		return fmt.Errorf("%d problems, such as:\n%s", v.problems, strings.Join(v.Problems, "\n"))
	}
	return errors.New(strings.Join(v.Problems, "\n"))
}

// Judge compares what there is with what ought to be, once everything has
// ended. Each start has had one run with one end, as its task says; what was done
// in a run that turned back has been undone, in reverse order, and nothing else;
// the database holds the records of the completed runs, none missing, none twice,
// none altered. Database is empty if nothing was to be saved.
//
// Starts were all acked, for they were published until they were.
func Judge(ctx context.Context, c *Client, database string, tasks []*Task) (*Verdict, error) {
	v := &Verdict{}
	byRun := make(map[string][]events.Entry)
	err := c.Read(ctx, "SAGA_RUNS", events.AllRuns, func(r journal.Record) error {
		e, err := r.Entry()
		if err != nil && e.Subject.Kind != events.KindCommand { // poison is a command
			v.problem("message %d on %s: %v", r.Sequence, r.Subject, err)
		}
		byRun[e.Subject.Run] = append(byRun[e.Subject.Run], e)
		return nil
	})
	if err != nil {
		return nil, err
	}
	objects, err := c.documents(ctx)
	if err != nil {
		return nil, err
	}
	want := Rows{Records: make(map[string]any), Documents: make(map[string]string)}
	strangers(v, byRun, tasks)
	for _, t := range tasks {
		all := byRun[t.Run()]
		if v.run(t, all) {
			v.Completed++
			t.expect(want)
			continue
		}
		v.Compensated++
		for _, o := range objects[t.Run()] {
			if v.Late++; o.ModTime.Before(undoAsked(all, o.Name)) {
				v.problem("run %s is compensated and left document %s, stored at %v:\n%s", t.ID, o.Name, o.ModTime, Timeline(all))
			}
		}
	}
	if database == "" {
		return v, nil
	}
	have, err := ReadRows(ctx, database)
	if err != nil {
		return nil, err
	}
	v.Records = len(want.Records)
	compare(v, "record", want.Records, have.Records)
	compare(v, "document", want.Documents, have.Documents)
	return v, nil
}

// strangers finds runs that nobody asked for.
func strangers(v *Verdict, byRun map[string][]events.Entry, tasks []*Task) {
	asked := make(map[string]bool)
	for _, t := range tasks {
		asked[t.Run()] = true
	}
	for run, all := range byRun {
		if !asked[run] && all[0].Subject.Kind == events.KindStarted {
			v.problem("nobody asked for run %s:\n%s", run, Timeline(all))
		}
	}
}

// expect adds what a completed run leaves in the database.
func (t *Task) expect(want Rows) {
	if t.Document == nil {
		return
	}
	for key, r := range t.Document.Rows {
		want.Records[key] = r
	}
	sum := sha256.Sum256([]byte(t.Document.Body))
	want.Documents[t.Run()] = fmt.Sprintf("%s|%s|%d|%d", t.Document.URL, hex.EncodeToString(sum[:]), len(t.Document.Body), len(t.Document.Rows))
}

// run judges the messages of a run and says whether it completed.
func (v *Verdict) run(t *Task, all []events.Entry) (completed bool) {
	ends, last := 0, events.Entry{}
	for _, e := range all {
		if e.Subject.Kind == events.KindSignal {
			continue // may come when the run has ended
		}
		if last = e; e.Subject.Kind == events.KindEnded {
			ends++
		}
	}
	if ends != 1 || last.Subject.Kind != events.KindEnded {
		v.problem("run of start %s (%s) has %d ends, and the last message is %q:\n%s", t.ID, t.Run(), ends, last.Subject, Timeline(all))
		return false
	}
	undone, due := undos(all)
	if last.Event.Type == events.TypeRunCompleted {
		if t.FailsAt != "" || len(undone) > 0 {
			v.problem("run %s completed; it ought to fail at %q, and undid %v:\n%s", t.ID, t.FailsAt, undone, Timeline(all))
		}
		return true
	}
	slices.Reverse(due) // the sagas here are chains: the last done is the first undone
	if !slices.Equal(undone, due) {
		v.problem("run %s undid %v, due was %v:\n%s", t.ID, undone, due, Timeline(all))
	}
	var data events.RunCompensated
	err := events.ReadData(last.Event, &data)
	canceled := data.Reason.Kind == events.ReasonCanceled
	if err != nil || canceled && t.Cancel == 0 || !canceled && (data.Reason.Step != t.FailsAt || t.FailsAt == "") {
		v.problem("run %s turned back because of %+v, want %q:\n%s", t.ID, data.Reason, t.FailsAt, Timeline(all))
	}
	return false
}

// noUndo are the steps that have none.
var noUndo = map[string]bool{"look": true, "validate": true}

// undos returns the steps that were undone, in that order, and those of which
// something was done or may have been, in the order in which they were begun.
func undos(all []events.Entry) (undone, due []string) {
	for _, e := range all {
		step := e.Subject.Step
		if e.Subject.Kind != events.KindOutcome {
			continue
		}
		var f events.Failed
		switch e.Event.Type {
		case events.TypeUndoCompleted:
			undone = append(undone, step)
			continue
		case events.TypeStepFailed:
			_ = events.ReadData(e.Event, &f)
			if !f.Unknown {
				continue
			}
		case events.TypeStepCompleted, events.TypeStepTimedOut:
		default:
			continue
		}
		if !noUndo[step] && !slices.Contains(due, step) {
			due = append(due, step)
		}
	}
	return undone, due
}

// undoAsked returns when the undo of the step that wrote a document was asked for.
// A command whose ack was lost is done a second time. If its step has been undone
// by then, what it stores is left to the store's expiry: so it is documented.
func undoAsked(all []events.Entry, document string) time.Time {
	for _, e := range all {
		if e.Event.Type == events.TypeUndoRequested && strings.Contains(document, "/"+e.Subject.Step+"/") {
			return e.Stored
		}
	}
	for _, e := range all {
		// A failure whose command came again was done a second time, unseen.
		if e.Event.Type == events.TypeStepFailed && strings.Contains(document, "/"+e.Subject.Step+"/") {
			return e.Stored
		}
	}
	return time.Now() // never: it ought to have been
}

// Timeline shows the messages of a run.
func Timeline(all []events.Entry) string {
	var b strings.Builder
	for _, e := range all {
		fmt.Fprintf(&b, "  %d %s %s %s %.120s\n", e.Sequence, e.Stored.Format("15:04:05.000"), e.Subject, e.Event.Type, e.Event.Data)
	}
	return b.String()
}

// documents lists the document store by run.
func (c *Client) documents(ctx context.Context) (map[string][]*jetstream.ObjectInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	store, err := c.JS.ObjectStore(ctx, "SAGA_DOCUMENTS")
	if err != nil {
		return nil, fmt.Errorf("open document store: %w", err)
	}
	list, err := store.List(ctx)
	if err != nil && !errors.Is(err, jetstream.ErrNoObjectsFound) {
		return nil, fmt.Errorf("list documents: %w", err)
	}
	byRun := make(map[string][]*jetstream.ObjectInfo)
	for _, o := range list {
		run, _, _ := strings.Cut(o.Name, "/")
		byRun[run] = append(byRun[run], o)
	}
	return byRun, nil
}

// compare says what is missing, what is too much and what differs.
func compare[V any](v *Verdict, what string, want, have map[string]V) {
	for key, value := range want {
		if found, ok := have[key]; !ok {
			v.problem("%s %s is missing", what, key)
		} else if !reflect.DeepEqual(found, value) {
			v.problem("%s %s is %v, want %v", what, key, found, value)
		}
	}
	for key, value := range have {
		if _, ok := want[key]; !ok {
			v.problem("%s %s ought not to be there: %v", what, key, value)
		}
	}
}
