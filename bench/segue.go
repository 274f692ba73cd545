package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"segue/document"
	"segue/document/objectstore"
	"segue/events"
	"segue/journal/jetstream"
	"segue/participant"
	"segue/saga"
	"segue/saga/engine"
)

// sagaName is the name of the saga whose runs are measured.
const sagaName = "bench"

// heldName is the name of the saga whose runs wait, nobody that of the service they
// wait for.
const (
	heldName = "bench-held"
	nobody   = "bench-nobody"
)

// source is that of its start events.
const source = "/segue/bench"

// subscribers is room for ends that have not been counted yet.
const subscribers = 1 << 16

// system is Segue with a saga of steps that do nothing.
type system struct {
	start  *nats.Conn // of whoever starts runs
	js     natsjs.JetStream
	input  []byte
	serial string // tells the runs of this system from others on the same broker
	ends   chan int
	errs   chan error
	stop   context.CancelFunc
	group  *errgroup.Group
	conns  []*nats.Conn

	orchestrator *orchestrator
	parts        context.Context // of all parts; ends when the system is closed
}

var _ mover = (*system)(nil)

// newSystem starts an orchestrator, a service for each step, and whoever starts runs.
func newSystem(ctx context.Context, cfg Config) (*system, error) {
	s := &system{ends: make(chan int, subscribers), errs: make(chan error, 1), serial: events.NewStartID()}
	ctx, s.stop = context.WithCancel(ctx)
	s.group, ctx = errgroup.WithContext(ctx)
	s.parts = ctx
	if err := s.run(ctx, cfg); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *system) run(ctx context.Context, cfg Config) error {
	definition, err := chain(cfg.Steps)
	if err != nil {
		return err
	}
	s.input, err = json.Marshal(map[string]string{"data": strings.Repeat("x", cfg.Payload)})
	if err != nil {
		return err
	}
	waiting, err := saga.Load(heldName, []byte("saga: "+heldName+"\ndeadline: 2h\nsteps:\n  wait: {service: "+nobody+", timeout: 1h}\n"), nil)
	if err != nil {
		return err
	}
	if err := s.orchestrate(ctx, cfg, definition, waiting); err != nil {
		return err
	}
	for _, service := range saga.Services(definition) {
		if err := s.serve(ctx, cfg, service); err != nil {
			return err
		}
	}
	return s.watch(cfg)
}

// chain is a saga of so many steps, one after the other.
func chain(steps int) (*saga.Definition, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "saga: %s\ndeadline: 1h\nsteps:\n", sagaName)
	for i := 1; i <= steps; i++ {
		fmt.Fprintf(&b, "  step-%d:\n    service: bench-%d\n    with: {data: \"${input.data}\"}\n", i, i)
		if i > 1 {
			fmt.Fprintf(&b, "    needs: [step-%d]\n", i-1)
		}
	}
	return saga.Load(sagaName, []byte(b.String()), nil)
}

// dial makes a connection that is closed with the system.
func (s *system) dial(cfg Config, name string) (*nats.Conn, error) {
	nc, err := cfg.Dial(name)
	if err == nil {
		s.conns = append(s.conns, nc)
	}
	return nc, err
}

// sizes make room for a million runs and more.
var sizes = jetstream.Sizes{Runs: 24 << 30, Starts: 4 << 30, History: 4 << 30}

// orchestrate runs the engine, on a broker that has no other.
func (s *system) orchestrate(ctx context.Context, cfg Config, definitions ...*saga.Definition) error {
	nc, err := s.dial(cfg, "bench-orchestrator")
	if err != nil {
		return err
	}
	j, err := jetstream.Open(ctx, nc, jetstream.Options{Services: saga.Services(definitions...), Sizes: sizes, Log: cfg.Log, Fatal: s.fail})
	if err != nil {
		return err
	}
	if err := alone(ctx, j); err != nil {
		j.Close()
		return err
	}
	data, err := objectstore.Open(ctx, nc, document.DataBucket)
	if err != nil {
		j.Close()
		return err
	}
	s.orchestrator = &orchestrator{config: engine.Config{
		Journal: j, Sagas: definitions, Log: cfg.Log, MaxRunning: 2*cfg.Concurrency + cfg.held,
		KeepRuns: cfg.keep,
	}}
	err = s.conduct(data)
	s.tend(func() error {
		defer j.Close()
		<-ctx.Done()
		s.orchestrator.stop()
		return nil
	})
	return err
}

// orchestrator is the one that runs.
type orchestrator struct {
	config engine.Config
	engine *engine.Engine
	stop   func() // waits
}

// conduct runs an orchestrator with a store for its data.
func (s *system) conduct(data document.Store) error {
	o := s.orchestrator
	o.config.Data = data
	var err error
	if o.engine, err = engine.New(o.config); err != nil {
		o.stop = func() {}
		return err
	}
	ctx, cancel := context.WithCancel(s.parts)
	done := make(chan struct{})
	o.stop = func() { cancel(); <-done }
	s.tend(func() error { defer close(done); return o.engine.Run(ctx) })
	return nil
}

// errNotAlone says why a broker is not taken.
var errNotAlone = errors.New("orchestrators are at work on this broker: measure on one that nobody uses, what is measured would take its place there")

// alone looks whether other orchestrators would take the starts.
func alone(ctx context.Context, j *jetstream.Journal) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	members, err := j.Members(ctx, "bench", nil)
	if err != nil {
		return err
	}
	if alive := <-members; len(alive) > 1 {
		return errNotAlone
	}
	return nil
}

// echo is what goes to a step and comes back.
type echo struct {
	Data string `json:"data"`
}

// serve runs a service that does nothing.
func (s *system) serve(ctx context.Context, cfg Config, name string) error {
	nc, err := s.dial(cfg, name)
	if err != nil {
		return err
	}
	j, err := jetstream.Bind(ctx, nc, jetstream.Options{Log: cfg.Log, Fatal: s.fail})
	if err != nil {
		return err
	}
	data, err := objectstore.Open(ctx, nc, document.DataBucket)
	if err != nil {
		j.Close()
		return err
	}
	nothing := func(_ context.Context, c participant.Command[echo]) (echo, error) { return c.Input, nil }
	undo := func(context.Context, participant.Undo[echo, echo]) error { return nil }
	config := participant.Config{Journal: j, Data: data, Log: cfg.Log, Concurrency: cfg.Concurrency}
	s.tend(func() error {
		defer j.Close()
		return participant.Run(ctx, config, participant.New(name, nothing, undo))
	})
	return nil
}

// watch connects whoever starts runs and hears of their ends.
func (s *system) watch(cfg Config) error {
	var err error
	if s.start, err = s.dial(cfg, "bench-client"); err != nil {
		return err
	}
	s.js, err = natsjs.New(s.start, natsjs.WithPublishAsyncMaxPending(subscribers),
		natsjs.WithPublishAsyncErrHandler(func(_ natsjs.JetStream, _ *nats.Msg, err error) { s.fail(fmt.Errorf("start a run: %w", err)) }))
	if err != nil {
		return err
	}
	_, err = s.start.Subscribe(events.AllEnds, func(m *nats.Msg) {
		if serial, number, ok := strings.Cut(m.Header.Get("ce-correlationid"), "/"); ok && serial == s.serial {
			run, _ := strconv.Atoi(number) // of our own making
			s.ends <- run
		}
	})
	if err != nil {
		return err
	}
	return s.start.Flush()
}

func (s *system) begin(run int) error {
	return s.request(sagaName, s.serial+"/"+strconv.Itoa(run))
}

// request starts a run of a saga, and does not wait for the broker.
func (s *system) request(saga, id string) error {
	e := events.Event{ID: id, Source: source, Type: events.TypeRunRequested, CorrelationID: id, DataContentType: events.JSON, Data: s.input}
	m := events.Encode(events.StartSubject(saga).String(), e)
	_, err := s.js.PublishMsgAsync(&nats.Msg{Subject: m.Subject, Header: nats.Header(m.Header), Data: m.Data})
	return err
}

func (s *system) ended() <-chan int    { return s.ends }
func (s *system) failed() <-chan error { return s.errs }

func (s *system) fail(err error) {
	select {
	case s.errs <- err:
	default: // one is enough
	}
}

// tend runs a part of the system until it is closed.
func (s *system) tend(part func() error) {
	s.group.Go(func() error {
		err := part()
		if err != nil && !errors.Is(err, context.Canceled) {
			s.fail(err)
		}
		return err
	})
}

func (s *system) close() {
	s.stop()
	_ = s.group.Wait() // what failed has been told
	for _, nc := range s.conns {
		nc.Close()
	}
}
