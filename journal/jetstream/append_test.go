package jetstream_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"segue/broker"
	"segue/events"
	"segue/journal"
	"segue/journal/jetstream"
)

func command(run string, n int) events.Message {
	s := events.RunSubject(events.KindCommand, run, journal.DefaultPartitions)
	s.Service, s.Step, s.Attempt = "svc", "step", events.Attempt{N: n}
	return events.Message{Subject: s.String(), Header: events.Header{"ce-id": {run}}, Data: []byte(run)}
}

func load(t *testing.T, j journal.Journal, filter string) []journal.Record {
	t.Helper()
	records, err := journal.Load(within(t, time.Minute), j, filter)
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// TestBatchWithTakenSubjects: the server refuses a batch with one taken subject
// whole, and what is new in it must be stored all the same, in order.
func TestBatchWithTakenSubjects(t *testing.T) {
	t.Parallel()
	r := newRig(t, broker.Config{})
	j, _ := r.open(t, jetstream.Options{})
	var batch []events.Message
	for i := range 600 {
		batch = append(batch, command(fmt.Sprintf("r%d", i), 1))
	}
	taken := command("r37", 1)
	taken.Data = []byte("earlier")
	if err := j.Append(t.Context(), taken); err != nil {
		t.Fatal(err)
	}
	again := batch[40]
	again.Data = []byte("twice in one call")
	if err := j.Append(t.Context(), slices.Insert(slices.Clone(batch), 60, again)...); err != nil {
		t.Fatal(err)
	}
	want := []string{taken.Subject}
	for _, m := range batch {
		if m.Subject != taken.Subject {
			want = append(want, m.Subject)
		}
	}
	var got []string
	for _, rec := range load(t, j, events.AllRuns) {
		got = append(got, rec.Subject)
		for h := range rec.Header {
			if strings.HasPrefix(h, "Nats-") {
				t.Errorf("%s came with header %s", rec.Subject, h)
			}
		}
		if rec.Subject == again.Subject && string(rec.Data) != "r40" || rec.Subject == taken.Subject && string(rec.Data) != "earlier" {
			t.Errorf("%s holds %s", rec.Subject, rec.Data)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("the journal holds %d messages or another order, want %d", len(got), len(want))
	}
}

// TestLostAck stores a message whose acknowledgement never arrives.
func TestLostAck(t *testing.T) {
	t.Parallel()
	r := newRig(t, broker.Config{})
	witness, _ := r.open(t, jetstream.Options{})
	p := newProxy(t, r.cfg.Listen)
	nc := r.connect(t, jetstream.ConnectOptions{URL: "nats://" + p.addr()})
	j, err := jetstream.Bind(t.Context(), nc, jetstream.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	feed, err := witness.Follow(t.Context(), events.AllRuns, 0)
	if err != nil {
		t.Fatal(err)
	}
	for round, count := range []int{1, 5, 100} {
		p.swallow(true)
		var call []events.Message
		for i := range count {
			call = append(call, command(fmt.Sprintf("r%d-%d", round, i), 1))
		}
		done := make(chan error, 1)
		go func() { done <- j.Append(within(t, time.Minute), call...) }()
		for i := 0; i < count; {
			rec, err := feed.Next(within(t, time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			if !rec.Live {
				i++
			}
		}
		// All are stored, and the writer knows nothing of it.
		select {
		case err := <-done:
			t.Fatalf("append returned %v before any answer", err)
		default:
		}
		p.swallow(false)
		p.cut()
		if err := <-done; err != nil {
			t.Fatalf("append of %d: %v", count, err)
		}
	}
	if n := len(load(t, witness, events.AllRuns)); n != 106 {
		t.Errorf("the journal holds %d messages, want 106", n)
	}
}

func TestAppendGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	r := newRig(t, broker.Config{})
	j, _ := r.open(t, jetstream.Options{})
	r.stop()
	begin := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := j.Append(ctx, command("a", 1)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error is %v, want the context's", err)
	}
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("it took %v", took)
	}
	done := make(chan error, 1)
	go func() { done <- j.Append(within(t, time.Minute), command("a", 1), command("a", 2)) }()
	r.start(t)
	if err := <-done; err != nil {
		t.Errorf("append through the broker's absence: %v", err)
	}
}

// TestClosedConnection: nothing waits for a connection that will not come back.
func TestClosedConnection(t *testing.T) {
	t.Parallel()
	r := newRig(t, broker.Config{})
	j, nc := r.open(t, jetstream.Options{})
	feed, err := j.Follow(t.Context(), events.AllRuns, 0)
	if err != nil {
		t.Fatal(err)
	}
	if rec, err := feed.Next(within(t, time.Minute)); err != nil || !rec.Live {
		t.Fatal(rec, err)
	}
	work, err := j.Consume(t.Context(), journal.Commands("svc", 1))
	if err != nil {
		t.Fatal(err)
	}
	members, err := j.Members(t.Context(), "a", nil)
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
	ctx := within(t, 20*time.Second)
	_, feedErr := feed.Next(ctx)
	_, workErr := work.Next(ctx)
	_, infoErr := j.Info(ctx)
	_, followErr := j.Follow(ctx, events.AllRuns, 0)
	_, consumeErr := j.Consume(ctx, journal.Starts(1))
	for name, err := range map[string]error{
		"next of a feed": feedErr, "next of a queue": workErr, "info": infoErr, "follow": followErr, "consume": consumeErr,
		"append": j.Append(ctx, command("a", 1)), "append of a batch": j.Append(ctx, manyCommands(50)...), "append of a start": j.Append(ctx, events.Message{Subject: "saga.start.x"}),
	} {
		if !errors.Is(err, journal.ErrClosed) {
			t.Errorf("%s: error is %v, want ErrClosed", name, err)
		}
	}
	for range members { // is closed
	}
	if ctx.Err() != nil {
		t.Error("it took 20 s")
	}
}

func manyCommands(n int) (messages []events.Message) {
	for i := range n {
		messages = append(messages, command(fmt.Sprintf("m%d", i), 1))
	}
	return messages
}

// TestMemoryIsTheCallers: after a call that gave up, the committer may still hold
// its messages, while the caller writes to them.
func TestMemoryIsTheCallers(t *testing.T) {
	t.Parallel()
	r := newRig(t, broker.Config{})
	j, _ := r.open(t, jetstream.Options{})
	var all sync.WaitGroup
	for w := range 4 {
		all.Go(func() {
			for i := range 100 {
				m := command(fmt.Sprintf("w%d-%d", w, i), 1)
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*10*time.Microsecond)
				_ = j.Append(ctx, m)
				cancel()
				m.Data[0], m.Header["ce-id"][0] = '#', "#"
				m.Header.Set("other", "#")
			}
		})
	}
	all.Wait()
	for _, rec := range load(t, j, events.AllRuns) {
		if id := rec.Header.Get("ce-id"); id != string(rec.Data) || rec.Data[0] != 'w' || rec.Header.Get("other") != "" {
			t.Errorf("%s holds %s, %v", rec.Subject, rec.Data, rec.Header)
		}
	}
}
