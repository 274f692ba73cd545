package jetstream_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"segue/broker"
	"segue/journal"
	"segue/journal/jetstream"
	"segue/journal/journaltest"
)

// testLease keeps the tests that wait for the end of a lease short.
const testLease = time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a broker that can be restarted on its address and directory.
type rig struct {
	cfg    broker.Config
	mu     sync.Mutex
	server *broker.Server
}

func newRig(t *testing.T, cfg broker.Config) *rig {
	t.Helper()
	cfg.Dir, cfg.Listen = t.TempDir(), ":0"
	r := &rig{cfg: cfg}
	r.start(t)
	r.cfg.Listen = strings.TrimPrefix(r.server.URL(), "nats://")
	t.Cleanup(r.stop)
	return r
}

func (r *rig) start(t *testing.T) {
	t.Helper()
	s, err := broker.Start(r.cfg)
	if err != nil {
		t.Fatalf("start broker: %v", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.server = s
}

func (r *rig) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.server.Shutdown()
}

func (r *rig) url() string { return "nats://" + r.cfg.Listen }

func (r *rig) connect(t *testing.T, o jetstream.ConnectOptions) *nats.Conn {
	t.Helper()
	if o.URL == "" {
		o.URL = r.url()
	}
	o.Options = append(o.Options, nats.ReconnectWait(20*time.Millisecond), nats.ReconnectJitter(0, 0))
	nc, err := jetstream.Connect(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func (r *rig) open(t *testing.T, o jetstream.Options) (*jetstream.Journal, *nats.Conn) {
	t.Helper()
	nc := r.connect(t, jetstream.ConnectOptions{})
	if o.Lease == 0 {
		o.Lease = testLease
	}
	j, err := jetstream.Open(t.Context(), nc, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(j.Close)
	return j, nc
}

// testLog sends a log to the test's.
func testLog(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(logWriter{t}, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

type logWriter struct{ t *testing.T }

func (w logWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

func TestConformance(t *testing.T) {
	t.Parallel()
	var rigs, conns sync.Map // of journals
	open := func(t *testing.T, r *rig, o jetstream.Options) journal.Journal {
		j, nc := r.open(t, o)
		rigs.Store(j, r)
		conns.Store(j, nc)
		return j
	}
	journaltest.Factory{
		Lease: testLease,
		Open: func(t *testing.T) journal.Journal {
			return open(t, newRig(t, broker.Config{}), jetstream.Options{})
		},
		OpenLimited: func(t *testing.T, n int64) journal.Journal {
			sizes := jetstream.Sizes{Runs: n, Starts: n, Rejected: n, History: n, Definitions: n, Data: n, Documents: n}
			return open(t, newRig(t, broker.Config{}), jetstream.Options{Sizes: sizes})
		},
		Peer: func(t *testing.T, j journal.Journal) journal.Journal {
			r, _ := rigs.Load(j)
			return open(t, r.(*rig), jetstream.Options{})
		},
		Kill: func(_ *testing.T, j journal.Journal) {
			nc, _ := conns.Load(j)
			nc.(*nats.Conn).Close()
		},
		Restart: func(t *testing.T, j journal.Journal) {
			r, _ := rigs.Load(j)
			r.(*rig).stop()
			r.(*rig).start(t)
		},
	}.Run(t)
}

// within returns a context for what should take no time.
func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
