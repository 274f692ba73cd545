package jetstream_test

import (
	"testing"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"segue/broker"
	"segue/events"
	"segue/journal/jetstream"
)

// A journal of an earlier release denies that single messages are deleted, and
// that can never be taken back. Runs leave it all the same.
func TestPurgeWhereDeletingIsDenied(t *testing.T) {
	t.Parallel()
	r := newRig(t, broker.Config{})
	js, err := natsjs.New(r.connect(t, jetstream.ConnectOptions{}))
	if err != nil {
		t.Fatal(err)
	}
	_, err = js.CreateStream(t.Context(), natsjs.StreamConfig{
		Name: jetstream.RunsStream, Subjects: []string{events.AllRuns}, Metadata: map[string]string{jetstream.MetaPartitions: "16"},
		MaxMsgsPerSubject: 1, Discard: natsjs.DiscardNew, DiscardNewPerSubject: true, DenyDelete: true, AllowDirect: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	j, _ := r.open(t, jetstream.Options{})
	if err := j.Append(t.Context(), command("a", 1), command("a", 2), command("b", 1)); err != nil {
		t.Fatal(err)
	}
	if err := j.Purge(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if got := load(t, j, events.AllRuns); len(got) != 1 || got[0].Subject != command("b", 1).Subject {
		t.Errorf("the journal holds %v, want run b alone", got)
	}
}
