//go:build unix

package e2e

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
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
