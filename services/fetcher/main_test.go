package main

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	natsjs "github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"segue/broker"
	"segue/daemon"
	"segue/document"
	"segue/participant"
	"segue/services/fetcher/fetch"
	"segue/services/fetcher/turns"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server.(*Server).Start"))
}

// start gives a fetcher with a broker of its own, as the program has it.
func start(t *testing.T, config fetch.Config) (*fetch.Fetcher, *daemon.Bus) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	server, err := broker.Start(broker.Config{Dir: t.TempDir(), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	bus, err := daemon.Embedded(t.Context(), server, log, []string{fetch.ServiceName}, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bus.Close)
	board, err := turns.Open(t.Context(), bus.Conn)
	if err != nil {
		t.Fatal(err)
	}
	config.Board, config.Objects = board, bus.Objects
	f, err := fetch.NewFetcher(config, bus.Documents)
	if err != nil {
		t.Fatal(err)
	}
	return f, bus
}

func command(url string, known *fetch.Known) participant.Command[fetch.Input] {
	return participant.Command[fetch.Input]{Run: "run", Step: "fetch", Attempt: 1, Input: fetch.Input{URL: url, Known: known}}
}

// TestObjectSource fetches what another program has put into an object store of
// the broker, as `nats object put` does.
func TestObjectSource(t *testing.T) {
	t.Parallel()
	f, bus := start(t, fetch.Config{AllowBuckets: []string{"INBOX"}})
	js, err := natsjs.New(bus.Conn)
	if err != nil {
		t.Fatal(err)
	}
	inbox, err := js.CreateObjectStore(t.Context(), natsjs.ObjectStoreConfig{Bucket: "INBOX"})
	if err != nil {
		t.Fatal(err)
	}
	data := bytes.Repeat([]byte("id,name\n"), 100_000)
	if _, err := inbox.PutBytes(t.Context(), "in/list.csv", data); err != nil {
		t.Fatal(err)
	}
	out, err := f.Fetch(t.Context(), command("nats-object://INBOX/in/list.csv", nil))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := document.ReadAll(t.Context(), bus.Documents, out.Document.Ref); err != nil || !bytes.Equal(got, data) || out.Document.MediaType != "text/csv" {
		t.Errorf("%d bytes of %s, %v", len(got), out.Document.MediaType, err)
	}
	var failed *participant.Error
	if _, err := f.Fetch(t.Context(), command("nats-object://INBOX/none", nil)); !errors.As(err, &failed) || failed.Code != fetch.CodeNotFound {
		t.Errorf("an object that is not there: %v", err)
	}
}

// TestTwiceInTheBroker holds with the real store that an attempt that is made twice
// leaves the first document, and that what is unchanged leaves nothing.
func TestTwiceInTheBroker(t *testing.T) {
	t.Parallel()
	version := 0
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, "version %d", version) }))
	t.Cleanup(origin.Close)
	f, bus := start(t, fetch.Config{AllowNets: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	first, err := f.Fetch(t.Context(), command(origin.URL, nil))
	if err != nil {
		t.Fatal(err)
	}
	version++
	var failed *participant.Error
	if _, err := f.Fetch(t.Context(), command(origin.URL, nil)); !errors.As(err, &failed) || failed.Code != fetch.CodeChanged || failed.Permanent {
		t.Errorf("another document the second time: %v", err)
	}
	if got, err := document.ReadAll(t.Context(), bus.Documents, first.Document.Ref); err != nil || string(got) != "version 0" {
		t.Errorf("the first document is %q now, %v", got, err)
	}
	version = 0
	c := command(origin.URL, &fetch.Known{SHA256: first.Document.SHA256})
	c.Attempt = 2
	if out, err := f.Fetch(t.Context(), c); err != nil || !out.Unchanged {
		t.Errorf("what is known: %+v, %v", out, err)
	}
	if _, err := bus.Documents.Stat(t.Context(), document.Name("run", "fetch", 2)); !errors.Is(err, document.ErrNotFound) {
		t.Errorf("an unchanged document was stored: %v", err)
	}
}
