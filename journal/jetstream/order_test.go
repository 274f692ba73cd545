package jetstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"segue/events"
	"segue/journal"
)

// TestMissingKeepsOrder: what has to be sent again keeps its order, and an error
// that nothing can mend is not hidden by one of the moment.
func TestMissingKeepsOrder(t *testing.T) {
	t.Parallel()
	var messages []*nats.Msg
	for i := range 5 {
		messages = append(messages, nats.NewMsg(fmt.Sprint(i)))
	}
	lost := nats.ErrTimeout
	left, err := missing(messages, []error{lost, nil, lost, journal.ErrTooLarge, nil})
	var got []string
	for _, m := range left {
		got = append(got, m.Subject)
	}
	if want := []string{"0", "2", "3"}; !slices.Equal(got, want) || !errors.Is(err, journal.ErrTooLarge) {
		t.Errorf("left are %v with error %v, want %v with ErrTooLarge", got, err, want)
	}
	if left, err := missing(messages, make([]error, len(messages))); len(left) != 0 || err != nil {
		t.Errorf("left are %d with error %v where all are stored", len(left), err)
	}
}

// TestReaderSeesGap: a message that does not follow the last one is not delivered:
// the reader begins again behind the last.
func TestReaderSeesGap(t *testing.T) {
	t.Parallel()
	r := &reader{name: "c", release: func() {}, asked: 10}
	take := func(stream, consumer int) string {
		m := nats.NewMsg("saga.run.00.x.started")
		m.Sub = new(nats.Subscription)
		m.Reply = fmt.Sprintf("$JS.ACK.SAGA_RUNS.c.1.%d.%d.1700000000000000000.0", stream, consumer)
		record, some, err := r.take(context.Background(), m)
		return strings.TrimSpace(fmt.Sprintln(record.Sequence, some, err))
	}
	for i, want := range []string{"7 true <nil>", "9 true <nil>"} {
		if got := take(7+2*i, 1+i); got != want {
			t.Fatalf("message %d is taken as %s, want %s", 1+i, got, want)
		}
	}
	if got := take(13, 4); got != "0 false <nil>" || r.name != "" || r.last != 9 {
		t.Errorf("behind a gap there is %s, and the reader is at %d with consumer %q; want it dropped at 9", got, r.last, r.name)
	}
}

// TestHandOver: a feed goes over to the reading of all partitions when it has met it,
// whichever of the two is ahead, and misses and repeats nothing.
func TestHandOver(t *testing.T) {
	t.Parallel()
	w := &wide{lanes: make(map[string][]*lane)}
	record := func(sequence uint64) journal.Record {
		return journal.Record{Message: events.Message{Subject: "saga.run.07.x.started"}, Sequence: sequence}
	}
	for name, c := range map[string]struct {
		before []uint64 // what the reading of all brings while the feed reads by itself
		last   uint64   // what the feed has read then
		meets  bool
		behind []uint64 // what it still has to take
		after  []uint64 // what the reading of all brings then
		want   []uint64 // what the feed gets of that
	}{
		"nothing put by":   {nil, 5, false, nil, nil, nil},
		"the feed behind":  {[]uint64{6, 7, 8}, 5, false, []uint64{6, 7, 8}, []uint64{9}, nil},
		"they meet":        {[]uint64{6, 7, 8}, 6, true, []uint64{7, 8}, nil, nil},
		"the feed ahead":   {[]uint64{6}, 8, true, nil, []uint64{7, 8, 9}, []uint64{9}},
		"both at one":      {[]uint64{6}, 6, true, nil, []uint64{7, 8}, []uint64{7, 8}},
		"other partitions": {[]uint64{6, 7}, 7, true, nil, []uint64{8}, []uint64{8}},
	} {
		f := &feed{records: make(chan journal.Record, buffered)}
		l := &lane{feed: f, token: "07", cut: make(chan struct{})}
		w.lanes = map[string][]*lane{"07": {l}}
		for _, sequence := range c.before {
			w.sort(t.Context(), record(sequence))
			w.sort(t.Context(), journal.Record{Message: events.Message{Subject: "saga.run.08.y.started"}, Sequence: sequence})
		}
		if got := w.meets(l, c.last); got != c.meets {
			t.Errorf("%s: meets is %v, want %v", name, got, c.meets)
		}
		if got := sequences(w.board(l, c.last)); !slices.Equal(got, c.behind) {
			t.Errorf("%s: behind it are %v, want %v", name, got, c.behind)
		}
		for _, sequence := range c.after {
			w.sort(t.Context(), record(sequence))
		}
		var got []journal.Record
		for len(f.records) > 0 {
			got = append(got, <-f.records)
		}
		if !slices.Equal(sequences(got), c.want) {
			t.Errorf("%s: the feed gets %v, want %v", name, sequences(got), c.want)
		}
	}
}

func sequences(records []journal.Record) (list []uint64) {
	for _, r := range records {
		list = append(list, r.Sequence)
	}
	return list
}

// TestRequestsEndTogether: places that are asked for come back although the broker has
// lost a request and answers later ones.
func TestRequestsEndTogether(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	at := func(d time.Duration) time.Time { return begin.Add(d) }
	p := &pull{work: &work{queue: journal.Queue{Limit: 8}}}
	for name, c := range map[string]struct {
		asked, free int
		now         time.Duration
		wants, lost bool
	}{
		"nothing is free":               {asked: 8, now: time.Second},
		"nothing is asked for":          {free: 1, now: time.Second, wants: true},
		"too little to ask for":         {asked: 7, free: 1, now: time.Second},
		"enough to ask for":             {asked: 6, free: 2, now: time.Second, wants: true},
		"enough, but the end is near":   {asked: 6, free: 2, now: pullExpires - minExpires/2},
		"the broker's word is awaited":  {asked: 6, free: 2, now: pullExpires + time.Second},
		"it does not come":              {asked: 6, free: 2, now: pullExpires + pullHeartbeat + time.Second, lost: true},
		"all was accounted for in time": {free: 8, now: 2 * pullExpires, wants: true},
	} {
		p.asked, p.free, p.end = c.asked, c.free, at(pullExpires)
		if wants, lost := p.wants(at(c.now)), p.lost(at(c.now)); wants != c.wants || lost != c.lost {
			t.Errorf("%s: wants is %v and lost %v, want %v and %v", name, wants, lost, c.wants, c.lost)
		}
	}
}
