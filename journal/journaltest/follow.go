package journaltest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"segue/events"
	"segue/journal"
)

var followTests = []test{
	{"an empty journal is live at once", emptyIsLive},
	{"replay, mark, live", replaysThenLives},
	{"a position is followed from behind it", followsFromPosition},
	{"a filter selects", filters},
	{"rejected starts are followed", followsRejected},
	{"many writers leave no gap and no duplicate", noGapNoDuplicate},
	{"a wait that ends loses nothing", nextLosesNothing},
	{"a closed feed is closed", closesFeed},
	{"a waiting reader learns of the close", closeWakesNext},
	{"the context ends the feed", contextEndsFeed},
}

func emptyIsLive(b *bench) {
	for _, filter := range []string{events.AllRuns, events.PartitionFilter(0), events.RunFilter("none")} {
		b.wantRecords(b.follow(filter, 0), mark)
	}
}

func replaysThenLives(b *bench) {
	b.append(b.started("a"), b.started("b"))
	feed := b.follow(events.AllRuns, 0)
	records := b.wantRecords(feed, b.started("a").Subject, b.started("b").Subject, mark)
	live := records[2]
	if live.Subject != "" || len(live.Data) != 0 {
		b.Errorf("the mark holds a message: %+v", live)
	}
	b.append(b.ended("a"))
	b.append(b.ended("b"))
	records = append(records[:2], b.wantRecords(feed, b.ended("a").Subject, b.ended("b").Subject)...)
	for i, r := range records {
		if r.Sequence == 0 || r.Stored.IsZero() || r.Live || i > 0 && r.Sequence <= records[i-1].Sequence {
			b.Errorf("record %d is %+v", i, r)
		}
	}
}

func followsFromPosition(b *bench) {
	var messages []events.Message
	for _, id := range runs(10) {
		messages = append(messages, b.started(id))
	}
	b.append(messages...)
	all := b.load(events.AllRuns)
	for i, r := range all {
		want := append(subjectsOf(all[i+1:]), mark)
		b.wantRecords(b.follow(events.AllRuns, r.Sequence), want...)
	}
	// The position of another filter's record serves as well.
	third := all[3]
	first := b.follow(events.RunFilter("run-9"), third.Sequence)
	b.wantRecords(first, b.started("run-9").Subject, mark)
	none := b.follow(events.RunFilter("run-0"), third.Sequence)
	b.wantRecords(none, mark)
}

func filters(b *bench) {
	ids := runs(30)
	var messages []events.Message
	for _, id := range ids {
		messages = append(messages, b.started(id), b.command(id, "svc", "step", 1),
			b.attempt(events.KindOutcome, id, "svc", "step", events.Attempt{N: 1}), b.command(id, "svc2", "step", 1))
	}
	partition := events.PartitionOf(ids[0], b.partitions)
	cases := []struct {
		filter string
		holds  func(s events.Subject) bool
	}{
		{events.AllRuns, func(events.Subject) bool { return true }},
		{events.PartitionFilter(partition), func(s events.Subject) bool { return s.Partition == partition }},
		{events.RunFilter(ids[0]), func(s events.Subject) bool { return s.Run == ids[0] }},
		{events.CommandFilter("svc"), func(s events.Subject) bool { return s.Kind == events.KindCommand && s.Service == "svc" }},
		{"saga.run.*.*.*", func(s events.Subject) bool { return s.Kind == events.KindStarted }},
		{messages[0].Subject, func(s events.Subject) bool { return s.Kind == events.KindStarted && s.Run == ids[0] }},
	}
	want := make([][]string, len(cases))
	feeds := make([]journal.Feed, len(cases))
	for i, c := range cases {
		for _, m := range messages {
			s, err := events.ParseSubject(m.Subject)
			b.must(err, "parse")
			if c.holds(s) {
				want[i] = append(want[i], m.Subject)
			}
		}
		feeds[i] = b.follow(c.filter, 0)
		b.wantRecords(feeds[i], mark)
	}
	b.append(messages...)
	for i, c := range cases {
		b.wantRecords(feeds[i], want[i]...)
		b.wantRecords(b.follow(c.filter, 0), append(want[i], mark)...)
	}
}

func followsRejected(b *bench) {
	rejected := func(id string) events.Message {
		return events.Message{Subject: events.Subject{Kind: events.KindRejected, Definition: "d", Start: id}.String(), Data: []byte(id)}
	}
	feed := b.follow(events.AllRejected, 0)
	b.wantRecords(feed, mark)
	one, two := rejected("one"), rejected("two")
	b.append(one, b.started("run"), two)
	again := rejected("one")
	again.Data = []byte("again")
	b.append(again) // written once
	b.wantRecords(feed, one.Subject, two.Subject)
	records := b.wantRecords(b.follow(events.AllRejected, 0), one.Subject, two.Subject, mark)
	if got := string(records[0].Data); got != "one" {
		b.Errorf("the first rejection holds %q, want that of the first message", got)
	}
	b.wantRecords(b.follow(two.Subject, 0), two.Subject, mark)
	b.wantRecords(b.follow(events.AllRuns, 0), b.started("run").Subject, mark)
}

func noGapNoDuplicate(b *bench) {
	const writers, each, followers = 4, 150, 4
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range each {
				run := fmt.Sprintf("w%d-%d", w, i)
				if err := b.j.Append(b.ctx, b.started(run), b.ended(run)); err != nil {
					b.Errorf("append: %v", err)
					return
				}
			}
		})
	}
	total := 2 * writers * each
	got := make([][]journal.Record, followers)
	for f := range followers {
		feed := b.follow(events.AllRuns, 0)
		all.Go(func() { got[f] = b.untilLive(feed, total) })
		b.next(b.follow(events.AllRuns, 0)) // lets some be written between the followers
	}
	all.Wait()
	if b.Failed() {
		return
	}
	stored := b.load(events.AllRuns)
	want := subjectsOf(stored)
	if len(want) != total {
		b.Fatalf("the journal holds %d messages, want %d", len(want), total)
	}
	for f, records := range got {
		if !slices.Equal(subjectsOf(records), want) {
			b.Errorf("follower %d saw another order or another set of messages", f)
		}
		for i, r := range records {
			if i < len(stored) && r.Sequence != stored[i].Sequence {
				b.Errorf("follower %d: record %d has sequence %d, want %d", f, i, r.Sequence, stored[i].Sequence)
				break
			}
		}
	}
	b.wantOrderOfWriters(want)
}

// untilLive reads n messages and the mark, which must come once, and returns
// the messages. It runs beside the test's goroutine and so does not end the test.
func (b *bench) untilLive(feed journal.Feed, n int) []journal.Record {
	ctx, cancel := b.lasting()
	defer cancel()
	var records []journal.Record
	marks := 0
	for len(records) < n || marks == 0 {
		r, err := feed.Next(ctx)
		if err != nil {
			b.Errorf("after %d of %d messages and %d marks: %v", len(records), n, marks, err)
			return records
		}
		if r.Live {
			marks++
			continue
		}
		records = append(records, r)
	}
	if marks != 1 {
		b.Errorf("the feed was marked live %d times", marks)
	}
	return records
}

// wantOrderOfWriters checks that started stands before ended in each run.
func (b *bench) wantOrderOfWriters(subjects []string) {
	began := make(map[string]bool)
	for _, s := range subjects {
		subject, err := events.ParseSubject(s)
		b.must(err, "parse")
		if subject.Kind == events.KindEnded && !began[subject.Run] {
			b.Errorf("run %s ended before it started", subject.Run)
		}
		began[subject.Run] = true
	}
}

func nextLosesNothing(b *bench) {
	const messages = 100
	feed := b.follow(events.AllRuns, 0)
	var writer sync.WaitGroup
	writer.Go(func() {
		for _, id := range runs(messages) {
			if err := b.j.Append(b.ctx, b.started(id)); err != nil {
				b.Errorf("append: %v", err)
				return
			}
		}
	})
	defer writer.Wait()
	var got []journal.Record
	deadline := time.Now().Add(patience)
	for try := 0; len(got) < messages+1 && time.Now().Before(deadline); try++ {
		ctx, cancel := context.WithTimeout(b.ctx, time.Duration(try%5)*100*time.Microsecond)
		r, err := feed.Next(ctx)
		cancel()
		if err == nil {
			got = append(got, r)
		} else if !errors.Is(err, context.DeadlineExceeded) {
			b.Fatalf("wait for the next record: %v", err)
		}
	}
	writer.Wait()
	got = slices.DeleteFunc(got, func(r journal.Record) bool { return r.Live })
	if want := subjectsOf(b.load(events.AllRuns)); !slices.Equal(subjectsOf(got), want) {
		b.Errorf("the feed delivered %v, want %v", subjectsOf(got), want)
	}
}

func closesFeed(b *bench) {
	b.append(b.started("a"), b.started("b"))
	feed := b.follow(events.AllRuns, 0)
	b.wantRecords(feed, b.started("a").Subject)
	feed.Close()
	feed.Close()
	_, err := feed.Next(b.ctx)
	b.wantErr(err, "next after close", journal.ErrClosed)
	feed.Close()
	b.wantRecords(b.follow(events.AllRuns, 0), b.started("a").Subject, b.started("b").Subject, mark)
}

func closeWakesNext(b *bench) {
	feed := b.follow(events.AllRuns, 0)
	b.wantRecords(feed, mark)
	ended := make(chan error, 1)
	go func() {
		_, err := feed.Next(b.ctx)
		ended <- err
	}()
	b.wantRecords(b.follow(events.AllRuns, 0), mark) // gives the reader time to wait
	feed.Close()
	b.wantErr(<-ended, "next while closing", journal.ErrClosed)
}

func contextEndsFeed(b *bench) {
	ctx, cancel := context.WithCancel(b.ctx)
	feed, err := b.j.Follow(ctx, events.AllRuns, 0)
	b.must(err, "follow")
	defer feed.Close()
	b.wantRecords(feed, mark)
	cancel()
	last, stop := b.lasting()
	defer stop()
	_, err = feed.Next(last)
	b.wantErr(err, "next after the end of the feed's context", journal.ErrClosed, context.Canceled)
}
