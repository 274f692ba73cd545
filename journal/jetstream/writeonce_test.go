package jetstream_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"segue/broker"
	"segue/events"
	"segue/journal"
	"segue/journal/jetstream"
)

// TestRacingWriters lets processes race for each subject, alone, in small calls
// and in calls large enough for an atomic batch. Every subject must have one
// winner, which every later reader sees.
func TestRacingWriters(t *testing.T) {
	t.Parallel()
	const writers, subjects = 6, 400
	r := newRig(t, broker.Config{})
	first, _ := r.open(t, jetstream.Options{})
	early, err := first.Follow(t.Context(), events.AllRuns, 0)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for w := range writers {
		j, _ := r.open(t, jetstream.Options{})
		size := []int{1, 7, 50, 400}[w%4]
		all.Go(func() {
			for n := 0; n < subjects; n += size {
				var call []events.Message
				for i := n; i < min(n+size, subjects); i++ {
					m := command(fmt.Sprintf("run-%d", i), 1)
					m.Data = fmt.Appendf(nil, "%d", w)
					call = append(call, m)
				}
				if err := j.Append(t.Context(), call...); err != nil {
					t.Errorf("writer %d: %v", w, err)
					return
				}
			}
		})
	}
	all.Wait()
	winner := make(map[string]string)
	for _, rec := range load(t, first, events.AllRuns) {
		if _, twice := winner[rec.Subject]; twice {
			t.Errorf("%s is stored twice", rec.Subject)
		}
		winner[rec.Subject] = string(rec.Data)
	}
	if len(winner) != subjects {
		t.Errorf("%d subjects have a winner, want %d", len(winner), subjects)
	}
	seen := make(map[string]bool)
	for len(seen) < subjects {
		rec, err := early.Next(within(t, time.Minute))
		switch {
		case err != nil:
			t.Fatal(err)
		case rec.Live:
		case seen[rec.Subject] || string(rec.Data) != winner[rec.Subject]:
			t.Errorf("an early reader saw %s by %s, later ones by %s", rec.Subject, rec.Data, winner[rec.Subject])
		}
		seen[rec.Subject] = !rec.Live || seen[rec.Subject]
		delete(seen, "")
	}
}

// TestServerRefuses holds what the server itself does, without this package in
// between: a stranger with a NATS client cannot write a subject twice either.
func TestServerRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t, broker.Config{})
	j, nc := r.open(t, jetstream.Options{})
	m := command("a", 1)
	if err := j.Append(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	js, err := natsjs.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	for name, header := range map[string]string{"": "", "Nats-Rollup": "sub", "Nats-TTL": "1s", "Nats-Schedule": "@every 1s", "Nats-Incr": "1"} {
		msg := nats.NewMsg(m.Subject)
		if msg.Data = []byte("second"); name != "" {
			msg.Header.Set(name, header)
		}
		if _, err := js.PublishMsg(t.Context(), msg); err == nil {
			t.Errorf("a second message with header %q was accepted", name)
		}
		if name != "" && name != "Nats-Rollup" {
			msg.Subject = command("b", 1).Subject
			if _, err := js.PublishMsg(t.Context(), msg); err == nil {
				t.Errorf("a message with header %q was accepted", name)
			}
		}
	}
	s, err := js.Stream(t.Context(), jetstream.RunsStream)
	if err != nil {
		t.Fatal(err)
	}
	if got := load(t, j, events.AllRuns); len(got) != 1 || string(got[0].Data) != "a" {
		t.Errorf("the journal holds %v", got)
	}
	if err := s.Purge(t.Context(), natsjs.WithPurgeSubject(events.RunFilter("a"))); err != nil {
		t.Errorf("an ended run cannot leave: %v", err)
	}
}

// TestConditions stores messages whose senders made conditions that do not hold.
func TestConditions(t *testing.T) {
	t.Parallel()
	j, _ := newRig(t, broker.Config{}).open(t, jetstream.Options{})
	if err := j.Append(t.Context(), command("a", 1)); err != nil {
		t.Fatal(err)
	}
	definition := events.Message{Subject: events.DefinitionSubject("d").String()}
	for _, m := range []events.Message{command("b", 1), definition, definition} {
		m.Header = events.Header{
			"Nats-Expected-Last-Sequence": {"7"}, "Nats-Expected-Last-Subject-Sequence": {"7"},
			"Nats-Expected-Last-Msg-Id": {"7"}, "Nats-Expected-Stream": {"OTHER"},
		}
		if err := j.Append(t.Context(), m); err != nil {
			t.Errorf("%s: %v", m.Subject, err)
		}
	}
	if runs, definitions := load(t, j, events.AllRuns), load(t, j, definition.Subject); len(runs) != 2 || len(definitions) != 2 {
		t.Errorf("%d messages of runs and %d definitions are stored, want 2 and 2", len(runs), len(definitions))
	}
}

// TestCode10077 holds the two texts that one error code has: without them a full
// journal would look like a taken subject, and messages would be lost.
func TestCode10077(t *testing.T) {
	t.Parallel()
	const limit = 64 << 10
	r := newRig(t, broker.Config{})
	j, nc := r.open(t, jetstream.Options{Sizes: jetstream.Sizes{Runs: limit}})
	js, err := natsjs.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	large := command("large", 1)
	large.Data = make([]byte, 50<<10)
	if err := j.Append(t.Context(), large); err != nil {
		t.Fatal(err)
	}
	full := command("full", 1)
	full.Data = large.Data
	for m, text := range map[*events.Message]string{&large: "maximum messages per subject exceeded", &full: "maximum bytes exceeded"} {
		_, err := js.Publish(t.Context(), m.Subject, m.Data)
		api := new(natsjs.APIError)
		if !errors.As(err, &api) || api.ErrorCode != 10077 || !strings.Contains(api.Description, text) {
			t.Errorf("%s: the server says %v, want code 10077 and %q", m.Subject, err, text)
		}
	}
	if err := j.Append(t.Context(), large); err != nil {
		t.Errorf("taken: %v", err)
	}
	if err := j.Append(t.Context(), full); !errors.Is(err, journal.ErrFull) {
		t.Errorf("full: error is %v, want ErrFull", err)
	}
	// The same in batches, which the server refuses whole.
	var batch []events.Message
	for i := range 30 {
		m := command(fmt.Sprintf("r%d", i), 1)
		m.Data = make([]byte, 1000)
		batch = append(batch, m)
	}
	if err := j.Append(t.Context(), batch...); !errors.Is(err, journal.ErrFull) {
		t.Errorf("full for a batch: error is %v, want ErrFull", err)
	}
	if err := j.Append(t.Context(), append(batch[:0:0], batch[:3]...)...); err != nil {
		t.Errorf("what fits: %v", err)
	}
}
