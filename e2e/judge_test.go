//go:build unix

package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"segue/events"
)

// judge compares what there is with what ought to be. It returns the number of
// documents in the store that were stored when their step had been undone.
func judge(t *testing.T, b *broker, c *cluster, docs []*doc) (late int) {
	t.Helper()
	byRun := make(map[string][]events.Entry)
	for _, e := range entries(t, b.messages("SAGA_RUNS", events.AllRuns)) {
		byRun[e.Subject.Run] = append(byRun[e.Subject.Run], e)
	}
	if len(byRun) != len(docs) {
		t.Errorf("the journal holds %d runs, want %d", len(byRun), len(docs))
	}
	if rejected := b.messages("SAGA_REJECTED", events.AllRejected); len(rejected) > 0 {
		t.Errorf("%d starts were rejected, such as %s", len(rejected), rejected[0].Data)
	}
	objects := documentsByRun(t, b)
	rows, saved := make(map[string]any), make(map[string]string)
	canceled := 0
	for _, d := range docs {
		all := byRun[d.run()]
		completed := d.judge(t, all)
		if d.cancel > 0 && !completed {
			canceled++
		}
		if completed {
			for key, record := range d.rows {
				rows[key] = record
			}
			sum := sha256.Sum256([]byte(d.body))
			saved[d.run()] = fmt.Sprintf("%s|%s|%d|%d", d.input["url"], hex.EncodeToString(sum[:]), len(d.body), len(d.rows))
			continue
		}
		for _, o := range objects[d.run()] {
			if late++; o.ModTime.Before(undoAsked(all, o.Name)) {
				t.Errorf("run %s of %s is compensated and left document %s, stored at %v:\n%s", d.run(), d.id, o.Name, o.ModTime, timeline(all))
			}
		}
	}
	t.Logf("%d completed, %d compensated, %d of them canceled; %d records; %d documents stored too late are left to expiry",
		len(saved), len(docs)-len(saved), canceled, len(rows), late)
	compare(t, "record", rows, records(t, c.database()))
	found := make(map[string]string)
	for _, row := range query(t, c.database(), "SELECT run_id, url, sha256, size, records FROM documents") {
		run, rest, _ := strings.Cut(row, "|")
		found[run] = rest
	}
	compare(t, "document", saved, found)
	return late
}

// judge checks the messages of the document's run and says whether it completed.
func (d *doc) judge(t *testing.T, all []events.Entry) (completed bool) {
	t.Helper()
	ends, last := 0, events.Entry{}
	var undos []string
	for _, e := range all {
		switch e.Subject.Kind {
		case events.KindEnded:
			ends++
		case events.KindCommand:
			if e.Subject.Attempt == (events.Attempt{N: 1, Undo: true}) {
				undos = append(undos, e.Subject.Step)
			}
		case events.KindSignal:
			continue // may come when the run has ended
		}
		last = e
	}
	if ends != 1 || last.Subject.Kind != events.KindEnded {
		t.Errorf("%s: %d ends, and the last message is %s", d.id, ends, last.Subject)
		return false
	}
	order := []string{"save", "parse", "fetch"} // undone in reverse order
	if !slices.IsSortedFunc(undos, func(a, b string) int { return slices.Index(order, a) - slices.Index(order, b) }) {
		t.Errorf("%s: undone in the order %v", d.id, undos)
	}
	if last.Event.Type == events.TypeRunCompleted {
		if d.failsAt != "" || len(undos) > 0 {
			t.Errorf("%s completed; it ought to fail at %q, and undid %v", d.id, d.failsAt, undos)
		}
		return true
	}
	var data events.RunCompensated
	if err := events.ReadData(last.Event, &data); err != nil {
		t.Errorf("%s: %v", d.id, err)
	}
	switch canceled := data.Reason.Kind == events.ReasonCanceled; {
	case canceled && d.cancel == 0, !canceled && data.Reason.Step != d.failsAt:
		t.Errorf("%s turned back because of %+v, want %q", d.id, data.Reason, d.failsAt)
	}
	return false
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
	return time.Now() // never: it ought to have been
}

// timeline shows the messages of a run.
func timeline(all []events.Entry) string {
	var b strings.Builder
	for _, e := range all {
		fmt.Fprintf(&b, "%d %s %s %s %.100s\n", e.Sequence, e.Stored.Format("15:04:05.000"), e.Subject, e.Event.Type, e.Event.Data)
	}
	return b.String()
}

// documentsByRun lists the document store.
func documentsByRun(t *testing.T, b *broker) map[string][]*jetstream.ObjectInfo {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	store, err := b.js.ObjectStore(ctx, "SAGA_DOCUMENTS")
	if err != nil {
		t.Fatal(err)
	}
	list, err := store.List(ctx)
	if err != nil && !errors.Is(err, jetstream.ErrNoObjectsFound) {
		t.Fatal(err)
	}
	byRun := make(map[string][]*jetstream.ObjectInfo)
	for _, o := range list {
		run, _, _ := strings.Cut(o.Name, "/")
		byRun[run] = append(byRun[run], o)
	}
	return byRun
}

// compare says what is missing, what is too much and what differs.
func compare[V any](t *testing.T, what string, want, got map[string]V) {
	t.Helper()
	const most = 5
	faults := 0
	fault := func(format string, args ...any) {
		if faults++; faults <= most {
			t.Errorf(what+" "+format, args...)
		}
	}
	for key, value := range want {
		if have, ok := got[key]; !ok {
			fault("%s is missing", key)
		} else if !reflect.DeepEqual(have, value) {
			fault("%s is %v, want %v", key, have, value)
		}
	}
	for key, value := range got {
		if _, ok := want[key]; !ok {
			fault("%s ought not to be there: %v", key, value)
		}
	}
	if faults > most {
		t.Errorf("%d faults of this kind in all", faults)
	}
}
