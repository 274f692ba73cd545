//go:build unix

package e2e

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"segue/events"
	"segue/journal"
	"segue/sagas"
)

// number reads a number from the environment.
func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := cmp.Or(os.Getenv(name), strconv.Itoa(otherwise))
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		t.Fatalf("%s is %q, want a number", name, text)
	}
	return n
}

// source is that of the starts of the kill test.
const source = "/e2e/kill"

func (d *doc) run() string { return events.RunID(source, d.id) }

// TestKill runs every program as a process of its own and kills each of them,
// the broker too, while runs are under way. In the end every start has had one
// run with one end, and the database holds what it ought to and nothing else.
func TestKill(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes most of a minute: NOT tested with -short")
	}
	runs, kills := number(t, "SEGUE_RUNS", 200), number(t, "SEGUE_KILLS", 8)
	seed := number(t, "SEGUE_SEED", int(time.Now().UnixNano()%1e9))
	t.Logf("SEGUE_SEED=%d SEGUE_RUNS=%d SEGUE_KILLS=%d", seed, runs, kills)
	random := rand.New(rand.NewPCG(uint64(seed), 1))

	var docs []*doc
	for i := range runs {
		docs = append(docs, newDoc(i, random))
	}
	shelf := newLibrary(t, docs)
	c := startCluster(t, shelf.dir, hasty(t))
	c.ready()
	b := client(t, c.url)
	f := b.follow()

	begin := time.Now()
	var writers sync.WaitGroup
	writers.Go(func() { b.startAll(docs, rand.New(rand.NewPCG(uint64(seed), 2))) })
	for _, d := range docs {
		if d.cancel > 0 {
			writers.Go(func() { b.cancel(f, d) })
		}
	}
	for _, k := range plan(runs, kills, random) {
		c.strike(f, k)
	}
	patience := 2*time.Minute + time.Duration(runs)*200*time.Millisecond
	eventually(t, patience, c.supervised(f.ended(runs)))
	took := time.Since(begin)
	writers.Wait()
	b.drained(2 * journal.Lease)
	t.Logf("%d runs, %d messages, %d kills: half of the runs had ended after %.1f s, all after %.1f s",
		runs, f.sequence(), kills, f.times[runs/2].Sub(begin).Seconds(), took.Seconds())
	if late := judge(t, b, c, docs); late > 0 && kills == 0 {
		t.Errorf("%d documents were stored too late although nobody was killed", late)
	}
}

// hasty returns the file of a saga that is ingest with shorter timeouts: what a
// worker had in its hands when it was killed is waited for only so long.
func hasty(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.CopyFS(folder, sagas.Files()); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "ingest.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.NewReplacer("saga: ingest\n", "saga: hasty\n", "timeout: 5m\n", "timeout: 15s\n").Replace(string(text))
	if strings.Count(changed, "timeout: 15s") != 4 || !strings.Contains(changed, "saga: hasty") {
		t.Fatal("ingest.yaml is not as it was")
	}
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// kill is a blow against a member of the cluster, when the journal has come to a
// sequence.
type kill struct {
	member string
	at     uint64
}

// plan spreads kills over the first two thirds of what the journal will come to.
// Each member is struck once before any is struck twice.
func plan(runs, kills int, random *rand.Rand) []kill {
	targets := append([]string{"broker"}, members...)
	var all []kill
	for i := range kills {
		if i%len(targets) == 0 {
			random.Shuffle(len(targets), func(i, j int) { targets[i], targets[j] = targets[j], targets[i] })
		}
		all = append(all, kill{targets[i%len(targets)], uint64(runs/4 + random.IntN(5*runs))})
	}
	slices.SortFunc(all, func(a, b kill) int { return cmp.Compare(a.at, b.at) })
	return all
}

// absence is how long the journal is watched to go on without the member that was
// killed: so many messages, but not longer than so long.
const (
	absenceMessages = 20
	absenceTime     = 500 * time.Millisecond
)

// strike kills a member, lets the others go on for a while and starts it again.
func (c *cluster) strike(f *follower, k kill) {
	c.t.Helper()
	eventually(c.t, 3*journal.Lease, c.supervised(f.reached(k.at)))
	at := f.sequence()
	if k.member == "broker" {
		c.broker.kill()
		c.startBroker()
	} else {
		c.programs[k.member].kill()
		_ = await(absenceTime, f.reached(at+absenceMessages)) // whether they got on or not
		c.start(k.member)
	}
	c.t.Logf("killed %s at message %d", k.member, at)
}

// startAll publishes the start of each document one to three times, each time
// until the broker has it.
func (b *broker) startAll(docs []*doc, random *rand.Rand) {
	for _, d := range docs {
		m := events.Encode("saga.start.hasty", events.Event{
			ID: d.id, Source: source, Type: events.TypeRunRequested, DataContentType: events.JSON, Data: events.MarshalData(d.input),
		})
		for range 1 + random.IntN(3) {
			b.publish(m)
		}
	}
}

// cancel sends the signal when the run has come as far as its document says.
func (b *broker) cancel(f *follower, d *doc) {
	if err := await(5*time.Minute, f.has(d.run(), d.cancel)); err != nil {
		b.t.Error(err)
		return
	}
	subject := events.RunSubject(events.KindSignal, d.run(), journal.DefaultPartitions)
	subject.Signal = events.SignalCancel
	b.publish(events.Encode(subject.String(), events.Event{
		ID: d.id + "-cancel", Source: source, Type: events.TypeCancel, DataContentType: events.JSON, Data: []byte(`{"note":"e2e"}`),
	}))
}

// publish publishes until the broker has the message: stored now, or earlier.
func (b *broker) publish(m events.Message) {
	err := await(2*time.Minute, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_, err := b.js.PublishMsg(ctx, &nats.Msg{Subject: m.Subject, Header: nats.Header(m.Header), Data: m.Data})
		if api := new(jetstream.APIError); errors.As(err, &api) && strings.Contains(api.Description, "maximum messages per subject") {
			return nil
		}
		return err
	})
	if err != nil {
		b.t.Errorf("publish on %s: %v", m.Subject, err)
	}
}

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
