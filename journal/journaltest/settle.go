package journaltest

import (
	"fmt"
	"slices"
	"time"

	"segue/events"
	"segue/journal"
)

var settleTests = []test{
	{"an acked start is gone", acksStarts},
	{"what is acked without waiting is gone soon", acksSoon},
	{"what is given back comes again", nakReturns},
	{"what is given back waits for its delay", nakDelays},
	{"a given back message goes to any worker", nakGoesToAnyone},
	{"a delivery is settled once", settlesOnce},
	{"what was delivered outlives the close", settlesAfterClose},
}

func nakReturns(b *bench) {
	b.append(b.command("a", "svc", "step", 1))
	work := b.consume(journal.Commands("svc", 1))
	for n := 1; n <= 4; n++ {
		d := b.take(work)
		if d.Count() != n {
			b.Errorf("delivery %d counts %d", n, d.Count())
		}
		if n == 4 {
			b.ack(d)
			break
		}
		b.must(d.Nak(0), "nak")
	}
	b.wantNone(work, quiet, "it is acked")
}

func nakDelays(b *bench) {
	const delay = 400 * time.Millisecond
	b.append(b.command("a", "svc", "step", 1))
	work := b.consume(journal.Commands("svc", 1))
	d := b.take(work)
	given := time.Now()
	b.must(d.Nak(delay), "nak")
	d = b.take(work)
	if waited := time.Since(given); waited < delay-50*time.Millisecond {
		b.Errorf("the message came again after %v, want at least %v", waited, delay)
	}
	if d.Count() != 2 {
		b.Errorf("the second delivery counts %d", d.Count())
	}
	b.ack(d)
}

func nakGoesToAnyone(b *bench) {
	b.append(b.command("a", "svc", "step", 1))
	first := b.consume(journal.Commands("svc", 1))
	d := b.take(first)
	first.Close()
	b.must(d.Nak(0), "nak after close")
	again := b.take(b.consume(journal.Commands("svc", 1)))
	if again.Count() != 2 {
		b.Errorf("the second delivery counts %d", again.Count())
	}
	b.ack(again)
}

func settlesOnce(b *bench) {
	ack := func(d journal.Delivery) error { return d.DoubleAck(b.ctx) }
	soon := func(d journal.Delivery) error { return d.Ack() }
	nak := func(d journal.Delivery) error { return d.Nak(time.Hour) }
	extend := func(d journal.Delivery) error { return d.Extend() }
	cases := []struct {
		name   string
		first  func(journal.Delivery) error
		second func(journal.Delivery) error
	}{
		{"ack, ack", ack, ack}, {"ack, nak", ack, nak}, {"ack, extend", ack, extend},
		{"ack soon, ack", soon, ack}, {"ack, ack soon", ack, soon}, {"ack soon, nak", soon, nak}, {"nak, ack soon", nak, soon},
		{"nak, ack", nak, ack}, {"nak, nak", nak, nak}, {"nak, extend", nak, extend},
	}
	work := b.consume(journal.Commands("svc", len(cases)))
	for i, c := range cases {
		b.append(b.command(fmt.Sprintf("r%d", i), "svc", "step", 1))
		d := b.take(work)
		b.must(d.Extend(), "extend")
		b.must(c.first(d), c.name)
		b.wantErr(c.second(d), c.name, journal.ErrLost)
		b.wantErr(c.second(d), c.name+" once more", journal.ErrLost)
	}
	b.wantNone(work, quiet, "all are settled or given back for an hour")
}

func settlesAfterClose(b *bench) {
	b.append(b.command("a", "svc", "step", 1), b.command("b", "svc", "step", 1))
	work := b.consume(journal.Commands("svc", 2))
	acked, given := b.take(work), b.take(work)
	work.Close()
	b.must(acked.Extend(), "extend after close")
	b.ack(acked)
	b.must(given.Nak(0), "nak after close")
	next := b.consume(journal.Commands("svc", 2))
	d := b.take(next)
	if d.Message().Subject != given.Message().Subject {
		b.Errorf("%s came again, want %s", d.Message().Subject, given.Message().Subject)
	}
	b.ack(d)
	b.wantNone(next, quiet, "both are acked")
}

// acksSoon: more messages than there are places, so that all come only if each
// ack arrives and frees its own.
func acksSoon(b *bench) {
	const places, messages = 2, 20
	var want []string
	for i := range messages {
		m := b.command(fmt.Sprintf("r%02d", i), "svc", "step", 1)
		want = append(want, m.Subject)
		b.append(m)
	}
	work := b.consume(journal.Commands("svc", places))
	var got []string
	for range messages {
		d := b.take(work)
		got = append(got, d.Message().Subject)
		b.must(d.Ack(), "ack")
	}
	slices.Sort(got)
	slices.Sort(want) // by partition
	if !slices.Equal(got, want) {
		b.Errorf("%v came, want %v", got, want)
	}
	work.Close()
	b.wantNone(b.consume(journal.Commands("svc", places)), quiet, "all are acked")
}

func acksStarts(b *bench) {
	b.append(start("ingest", "1"), start("ingest", "2"))
	work := b.consume(journal.Starts(1))
	d := b.take(work)
	b.ack(d)
	kept := b.take(work)
	if kept.Message().Header.Get(events.HeaderMsgID) == d.Message().Header.Get(events.HeaderMsgID) {
		b.Error("an acked start came again")
	}
	b.must(kept.Nak(0), "nak")
	work.Close()
	again := b.take(b.consume(journal.Starts(4)))
	if string(again.Message().Data) != string(kept.Message().Data) {
		b.Errorf("start %s came, want %s", again.Message().Data, kept.Message().Data)
	}
	b.ack(again)
	b.wantNone(b.consume(journal.Starts(4)), quiet, "both are acked")
}

// subjectsTaken acks what comes until n have come, and returns their subjects, sorted.
func (b *bench) subjectsTaken(work journal.Work, n int) []string {
	b.Helper()
	var subjects []string
	for range n {
		d := b.take(work)
		subjects = append(subjects, d.Message().Subject)
		b.ack(d)
	}
	slices.Sort(subjects)
	return subjects
}
