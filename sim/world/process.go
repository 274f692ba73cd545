package world

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"segue/events"
	"segue/journal"
	"segue/journal/memory"
	"segue/participant"
	"segue/saga/engine"
)

// process is an engine or a worker, which lives, dies and is started again.
type process struct {
	w     *world
	name  string
	serve func(ctx context.Context, l *life) error

	mu   sync.Mutex
	life *life // nil while it is dead
}

// life is a process from start to end.
type life struct {
	w       *world
	id      string // of the process, with the number of the life
	client  *memory.Client
	ctx     context.Context
	stop    context.CancelFunc // ends it as SIGTERM does
	killed  chan struct{}
	once    sync.Once
	metrics *prometheus.Registry
}

// keep starts the process again and again until ctx is done, each at a moment of
// its own.
func (p *process) keep(ctx context.Context) {
	pause(ctx, p.w.dice.between(time.Microsecond, 50*time.Millisecond, "start", p.name))
	for n := 1; ctx.Err() == nil; n++ {
		l := &life{w: p.w, id: fmt.Sprintf("%s-%d", p.name, n), killed: make(chan struct{}), metrics: prometheus.NewRegistry()}
		l.client = p.w.journal.Client(l.id)
		l.ctx, l.stop = context.WithCancel(ctx)
		p.set(l)
		err := p.serve(l.ctx, l)
		p.set(nil)
		if err != nil && l.ctx.Err() == nil {
			p.w.count("ended early") // nobody killed or stopped it: it could not begin
		}
		if ctx.Err() == nil {
			l.kill()
		}
		pause(ctx, p.w.dice.between(50*time.Millisecond, 6*time.Second, "restart", l.id))
	}
}

func (p *process) set(l *life) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.life = l
}

func (p *process) alive() *life {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.life
}

// kill ends a life as kill -9 does.
func (l *life) kill() {
	l.once.Do(func() {
		l.client.Kill()
		close(l.killed)
		l.stop()
	})
}

// fragile is a journal whose user dies at the worst moments.
type fragile struct {
	journal.Journal
	l *life
}

// Append implements [journal.Journal].
func (f fragile) Append(ctx context.Context, messages ...events.Message) error {
	if len(messages) == 0 {
		return f.Journal.Append(ctx)
	}
	f.l.maybeDie("before", "an append", messages[0].Subject)
	err := f.Journal.Append(ctx, messages...)
	if err == nil {
		f.l.maybeDie("behind", "an append", messages[0].Subject)
	}
	return err
}

// Prune implements [journal.Journal].
func (f fragile) Prune(ctx context.Context, partition int, before uint64) error {
	what := "a pruning"
	if partition == journal.EveryPartition {
		what = "a cut"
	}
	f.l.w.count(what)
	f.l.maybeDie("before", what, strconv.Itoa(partition))
	err := f.Journal.Prune(ctx, partition, before)
	if err == nil {
		f.l.maybeDie("behind", what, strconv.Itoa(partition))
	}
	return err
}

// Follow implements [journal.Journal].
func (f fragile) Follow(ctx context.Context, filter string, after uint64) (journal.Feed, error) {
	feed, err := f.Journal.Follow(ctx, filter, after)
	return paced{feed}, err
}

// paced is a feed that brings one record at an instant. Were two there at once,
// it would be up to the Go scheduler whether their reader takes them together,
// and the same seed would make different worlds.
type paced struct{ journal.Feed }

// Next implements [journal.Feed].
func (p paced) Next(ctx context.Context) (journal.Record, error) {
	time.Sleep(time.Nanosecond)
	return p.Feed.Next(ctx)
}

// maybeDie kills the process before or behind what it asks of the journal.
func (l *life) maybeDie(when, what, word string) {
	at := strconv.FormatInt(int64(l.w.since()), 10)
	l.die(l.w.options.crashPoint(), when+" "+what, when, l.id, word, at)
}

// use returns the journal that a process works on.
func (l *life) use(wrap func(journal.Journal) journal.Journal) journal.Journal {
	var j journal.Journal = fragile{l.client, l}
	if wrap != nil {
		j = wrap(j)
	}
	return j
}

func serveEngine(ctx context.Context, l *life) error {
	c := engine.Config{
		Journal: l.use(l.w.options.sabotage.engine), Data: l.w.data, Sagas: l.w.play.sagas(), Log: l.w.claims.logger(),
		Metrics: engine.NewMetrics(l.metrics), ID: l.id, MaxRunning: 16, Intake: 3, Window: 2, Batch: 16,
	}
	if l.w.options.Leave {
		c.KeepAge, c.SnapshotEvery = engine.MinKeepAge, 6
	}
	e, err := engine.New(c)
	if err != nil {
		return err
	}
	return e.Run(ctx)
}

func serveWorker(ctx context.Context, l *life) error {
	services, leave, err := l.w.play.serve(ctx, l)
	if err != nil {
		return err
	}
	defer leave()
	return participant.Run(ctx, participant.Config{
		Journal: l.use(l.w.options.sabotage.worker), Data: l.w.data, Log: quiet, Concurrency: 4, Drain: 5 * time.Second,
	}, services...)
}

// pause waits, or until ctx is done.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
