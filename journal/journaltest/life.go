package journaltest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"segue/events"
	"segue/journal"
)

var lifeTests = []test{
	{"info tells partitions and time", tellsInfo},
	{"a closed journal is closed", closesJournal},
	{"a peer sees the same journal", peerSeesTheSame},
	{"a restart keeps what was stored", restartKeeps},
	{"a feed goes on through a restart", feedOutlivesRestart},
	{"workers go on through a restart", workOutlivesRestart},
}

func tellsInfo(b *bench) {
	var last time.Time
	for range 5 {
		before := time.Now()
		info, err := b.j.Info(b.ctx)
		b.must(err, "read info")
		after := time.Now()
		if info.Partitions < 1 || info.Partitions > events.MaxPartitions || info.Partitions != b.partitions {
			b.Errorf("the journal has %d partitions, first it had %d", info.Partitions, b.partitions)
		}
		// The suite runs on the broker's machine, so the clocks are one.
		if info.Now.Before(before.Add(-grain)) || info.Now.After(after.Add(grain)) {
			b.Errorf("the journal's time is %v, asked between %v and %v", info.Now, before, after)
		}
		if info.Now.Before(last) {
			b.Errorf("the journal's time went from %v back to %v", last, info.Now)
		}
		last = info.Now
	}
	wait := time.NewTimer(2 * grain)
	defer wait.Stop()
	<-wait.C
	if info, err := b.j.Info(b.ctx); err != nil || !info.Now.After(last) {
		b.Errorf("the journal's time stands still at %v (%v)", last, err)
	}
	cancelled, cancel := context.WithCancel(b.ctx)
	cancel()
	_, err := b.j.Info(cancelled)
	b.wantErr(err, "info with a context that is done", context.Canceled)
}

// closeJournal closes a handle; the seam leaves to each implementation how.
func (b *bench) closeJournal() {
	switch j := b.j.(type) {
	case interface{ Close() }:
		j.Close()
	case interface{ Close() error }:
		b.must(j.Close(), "close")
	default:
		b.Skipf("closing is not tested: %T has no Close", b.j)
	}
}

func closesJournal(b *bench) {
	b.append(b.command("a", "svc", "step", 1))
	feed := b.follow(events.AllRuns, 0)
	b.wantRecords(feed, b.command("a", "svc", "step", 1).Subject, mark)
	work := b.consume(journal.Commands("svc", 1))
	b.take(work)
	ended := make(chan error, 2)
	go func() {
		_, err := feed.Next(b.ctx)
		ended <- err
	}()
	go func() {
		_, err := work.Next(b.ctx)
		ended <- err
	}()
	b.closeJournal()
	b.wantErr(<-ended, "next while the journal closes", journal.ErrClosed)
	b.wantErr(<-ended, "next while the journal closes", journal.ErrClosed)

	_, err := feed.Next(b.ctx)
	b.wantErr(err, "next of a feed", journal.ErrClosed)
	_, err = work.Next(b.ctx)
	b.wantErr(err, "next of a queue", journal.ErrClosed)
	b.wantErr(b.j.Append(b.ctx, b.started("a")), "append", journal.ErrClosed)
	_, err = b.j.Follow(b.ctx, events.AllRuns, 0)
	b.wantErr(err, "follow", journal.ErrClosed)
	_, err = b.j.Consume(b.ctx, journal.Starts(1))
	b.wantErr(err, "consume", journal.ErrClosed)
	_, err = b.j.Members(b.ctx, "a", nil)
	b.wantErr(err, "members", journal.ErrClosed)
	_, err = b.j.Info(b.ctx)
	b.wantErr(err, "info", journal.ErrClosed)
	feed.Close()
	work.Close()
	b.closeJournal()
}

func peerSeesTheSame(b *bench) {
	if b.f.Peer == nil {
		b.Skip("a second process is not tested: the factory has no Peer")
	}
	peer := b.f.Peer(b.T, b.j)
	feed, err := peer.Follow(b.ctx, events.AllRuns, 0)
	b.must(err, "follow")
	defer feed.Close()
	b.wantRecords(feed, mark)
	b.append(b.started("a"))
	b.must(peer.Append(b.ctx, b.started("a"), b.ended("a")), "append")
	b.wantRecords(feed, b.started("a").Subject, b.ended("a").Subject)
	info, err := peer.Info(b.ctx)
	b.must(err, "read info")
	if info.Partitions != b.partitions {
		b.Errorf("a peer counts %d partitions, the first handle %d", info.Partitions, b.partitions)
	}
}

// needRestart skips a test where the factory cannot restart a broker.
func (b *bench) needRestart() {
	if b.f.Restart == nil {
		b.Skip("a broker's restart is not tested: the factory has no Restart")
	}
}

// appendUntil stores messages, trying again as a caller does while the broker
// is away.
func (b *bench) appendUntil(messages ...events.Message) {
	b.Helper()
	b.eventually("the journal takes messages", func() bool {
		ctx, cancel := context.WithTimeout(b.ctx, 2*time.Second)
		defer cancel()
		return b.j.Append(ctx, messages...) == nil
	})
}

// appendRestarted stores a message behind a restart of the broker, where there can be one.
func (b *bench) appendRestarted(m events.Message) {
	b.Helper()
	if b.f.Restart == nil {
		b.append(m)
		return
	}
	b.f.Restart(b.T, b.j)
	b.appendUntil(m)
}

func restartKeeps(b *bench) {
	b.needRestart()
	var messages []events.Message
	for _, id := range runs(20) {
		messages = append(messages, b.started(id))
	}
	b.append(messages...)
	before := b.load(events.AllRuns)
	b.f.Restart(b.T, b.j)
	second := b.started("run-3")
	second.Data = []byte("second")
	b.appendUntil(second, b.ended("run-3"))
	after := b.load(events.AllRuns)
	if want := append(subjectsOf(before), b.ended("run-3").Subject); !slices.Equal(subjectsOf(after), want) {
		b.Fatalf("after a restart the journal holds %v, want %v", subjectsOf(after), want)
	}
	for i, r := range before {
		if a := after[i]; a.Sequence != r.Sequence || !a.Stored.Equal(r.Stored) || string(a.Data) != string(r.Data) {
			b.Errorf("%s was %+v, and after a restart %+v", r.Subject, r, a)
		}
	}
}

func feedOutlivesRestart(b *bench) {
	b.needRestart()
	feed := b.follow(events.AllRuns, 0)
	var want []string
	write := func(round int) {
		for _, id := range runs(20) {
			m := b.command(id, "svc", fmt.Sprintf("step%d", round), 1)
			b.appendUntil(m)
			want = append(want, m.Subject)
		}
	}
	write(0)
	got := b.untilLive(feed, 10)
	for round := 1; round <= 2; round++ {
		b.f.Restart(b.T, b.j)
		write(round)
	}
	for len(got) < len(want) {
		r := b.next(feed)
		if r.Live {
			b.Error("the feed was marked live again")
			continue
		}
		got = append(got, r)
	}
	if !slices.Equal(subjectsOf(got), want) {
		b.Errorf("through restarts the feed delivered %v, want %v", subjectsOf(got), want)
	}
}

func workOutlivesRestart(b *bench) {
	b.needRestart()
	b.needLease()
	for _, id := range runs(4) {
		b.append(b.command(id, "svc", "step", 1))
	}
	b.append(start("ingest", "1"), start("ingest", "2"))
	commands, starts := b.consume(journal.Commands("svc", 2)), b.consume(journal.Starts(1))
	acked, ackedStart := b.take(commands), b.take(starts)
	b.ack(acked)
	b.ack(ackedStart)
	b.f.Restart(b.T, b.j)
	b.appendUntil(b.command("late", "svc", "step", 1))
	seen := make(map[string]bool)
	b.finish(commands, 4, seen)
	b.finish(starts, 1, seen)
	if seen[string(acked.Message().Data)] || seen[string(ackedStart.Message().Data)] {
		b.Errorf("what was acked before the restart came again; all that came: %v", seen)
	}
}

// finish acks until n different messages are acked. Around a restart an ack may
// fail, and the message then comes again.
func (b *bench) finish(work journal.Work, n int, seen map[string]bool) {
	b.Helper()
	for acked := make(map[string]bool); len(acked) < n; {
		d := b.take(work)
		seen[string(d.Message().Data)] = true
		ctx, cancel := context.WithTimeout(b.ctx, 2*time.Second)
		if d.DoubleAck(ctx) == nil {
			acked[string(d.Message().Data)] = true
		}
		cancel()
	}
}
