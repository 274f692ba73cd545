package jetstream_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"segue/broker"
	"segue/journal/jetstream"
)

// closedPort is an address where nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // nothing was sent
	return l.Addr().String()
}

func TestConnectErrors(t *testing.T) {
	t.Parallel()
	addr := closedPort(t)
	locked := newRig(t, broker.Config{Customize: func(o *server.Options) { o.Username, o.Password = "admin", "pw" }})
	junk := filepath.Join(t.TempDir(), "junk")
	if err := os.WriteFile(junk, []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		o    jetstream.ConnectOptions
		want []string
	}{
		"nobody there":     {jetstream.ConnectOptions{URL: "nats://" + addr}, []string{addr, "is it running"}},
		"password":         {jetstream.ConnectOptions{URL: "nats://admin:hunter2@" + locked.cfg.Listen}, []string{locked.cfg.Listen, "credentials"}},
		"no password":      {jetstream.ConnectOptions{URL: locked.url()}, []string{locked.cfg.Listen, "credentials"}},
		"several":          {jetstream.ConnectOptions{URL: "nats://u:hunter2@" + addr + ", u:hunter2@" + addr}, []string{"nats://" + addr + "," + addr}},
		"not an address":   {jetstream.ConnectOptions{URL: "nats://u:hunter2@a b:c"}, []string{"nats://a b:c"}},
		"no address":       {jetstream.ConnectOptions{}, []string{"nats://127.0.0.1:4222"}},
		"half certificate": {jetstream.ConnectOptions{URL: addr, Cert: "x"}, []string{"Cert and Key"}},
		"two identities":   {jetstream.ConnectOptions{URL: addr, Creds: "x", NKey: "y"}, []string{"Creds and NKey"}},
		"no creds file":    {jetstream.ConnectOptions{URL: locked.url(), Creds: junk + "x"}, []string{junk + "x"}},
		"junk nkey file":   {jetstream.ConnectOptions{URL: locked.url(), NKey: junk}, []string{junk}},
		"no ca file":       {jetstream.ConnectOptions{URL: locked.url(), CA: junk + "y"}, []string{junk + "y"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nc, err := jetstream.Connect(t.Context(), c.o)
			if err == nil {
				nc.Close()
				t.Fatal("no error")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error is %q, want it to name %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error shows the password: %q", err)
			}
		})
	}
}

func TestConnectWaits(t *testing.T) {
	t.Parallel()
	r := newRig(t, broker.Config{})
	r.stop()
	begin := time.Now()
	if _, err := jetstream.Connect(t.Context(), jetstream.ConnectOptions{URL: r.url(), Wait: 200 * time.Millisecond}); err == nil {
		t.Error("no error")
	} else if took := time.Since(begin); took < 200*time.Millisecond {
		t.Errorf("it gave up after %v", took)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := jetstream.Connect(ctx, jetstream.ConnectOptions{URL: r.url(), Wait: time.Hour}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error is %v, want the context's", err)
	}
	connected := make(chan error, 1)
	go func() {
		nc, err := jetstream.Connect(t.Context(), jetstream.ConnectOptions{URL: r.url(), Wait: time.Minute})
		if err == nil {
			nc.Close()
		}
		connected <- err
	}()
	r.start(t)
	if err := <-connected; err != nil {
		t.Error(err)
	}
}

// TestConnectStays: once connected, the connection outlives any absence.
func TestConnectStays(t *testing.T) {
	t.Parallel()
	r := newRig(t, broker.Config{})
	nc := r.connect(t, jetstream.ConnectOptions{Log: testLog(t)})
	if nc.Opts.MaxReconnect >= 0 {
		t.Errorf("it gives up after %d attempts", nc.Opts.MaxReconnect)
	}
	back := nc.StatusChanged(nats.CONNECTED)
	r.stop()
	r.start(t)
	select {
	case <-back:
	case <-within(t, 30*time.Second).Done():
		t.Error("it did not come back")
	}
}
