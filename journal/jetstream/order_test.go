package jetstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

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
