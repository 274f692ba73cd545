// Package memory is a journal in memory: the deterministic twin of
// journal/jetstream, for tests and for the simulator.
//
// It behaves as a broker at the other end of a network. Whatever is asked of it
// and whatever it delivers is an event with an instant; one goroutine, the
// scheduler, executes the events in order:
//
//	Append    => arrives, is stored, then its answer arrives
//	a record  => becomes visible to each feed that follows it, in order
//	a command => is offered to its queue, leased to a worker that waits for it
//	Ack       => arrives, settles, then its answer arrives
//	silence   => a lease runs out, a member expires
//
// # Determinism
//
// The delay of an event is a hash of the seed, the instant and what the event is
// about (never of who came first), and the scheduler lets at least a nanosecond
// pass between two events. Events that nothing tells apart, such as the arrivals of
// two equal requests that one client sent at one instant, happen together. So in a bubble of testing/synctest, where time moves
// only when every goroutine waits, all that an event wakes comes to rest before
// the next one, and the same seed gives the same run; [Config.Trace] shows it.
// Stored stamps are cut to whole microseconds and no event falls on one, so that
// timers computed from stamps never coincide with an event.
//
// Nothing is on disk; "stored" means kept until Close. [Journal.Crash] stands
// for a restart of the broker, [Client.Kill] for the end of a process.
package memory

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"segue/events"
	"segue/journal"
)

// ErrTimeout is returned by Append, Ack and Info when no answer came within
// [Config.Timeout]. What was asked may have been done or not.
var ErrTimeout = errors.New("no answer from the journal")

// DefaultTimeout is the default of Config.Timeout.
const DefaultTimeout = 2 * time.Second

// Config sets up a journal. The zero value is a journal without faults that
// answers at once.
type Config struct {
	// Seed decides everything that is left to chance.
	Seed uint64
	// Partitions is the partition count. Defaults to [journal.DefaultPartitions].
	Partitions int
	// Lease is how long a message belongs to its worker without a sign of life.
	// Defaults to [journal.Lease].
	Lease time.Duration
	// MaxBytes limits each of the streams (runs, starts, rejected, schedules), in bytes; a
	// message that does not fit is refused with journal.ErrFull. Of the history and
	// the definitions the oldest leave. 0 for no limit.
	MaxBytes int64
	// Latency is the longest time, one way, that a message is on the network; each
	// takes between 1 ns and this. 0 delivers at once, without timers, which is
	// quick in real time but leaves the order to the Go scheduler.
	Latency time.Duration
	// Timeout is how long an answer is waited for. Defaults to [DefaultTimeout].
	Timeout time.Duration
	// Faults is what goes wrong. The zero value is nothing.
	Faults Faults
	// Trace receives a line for each message stored, refused, leased, settled, lost
	// or duplicated: the time since New in ns, what happened, the subject and a
	// number (the sequence, the count of the delivery, or a hash of the message).
	// Lines hold nothing but what the seed decides. It is called with the journal
	// locked and must not call it. Optional.
	Trace func(line string)
}

// Faults are probabilities, from 0 to 1, of what may happen to a message.
type Faults struct {
	// LostAppend loses a request: the message is not stored, the delivery not
	// settled or extended, and Append and Ack return ErrTimeout.
	LostAppend float64
	// LostAck loses an answer: what was asked is done, and Append and Ack return
	// ErrTimeout all the same.
	LostAck float64
	// Duplicate delivers a leased message once more, to any worker, as if the lease
	// had run out at once. The first delivery's lease is lost.
	Duplicate float64
	// Delay holds a message up on its way by up to MaxDelay (default 1 s): requests,
	// answers, records to feeds, which stay in order, and deliveries, whose lease
	// runs meanwhile.
	Delay    float64
	MaxDelay time.Duration
	// Reorder leases a later message of a queue in place of the first.
	Reorder float64
	// Forgotten delivers a command that was acked once more after the next crash,
	// counted from 1: a broker writes down late what its consumers have done.
	Forgotten float64
}

func (c Config) withDefaults() Config {
	if c.Partitions == 0 {
		c.Partitions = journal.DefaultPartitions
	}
	if c.Lease == 0 {
		c.Lease = journal.Lease
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.Faults.MaxDelay == 0 {
		c.Faults.MaxDelay = time.Second
	}
	return c
}

// Journal is the broker and, as a [journal.Journal], a client of it by the name
// of "main". Create it in the synctest bubble in which it is used.
type Journal struct {
	config Config
	chance chance
	began  time.Time
	self   *Client

	mu          sync.Mutex // guards what follows, and everything of feeds, queues and members
	agenda      agenda
	clients     map[string]*Client
	runs        library
	starts      stream
	reject      library
	history     library
	definitions library
	schedules   library
	queues      map[string]*queue // by service; "" holds the starts
	members     map[string]*member
	epoch       int       // counts crashes
	upAt        time.Time // when the broker is back after a crash
	closed      bool

	wake    chan struct{} // tells the scheduler that the next event has changed
	stop    chan struct{}
	stopped chan struct{}
}

var _ journal.Journal = (*Journal)(nil)

// New starts a journal, which must be closed.
func New(config Config) *Journal {
	config = config.withDefaults()
	j := &Journal{
		config:      config,
		chance:      chance{seed: config.Seed},
		began:       time.Now(),
		clients:     make(map[string]*Client),
		runs:        newLibrary(),
		starts:      newStream(),
		reject:      newLibrary(),
		history:     newLibrary(),
		definitions: newLibrary(),
		schedules:   newLibrary(),
		queues:      make(map[string]*queue),
		members:     make(map[string]*member),
		wake:        make(chan struct{}, 1),
		stop:        make(chan struct{}),
		stopped:     make(chan struct{}),
	}
	j.runs.once, j.reject.once, j.history.once = true, true, true
	j.history.narrow = 4
	j.history.discards, j.definitions.discards = true, true
	j.definitions.most, j.schedules.most = definitionsKept, 1
	j.self = j.Client("main")
	go j.schedule()
	return j
}

// name tells the journal from others.
func (j *Journal) name() string {
	return fmt.Sprintf("memory-%x-%d", j.config.Seed, j.began.UnixNano())
}

// Close ends the journal and all its clients and waits for its goroutine. It may
// be called more than once.
func (j *Journal) Close() {
	j.mu.Lock()
	if !j.closed {
		j.closed = true
		for _, c := range j.clients {
			c.end()
		}
		close(j.stop)
	}
	j.mu.Unlock()
	<-j.stopped
}

// Crash stops the broker hard and starts it again after a while. What it has
// stored and acknowledged stays. Requests and answers on their way, and those
// made meanwhile, are lost, so that their callers get ErrTimeout; the
// duplicate window is forgotten. Feeds and queues then go on.
func (j *Journal) Crash(down time.Duration) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.trace("crash", "broker", 0)
	j.epoch++
	j.upAt = time.Now().Add(down)
	for _, s := range []*stream{&j.starts, &j.definitions.stream, &j.schedules.stream} {
		clear(s.ids)
	}
	for _, service := range slices.Sorted(maps.Keys(j.queues)) {
		j.queues[service].crash()
	}
}

// Append implements [journal.Journal].
func (j *Journal) Append(ctx context.Context, messages ...events.Message) error {
	return j.self.Append(ctx, messages...)
}

// Follow implements [journal.Journal].
func (j *Journal) Follow(ctx context.Context, filter string, after uint64) (journal.Feed, error) {
	return j.self.Follow(ctx, filter, after)
}

// Load implements [journal.Journal].
func (j *Journal) Load(ctx context.Context, filter string) ([]journal.Record, error) {
	return j.self.Load(ctx, filter)
}

// Prune implements [journal.Journal].
func (j *Journal) Prune(ctx context.Context, partition int, before uint64) error {
	return j.self.Prune(ctx, partition, before)
}

// Purge implements [journal.Journal].
func (j *Journal) Purge(ctx context.Context, run string) error { return j.self.Purge(ctx, run) }

// Consume implements [journal.Journal].
func (j *Journal) Consume(ctx context.Context, queue journal.Queue) (journal.Work, error) {
	return j.self.Consume(ctx, queue)
}

// Members implements [journal.Journal].
func (j *Journal) Members(ctx context.Context, id string, say func() []byte) (<-chan []journal.Member, error) {
	return j.self.Members(ctx, id, say)
}

// Info implements [journal.Journal].
func (j *Journal) Info(ctx context.Context) (journal.Info, error) { return j.self.Info(ctx) }
