package jetstream

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"segue/journal"
)

// buffered is how many records of a feed wait, decoded, for Next.
const buffered = 256

// Follow reads with a consumer of its own, see reader; many partitions at a time
// are read with one together, see wide.
func (j *Journal) Follow(ctx context.Context, filter string, after uint64) (journal.Feed, error) {
	root, err := readable(filter)
	if err != nil {
		return nil, fmt.Errorf("follow: %w", err)
	}
	f, err := j.read(ctx, root.stream, readBehind(filter, after))
	if err != nil {
		return nil, fmt.Errorf("follow %s: %w", filter, err)
	}
	return f, nil
}

// readBehind is the consumer of a reader of what lies behind a sequence.
func readBehind(filter string, after uint64) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		FilterSubject: filter,
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:   after + 1,
	}
}

// read opens a feed of any stream.
func (j *Journal) read(ctx context.Context, stream string, config jetstream.ConsumerConfig) (*feed, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r := newReader(j, stream, config)
	f := &feed{reader: r, records: make(chan journal.Record, buffered), done: make(chan struct{})}
	f.token, f.partition = partitionToken(config.FilterSubject)
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
	reader    *reader
	partition bool   // it follows one partition of runs
	token     string // of that partition
	cancel    context.CancelFunc
	records   chan journal.Record
	once      sync.Once
	err       error // why done is closed
	done      chan struct{}
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
	for f.reader.left > 0 {
		if err := f.step(ctx, quiet); err != nil {
			return err
		}
	}
	if !f.deliver(journal.Record{Live: true}) {
		return journal.ErrClosed
	}
	if f.partition {
		return f.share(ctx, quiet)
	}
	for {
		if err := f.step(ctx, quiet); err != nil {
			return err
		}
	}
}

// step waits for what the reader brings next.
func (f *feed) step(ctx context.Context, quiet *time.Ticker) error {
	r, some, err := f.reader.next(ctx, quiet)
	if err == nil && some && !f.deliver(r) {
		err = journal.ErrClosed
	}
	return err
}

// share is pump for a partition that is read up to the present: it takes part in
// the reading of all partitions where there is one.
func (f *feed) share(ctx context.Context, quiet *time.Ticker) error {
	w := f.reader.j.wide
	w.following(+1)
	defer w.following(-1)
	var l *lane
	defer func() { w.leave(l) }()
	for since := (time.Time{}); ; {
		if l == nil && time.Since(since) >= laneRest {
			l, since = w.join(f), time.Now()
		}
		before := f.reader.last
		if l != nil && l.over() {
			l, since = nil, time.Now()
		}
		if err := f.step(ctx, quiet); err != nil {
			return err
		}
		if l == nil || f.reader.last == before || !w.meets(l, f.reader.last) {
			continue
		}
		if err := f.ride(ctx, w, l); err != nil {
			return err
		}
		w.leave(l)
		l, since = nil, time.Now()
		quiet.Reset(silence)
	}
}

// ride takes what comes from the reading of all partitions until that is cut off.
// Then the reader goes on behind it.
func (f *feed) ride(ctx context.Context, w *wide, l *lane) error {
	for {
		behind := w.board(l, f.reader.last)
		if len(behind) == 0 {
			break
		}
		for _, r := range behind {
			if !f.deliver(r) {
				return journal.ErrClosed
			}
			f.reader.last = r.Sequence
		}
	}
	f.reader.forget()
	select {
	case <-l.cut:
	case <-f.done:
		return journal.ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	f.reader.last = w.lastOf(l)
	return nil
}

func (f *feed) deliver(r journal.Record) bool {
	select {
	case f.records <- r:
		return true
	case <-f.done:
		return false
	}
}
