package journaltest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"segue/events"
	"segue/journal"
)

var consumeTests = []test{
	{"a start with hostile headers is delivered", deliversHostileHeaders},
	{"commands come whole, stored before and after", deliversCommands},
	{"a queue holds its service's commands alone", separatesQueues},
	{"workers share a queue", workersShare},
	{"a worker's limit holds", limitHolds},
	{"a wait that ends loses nothing", workNextLosesNothing},
	{"a closed worker is closed", closesWork},
	{"a waiting worker learns of the close", closeWakesWork},
	{"the context ends the work", contextEndsWork},
}

func deliversCommands(b *bench) {
	do := b.command("a", "svc", "step", 1)
	undo := b.attempt(events.KindCommand, "a", "svc", "step", events.Attempt{N: 1, Undo: true})
	b.append(b.started("a"), do)
	work := b.consume(journal.Commands("svc", 4))
	b.append(undo)
	records := b.load(events.CommandFilter("svc"))
	seen := make(map[string]journal.Delivery)
	for range records {
		d := b.take(work)
		seen[d.Message().Subject] = d
	}
	for _, r := range records {
		d := seen[r.Subject]
		if d == nil {
			b.Fatalf("%s was not delivered", r.Subject)
		}
		m := d.Message()
		if string(m.Data) != string(r.Data) || m.Header.Get("ce-id") != r.Subject || len(m.Header) != len(r.Header) {
			b.Errorf("%s was delivered as %v %s", r.Subject, m.Header, m.Data)
		}
		if !d.Stored().Equal(r.Stored) || d.Count() != 1 {
			b.Errorf("%s: stored %v, count %d; want %v, 1", r.Subject, d.Stored(), d.Count(), r.Stored)
		}
		b.ack(d)
	}
	b.wantNone(work, quiet, "all are acked")
}

func separatesQueues(b *bench) {
	b.append(start("ingest", "1"), b.started("a"),
		b.command("a", "svc", "one", 1), b.command("a", "svc2", "two", 1), b.command("a", "sv", "three", 1),
		b.attempt(events.KindOutcome, "a", "svc", "one", events.Attempt{N: 1}), b.ended("a"))
	want := map[string]journal.Queue{
		start("ingest", "1").Subject:             journal.Starts(4),
		b.command("a", "svc", "one", 1).Subject:  journal.Commands("svc", 4),
		b.command("a", "svc2", "two", 1).Subject: journal.Commands("svc2", 4),
		b.command("a", "sv", "three", 1).Subject: journal.Commands("sv", 4),
	}
	works := make(map[string]journal.Work)
	for subject, queue := range want {
		works[subject] = b.consume(queue)
	}
	for subject, work := range works {
		d := b.take(work)
		if d.Message().Subject != subject {
			b.Errorf("queue %+v delivered %s, want %s", want[subject], d.Message().Subject, subject)
		}
		b.ack(d)
	}
	for subject, work := range works {
		b.wantNone(work, quiet/4, "the queue of "+subject+" holds one message")
	}
}

func workersShare(b *bench) {
	const workers, messages = 4, 120
	var all sync.WaitGroup
	var mu sync.Mutex
	got := make(map[string]int)
	handle := func(work journal.Work) {
		for {
			d, err := work.Next(b.ctx)
			if errors.Is(err, journal.ErrClosed) {
				return
			}
			if err == nil {
				err = d.DoubleAck(b.ctx)
			}
			if err != nil {
				b.Errorf("work: %v", err)
				return
			}
			mu.Lock()
			if got[d.Message().Subject]++; d.Count() != 1 {
				b.Errorf("%s was delivered %d times", d.Message().Subject, d.Count())
			}
			mu.Unlock()
		}
	}
	var works []journal.Work
	for range workers {
		work := b.consume(journal.Commands("svc", 3))
		works = append(works, work)
		all.Go(func() { handle(work) })
		all.Go(func() { handle(work) }) // Next may be called from several goroutines
	}
	for _, id := range runs(messages) {
		b.append(b.command(id, "svc", "step", 1))
	}
	b.eventually("every message is delivered", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(got) == messages
	})
	for _, work := range works {
		work.Close()
	}
	all.Wait()
	for subject, n := range got {
		if n != 1 {
			b.Errorf("%s came %d times, though it was acked", subject, n)
		}
	}
	b.wantNone(b.consume(journal.Commands("svc", 3)), quiet, "all are acked")
}

// eventually polls a condition that must come true.
func (b *bench) eventually(what string, holds func() bool) {
	b.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(patience + b.f.Lease); !holds(); <-ticker.C {
		if time.Now().After(deadline) {
			b.Fatalf("waited in vain: %s", what)
		}
	}
}

func limitHolds(b *bench) {
	for _, id := range runs(5) {
		b.append(b.command(id, "svc", "step", 1))
	}
	work := b.consume(journal.Commands("svc", 2))
	first, second := b.take(work), b.take(work)
	b.wantNone(work, quiet, "the limit is 2")
	b.ack(first)
	third := b.take(work)
	b.wantNone(work, quiet, "the limit is 2")
	b.must(second.Nak(time.Hour), "nak")
	b.ack(third)
	fourth, fifth := b.take(work), b.take(work)
	b.ack(fourth)
	b.ack(fifth)
}

func workNextLosesNothing(b *bench) {
	const messages = 40
	work := b.consume(journal.Commands("svc", 4))
	var writer sync.WaitGroup
	writer.Go(func() {
		for _, id := range runs(messages) {
			if err := b.j.Append(b.ctx, b.command(id, "svc", "step", 1)); err != nil {
				b.Errorf("append: %v", err)
				return
			}
		}
	})
	defer writer.Wait()
	got := make(map[string]bool)
	deadline := time.Now().Add(patience + b.f.Lease)
	for try := 0; len(got) < messages && time.Now().Before(deadline); try++ {
		ctx, cancel := context.WithTimeout(b.ctx, time.Duration(try%5)*200*time.Microsecond)
		d, err := work.Next(ctx)
		cancel()
		if err == nil {
			got[d.Message().Subject] = true
			b.ack(d)
		} else if !errors.Is(err, context.DeadlineExceeded) {
			b.Fatalf("wait for the next delivery: %v", err)
		}
	}
	if len(got) != messages {
		b.Errorf("%d messages came, want %d", len(got), messages)
	}
}

func closesWork(b *bench) {
	b.append(b.command("a", "svc", "step", 1))
	work := b.consume(journal.Commands("svc", 1))
	b.ack(b.take(work))
	b.append(b.command("b", "svc", "step", 1))
	work.Close()
	work.Close()
	_, err := work.Next(b.ctx)
	b.wantErr(err, "next after close", journal.ErrClosed)
	d := b.take(b.consume(journal.Commands("svc", 1))) // at the latest when a lease runs out
	if d.Message().Subject != b.command("b", "svc", "step", 1).Subject {
		b.Errorf("%s was delivered", d.Message().Subject)
	}
	b.ack(d)
}

func closeWakesWork(b *bench) {
	work := b.consume(journal.Commands("svc", 1))
	ended := make(chan error, 1)
	go func() {
		_, err := work.Next(b.ctx)
		ended <- err
	}()
	b.wantNone(b.consume(journal.Commands("svc", 1)), quiet, "nothing is stored") // gives the worker time to wait
	work.Close()
	b.wantErr(<-ended, "next while closing", journal.ErrClosed)
}

func contextEndsWork(b *bench) {
	ctx, cancel := context.WithCancel(b.ctx)
	work, err := b.j.Consume(ctx, journal.Commands("svc", 1))
	b.must(err, "consume")
	defer work.Close()
	cancel()
	last, stop := b.lasting()
	defer stop()
	_, err = work.Next(last)
	b.wantErr(err, "next after the end of the work's context", journal.ErrClosed, context.Canceled)
}

// deliversHostileHeaders starts with what looks like a broker's own words.
func deliversHostileHeaders(b *bench) {
	work := b.consume(journal.Starts(4))
	for _, status := range []string{"100", "204", "400", "404", "408", "409", "503"} {
		hostile := events.Message{Subject: "saga.start.ingest", Header: events.Header{
			"Status": {status}, "Description": {"Consumer Deleted"}, "Nats-Pending-Messages": {"1000"},
		}}
		b.append(hostile, start("ingest", status))
		var got []events.Message
		for range 2 {
			d := b.take(work)
			got = append(got, d.Message())
			if d.Count() != 1 {
				b.Errorf("status %s: delivery %d of %q", status, d.Count(), d.Message().Data)
			}
			b.ack(d)
		}
		slices.SortFunc(got, func(a, b events.Message) int { return len(a.Data) - len(b.Data) })
		if len(got[0].Data) != 0 || !maps.EqualFunc(got[0].Header, hostile.Header, slices.Equal) || string(got[1].Data) != "ingest "+status {
			b.Errorf("status %s: delivered were %v", status, got)
		}
	}
	b.wantNone(work, quiet, "all is acked")
}
