package participant_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"segue/document"
	"segue/events"
	"segue/journal"
	"segue/journal/memory"
	"segue/participant"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is a journal with services at work on it, in virtual time.
type bench struct {
	t      *testing.T
	ctx    context.Context
	broker *memory.Journal
	data   *document.Memory
	all    sync.WaitGroup

	mu  sync.Mutex
	log bytes.Buffer
}

// onBench runs a test in a bubble. All that it starts has ended behind it.
func onBench(t *testing.T, c memory.Config, test func(b *bench)) {
	t.Parallel()
	if c.Latency == 0 {
		c.Latency = time.Millisecond
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		b := &bench{t: t, ctx: ctx, broker: memory.New(c), data: document.NewMemory(document.DataBucket)}
		defer b.broker.Close()
		defer b.all.Wait()
		defer cancel()
		test(b)
	})
}

// Write takes a line of a service's log.
func (b *bench) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.log.Write(p)
}

// logged says how often the log holds a text.
func (b *bench) logged(text string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Count(b.log.String(), text)
}

// worker is a process that serves.
type worker struct {
	client  *memory.Client
	metrics *prometheus.Registry
	term    context.CancelFunc // what SIGTERM does
	ended   chan error         // of size 1
}

// run starts a process. edit may change its configuration.
func (b *bench) run(name string, edit func(*participant.Config), services ...participant.Service) *worker {
	w := &worker{client: b.broker.Client(name), metrics: prometheus.NewRegistry(), ended: make(chan error, 1)}
	cfg := participant.Config{
		Journal: w.client, Data: b.data, Log: slog.New(slog.NewTextHandler(b, nil)), Metrics: participant.NewMetrics(w.metrics),
	}
	if edit != nil {
		edit(&cfg)
	}
	var ctx context.Context
	ctx, w.term = context.WithCancel(b.ctx)
	b.all.Go(func() { w.ended <- participant.Run(ctx, cfg, services...) })
	return w
}

// sum reads a metric, summed over its labels.
func (w *worker) sum(t *testing.T, name string) (sum float64) {
	t.Helper()
	families, err := w.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name {
				sum += m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

// place returns the subject of a command to service "svc".
func place(run string, n events.Attempt) events.Subject {
	s := events.RunSubject(events.KindCommand, run, journal.DefaultPartitions)
	s.Service, s.Step, s.Attempt = "svc", "step", n
	return s
}

// first is the first attempt at doing.
var first = events.Attempt{N: 1}

// command returns a command that expires in an hour.
func command(run string, n events.Attempt, data string) events.Entry {
	kind := events.TypeStepRequested
	if n.Undo {
		kind = events.TypeUndoRequested
	}
	s := place(run, n)
	return events.Entry{Subject: s, Event: events.Event{
		ID: "command-" + run + n.String(), Source: events.Orchestrator, Type: kind, Subject: "step", Expiry: time.Now().Add(time.Hour),
		CorrelationID: "order 7", TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		RunID: run, ReplyTo: s.With(events.KindOutcome).String(), DataContentType: events.JSON, Data: []byte(data),
	}}
}

func (b *bench) send(commands ...events.Entry) {
	b.t.Helper()
	for _, c := range commands {
		if err := b.broker.Append(b.ctx, c.Message()); err != nil {
			b.t.Fatal(err)
		}
	}
}

// outcomes returns the outcomes of a run, by attempt, with their data.
func (b *bench) outcomes(run string) map[events.Attempt]events.Event {
	b.t.Helper()
	records, err := journal.Load(b.ctx, b.broker, events.RunFilter(run))
	if err != nil {
		b.t.Fatal(err)
	}
	all := make(map[events.Attempt]events.Event)
	for _, r := range records {
		e, err := r.Entry()
		if e.Subject.Kind != events.KindOutcome {
			continue
		}
		if err == nil {
			e.Event, err = document.CheckOut(b.ctx, b.data, e.Event)
		}
		if err != nil {
			b.t.Fatal(err)
		}
		all[e.Subject.Attempt] = e.Event
	}
	return all
}

// none wants a run to have no outcome.
func (b *bench) none(run string) {
	b.t.Helper()
	if all := b.outcomes(run); len(all) > 0 {
		b.t.Errorf("run %s has outcomes, want none: %v", run, all)
	}
}

// outcome returns the outcome of an attempt, which must be there.
func (b *bench) outcome(run string, n events.Attempt) events.Event {
	b.t.Helper()
	e, there := b.outcomes(run)[n]
	if !there {
		b.t.Fatalf("attempt %s of run %s has no outcome; the log says\n%s", n, run, b.log.String())
	}
	return e
}

// failed returns what the outcome of an attempt says of its failure.
func (b *bench) failed(run string, n events.Attempt) (f events.Failed) {
	b.t.Helper()
	e := b.outcome(run, n)
	if e.Type != events.TypeStepFailed && e.Type != events.TypeUndoFailed {
		b.t.Fatalf("attempt %s of run %s has outcome %s, want a failure", n, run, e.Type)
	}
	if err := events.ReadData(e, &f); err != nil {
		b.t.Fatal(err)
	}
	return f
}

// drained wants the queue of "svc" to be empty: nothing comes for longer than a lease.
func (b *bench) drained() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, journal.Lease+time.Minute)
	defer cancel()
	work, err := b.broker.Consume(ctx, journal.Commands("svc", 1))
	if err != nil {
		b.t.Fatal(err)
	}
	defer work.Close()
	if d, err := work.Next(ctx); err == nil {
		b.t.Errorf("%s is left in its queue", d.Message().Subject)
	}
}

// passes lets time go by, and all that happens in it come to rest. It is for the
// goroutine of the test alone.
func passes(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
