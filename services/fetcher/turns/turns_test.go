package turns_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"segue/broker"
	"segue/document"
	"segue/journal/jetstream"
	"segue/participant"
	"segue/services/fetcher/fetch"
	"segue/services/fetcher/turns"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server.(*Server).Start"))
}

// serve starts a broker with what Segue declares on it.
func serve(t *testing.T, declare bool) func() *nats.Conn {
	t.Helper()
	server, err := broker.Start(broker.Config{Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	connect := func() *nats.Conn {
		nc, err := server.Connect()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		return nc
	}
	if declare {
		js, err := natsjs.New(connect())
		if err == nil {
			err = jetstream.Declare(t.Context(), js, jetstream.Options{})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return connect
}

func open(t *testing.T, nc *nats.Conn) *turns.Board {
	t.Helper()
	b, err := turns.Open(t.Context(), nc)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A board in the broker does what the documentation of fetch.Board says.
func TestBoard(t *testing.T) {
	t.Parallel()
	if turns.Bucket != jetstream.HostsBucket {
		t.Fatalf("the bucket is %s, declared is %s", turns.Bucket, jetstream.HostsBucket)
	}
	connect := serve(t, true)
	nc := connect()
	one, two := open(t, nc), open(t, connect())
	for _, host := range []string{"example.org:443", "EXAMPLE.net:80", "[::1]:80", "a..b:80", ".a:80", "a b:80", "*:80", ">:80", "münchen.example:80", strings.Repeat("a", 290) + ":80", strings.Repeat("a", 10_000) + ":80", strings.Repeat("é", 4000), ""} {
		note, revision, err := one.Read(t.Context(), host)
		if note != nil || revision != 0 || err != nil {
			t.Fatalf("%q: nothing is there: %q, %d, %v", host, note, revision, err)
		}
		if err := one.Write(t.Context(), host, []byte("first"), 0); err != nil {
			t.Fatalf("%q: write: %v", host, err)
		}
		if err := two.Write(t.Context(), host, []byte("other"), 0); !errors.Is(err, fetch.ErrRaced) {
			t.Errorf("%q: write what is there: %v", host, err)
		}
		note, revision, err = two.Read(t.Context(), strings.ToUpper(host))
		if string(note) != "first" || err != nil {
			t.Errorf("%q: read: %q, %v", host, note, err)
		}
		if err := two.Write(t.Context(), host, []byte("second"), revision); err != nil {
			t.Errorf("%q: replace: %v", host, err)
		}
		if err := one.Write(t.Context(), host, []byte("late"), revision); !errors.Is(err, fetch.ErrRaced) {
			t.Errorf("%q: replace what was replaced: %v", host, err)
		}
		if note, _, err := one.Read(t.Context(), host); string(note) != "second" || err != nil {
			t.Errorf("%q: read: %q, %v", host, note, err)
		}
	}
	// An operator deletes a key by hand.
	js, _ := natsjs.New(nc)
	kv, err := js.KeyValue(t.Context(), turns.Bucket)
	if err == nil {
		err = kv.Delete(t.Context(), "example.org/443")
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, revision, err := one.Read(t.Context(), "example.org:443"); revision != 0 || err != nil {
		t.Errorf("a deleted key has revision %d, %v", revision, err)
	}
	if err := one.Write(t.Context(), "example.org:443", []byte("again"), 0); err != nil {
		t.Errorf("write after a deletion: %v", err)
	}
	before := time.Now()
	now, err := one.Now(t.Context())
	if off := now.Sub(before); err != nil || off < -time.Second || off > time.Second {
		t.Errorf("the time is off by %v, %v", off, err)
	}
	if later, err := one.Now(t.Context()); err != nil || later.Before(now) {
		t.Errorf("time goes backwards: %v, %v", later.Sub(now), err)
	}
}

func TestOpenWithoutBucket(t *testing.T) {
	t.Parallel()
	_, err := turns.Open(t.Context(), serve(t, false)())
	if err == nil || !strings.Contains(err.Error(), "start an orchestrator") {
		t.Errorf("got %v", err)
	}
}

// origin counts the requests that it works on at a time.
type origin struct {
	active, peak atomic.Int64
	requests     atomic.Int64
}

func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.requests.Add(1)
	n := o.active.Add(1)
	defer o.active.Add(-1)
	for peak := o.peak.Load(); n > peak && !o.peak.CompareAndSwap(peak, n); peak = o.peak.Load() {
	}
	time.Sleep(10 * time.Millisecond) // work
	fmt.Fprint(w, r.URL.Path)
}

// replicas fetches with several fetchers at a time, each with its own connection.
func replicas(t *testing.T, connect func() *nats.Conn, url string, fetchers, each int, cfg fetch.Config) (took time.Duration) {
	t.Helper()
	cfg.AllowNets = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	var all sync.WaitGroup
	begin := time.Now()
	for r := range fetchers {
		cfg := cfg
		cfg.Board = open(t, connect())
		f, err := fetch.NewFetcher(cfg, document.NewMemory("TEST"))
		if err != nil {
			t.Fatal(err)
		}
		for i := range each {
			all.Go(func() {
				in := fetch.Input{URL: fmt.Sprintf("%s/%d/%d", url, r, i)}
				c := participant.Command[fetch.Input]{Run: fmt.Sprint(r, i), Step: "fetch", Attempt: 1, Input: in}
				if _, err := f.Fetch(t.Context(), c); err != nil {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	return time.Since(begin)
}

// However many fetchers there are, a host sees no more requests at a time than it may.
func TestPerHostHoldsAcrossReplicas(t *testing.T) {
	t.Parallel()
	connect := serve(t, true)
	for perHost, want := range map[int]func(peak int64) bool{
		2:  func(peak int64) bool { return peak <= 2 },
		-1: func(peak int64) bool { return peak > 2 }, // else the test shows nothing
	} {
		var o origin
		s := httptest.NewServer(&o)
		took := replicas(t, connect, s.URL, 4, 8, fetch.Config{PerHost: perHost, TurnWait: time.Minute})
		s.Close()
		t.Logf("per host %d: 32 fetches by 4 fetchers in %v, at most %d at a time", perHost, took.Round(time.Millisecond), o.peak.Load())
		if peak := o.peak.Load(); !want(peak) || o.requests.Load() != 32 {
			t.Errorf("per host %d: %d requests, up to %d at a time", perHost, o.requests.Load(), peak)
		}
	}
}

// However many fetchers there are, a host sees no more requests a second than it may.
func TestHostRateHoldsAcrossReplicas(t *testing.T) {
	t.Parallel()
	connect := serve(t, true)
	var o origin
	s := httptest.NewServer(&o)
	defer s.Close()
	const requests, rate, slack = 20, 20, 20 * time.Millisecond // fetchers agree on the time but for their way to the broker
	begin := time.Now()
	replicas(t, connect, s.URL, 4, requests/4, fetch.Config{PerHost: -1, HostRate: rate, TurnWait: time.Minute})
	// The first starts at once, the last when the others have had their part of a second.
	if took, least := time.Since(begin), (requests-1)*time.Second/rate-slack; took < least {
		t.Errorf("%d requests at %d a second took %v, want at least %v", requests, rate, took, least)
	}
	host := strings.TrimPrefix(s.URL, "http://")
	note, _, err := open(t, connect()).Read(t.Context(), host)
	var v struct{ Next int64 }
	if err == nil {
		err = json.Unmarshal(note, &v)
	}
	if least := begin.Add((requests - 1) * time.Second / rate).UnixMicro(); err != nil || v.Next < least {
		t.Errorf("the next request may start at %d, want %d or later (%v)", v.Next, least, err)
	}
}

// A turn of a fetcher that is gone is free when its lease is over.
func TestDeadFetcherLeavesItsTurn(t *testing.T) {
	t.Parallel()
	connect := serve(t, true)
	var o origin
	s := httptest.NewServer(&o)
	defer s.Close()
	b := open(t, connect())
	now, err := b.Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const left = 300 * time.Millisecond
	note := fmt.Appendf(nil, `{"turns": {"dead/1": %d}}`, now.Add(left).UnixMicro())
	if err := b.Write(t.Context(), strings.TrimPrefix(s.URL, "http://"), note, 0); err != nil {
		t.Fatal(err)
	}
	if took := replicas(t, connect, s.URL, 1, 1, fetch.Config{PerHost: 1}); took < left/2 {
		t.Errorf("the turn was taken after %v, while it was held", took)
	}
}

// What a turn costs: two writes on the board, each with a sync on the broker's disk.
func BenchmarkFetchTurn(b *testing.B) {
	server, err := broker.Start(broker.Config{Dir: b.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer server.Shutdown()
	nc, err := server.Connect()
	if err != nil {
		b.Fatal(err)
	}
	defer nc.Close()
	js, err := natsjs.New(nc)
	if err == nil {
		err = jetstream.Declare(b.Context(), js, jetstream.Options{})
	}
	board, openErr := turns.Open(b.Context(), nc)
	if err := errors.Join(err, openErr); err != nil {
		b.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") }))
	defer s.Close()
	for name, cfg := range map[string]fetch.Config{"none": {PerHost: -1}, "memory": {PerHost: 8}, "broker": {PerHost: 8, Board: board}} {
		b.Run(name, func(b *testing.B) {
			cfg.AllowNets = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
			f, err := fetch.NewFetcher(cfg, document.NewMemory("TEST"))
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				c := participant.Command[fetch.Input]{Run: "run", Step: "fetch", Attempt: 1, Input: fetch.Input{URL: s.URL}}
				if _, err := f.Fetch(b.Context(), c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
