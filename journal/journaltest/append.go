package journaltest

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"segue/events"
	"segue/journal"
)

var appendTests = []test{
	{"nothing is appended without messages", appendsNothing},
	{"headers and data come back byte for byte", keepsBytes},
	{"stored memory is not the caller's", copiesMemory},
	{"the first message on a subject stays", writesOnce},
	{"the first of two in one call stays", writesOnceInOneCall},
	{"a rejected start is written once", writesRejectedOnce},
	{"racing writers have one winner", hasOneWinner},
	{"one call keeps its order", keepsOrderOfCall},
	{"stamps grow and lie in the time of the call", stampsStored},
	{"a start is stored once within the duplicate window", dropsDuplicateStarts},
	{"a message over the limit is too large", refusesTooLarge},
	{"a subject that nothing keeps is an error", refusesOtherSubjects},
	{"a context that is done is an error", appendHonoursContext},
	{"a full journal refuses and keeps what it has", refusesWhenFull},
}

func appendsNothing(b *bench) {
	b.append()
	if records := b.load(events.AllRuns); len(records) != 0 {
		b.Errorf("the journal holds %v, want nothing", subjectsOf(records))
	}
}

func keepsBytes(b *bench) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	full := b.started("a")
	full.Header = events.Header{
		"ce-id":        {"1"},
		"Ce-Type":      {"mixed case"},
		"X-UPPER":      {"with: colon, \"quotes\" and %20"},
		"x-twice":      {"one", "two"},
		"Content-Type": {"application/octet-stream"},
	}
	full.Data = every
	bare := b.started("b")
	bare.Header, bare.Data = nil, nil
	large := b.started("c")
	large.Data = bytes.Repeat(every, 4000) // close under the limit of 1 MiB
	want := []events.Message{full, bare, large}
	b.append(want...)

	for i, r := range b.load(events.AllRuns) {
		if r.Subject != want[i].Subject {
			b.Fatalf("record %d is on %s, want %s", i, r.Subject, want[i].Subject)
		}
		if !bytes.Equal(r.Data, want[i].Data) {
			b.Errorf("%s: data of %d bytes differs from the %d stored", r.Subject, len(r.Data), len(want[i].Data))
		}
		if !maps.EqualFunc(r.Header, want[i].Header, slices.Equal) {
			b.Errorf("%s: header is %v, want %v", r.Subject, r.Header, want[i].Header)
		}
	}
}

func copiesMemory(b *bench) {
	m := b.command("a", "svc", "step", 1)
	want := string(m.Data)
	b.append(m)
	spoil := func(m events.Message) {
		m.Data[0] = '#'
		m.Header["ce-id"][0] = "#"
		m.Header.Set("ce-new", "#")
	}
	check := func(m events.Message, where string) {
		b.Helper()
		if string(m.Data) != want || m.Header.Get("ce-id") != want || m.Header.Get("ce-new") != "" {
			b.Errorf("%s: the message was changed from outside: %v %s", where, m.Header, m.Data)
		}
	}
	spoil(m)
	for range 2 {
		r := b.load(events.AllRuns)[0]
		check(r.Message, "record")
		spoil(r.Message)
	}
	work := b.consume(journal.Commands("svc", 1))
	for range 2 {
		d := b.take(work)
		check(d.Message(), "delivery")
		spoil(d.Message())
		b.must(d.Nak(0), "nak")
	}
	b.ack(b.take(work))
}

func writesOnce(b *bench) {
	first, second := b.started("a"), b.started("a")
	second.Data = []byte("second")
	second.Header.Set("ce-id", "second")
	b.append(first)
	before := b.load(events.AllRuns)
	b.append(second)
	b.append(first, second, b.ended("a"))
	after := b.load(events.AllRuns)
	if len(before) != 1 || len(after) != 2 {
		b.Fatalf("the journal holds %v, then %v", subjectsOf(before), subjectsOf(after))
	}
	was, is := before[0], after[0]
	if is.Sequence != was.Sequence || !is.Stored.Equal(was.Stored) || string(is.Data) != string(first.Data) || is.Header.Get("ce-id") != first.Subject {
		b.Errorf("the first message became %+v, was %+v", is, was)
	}
}

func writesOnceInOneCall(b *bench) {
	first, second := b.started("a"), b.started("a")
	second.Data = []byte("second")
	b.append(first, second)
	records := b.load(events.AllRuns)
	if len(records) != 1 || string(records[0].Data) != string(first.Data) {
		b.Errorf("the journal holds %d messages, %v; want the first alone", len(records), records)
	}
}

func writesRejectedOnce(b *bench) {
	rejected := message(events.Subject{Kind: events.KindRejected, Definition: "ingest", Start: "x"})
	b.append(rejected)
	b.append(rejected)
	if records := b.load(events.AllRuns); len(records) != 0 {
		b.Errorf("a rejected start is among the runs: %v", subjectsOf(records))
	}
}

func hasOneWinner(b *bench) {
	const writers, subjects = 8, 200
	ids := runs(subjects)
	early := b.follow(events.AllRuns, 0)
	b.wantRecords(early, mark)
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for _, id := range ids {
				m := b.started(id)
				m.Data = fmt.Appendf(nil, "%d", w)
				if err := b.j.Append(b.ctx, m); err != nil {
					b.Errorf("writer %d: append: %v", w, err)
					return
				}
			}
		})
	}
	all.Wait()
	winners := make(map[string]string)
	for _, r := range b.load(events.AllRuns) {
		if winner, twice := winners[r.Subject]; twice {
			b.Errorf("%s has two winners, %s and %s", r.Subject, winner, r.Data)
		}
		winners[r.Subject] = string(r.Data)
	}
	if len(winners) != subjects {
		b.Fatalf("%d subjects have a winner, want %d", len(winners), subjects)
	}
	for range subjects {
		if r := b.next(early); winners[r.Subject] != string(r.Data) {
			b.Errorf("%s was won by %s for one reader and by %s for another", r.Subject, r.Data, winners[r.Subject])
		}
	}
	b.append(b.ended("last"))
	b.wantRecords(early, b.ended("last").Subject) // and no second winner before it
}

func keepsOrderOfCall(b *bench) {
	var want []string
	for call := range 5 {
		var messages []events.Message
		for _, id := range runs(40) {
			m := b.command(id, "svc", fmt.Sprintf("step%d", call), 1)
			messages, want = append(messages, m), append(want, m.Subject)
		}
		b.append(messages...)
	}
	records := b.load(events.AllRuns)
	if got := subjectsOf(records); !slices.Equal(got, want) {
		b.Fatalf("the journal's order is\n  %v, want\n  %v", got, want)
	}
}

func stampsStored(b *bench) {
	var last journal.Record
	for _, id := range runs(20) {
		before, err := b.j.Info(b.ctx)
		b.must(err, "read info")
		b.append(b.started(id))
		after, err := b.j.Info(b.ctx)
		b.must(err, "read info")
		r := b.load(events.RunFilter(id))[0]
		if r.Stored.Before(before.Now.Add(-grain)) || r.Stored.After(after.Now.Add(grain)) {
			b.Errorf("%s is stamped %v, stored between %v and %v", id, r.Stored, before.Now, after.Now)
		}
		if r.Sequence <= last.Sequence || r.Stored.Before(last.Stored) {
			b.Errorf("%s has sequence %d at %v, after %d at %v", id, r.Sequence, r.Stored, last.Sequence, last.Stored)
		}
		last = r
	}
}

func dropsDuplicateStarts(b *bench) {
	other := start("ingest", "1")
	other.Data = []byte("the same id again")
	b.append(start("ingest", "1"))
	b.append(start("ingest", "1"), other)
	b.append(start("ingest", "2"), start("ingest", ""), start("ingest", ""), start("other", "3"))
	work := b.consume(journal.Starts(10))
	var got []string
	for range 5 {
		d := b.take(work)
		got = append(got, string(d.Message().Data))
		b.ack(d)
	}
	slices.Sort(got)
	if want := []string{"ingest ", "ingest ", "ingest 1", "ingest 2", "other 3"}; !slices.Equal(got, want) {
		b.Errorf("the starts are %q, want %q", got, want)
	}
	b.wantNone(work, quiet, "every other start was a duplicate")
}

func refusesTooLarge(b *bench) {
	m := b.started("a")
	m.Data = make([]byte, 1<<20+1)
	b.wantErr(b.j.Append(b.ctx, m), "append of 1 MiB and a byte", journal.ErrTooLarge)
	wide := b.started("b")
	wide.Header.Set("x-wide", string(bytes.Repeat([]byte("x"), 1000)))
	wide.Data = make([]byte, 1<<20-500)
	b.wantErr(b.j.Append(b.ctx, wide), "append of 1 MiB with its headers", journal.ErrTooLarge)
	b.wantErr(b.j.Append(b.ctx, b.started("c"), m, b.started("d")), "append of one too large among others", journal.ErrTooLarge)
	b.append(b.started("e"))
	for _, r := range b.load(events.AllRuns) {
		if r.Subject == m.Subject || r.Subject == wide.Subject {
			b.Errorf("%s was refused and stored", r.Subject)
		}
	}
}

func refusesOtherSubjects(b *bench) {
	ctx, cancel := context.WithTimeout(b.ctx, 2*time.Second)
	defer cancel()
	if err := b.j.Append(ctx, events.Message{Subject: "elsewhere.a"}); err == nil {
		b.Error("append to elsewhere.a: no error, though nothing keeps that subject")
	}
}

func appendHonoursContext(b *bench) {
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	b.wantErr(b.j.Append(ctx, b.started("a")), "append", context.Canceled)
}

func refusesWhenFull(b *bench) {
	if b.f.OpenLimited == nil {
		b.Skip("a full journal is not tested: the factory has no OpenLimited")
	}
	const limit = 256 << 10
	b = newBenchOf(b.T, b.f, b.f.OpenLimited(b.T, limit))
	var want []string
	for _, id := range runs(100) {
		m := b.started(id)
		m.Data = make([]byte, 16<<10)
		if err := b.j.Append(b.ctx, m); err != nil {
			b.wantErr(err, "append", journal.ErrFull)
			break
		}
		want = append(want, m.Subject)
	}
	if n := len(want); n < 8 || n > 16 {
		b.Errorf("%d messages of 16 KiB fit into 256 KiB", n)
	}
	if got := subjectsOf(b.load(events.AllRuns)); !slices.Equal(got, want) {
		b.Errorf("the full journal holds %v, want %v", got, want)
	}
}
