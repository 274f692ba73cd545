package bench

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
	"golang.org/x/sync/errgroup"
)

// Manner is how the broker alone moves the messages.
type Manner struct {
	// Own gives each message a subject of its own, written once, as a journal does;
	// else all messages of a kind share one.
	Own bool
	// Batched stores what waits in atomic batches, one sync for many messages.
	Batched bool
}

func (m Manner) String() string {
	text := "few subjects"
	if m.Own {
		text = "a subject for each message"
	}
	if m.Batched {
		text += ", in atomic batches"
	}
	return text
}

const (
	floorStream = "BENCH_FLOOR"
	// floorAhead is how many messages a reader asks for at a time.
	floorAhead = 512
	// floorBatch is how many messages are moved at a time, floorSmall how few are not
	// worth an atomic batch.
	floorBatch = 500
	floorSmall = 20
	// floorLife ends the requests of a reader that is gone.
	floorLife = time.Minute
)

// floor is the broker and the least that has to be done with it.
//
//	floor.started[.<run>]              => the orchestrator: the first command
//	floor.command.<step>[.<run>]       => the service of a step: its outcome, then the ack
//	floor.outcome.<step>[.<run>]       => the orchestrator: the next command or the end
//	floor.ended[.<run>]                => whoever waits for the run
type floor struct {
	cfg    Config
	manner Manner
	data   []byte
	start  *nats.Conn
	js     natsjs.JetStream
	ends   chan int
	errs   chan error
	stop   context.CancelFunc
	group  *errgroup.Group
	conns  []*nats.Conn
}

var _ mover = (*floor)(nil)

func newFloor(ctx context.Context, cfg Config, m Manner) (*floor, error) {
	f := &floor{cfg: cfg, manner: m, data: make([]byte, cfg.Payload), ends: make(chan int, subscribers), errs: make(chan error, 1)}
	ctx, f.stop = context.WithCancel(ctx)
	f.group, ctx = errgroup.WithContext(ctx)
	if err := f.run(ctx); err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

func (f *floor) run(ctx context.Context) error {
	nc, js, err := f.dial("floor-client")
	if err != nil {
		return err
	}
	f.start, f.js = nc, js
	config := natsjs.StreamConfig{Name: floorStream, Subjects: []string{"floor.>"}, Discard: natsjs.DiscardNew, MaxBytes: 24 << 30, AllowAtomicPublish: f.manner.Batched}
	if f.manner.Own {
		config.MaxMsgsPerSubject, config.DiscardNewPerSubject = 1, true
	}
	if _, err := js.CreateStream(ctx, config); err != nil {
		return fmt.Errorf("create stream %s: %w", floorStream, err)
	}
	filter := func(kind string) string {
		if f.manner.Own {
			kind += ".>"
		}
		return kind
	}
	if _, err = nc.Subscribe(filter("floor.ended"), func(m *nats.Msg) { f.ends <- f.runOf(m) }); err != nil {
		return err
	}
	outcomes := filter("floor.outcome.*")
	err = f.work(ctx, "orchestrator", natsjs.ConsumerConfig{FilterSubjects: []string{filter("floor.started"), outcomes}, AckPolicy: natsjs.AckNonePolicy}, f.orchestrate)
	for i := 1; i <= f.cfg.Steps && err == nil; i++ {
		step := "floor.command." + strconv.Itoa(i)
		err = f.work(ctx, "service-"+strconv.Itoa(i), natsjs.ConsumerConfig{
			FilterSubject: filter(step), AckPolicy: natsjs.AckExplicitPolicy, MaxAckPending: 10_000,
		}, func(m *nats.Msg) string { return f.subject("floor.outcome."+strconv.Itoa(i), m) })
	}
	if err != nil {
		return err
	}
	return nc.Flush()
}

// orchestrate returns what follows a message.
func (f *floor) orchestrate(m *nats.Msg) string {
	token := strings.SplitN(m.Subject, ".", 4)
	step := 0
	if token[1] == "outcome" {
		step, _ = strconv.Atoi(token[2]) // of our own making
	}
	if step == f.cfg.Steps {
		return f.subject("floor.ended", m)
	}
	return f.subject("floor.command."+strconv.Itoa(step+1), m)
}

// subject returns the subject of a kind for the run of a message.
func (f *floor) subject(kind string, m *nats.Msg) string {
	if f.manner.Own {
		return kind + m.Subject[strings.LastIndexByte(m.Subject, '.'):]
	}
	return kind
}

// runOf reads the number of a message's run, which begins its data.
func (f *floor) runOf(m *nats.Msg) int {
	text, _, _ := strings.Cut(string(m.Data[:min(len(m.Data), 20)]), " ")
	run, _ := strconv.Atoi(text) // of our own making
	return run
}

func (f *floor) begin(run int) error {
	number := strconv.Itoa(run)
	subject := "floor.started"
	if f.manner.Own {
		subject += "." + number
	}
	data := append(append(make([]byte, 0, len(number)+1+len(f.data)), number+" "...), f.data...)
	_, err := f.js.PublishMsgAsync(&nats.Msg{Subject: subject, Data: data})
	return err
}

func (f *floor) ended() <-chan int    { return f.ends }
func (f *floor) failed() <-chan error { return f.errs }

func (f *floor) fail(err error) {
	select {
	case f.errs <- err:
	default: // one is enough
	}
}

func (f *floor) dial(name string) (*nats.Conn, natsjs.JetStream, error) {
	nc, err := f.cfg.Dial(name)
	if err != nil {
		return nil, nil, err
	}
	f.conns = append(f.conns, nc)
	js, err := natsjs.New(nc, natsjs.WithPublishAsyncMaxPending(subscribers),
		natsjs.WithPublishAsyncErrHandler(func(_ natsjs.JetStream, _ *nats.Msg, err error) { f.fail(fmt.Errorf("publish: %w", err)) }))
	return nc, js, err
}

// work runs a worker: it takes what its consumer brings, stores what follows and
// then, if the consumer wants that, acknowledges.
func (f *floor) work(ctx context.Context, name string, config natsjs.ConsumerConfig, next func(*nats.Msg) string) error {
	nc, js, err := f.dial(name)
	if err != nil {
		return err
	}
	config.Durable = name
	if _, err := js.CreateConsumer(ctx, floorStream, config); err != nil {
		return fmt.Errorf("create consumer %s: %w", name, err)
	}
	arrived := make(chan *nats.Msg, 4*floorAhead)
	inbox, err := nc.ChanSubscribe(nc.NewInbox(), arrived)
	if err != nil {
		return err
	}
	f.group.Go(func() error {
		err := f.move(ctx, nc, js, &puller{nc: nc, consumer: name, inbox: inbox.Subject, arrived: arrived}, config.AckPolicy == natsjs.AckExplicitPolicy, next)
		if ctx.Err() == nil {
			f.fail(fmt.Errorf("%s: %w", name, err))
		}
		return err
	})
	return nil
}

func (f *floor) move(ctx context.Context, nc *nats.Conn, js natsjs.JetStream, p *puller, acks bool, next func(*nats.Msg) string) error {
	for {
		batch, err := p.next(ctx)
		if err != nil {
			return err
		}
		out := make([]*nats.Msg, len(batch))
		for i, m := range batch {
			out[i] = &nats.Msg{Subject: next(m), Header: make(nats.Header), Data: m.Data} // a batch writes headers
		}
		if err := f.store(ctx, js, out); err != nil {
			return err
		}
		for _, m := range batch {
			if acks {
				if err := nc.Publish(m.Reply, nil); err != nil {
					return err
				}
			}
		}
	}
}

// store returns when all messages are stored.
func (f *floor) store(ctx context.Context, js natsjs.JetStream, messages []*nats.Msg) error {
	if f.manner.Batched && len(messages) >= floorSmall {
		_, err := jetstreamext.PublishMsgBatch(ctx, js, messages, jetstreamext.BatchFlowControl{})
		return err
	}
	acks := make([]natsjs.PubAckFuture, len(messages))
	for i, m := range messages {
		var err error
		if acks[i], err = js.PublishMsgAsync(m); err != nil {
			return err
		}
	}
	for _, ack := range acks {
		select {
		case <-ack.Ok():
		case err := <-ack.Err():
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (f *floor) close() {
	f.stop()
	_ = f.group.Wait() // what failed has been told
	if f.js != nil {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = f.js.DeleteStream(ctx, floorStream) // the next floor would tell
	}
	for _, nc := range f.conns {
		nc.Close()
	}
}

// puller asks a consumer for messages, always for more than have come.
type puller struct {
	nc       *nats.Conn
	consumer string
	inbox    string
	arrived  chan *nats.Msg
	asked    int
}

// next waits for messages and returns those that are there.
func (p *puller) next(ctx context.Context) ([]*nats.Msg, error) {
	var batch []*nats.Msg
	for len(batch) == 0 {
		if p.asked < floorAhead/2 {
			if err := p.ask(floorAhead - p.asked); err != nil {
				return nil, err
			}
		}
		select {
		case m := <-p.arrived:
			batch = p.take(batch, m)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	for len(batch) < floorBatch {
		select {
		case m := <-p.arrived:
			batch = p.take(batch, m)
		default:
			return batch, nil
		}
	}
	return batch, nil
}

func (p *puller) ask(n int) error {
	p.asked += n
	request := fmt.Appendf(nil, `{"batch":%d,"expires":%d}`, n, floorLife)
	return p.nc.PublishRequest("$JS.API.CONSUMER.MSG.NEXT."+floorStream+"."+p.consumer, p.inbox, request)
}

// take adds a message; a word of the broker, that a request has ended, is none.
func (p *puller) take(batch []*nats.Msg, m *nats.Msg) []*nats.Msg {
	if m.Reply == "" {
		p.asked = 0
		return batch
	}
	p.asked--
	return append(batch, m)
}
