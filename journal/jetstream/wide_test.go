package jetstream_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"segue/broker"
	"segue/events"
	"segue/journal"
	"segue/journal/jetstream"
)

// follower reads one partition and remembers what came.
type follower struct {
	feed journal.Feed
	owed int // messages that are stored and have not been read
	got  []uint64
}

// read reads what is owed.
func (f *follower) read(ctx context.Context) error {
	for f.owed > 0 {
		r, err := f.feed.Next(ctx)
		if err != nil {
			return err
		}
		if !r.Live {
			f.got = append(f.got, r.Sequence)
			f.owed--
		}
	}
	return nil
}

// TestPartitionsTogether: feeds of all partitions are served by one reader, and have
// each message once and in order, also one that is too slow and is cut off, and when
// the broker has been away.
func TestPartitionsTogether(t *testing.T) {
	t.Parallel()
	r := newRig(t, broker.Config{})
	j, _ := r.open(t, jetstream.Options{})
	ctx := within(t, 2*time.Minute)
	var followers []*follower
	for p := range journal.DefaultPartitions {
		feed, err := j.Follow(ctx, events.PartitionFilter(p), 0)
		if err != nil {
			t.Fatal(err)
		}
		defer feed.Close()
		followers = append(followers, &follower{feed: feed})
	}
	stored := 0
	// round stores messages in all partitions and has all followers but the first few
	// read what is theirs.
	round := func(messages, idle int) {
		t.Helper()
		var batch []events.Message
		for range messages {
			batch = append(batch, command(fmt.Sprintf("r%d", stored), 1))
			stored++
		}
		if err := j.Append(ctx, batch...); err != nil {
			t.Fatal(err)
		}
		count := make([]int, len(followers))
		for _, m := range batch {
			s, err := events.ParseSubject(m.Subject)
			if err != nil {
				t.Fatal(err)
			}
			count[s.Partition]++
		}
		for p, f := range followers {
			f.owed += count[p]
			if p < idle {
				continue
			}
			if err := f.read(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	for rounds := 0; j.Riding() < len(followers); rounds++ {
		if rounds == 2000 {
			t.Fatalf("only %d of %d feeds are served together", j.Riding(), len(followers))
		}
		round(64, 0)
	}
	for range 60 { // over 512 messages for the first, which reads none of them
		round(256, 1)
	}
	if n := j.Riding(); n != len(followers)-1 {
		t.Errorf("%d of %d feeds are served together when one does not read", n, len(followers))
	}
	r.stop()
	r.start(t)
	for range 10 {
		round(64, 0)
	}
	for p, f := range followers {
		var want []uint64
		for _, record := range load(t, j, events.PartitionFilter(p)) {
			want = append(want, record.Sequence)
		}
		if !slices.Equal(f.got, want) {
			t.Errorf("partition %d: %d messages came, want %d, each once and in order", p, len(f.got), len(want))
		}
	}
}
