package jetstream_test

import (
	"testing"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"segue/broker"
	"segue/journal/jetstream"
)

// TestDeclareQueues: queues of services that become known later are there once they
// are declared, and stay as they are when that is done again.
func TestDeclareQueues(t *testing.T) {
	t.Parallel()
	r := newRig(t, broker.Config{})
	j, nc := r.open(t, jetstream.Options{Log: testLog(t), Services: []string{"early"}})
	js, err := natsjs.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.Consumer(t.Context(), jetstream.RunsStream, "late"); err == nil {
		t.Fatal("the queue is there already")
	}
	for range 2 {
		if err := j.DeclareQueues(t.Context(), []string{"early", "late"}); err != nil {
			t.Fatal(err)
		}
	}
	for _, service := range []string{"early", "late"} {
		c, err := js.Consumer(t.Context(), jetstream.RunsStream, service)
		if err != nil {
			t.Fatal(err)
		}
		if want := "saga.run.*.*.command." + service + ".>"; c.CachedInfo().Config.FilterSubject != want {
			t.Errorf("queue %s has filter %s, want %s", service, c.CachedInfo().Config.FilterSubject, want)
		}
	}
}
