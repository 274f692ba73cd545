package journaltest

import (
	"slices"
	"time"

	"segue/journal"
)

var leaseTests = []test{
	{"a message comes again when its lease runs out", leaseRunsOut},
	{"what is waiting in a silent worker comes again", silentWorkerLoses},
	{"extending renews the lease", extendRenews},
	{"a killed process's messages come again", killedLoses},
}

// needLease skips a test that would wait too long.
func (b *bench) needLease() {
	if b.f.Within == nil && b.f.Lease > MaxLease {
		b.Skipf("the end of a lease is not tested: it would take %v, open the journal with a shorter one and set Factory.Lease", b.f.Lease)
	}
}

func leaseRunsOut(b *bench) {
	b.needLease()
	b.append(b.command("a", "svc", "step", 1))
	asked := time.Now()
	slow := b.consume(journal.Commands("svc", 1))
	late := b.take(slow)
	other := b.consume(journal.Commands("svc", 1))
	slow.Close()
	again := b.take(other)
	if waited := time.Since(asked); waited < b.f.Lease-50*time.Millisecond {
		b.Errorf("the message came again after %v, with a lease of %v", waited, b.f.Lease)
	}
	if again.Count() != 2 {
		b.Errorf("the second delivery counts %d", again.Count())
	}
	b.wantErr(late.Extend(), "extend when the lease is lost", journal.ErrLost)
	b.wantErr(late.DoubleAck(b.ctx), "ack when the lease is lost", journal.ErrLost)
	b.wantErr(late.Nak(0), "nak when the lease is lost", journal.ErrLost)
	b.must(again.Extend(), "extend by the one who has it")
	b.ack(again)
	b.wantNone(other, quiet, "it is acked")
}

func silentWorkerLoses(b *bench) {
	b.needLease()
	for _, id := range runs(6) {
		b.append(b.command(id, "svc", "step", 1))
	}
	b.take(b.consume(journal.Commands("svc", 4))) // takes one and is never heard of again
	var want []string
	for _, id := range runs(6) {
		want = append(want, b.command(id, "svc", "step", 1).Subject)
	}
	slices.Sort(want)
	// It may hold up to 4, of which it has seen one; all of them must come free.
	if got := b.subjectsTaken(b.consume(journal.Commands("svc", 4)), 6); !slices.Equal(got, want) {
		b.Errorf("the other worker got %v, want %v", got, want)
	}
}

func extendRenews(b *bench) {
	b.needLease()
	b.append(b.command("a", "svc", "step", 1))
	work := b.consume(journal.Commands("svc", 1))
	d := b.take(work)
	other := b.consume(journal.Commands("svc", 1))
	for range 6 {
		b.wantNone(other, b.f.Lease*2/5, "its lease is renewed")
		b.must(d.Extend(), "extend")
	}
	b.ack(d)
	b.wantNone(other, b.f.Lease*3/2, "it is acked")
}

func killedLoses(b *bench) {
	b.needLease()
	if b.f.Peer == nil || b.f.Kill == nil {
		b.Skip("a killed process is not tested: the factory has no Peer or no Kill")
	}
	peer := b.f.Peer(b.T, b.j)
	b.append(b.command("a", "svc", "step", 1), b.command("b", "svc", "step", 1))
	doomed := b.consumeOn(peer, journal.Commands("svc", 2))
	b.ack(b.take(doomed))
	lost := b.take(doomed)
	b.f.Kill(b.T, peer)
	work := b.consume(journal.Commands("svc", 2))
	again := b.take(work)
	if again.Message().Subject != lost.Message().Subject || again.Count() != 2 {
		b.Errorf("%s came, count %d; want %s, 2", again.Message().Subject, again.Count(), lost.Message().Subject)
	}
	b.ack(again)
	b.wantNone(work, quiet, "both are acked")
}
