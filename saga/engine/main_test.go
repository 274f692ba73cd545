package engine_test

import (
	"context"
	"encoding/json"
	"errors"
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
	"segue/saga"
	"segue/saga/engine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stage is a system without its services, in virtual time.
type stage struct {
	t      *testing.T
	ctx    context.Context
	broker *memory.Journal
	data   *document.Memory
	logs   logs
	all    sync.WaitGroup
}

// onStage runs a test in a bubble. All that it starts has ended behind it.
func onStage(t *testing.T, c memory.Config, test func(s *stage)) {
	t.Parallel()
	if c.Latency == 0 {
		c.Latency = time.Millisecond
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := &stage{t: t, ctx: ctx, broker: memory.New(c), data: document.NewMemory(document.DataBucket)}
		defer s.broker.Close()
		defer s.all.Wait()
		defer cancel()
		test(s)
	})
}

// performer is an engine that runs.
type performer struct {
	*engine.Engine
	client  *memory.Client
	metrics *prometheus.Registry
	stop    func() error // as SIGTERM does, and waits
	kill    func()       // as kill -9 does, and waits
}

// engine starts an engine. edit may change its configuration.
func (s *stage) engine(id string, edit func(*engine.Config), sagas ...*saga.Definition) *performer {
	s.t.Helper()
	p := &performer{client: s.broker.Client(id), metrics: prometheus.NewRegistry()}
	cfg := engine.Config{
		Journal: p.client, Data: s.data, Sagas: sagas, Log: slog.New(slog.NewJSONHandler(&s.logs, nil)),
		Metrics: engine.NewMetrics(p.metrics), ID: id,
	}
	if edit != nil {
		edit(&cfg)
	}
	e, err := engine.New(cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	p.Engine = e
	ctx, cancel := context.WithCancel(s.ctx)
	ended := make(chan error, 1)
	s.all.Go(func() { ended <- e.Run(ctx) })
	p.stop = func() error { cancel(); return <-ended }
	p.kill = func() { p.client.Kill(); <-ended; cancel() }
	return p
}

// load reads a definition.
func load(t *testing.T, text string) *saga.Definition {
	t.Helper()
	d, err := saga.Load("saga.yaml", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// one is a saga of one step.
const one = `
saga: one
deadline: 1h
input: {type: object, required: [n], properties: {n: {type: integer}}, additionalProperties: false}
steps:
  work: {service: worker, with: {n: "${input.n}"}, timeout: 10s, retry: {attempts: 3, backoff: 1s, max: 10s}, undo: {timeout: 5s, retry: {attempts: 2, backoff: 1s, max: 1s}}}
output: ${steps.work}
`

// two is a saga of two steps of which the first has an undo.
const two = `
saga: two
deadline: 1m
steps:
  first:  {service: worker, timeout: 20s, undo: {timeout: 5s, retry: {attempts: 2, backoff: 1s, max: 1s}}}
  second: {service: worker, needs: [first], timeout: 20s, retry: {attempts: 1}}
`

// event returns a start event.
func event(id, data string) events.Event {
	return events.Event{ID: id, Source: "/test", Type: "test.start.v1", DataContentType: events.JSON, Data: []byte(data)}
}

// run returns the id of the run of a start event.
func run(id string) string { return events.RunID("/test", id) }

func (s *stage) publish(messages ...events.Message) {
	s.t.Helper()
	if err := s.broker.Append(s.ctx, messages...); err != nil {
		s.t.Fatal(err)
	}
}

// start publishes a start event for a saga.
func (s *stage) start(name, id, data string) {
	s.t.Helper()
	s.publish(events.Encode(events.StartSubject(name).String(), event(id, data)))
}

// answer is what a service answers to a command; the zero value is nothing.
type answer struct {
	kind string
	data any
}

var (
	completed = answer{events.TypeStepCompleted, "done"}
	undone    = answer{events.TypeUndoCompleted, nil}
	failing   = answer{events.TypeStepFailed, events.Failed{Message: "no", Retryable: true}}
	refusing  = answer{events.TypeStepFailed, events.Failed{Message: "never"}}
)

// serve answers the commands of service "worker", each on its own.
func (s *stage) serve(decide func(command events.Entry) answer) {
	work, err := s.broker.Client("worker").Consume(s.ctx, journal.Commands("worker", 100))
	if err != nil {
		s.t.Fatal(err)
	}
	s.all.Go(func() {
		for {
			d, err := work.Next(s.ctx)
			if err != nil {
				return
			}
			s.all.Go(func() { s.take(d, decide) })
		}
	})
}

func (s *stage) take(d journal.Delivery, decide func(command events.Entry) answer) {
	command, err := events.DecodeEntry(d.Message(), d.Stored(), 0)
	if err != nil {
		s.t.Errorf("command: %v", err)
		return
	}
	if command.Event.Type != events.TypeStepWithheld {
		if a := decide(command); a.kind != "" {
			if err := s.broker.Append(s.ctx, reply(command, a)); err != nil && s.ctx.Err() == nil {
				s.t.Errorf("answer: %v", err)
			}
		}
	}
	_ = d.DoubleAck(s.ctx)
}

func reply(command events.Entry, a answer) events.Message {
	subject := command.Subject.With(events.KindOutcome)
	source := events.ServiceSource(subject.Service)
	e := events.Event{
		ID: events.DeriveID(subject, source, a.kind), Source: source, Type: a.kind, DataContentType: events.JSON,
	}.Caused(command.Event)
	if a.data != nil {
		e.Data, _ = json.Marshal(a.data)
	}
	return events.Entry{Subject: subject, Event: e}.Message()
}

// journal returns the messages of a run, whatever there is by now.
func (s *stage) journal(run string) (entries []events.Entry) {
	s.t.Helper()
	records, err := journal.Load(s.ctx, s.broker, events.RunFilter(run))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, r := range records {
		entry, err := r.Entry()
		if err != nil {
			s.t.Fatal(err)
		}
		entries = append(entries, entry)
	}
	return entries
}

// told returns the messages of a run in short: "command work.1 step.requested".
func (s *stage) told(run string) string {
	s.t.Helper()
	var lines []string
	for _, e := range s.journal(run) {
		words := []string{string(e.Subject.Kind)}
		if e.Subject.Step != "" {
			words = append(words, e.Subject.Step+"."+e.Subject.Attempt.String())
		}
		words = append(words, strings.TrimSuffix(strings.TrimPrefix(e.Event.Type, "segue."), ".v1"))
		lines = append(lines, strings.Join(words, " "))
	}
	return strings.Join(lines, "\n")
}

// await waits until a run has a message of a type, at most for a while.
func (s *stage) await(run, eventType string, most time.Duration) events.Entry {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, most)
	defer cancel()
	feed, err := s.broker.Follow(ctx, events.RunFilter(run), 0)
	if err != nil {
		s.t.Fatal(err)
	}
	defer feed.Close()
	for {
		r, err := feed.Next(ctx)
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, journal.ErrClosed) {
			s.t.Fatalf("within %v run %s has no %s; it has\n%s", most, run, eventType, s.told(run))
		}
		if err != nil {
			s.t.Fatal(err)
		}
		if entry, err := r.Entry(); err == nil && !r.Live && entry.Event.Type == eventType {
			return entry
		}
	}
}

// passes lets time go by, and all that happens in it come to rest. It is for the
// goroutine of the test alone.
func passes(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// gauge reads the sum of a metric over its labels.
func (p *performer) gauge(t *testing.T, name string) (sum float64) {
	t.Helper()
	families, err := p.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name {
				sum += m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return sum
}

func wantText(t *testing.T, got, want string) {
	t.Helper()
	if want = strings.TrimSpace(want); got != want {
		t.Errorf("the run is\n%s\nwant\n%s", got, want)
	}
}
