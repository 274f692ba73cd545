package access

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats.go"

	"segue/journal/jetstream"
)

// TestReload holds that a broker takes over what is written anew while it runs: a
// service that is added gets in, a key that was rotated does not, and everybody else
// stays connected and goes on.
func TestReload(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	stays, leaves := r.connect(t, "fetcher"), r.connect(t, "caller")
	old := filepath.Join(r.dir, "caller", SeedFile)
	copyOf := filepath.Join(t.TempDir(), SeedFile)
	seed, err := read(old)
	if err == nil {
		err = replace(copyOf, seed, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	cut := make(chan struct{})
	leaves.SetDisconnectErrHandler(func(*nats.Conn, error) { close(cut) })
	mustInit(t, Setup{Dir: r.dir, Services: Services{"scan": ReadDocuments}, Rotate: []string{"caller"}})
	if err := r.server.Reload(); err != nil {
		t.Fatalf("take the configuration over: %v", err)
	}
	<-cut
	leaves.Close()
	_, err = jetstream.Connect(t.Context(), jetstream.ConnectOptions{URL: r.url, NKey: copyOf})
	if !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("with the old key: %v, want %v", err, nats.ErrAuthorization)
	}
	r.connect(t, "caller")
	scan := r.connect(t, "scan")
	for _, nc := range []*nats.Conn{stays, scan} {
		if _, err := nc.Request("$JS.API.STREAM.INFO.OBJ_SAGA_DOCUMENTS", nil, patience); err != nil {
			t.Errorf("request after the change: %v", err)
		}
	}
	if n := stays.Stats().Reconnects; n != 0 {
		t.Errorf("a client that has nothing to do with it was cut off %d times", n)
	}
}
