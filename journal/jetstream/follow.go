package jetstream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"segue/events"
	"segue/journal"
)

const (
	// readAhead is how many messages a feed asks for at a time, and so about how
	// many it may hold in memory: 8 MiB if all are as large as inline data gets.
	readAhead = 500
	// buffered is how many records wait, decoded, for Next.
	buffered = 256
	// heartbeat is how often the broker gives a sign of life to a feed that waits.
	// Missing two makes the feed begin anew behind the last record.
	heartbeat = 2 * time.Second
	// replayQuiet is how long nothing may come during replay before the feed asks
	// whether there is anything left.
	replayQuiet = 2*heartbeat + time.Second
	// readerLife is how long the broker keeps the reader of a process that died.
	readerLife = time.Minute
)

// Follow reads with an ordered consumer, which sees to order and completeness:
// at a gap, after a restart of the broker or of the connection, it is made anew
// behind the last message delivered.
func (j *Journal) Follow(ctx context.Context, filter string, after uint64) (journal.Feed, error) {
	stream := RunsStream
	switch {
	case strings.HasPrefix(filter, rejectedPrefix):
		stream = RejectedStream
	case !strings.HasPrefix(filter, runsPrefix):
		return nil, fmt.Errorf("follow %q: the filter must begin with %q or %q", filter, runsPrefix, rejectedPrefix)
	}
	f, err := j.read(ctx, stream, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{filter},
		DeliverPolicy:  jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:    after + 1,
	})
	if err != nil {
		return nil, fmt.Errorf("follow %s: %w", filter, err)
	}
	return f, nil
}

// read opens a feed of any stream.
func (j *Journal) read(ctx context.Context, stream string, cfg jetstream.OrderedConsumerConfig) (*feed, error) {
	cfg.InactiveThreshold = readerLife
	var consumer jetstream.Consumer
	err := j.during(ctx, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, requestTimeout)
		defer cancel()
		var err error
		if consumer, err = j.js.OrderedConsumer(ctx, stream, cfg); errors.Is(err, jetstream.ErrStreamNotFound) {
			return ErrNoJournal
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(readAhead), jetstream.PullHeartbeat(heartbeat))
	if err != nil {
		return nil, j.reason(err)
	}
	f := &feed{
		j:        j,
		stream:   stream,
		consumer: consumer,
		messages: messages,
		left:     consumer.CachedInfo().NumPending,
		records:  make(chan journal.Record, buffered),
		done:     make(chan struct{}),
	}
	stop := context.AfterFunc(ctx, f.Close)
	stopToo := context.AfterFunc(j.ctx, f.Close)
	go func() { // not one that Journal.Close waits for: it may be waiting for a broker that is away
		defer stop()
		defer stopToo()
		f.end(f.pump())
		f.forget()
	}()
	return f, nil
}

// feed pumps messages from a consumer into a channel.
type feed struct {
	j        *Journal
	stream   string
	consumer jetstream.Consumer
	messages jetstream.MessagesContext
	// left is how many of the messages stored when the feed began are still to
	// come. It may be too large: messages can be purged while they are awaited.
	left uint64
	// reader and position are those of the last message: the incarnation of the
	// consumer and its count of deliveries.
	reader   string
	position uint64

	records chan journal.Record
	once    sync.Once
	err     error // why done is closed
	done    chan struct{}
}

func (f *feed) Next(ctx context.Context) (journal.Record, error) {
	select {
	case <-f.done:
		return journal.Record{}, f.err
	default:
	}
	select {
	case r := <-f.records: // even if ctx is done: it comes no second time
		return r, nil
	default:
	}
	select {
	case r := <-f.records:
		return r, nil
	case <-ctx.Done():
		return journal.Record{}, ctx.Err()
	case <-f.done:
		return journal.Record{}, f.err
	}
}

func (f *feed) Close() { f.end(journal.ErrClosed) }

func (f *feed) end(err error) {
	f.once.Do(func() {
		f.err = f.j.reason(err)
		close(f.done)
		f.messages.Stop()
	})
}

// forget deletes the consumer, which would otherwise stay for readerLife: that
// adds up where single runs are read all the time.
func (f *feed) forget() {
	if !f.j.nc.IsConnected() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	_ = f.j.js.DeleteConsumer(ctx, f.stream, f.consumer.CachedInfo().Name) // the broker sees to it otherwise
}

// pump delivers records until the feed ends, and returns why it did.
func (f *feed) pump() error {
	live := f.left == 0
	if live && !f.deliver(journal.Record{Live: true}) {
		return journal.ErrClosed
	}
	for {
		r, pending, err := f.receive(live)
		switch {
		case errors.Is(err, nats.ErrTimeout):
			if !f.drained() {
				continue
			}
			f.left = 0
		case err != nil:
			return err
		case !f.deliver(r):
			return journal.ErrClosed
		case live:
			continue
		default:
			if f.left = min(f.left-1, pending); f.left > 0 {
				continue
			}
		}
		live = true
		if !f.deliver(journal.Record{Live: true}) {
			return journal.ErrClosed
		}
	}
}

func (f *feed) deliver(r journal.Record) bool {
	select {
	case f.records <- r:
		return true
	case <-f.done:
		return false
	}
}

// receive returns the next message and how many are pending behind it. During
// replay it returns nats.ErrTimeout after a while of quiet.
func (f *feed) receive(live bool) (journal.Record, uint64, error) {
	var options []jetstream.NextOpt
	if !live {
		options = append(options, jetstream.NextMaxWait(replayQuiet))
	}
	m, err := f.messages.Next(options...)
	switch {
	case errors.Is(err, jetstream.ErrMsgIteratorClosed):
		return journal.Record{}, 0, fmt.Errorf("%w: %w", journal.ErrClosed, err)
	case err != nil:
		return journal.Record{}, 0, err
	}
	meta, err := m.Metadata()
	if err != nil {
		return journal.Record{}, 0, fmt.Errorf("read metadata of %s: %w", m.Subject(), err)
	}
	f.reader, f.position = meta.Consumer, meta.Sequence.Consumer
	return journal.Record{Message: message(m), Sequence: meta.Sequence.Stream, Stored: meta.Timestamp}, meta.NumPending, nil
}

// drained asks the broker whether everything stored has been delivered. It is
// needed when the last messages of a replay are purged before they are sent.
func (f *feed) drained() bool {
	ctx, cancel := f.j.join(context.Background())
	defer cancel()
	ctx, cancelRequest := context.WithTimeout(ctx, requestTimeout)
	defer cancelRequest()
	info, err := f.consumer.Info(ctx)
	if err != nil || info.NumPending > 0 {
		return false
	}
	if info.Name != f.reader {
		return info.Delivered.Consumer == 0
	}
	return info.Delivered.Consumer == f.position
}

// message takes a message from the client, without the headers that its way
// into the stream left on it.
func message(m jetstream.Msg) events.Message {
	header := m.Headers()
	for _, h := range batchHeaderNames {
		delete(header, h)
	}
	return events.Message{Subject: m.Subject(), Header: events.Header(header), Data: m.Data()}
}
