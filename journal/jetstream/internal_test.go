package jetstream

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"segue/events"
	"segue/journal"
)

// TestMembersCount goes through the lives of members by a clock of its own.
func TestMembersCount(t *testing.T) {
	t.Parallel()
	begin := time.Unix(1_000_000, 0)
	m := &members{id: "me", seen: map[string]sign{"me": {at: begin}}}
	at := func(fifths float64) time.Time { // of the time to live
		return begin.Add(time.Duration(fifths * float64(journal.MemberTTL) / 5))
	}
	heard := func(id string, fifths float64) {
		m.saw(journal.Record{Message: events.Message{Subject: membersPrefix + id}}, at(fifths))
	}
	want := func(what, ids string) {
		t.Helper()
		if got := strings.Join(slices.Sorted(maps.Keys(m.seen)), " "); got != ids {
			t.Fatalf("%s: the members are %q, want %q", what, got, ids)
		}
	}
	heard("a", 0)
	heard("b", 1)
	want("two came", "a b me")
	heard("me", 4)
	heard("b", 4)
	m.count(at(4.9))
	want("all have been heard of in time", "a b me")
	m.count(at(5.1))
	want("a has been silent", "b me")

	m.count(at(9.5))
	want("not even our own signs come back: silence says nothing", "b me")
	m.count(at(600))
	want("still", "b me")
	heard("me", 600)
	m.count(at(600.1))
	want("the others need time to be heard again", "b me")
	heard("me", 602)
	m.count(at(604.9))
	want("b has time left", "b me")
	m.count(at(605.1))
	want("b was not heard again", "me")

	heard("c", 606)
	gone := journal.Record{Message: events.Message{Subject: membersPrefix + "c", Header: events.Header{kvOperation: {kvDelete}}}}
	m.saw(gone, at(606.1))
	want("c left", "me")
	gone.Subject = membersPrefix + "me"
	m.saw(gone, at(606.2))
	want("an operator deleted our key: we are alive all the same", "me")
}

func TestBackoffGrowsAndIsBounded(t *testing.T) {
	t.Parallel()
	var b backoff
	done, cancel := context.WithCancel(t.Context())
	cancel()
	last := time.Duration(0)
	for range 20 {
		if err := b.sleep(done); err == nil {
			t.Fatal("it slept though the context is done")
		}
		if b.last < last || b.last > maxPause {
			t.Fatalf("pause %v after %v", b.last, last)
		}
		last = b.last
	}
	if last != maxPause {
		t.Errorf("the pause ends at %v, want %v", last, maxPause)
	}
}

func TestRedact(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"nats://127.0.0.1:4222":                "nats://127.0.0.1:4222",
		"nats://u:p@h:1":                       "nats://h:1",
		"u:p@h:1":                              "h:1",
		"tls://token@h":                        "tls://h",
		"nats://u:p@ss@h:1, nats://u:p@h:2,h3": "nats://h:1,nats://h:2,h3",
		"wss://u:p@h/path":                     "wss://h/path",
	} {
		if got := redact(in); got != want {
			t.Errorf("redact(%q) is %q, want %q", in, got, want)
		}
	}
}

func TestPayloadIsTheWiresSize(t *testing.T) {
	t.Parallel()
	m := &nats.Msg{Header: map[string][]string{"A": {"1", "22"}, "Bb": {""}}, Data: []byte("data")}
	// "NATS/1.0\r\n" "A: 1\r\n" "A: 22\r\n" "Bb: \r\n" "\r\n" "data"
	if got, want := payload(m), int64(10+6+7+6+2+4); got != want {
		t.Errorf("payload is %d, want %d", got, want)
	}
}

// stuckStream takes out the first of its messages and no other.
type stuckStream struct {
	jetstream.Stream
	mu    sync.Mutex
	first uint64
	asked []uint64
}

var errStuck = errors.New("stuck")

func (s *stuckStream) DeleteMsg(_ context.Context, sequence uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, sequence)
	if sequence != s.first {
		return errStuck
	}
	return nil
}

// What is left of a run that could not be taken out whole begins without its start.
func TestStartOfARunLeavesFirst(t *testing.T) {
	t.Parallel()
	records := make([]journal.Record, 40)
	for i := range records {
		records[i].Sequence = uint64(10 + i)
	}
	s := &stuckStream{first: 10}
	if err := deleteMessages(t.Context(), s, records); !errors.Is(err, errStuck) || len(s.asked) < 2 || s.asked[0] != 10 {
		t.Errorf("asked to take out %v, with the error %v", s.asked, err)
	}
	s = &stuckStream{first: 1}
	if err := deleteMessages(t.Context(), s, records); !errors.Is(err, errStuck) || len(s.asked) != 1 {
		t.Errorf("the start was not taken out, but %v were tried, with the error %v", s.asked, err)
	}
}
