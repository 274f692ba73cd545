package access

import (
	"fmt"
	"testing"
	"time"

	"segue/journal/jetstream"
)

// TestDeadWorker holds that the request of a worker that is gone swallows no
// command: through accounts, too, the broker sees that nobody listens any more.
func TestDeadWorker(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	admin := client(t, r.connect(t, "admin"))
	const next = "$JS.API.CONSUMER.MSG.NEXT." + jetstream.RunsStream + ".fetcher"
	request := []byte(`{"batch":8,"expires":30000000000,"idle_heartbeat":5000000000}`)
	others := r.server.NumClients()
	for n := range 3 {
		dead := r.connect(t, "fetcher")
		inbox, err := dead.SubscribeSync(dead.NewInbox())
		if err != nil {
			t.Fatal(err)
		}
		if err := dead.PublishRequest(next, inbox.Subject, request); err != nil {
			t.Fatal(err)
		}
		if err := dead.FlushTimeout(patience); err != nil {
			t.Fatal(err)
		}
		if _, err := dead.RequestWithContext(t.Context(), "$JS.API.CONSUMER.INFO."+jetstream.RunsStream+".fetcher", nil); err != nil {
			t.Fatal(err) // behind it the request is there
		}
		if n == 0 {
			_ = inbox.Unsubscribe() // as one that stops
			_ = dead.FlushTimeout(patience)
		}
		dead.Close() // as one that is killed
	}
	for end := time.Now().Add(patience); r.server.NumClients() > others; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d clients are still there", r.server.NumClients()-others)
		}
	}
	alive := r.connect(t, "fetcher")
	inbox, err := alive.SubscribeSync(alive.NewInbox())
	if err != nil {
		t.Fatal(err)
	}
	if err := alive.PublishRequest(next, inbox.Subject, request); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	for n := range 3 {
		publish(t, admin, fmt.Sprintf("saga.run.00.RUN.command.fetcher.fetch.%d", n+1), "{}")
	}
	for n := range 3 {
		m, err := inbox.NextMsg(10 * time.Second)
		for err == nil && m.Reply == "" { // a heartbeat
			m, err = inbox.NextMsg(10 * time.Second)
		}
		if err != nil {
			t.Fatalf("command %d did not reach the worker that lives within %v: %v", n, time.Since(begin), err)
		}
	}
}
