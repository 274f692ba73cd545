package jetstream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"segue/journal"
)

// Journal is a journal on JetStream.
type Journal struct {
	nc   *nats.Conn
	js   jetstream.JetStream
	opts Options
	link *link
	runs *committer
	past *committer // of the history
	wide *wide
	kept *finder
	sent *publisher

	partitions int // of SAGA_RUNS

	ctx  context.Context // ends with the journal; its cause says why
	end  context.CancelCauseFunc
	busy sync.WaitGroup // goroutines that Close waits for
}

var _ journal.Journal = (*Journal)(nil)

const (
	// requestTimeout bounds one request to the broker.
	requestTimeout = 5 * time.Second
	// minServer is the first release of nats-server with atomic batches.
	minServerMajor, minServerMinor = 2, 12
)

// ErrNoJournal is returned by Bind when the broker has no journal.
var ErrNoJournal = errors.New("stream " + RunsStream + " does not exist: start an orchestrator or `segue up` first")

// Open declares the topology (see [Declare]) and opens the journal. It is for
// orchestrators and whoever else may administrate streams. The connection stays
// the caller's, who closes it after the journal.
func Open(ctx context.Context, nc *nats.Conn, o Options) (*Journal, error) {
	return open(ctx, nc, o, func(ctx context.Context, j *Journal) error {
		if err := Declare(ctx, j.js, o); err != nil {
			return err
		}
		return j.count(ctx)
	})
}

// Bind opens a journal that exists and creates nothing, as those do who may not.
// It waits up to Options.Wait for it, and then returns [ErrNoJournal].
func Bind(ctx context.Context, nc *nats.Conn, o Options) (*Journal, error) {
	return open(ctx, nc, o, func(ctx context.Context, j *Journal) error { return j.count(ctx) })
}

// count reads the number of partitions.
func (j *Journal) count(ctx context.Context) error {
	s, err := j.stream(ctx, RunsStream)
	if err == nil {
		j.partitions, err = partitionsOf(s.CachedInfo().Config)
	}
	return err
}

func open(ctx context.Context, nc *nats.Conn, o Options, prepare func(context.Context, *Journal) error) (*Journal, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	if err := checkServer(nc); err != nil {
		return nil, err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	j := &Journal{nc: nc, js: js, opts: o}
	j.ctx, j.end = context.WithCancelCause(context.Background())
	j.watchDenials()
	j.link = newLink(j)
	if j.sent, err = newPublisher(j); err != nil {
		j.end(journal.ErrClosed)
		return nil, fmt.Errorf("open journal: %w", j.reason(err))
	}
	j.runs, j.past = newCommitter(j), newCommitter(j)
	j.wide = newWide(j)
	j.kept = newFinder(j)
	err = j.during(ctx, func(ctx context.Context) error { return j.begin(ctx, prepare) })
	if err != nil {
		j.Close()
		return nil, fmt.Errorf("open journal: %w", err)
	}
	return j, nil
}

// Close ends the journal, its feeds and its queues. What was delivered and not
// settled stays leased. It may be called more than once.
func (j *Journal) Close() {
	j.end(journal.ErrClosed)
	j.busy.Wait()
	j.sent.close()
}

// Info asks the broker.
func (j *Journal) Info(ctx context.Context) (journal.Info, error) {
	var info journal.Info
	err := j.patiently(ctx, "read journal info", func(ctx context.Context) error {
		s, err := j.stream(ctx, RunsStream)
		if err != nil {
			return err
		}
		c := s.CachedInfo()
		info = journal.Info{ID: c.Created.UTC().Format(time.RFC3339Nano), Now: c.TimeStamp, Last: c.State.LastSeq}
		info.Partitions, err = partitionsOf(c.Config)
		return err
	})
	if err != nil {
		return journal.Info{}, fmt.Errorf("read journal info: %w", err)
	}
	return info, nil
}

// stream looks a stream up.
func (j *Journal) stream(ctx context.Context, name string) (jetstream.Stream, error) {
	s, err := j.js.Stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, ErrNoJournal
	}
	return s, err
}

// begin prepares the journal. A broker that is there gets Options.Wait to do what
// it is asked, as long as time may help: it may be choosing leaders, or waiting
// for an orchestrator. One that has gone away meanwhile is waited for.
func (j *Journal) begin(ctx context.Context, prepare func(context.Context, *Journal) error) error {
	since := time.Now()
	for pause := (backoff{}); ; {
		session, done, err := j.link.within(ctx)
		if err != nil {
			return err
		}
		err = prepare(session, j)
		broke := session.Err() != nil
		done()
		switch {
		case err == nil, ctx.Err() != nil:
			return err
		case broke:
			since = time.Now()
		case !passing(err) && !errors.Is(err, ErrNoJournal), time.Since(since) >= j.opts.Wait:
			return err
		}
		j.opts.Log.Info("waiting for the journal", "error", err)
		if err := pause.sleep(ctx); err != nil {
			return err
		}
	}
}

// during runs an operation with a context that ends with the journal, too, and
// then returns the reason why the journal ended.
func (j *Journal) during(ctx context.Context, do func(context.Context) error) error {
	if j.ctx.Err() != nil { // a request might still be faster than the end of its context
		return context.Cause(j.ctx)
	}
	ctx, cancel := j.join(ctx)
	defer cancel()
	return j.reason(do(ctx))
}

// patiently makes a request, and makes it again while the broker is away or busy
// with itself, until ctx is done.
func (j *Journal) patiently(ctx context.Context, doing string, request func(context.Context) error) error {
	return j.during(ctx, func(ctx context.Context) error {
		for pause := (backoff{}); ; {
			err := j.link.online(ctx, request)
			if err == nil || ctx.Err() != nil || !passing(err) {
				return err
			}
			j.opts.Log.Warn("request is made again", "request", doing, "error", err)
			_ = pause.sleep(ctx) // the end of ctx is found by the next try
		}
	})
}

// join returns a context that ends with the journal, too.
func (j *Journal) join(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(j.ctx, func() { cancel(context.Cause(j.ctx)) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}

// reason returns why an operation failed: what ended the journal, if that is
// what it was, else its own error in the words of package journal.
func (j *Journal) reason(err error) error {
	switch {
	case err == nil:
		return nil
	case j.ctx.Err() != nil:
		return context.Cause(j.ctx)
	case errors.Is(err, nats.ErrConnectionClosed) || errors.Is(err, nats.ErrConnectionDraining):
		return fmt.Errorf("%w: %w", journal.ErrClosed, err)
	}
	return err
}

// checkServer refuses a server without atomic batches: it would store their
// messages one by one and take no notice.
func checkServer(nc *nats.Conn) error {
	version := nc.ConnectedServerVersion()
	var major, minor int
	if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil {
		if nc.IsClosed() {
			return fmt.Errorf("open journal: %w: %w", journal.ErrClosed, nats.ErrConnectionClosed)
		}
		return nil // not connected at the moment; a version that cannot be read is a newer one
	}
	if major < minServerMajor || major == minServerMajor && minor < minServerMinor {
		return fmt.Errorf("open journal: nats-server %s at %s is too old: %d.%d or newer is needed", version, nc.ConnectedUrlRedacted(), minServerMajor, minServerMinor)
	}
	return nil
}
