package fetch

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"segue/document"
	"segue/participant"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var loopback = netip.MustParsePrefix("127.0.0.0/8")

// broken is a document.Store that does not answer.
type broken struct{ document.Store }

func (broken) Create(context.Context, string, io.Reader) (document.Ref, error) {
	return document.Ref{}, io.ErrClosedPipe
}

// sink is a document.Store that hashes and forgets, for documents that would
// not fit in memory.
type sink struct{ document.Store }

func (sink) Create(_ context.Context, name string, r io.Reader) (document.Ref, error) {
	h := sha256.New()
	n, err := io.Copy(h, r)
	return document.Ref{Name: name, SHA256: hex.EncodeToString(h.Sum(nil)), Size: n}, err
}

// newFetcher makes a fetcher that may reach the loopback, and its store.
func newFetcher(t testing.TB, cfg Config) (*Fetcher, *document.Memory) {
	t.Helper()
	b := document.NewMemory("TEST")
	return newFetcherTo(t, cfg, b), b
}

func newFetcherTo(t testing.TB, cfg Config, docs document.Store) *Fetcher {
	t.Helper()
	cfg.AllowNets = append(cfg.AllowNets, loopback)
	f, err := NewFetcher(cfg, docs)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func fetchURL(ctx context.Context, f *Fetcher, url string) (document.Document, error) {
	out, err := f.Fetch(ctx, participant.Command[Input]{Run: "run", Step: "fetch", Attempt: 1, Input: Input{URL: url}})
	return out.Document, err
}

// serve starts a web server on the loopback.
func serve(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// serveHTTP2 starts a web server that speaks HTTP/2, and has a fetcher trust it.
func serveHTTP2(t testing.TB, f *Fetcher, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	f.transport.TLSClientConfig = s.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	return s.URL
}

// serveRaw starts a server that reads a request and leaves the answer to h. The
// connection is closed when h returns.
func serveRaw(t testing.TB, h func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				r := textproto.NewReader(bufio.NewReader(c))
				for line := "-"; line != "" && err == nil; {
					line, err = r.ReadLine()
				}
				h(c)
			})
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return "http://" + l.Addr().String()
}

// serveText is serveRaw with a fixed answer.
func serveText(t testing.TB, answer string) string {
	return serveRaw(t, func(c net.Conn) { io.WriteString(c, answer) })
}

// untilClosed waits for the other side of a connection to go away.
func untilClosed(c net.Conn) { io.Copy(io.Discard, c) }

// wantFailure checks an error against a code of the package documentation.
func wantFailure(t testing.TB, err error, code string, permanent bool, parts ...string) *participant.Error {
	t.Helper()
	var e *participant.Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %T (%v), want a *participant.Error with code %s", err, err, code)
	}
	if e.Code != code || e.Permanent != permanent {
		t.Errorf("failure has code %q, permanent %v; want %q, %v: %v", e.Code, e.Permanent, code, permanent, err)
	}
	if e.Unknown {
		t.Errorf("failure leaves open what was done: %v", err)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("message lacks %q: %v", p, err)
		}
	}
	return e
}

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// text returns what a document holds.
func text(t testing.TB, docs document.Store, doc document.Document) string {
	t.Helper()
	data, err := document.ReadAll(context.Background(), docs, doc.Ref)
	if err != nil {
		t.Error(err)
	}
	return string(data)
}

// quiet is the log of a server whose clients are meant to fail.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }
