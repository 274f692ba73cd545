package jetstream_test

import (
	"fmt"
	"testing"

	"segue/broker"
	"segue/events"
	"segue/journal/jetstream"
)

// TestWithdraw holds that one rejection leaves, that no other does, and that its
// place is free then.
func TestWithdraw(t *testing.T) {
	t.Parallel()
	j, _ := newRig(t, broker.Config{}).open(t, jetstream.Options{})
	message := func(start, text string) events.Message {
		s := events.Subject{Kind: events.KindRejected, Definition: "a", Start: start}
		return events.Message{Subject: s.String(), Data: []byte(text)}
	}
	if err := j.Append(t.Context(), message("one", "1"), message("two", "2")); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time it is not there
		if err := j.Withdraw(t.Context(), events.Subject{Kind: events.KindRejected, Definition: "a", Start: "one"}); err != nil {
			t.Fatal(err)
		}
	}
	if left := load(t, j, events.AllRejected); len(left) != 1 || string(left[0].Data) != "2" {
		t.Errorf("left is %v, want the second", left)
	}
	if err := j.Append(t.Context(), message("one", "3")); err != nil {
		t.Fatal(err)
	}
	if left := load(t, j, events.AllRejected); len(left) != 2 || string(left[1].Data) != "3" {
		t.Errorf("there is %v, want the new rejection, too", left)
	}
	for _, s := range []events.Subject{
		{Kind: events.KindRejected, Definition: "*", Start: "*"},
		{Kind: events.KindRejected, Definition: "a", Start: ""},
		events.RunSubject(events.KindStarted, "run", 16),
		events.StartSubject("a"),
	} {
		if err := j.Withdraw(t.Context(), s); err == nil {
			t.Errorf("withdrawing %q is no error", s)
		}
	}
	if left := load(t, j, events.AllRejected); len(left) != 2 {
		t.Errorf("%d rejections are left, want 2", len(left))
	}
}

// TestLastArchived is 0 at first, then where the history ends.
func TestLastArchived(t *testing.T) {
	t.Parallel()
	j, _ := newRig(t, broker.Config{}).open(t, jetstream.Options{})
	for want := range uint64(3) {
		if last, err := j.LastArchived(t.Context()); err != nil || last != want {
			t.Fatalf("the history ends at %d, error %v, want %d", last, err, want)
		}
		if err := j.Append(t.Context(), events.Message{Subject: events.HistorySubject("a", "completed", fmt.Sprint(want)).String()}); err != nil {
			t.Fatal(err)
		}
	}
}
