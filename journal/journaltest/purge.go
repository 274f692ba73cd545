package journaltest

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"segue/events"
	"segue/journal"
)

var purgeTests = []test{
	{"a purged run is gone and no other", purgesOneRun},
	{"purging nothing is no error", purgesNothing},
	{"a purged run can be written again", purgedIsWritable},
	{"a purge makes room", purgeMakesRoom},
	{"followers see nothing of a purge", purgeWhileFollowed},
	{"runs leave while others are written", purgeAmongWriters},
	{"a purged command is not delivered", purgedIsNotDelivered},
	{"a purged command under lease is settled", purgedIsSettled},
	{"a purged command under lease does not come again", purgedDoesNotComeAgain},
	{"a restart brings nothing back that was purged", restartKeepsPurged},
	{"pruning takes the oldest of one partition", prunesOnePartition},
	{"pruning takes the oldest of all partitions", prunesAllPartitions},
}

func (b *bench) purge(run string) {
	b.Helper()
	ctx, cancel := b.lasting()
	defer cancel()
	b.must(b.j.Purge(ctx, run), "purge")
}

func purgesOneRun(b *bench) {
	var want []string
	for _, id := range []string{"a", "ab", "a-b", "A", "b", "a_"} {
		messages := []events.Message{b.started(id), b.command(id, "svc", "a", 1), b.ended(id)}
		b.append(messages...)
		if id != "a" {
			want = append(want, subjectsOfMessages(messages)...)
		}
	}
	b.append(archived("d", "a", "1"))
	last := b.load(events.AllRuns)[17].Sequence
	b.purge("a")
	if got := b.load(events.RunFilter("a")); len(got) != 0 {
		b.Errorf("of the purged run are left: %v", subjectsOf(got))
	}
	for _, got := range [][]journal.Record{b.load(events.AllRuns), b.replay(events.AllRuns)} {
		if !slices.Equal(subjectsOf(got), want) {
			b.Errorf("the journal holds %v, want %v", subjectsOf(got), want)
		}
	}
	if info, err := b.j.Info(b.ctx); err != nil || info.Last != last {
		b.Errorf("after a purge the last sequence is %d, %v, want %d as before", info.Last, err, last)
	}
	if got := b.load(events.HistoryFilter("a")); len(got) != 1 {
		b.Errorf("the history holds %v, want one message", got)
	}
}

func purgesNothing(b *bench) {
	b.purge("none")
	b.append(b.started("a"))
	b.purge("none")
	b.purge("a")
	b.purge("a")
	for _, bad := range []string{"", "*", ">", "a.b", "*.a"} {
		if err := b.j.Purge(b.ctx, bad); err == nil {
			b.Errorf("purge of %q: no error", bad)
		}
	}
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	b.wantErr(b.j.Purge(ctx, "a"), "purge with a context that is done", context.Canceled)
}

func purgedIsWritable(b *bench) {
	work := b.consume(journal.Commands("svc", 1))
	var last uint64
	for round := range 3 {
		started, command := b.started("a"), b.command("a", "svc", "step", 1)
		started.Data = fmt.Append(nil, round)
		second := b.started("a")
		second.Data = []byte("second")
		b.append(started, command)
		b.append(second)
		got := b.load(events.RunFilter("a"))
		if len(got) != 2 || string(got[0].Data) != fmt.Sprint(round) || got[0].Sequence <= last {
			b.Fatalf("round %d: the run is %+v, behind sequence %d", round, got, last)
		}
		last = got[1].Sequence
		b.ack(b.take(work))
		b.purge("a")
	}
}

func purgeMakesRoom(b *bench) {
	if b.f.OpenLimited == nil {
		b.Skip("a full journal is not tested: the factory has no OpenLimited")
	}
	b = newBenchOf(b.T, b.f, b.f.OpenLimited(b.T, 256<<10))
	fill := func(id string) error {
		m := b.started(id)
		m.Data = make([]byte, 16<<10)
		return b.j.Append(b.ctx, m)
	}
	var stored []string
	var err error
	for _, id := range runs(100) {
		if err = fill(id); err != nil {
			break
		}
		stored = append(stored, id)
	}
	b.wantErr(err, "append to a full journal", journal.ErrFull)
	for _, id := range stored {
		b.purge(id)
	}
	for _, id := range stored {
		b.must(fill(id), "append where a purge made room")
	}
}

// purgeWhileFollowed purges runs that a replay has not come to yet, so that the
// mark has to come without them.
func purgeWhileFollowed(b *bench) {
	const many = 600
	live := b.follow(events.AllRuns, 0)
	b.wantRecords(live, mark)
	var messages []events.Message
	for _, id := range runs(many) {
		messages = append(messages, b.started(id), b.ended(id))
	}
	b.append(messages...)
	b.wantRecords(live, subjectsOfMessages(messages)...)
	replay := b.follow(events.AllRuns, 0)
	b.next(replay)
	for _, id := range runs(many)[many-30:] {
		b.purge(id)
	}
	kept := subjectsOfMessages(messages[:2*(many-30)])
	got := []string{kept[0]}
	for r := b.next(replay); !r.Live; r = b.next(replay) {
		got = append(got, r.Subject)
	}
	// What was on its way already may come; nothing else may be missing or new.
	if len(got) < len(kept) || !slices.Equal(got[:len(kept)], kept) || !slices.IsSortedFunc(got, order(messages)) {
		b.Errorf("the replay brought %d messages, want the %d kept in order", len(got), len(kept))
	}
	last := b.started("after")
	b.append(last)
	b.wantRecords(live, last.Subject)
	b.wantRecords(replay, last.Subject)
	b.wantRecords(b.follow(events.AllRuns, 0), append(kept, last.Subject, mark)...)
}

// order compares subjects by where they stand among messages.
func order(messages []events.Message) func(a, b string) int {
	at := make(map[string]int)
	for i, m := range messages {
		at[m.Subject] = i
	}
	return func(a, b string) int { return at[a] - at[b] }
}

func purgeAmongWriters(b *bench) {
	const writers, each = 4, 40
	feed := b.follow(events.AllRuns, 0)
	b.wantRecords(feed, mark)
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range each {
				run := fmt.Sprintf("w%d-%d", w, i)
				if err := b.j.Append(b.ctx, b.started(run), b.ended(run)); err != nil {
					b.Errorf("append: %v", err)
					return
				}
				if i%2 == 0 {
					if err := b.j.Purge(b.ctx, run); err != nil {
						b.Errorf("purge: %v", err)
						return
					}
				}
			}
		})
	}
	all.Wait()
	var want []string
	for w := range writers {
		for i := 1; i < each; i += 2 {
			run := fmt.Sprintf("w%d-%d", w, i)
			want = append(want, b.started(run).Subject, b.ended(run).Subject)
		}
	}
	got := subjectsOf(b.load(events.AllRuns))
	b.wantOrderOfWriters(got)
	slices.Sort(got)
	if slices.Sort(want); !slices.Equal(got, want) {
		b.Errorf("%d messages are left, want %d: those of the runs that were not purged", len(got), len(want))
	}
	last := b.started("last")
	b.append(last)
	seen := make(map[string]bool)
	for r := b.next(feed); r.Subject != last.Subject; r = b.next(feed) {
		seen[r.Subject] = true
	}
	for _, subject := range want {
		if !seen[subject] {
			b.Errorf("the follower missed %s, which was not purged", subject)
		}
	}
}

func purgedIsNotDelivered(b *bench) {
	b.append(b.command("a", "svc", "step", 1), b.command("b", "svc", "step", 1), b.command("a", "svc", "step", 2))
	b.purge("a")
	work := b.consume(journal.Commands("svc", 4))
	d := b.take(work)
	if want := b.command("b", "svc", "step", 1).Subject; d.Message().Subject != want {
		b.Errorf("%s was delivered, want %s", d.Message().Subject, want)
	}
	b.ack(d)
	b.wantNone(work, quiet, "the other run was purged")
}

func purgedIsSettled(b *bench) {
	work := b.consume(journal.Commands("svc", 3))
	b.append(b.command("a", "svc", "step", 1), b.command("a", "svc", "step", 2), b.command("a", "svc", "step", 3))
	first, second, third := b.take(work), b.take(work), b.take(work)
	b.purge("a")
	b.must(first.Extend(), "extend after a purge")
	b.ack(first)
	b.wantErr(first.DoubleAck(b.ctx), "ack again", journal.ErrLost)
	b.must(second.Nak(0), "nak after a purge")
	b.ack(third)
	b.append(b.command("b", "svc", "step", 1))
	d := b.take(work)
	if want := b.command("b", "svc", "step", 1).Subject; d.Message().Subject != want {
		b.Errorf("%s was delivered, want %s", d.Message().Subject, want)
	}
	b.ack(d)
	b.wantNone(work, quiet, "all is settled")
}

func purgedDoesNotComeAgain(b *bench) {
	b.needLease()
	b.append(b.command("a", "svc", "step", 1))
	slow := b.consume(journal.Commands("svc", 1))
	b.take(slow) // and never heard of again
	other := b.consume(journal.Commands("svc", 1))
	b.purge("a")
	b.wantNone(other, b.f.Lease+b.f.Lease/2, "its run was purged")
	b.append(b.command("b", "svc", "step", 1))
	b.ack(b.take(other))
}

func restartKeepsPurged(b *bench) {
	b.needRestart()
	var messages []events.Message
	for _, id := range runs(20) {
		messages = append(messages, b.started(id), b.command(id, "svc", "step", 1))
	}
	b.append(messages...)
	for _, id := range runs(20)[5:] {
		b.purge(id)
	}
	want := subjectsOfMessages(messages[:10])
	last := b.load(events.AllRuns)
	b.f.Restart(b.T, b.j)
	b.appendUntil(b.ended("run-0"))
	if got := subjectsOf(b.load(events.AllRuns)); !slices.Equal(got, append(want, b.ended("run-0").Subject)) {
		b.Errorf("after a restart the journal holds %v, want %v and one more", got, want)
	}
	info, err := b.j.Info(b.ctx)
	if b.must(err, "read info"); info.Last <= last[len(last)-1].Sequence {
		b.Errorf("after a restart the last sequence is %d", info.Last)
	}
	work := b.consume(journal.Commands("svc", 8))
	for range 5 {
		b.ack(b.take(work))
	}
	b.wantNone(work, quiet, "the other runs were purged")
}

// All partitions at once: what is below the sequence leaves, whosever it is, and
// commands that wait leave with it.
func prunesAllPartitions(b *bench) {
	var runs []string
	for i := range 40 { // of many partitions
		runs = append(runs, fmt.Sprint(i))
		b.append(b.started(runs[i]), b.command(runs[i], "svc", "a", 1))
	}
	edge := b.load(events.RunFilter(runs[30]))[1].Sequence // its second message
	for range 2 {                                          // the second time there is nothing to do
		b.must(b.j.Prune(b.ctx, journal.EveryPartition, edge), "prune")
	}
	for i, run := range runs {
		want := 2
		switch {
		case i < 30:
			want = 0
		case i == 30:
			want = 1
		}
		if got := b.load(events.RunFilter(run)); len(got) != want {
			b.Errorf("of run %s are left %v, want %d messages", run, subjectsOf(got), want)
		}
	}
	b.append(b.started(runs[0]))
	if got := b.load(events.RunFilter(runs[0])); len(got) != 1 {
		b.Errorf("a subject that was pruned is not written again: %v", subjectsOf(got))
	}
	work := b.consume(journal.Commands("svc", 20))
	for range 10 {
		b.ack(b.take(work))
	}
	b.wantNone(work, quiet, "the other commands were pruned")
}

func prunesOnePartition(b *bench) {
	var mine, others []string // runs of the partition of "0", and of others
	partition := events.PartitionOf("0", journal.DefaultPartitions)
	for i := 0; len(mine) < 4 || len(others) < 4; i++ {
		id := fmt.Sprint(i)
		if events.PartitionOf(id, journal.DefaultPartitions) == partition {
			mine = append(mine, id)
		} else {
			others = append(others, id)
		}
		b.append(b.started(id), b.command(id, "svc", "a", 1))
	}
	ctx, cancel := b.lasting()
	defer cancel()
	edge := b.load(events.RunFilter(mine[2]))[1].Sequence // its second message
	feed := b.follow(events.AllRuns, 0)
	for range 2 { // the second time there is nothing to do
		b.must(b.j.Prune(ctx, partition, edge), "prune")
	}
	for id, want := range map[string]int{mine[0]: 0, mine[1]: 0, mine[2]: 1, mine[3]: 2, others[0]: 2, others[1]: 2, others[2]: 2} {
		if got := b.load(events.RunFilter(id)); len(got) != want {
			b.Errorf("of run %s are left %v, want %d messages", id, subjectsOf(got), want)
		}
	}
	again := b.started(mine[0])
	b.append(again)
	if got := b.load(events.RunFilter(mine[0])); len(got) != 1 {
		b.Errorf("a subject that was pruned is not written again: %v", subjectsOf(got))
	}
	for {
		r, err := feed.Next(ctx)
		b.must(err, "follow")
		if r.Subject == again.Subject && r.Sequence > edge {
			return
		}
	}
}
