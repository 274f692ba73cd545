package jetstream

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"segue/journal"
)

// buffered is how many records of a feed wait, decoded, for Next.
const buffered = 256

// Follow reads with a consumer of its own, see reader.
func (j *Journal) Follow(ctx context.Context, filter string, after uint64) (journal.Feed, error) {
	root, err := readable(filter)
	if err != nil {
		return nil, fmt.Errorf("follow: %w", err)
	}
	f, err := j.read(ctx, root.stream, jetstream.ConsumerConfig{
		FilterSubject: filter,
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:   after + 1,
	})
	if err != nil {
		return nil, fmt.Errorf("follow %s: %w", filter, err)
	}
	return f, nil
}

// read opens a feed of any stream.
func (j *Journal) read(ctx context.Context, stream string, config jetstream.ConsumerConfig) (*feed, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	config.AckPolicy = jetstream.AckNonePolicy
	config.MaxDeliver = 1
	config.InactiveThreshold = readerLife
	config.MemoryStorage, config.Replicas = true, 1
	r := &reader{j: j, stream: stream, config: config, left: math.MaxUint64}
	f := &feed{reader: r, records: make(chan journal.Record, buffered), done: make(chan struct{})}
	ctx, f.cancel = j.join(ctx)
	if err := j.during(ctx, r.reopen); err != nil {
		f.cancel()
		return nil, err
	}
	stop := context.AfterFunc(ctx, f.Close)
	go func() { // not one that Journal.Close waits for: it may be waiting for a broker that is away
		defer stop()
		f.end(f.pump(ctx))
		r.forget()
	}()
	return f, nil
}

// feed pumps messages from a reader into a channel.
type feed struct {
	reader  *reader
	cancel  context.CancelFunc
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
		f.err = f.reader.j.reason(err)
		close(f.done)
		f.cancel()
	})
}

// pump delivers records until the feed ends, and returns why it did.
func (f *feed) pump(ctx context.Context) error {
	quiet := time.NewTicker(silence)
	defer quiet.Stop()
	for live := false; ; {
		if !live && f.reader.left == 0 {
			live = true
			if !f.deliver(journal.Record{Live: true}) {
				return journal.ErrClosed
			}
		}
		r, some, err := f.reader.next(ctx, quiet)
		if err != nil {
			return err
		}
		if some && !f.deliver(r) {
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
