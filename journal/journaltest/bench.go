package journaltest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"segue/events"
	"segue/journal"
)

const (
	// patience is how long a test waits for what must come. Only a failing test
	// waits so long.
	patience = 30 * time.Second
	// quiet is how long a test listens for what must not come, where nothing
	// else could tell.
	quiet = 150 * time.Millisecond
	// grain is how coarse a journal's stamps may be.
	grain = time.Millisecond
)

// bench is what a test works with: a journal and ways to use it that end the
// test when they do not work.
type bench struct {
	*testing.T
	f          Factory
	j          journal.Journal
	ctx        context.Context // ends with the test
	partitions int
}

func newBench(t *testing.T, f Factory) *bench {
	return newBenchOf(t, f, f.Open(t))
}

func newBenchOf(t *testing.T, f Factory, j journal.Journal) *bench {
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	b := &bench{T: t, f: f, j: j, ctx: ctx}
	info, err := j.Info(ctx)
	b.must(err, "read info")
	b.partitions = info.Partitions
	return b
}

// lasting returns a context that ends when the patience of the test does.
func (b *bench) lasting() (context.Context, context.CancelFunc) {
	return context.WithTimeout(b.ctx, patience+b.f.Lease)
}

func (b *bench) must(err error, doing string) {
	b.Helper()
	if err != nil {
		b.Fatalf("%s: %v", doing, err)
	}
}

// wantErr fails the test unless an error is one of those wanted.
func (b *bench) wantErr(err error, doing string, wanted ...error) {
	b.Helper()
	for _, w := range wanted {
		if errors.Is(err, w) {
			return
		}
	}
	b.Errorf("%s: error is %v, want one of %v", doing, err, wanted)
}

// append stores messages and must succeed.
func (b *bench) append(messages ...events.Message) {
	b.Helper()
	ctx, cancel := b.lasting()
	defer cancel()
	b.must(b.j.Append(ctx, messages...), "append")
}

// follow opens a feed that is closed with the test.
func (b *bench) follow(filter string, after uint64) journal.Feed {
	b.Helper()
	feed, err := b.j.Follow(b.ctx, filter, after)
	b.must(err, "follow "+filter)
	b.Cleanup(feed.Close)
	return feed
}

// next returns the next record of a feed.
func (b *bench) next(feed journal.Feed) journal.Record {
	b.Helper()
	ctx, cancel := b.lasting()
	defer cancel()
	r, err := feed.Next(ctx)
	b.must(err, "wait for the next record")
	return r
}

// wantRecords reads as many records as there are subjects, which must be those.
func (b *bench) wantRecords(feed journal.Feed, subjects ...string) []journal.Record {
	b.Helper()
	records := make([]journal.Record, 0, len(subjects))
	for range subjects {
		records = append(records, b.next(feed))
	}
	if got := subjectsOf(records); !slices.Equal(got, subjects) {
		b.Fatalf("the feed delivered\n  %v, want\n  %v", got, subjects)
	}
	return records
}

// mark is what subjectsOf says of the mark between replay and live delivery.
const mark = "(live)"

func subjectsOf(records []journal.Record) []string {
	subjects := make([]string, len(records))
	for i, r := range records {
		if subjects[i] = r.Subject; r.Live {
			subjects[i] = mark
		}
	}
	return subjects
}

// load returns all that a filter matches.
func (b *bench) load(filter string) []journal.Record {
	b.Helper()
	ctx, cancel := b.lasting()
	defer cancel()
	records, err := b.j.Load(ctx, filter)
	b.must(err, "load")
	return records
}

// replay returns the same by following.
func (b *bench) replay(filter string) []journal.Record {
	b.Helper()
	feed := b.follow(filter, 0)
	defer feed.Close()
	var records []journal.Record
	for {
		r := b.next(feed)
		if r.Live {
			return records
		}
		records = append(records, r)
	}
}

// consume joins a queue until the test ends.
func (b *bench) consume(queue journal.Queue) journal.Work { return b.consumeOn(b.j, queue) }

func (b *bench) consumeOn(j journal.Journal, queue journal.Queue) journal.Work {
	b.Helper()
	work, err := j.Consume(b.ctx, queue)
	b.must(err, fmt.Sprintf("consume %+v", queue))
	b.Cleanup(work.Close)
	return work
}

// take returns the next delivery.
func (b *bench) take(work journal.Work) journal.Delivery {
	b.Helper()
	ctx, cancel := b.lasting()
	defer cancel()
	d, err := work.Next(ctx)
	b.must(err, "wait for the next delivery")
	return d
}

// wantNone fails the test if a delivery comes in the given time.
func (b *bench) wantNone(work journal.Work, within time.Duration, why string) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, within)
	defer cancel()
	if d, err := work.Next(ctx); err == nil {
		b.Fatalf("%s was delivered (count %d), want nothing: %s", d.Message().Subject, d.Count(), why)
	} else if !errors.Is(err, context.DeadlineExceeded) {
		b.Fatalf("wait for nothing: %v, want the context's error", err)
	}
}

// ack settles a delivery, which must succeed.
func (b *bench) ack(d journal.Delivery) {
	b.Helper()
	ctx, cancel := b.lasting()
	defer cancel()
	b.must(d.DoubleAck(ctx), "ack "+d.Message().Subject)
}

// The messages of the tests follow. Their data is their subject.

func message(subject events.Subject) events.Message {
	return events.Message{
		Subject: subject.String(),
		Header:  events.Header{"ce-id": {subject.String()}},
		Data:    []byte(subject.String()),
	}
}

func (b *bench) of(run string, kind events.Kind) events.Message {
	return message(events.RunSubject(kind, run, b.partitions))
}

func (b *bench) started(run string) events.Message { return b.of(run, events.KindStarted) }

func (b *bench) ended(run string) events.Message { return b.of(run, events.KindEnded) }

func (b *bench) command(run, service, step string, n int) events.Message {
	return b.attempt(events.KindCommand, run, service, step, events.Attempt{N: n})
}

func (b *bench) attempt(kind events.Kind, run, service, step string, a events.Attempt) events.Message {
	s := events.RunSubject(kind, run, b.partitions)
	s.Service, s.Step, s.Attempt = service, step, a
	return message(s)
}

// start returns a start event; id may be empty.
func start(definition, id string) events.Message {
	m := message(events.StartSubject(definition))
	m.Data = []byte(definition + " " + id)
	if id != "" {
		m.Header.Set(events.HeaderMsgID, id)
	}
	return m
}

// archived returns a message of the history.
func archived(definition, run, text string) events.Message {
	m := message(events.HistorySubject(definition, "completed", run))
	m.Data = []byte(text)
	return m
}

// definition returns a message that applies a definition; its data is the text.
func definition(name, text string) events.Message {
	m := message(events.DefinitionSubject(name))
	m.Data = []byte(text)
	return m
}

// schedule returns a message that sets a schedule; its data is the text.
func schedule(definition, name, text string) events.Message {
	m := message(events.ScheduleSubject(definition, name))
	m.Data = []byte(text)
	return m
}

// runs returns n run ids, which fall into many partitions.
func runs(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("run-%d", i)
	}
	return ids
}
