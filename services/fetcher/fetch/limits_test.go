package fetch

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestFetchMaxDocument(t *testing.T) {
	t.Parallel()
	const limit = 100_000
	endless := func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			w.Write(sample(8 << 10))
		}
	}
	exact := func(n int, declare bool) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if declare {
				w.Header().Set("Content-Length", fmt.Sprint(n))
			} else {
				w.(http.Flusher).Flush()
			}
			w.Write(make([]byte, n))
		}
	}
	coded := func(n int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(encode(t, sample(n), "gzip"))
		}
	}
	for name, c := range map[string]struct {
		serve http.HandlerFunc
		fits  bool
	}{
		"endless":           {endless, false},
		"exact, declared":   {exact(limit, true), true},
		"exact":             {exact(limit, false), true},
		"one more":          {exact(limit+1, false), false},
		"one more declared": {exact(limit+1, true), false},
		"decoded, exact":    {coded(limit), true},
		"decoded, one more": {coded(limit + 1), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, docs := newFetcher(t, Config{MaxDocument: limit})
			doc, err := fetchURL(t.Context(), f, serve(t, c.serve))
			if c.fits {
				if err != nil || doc.Size != limit {
					t.Errorf("got %d bytes, %v", doc.Size, err)
				}
				return
			}
			wantFailure(t, err, CodeTooLarge, true, "over 100000 bytes", "--max-document")
			if len(docs.Names()) != 0 {
				t.Error("a document was left behind")
			}
		})
	}
}

// What is announced to be too large is not waited for.
func TestFetchAnnouncedTooLarge(t *testing.T) {
	t.Parallel()
	url := serveRaw(t, func(c net.Conn) {
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
		untilClosed(c)
	})
	f, _ := newFetcher(t, Config{})
	_, err := fetchURL(within(t, 10*time.Second), f, url)
	wantFailure(t, err, CodeTooLarge, true)
}

// A fetcher without work holds no connection.
func TestFetchLeavesNoConnection(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{}, 1)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			closed <- struct{}{}
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	f, _ := newFetcher(t, Config{})
	if _, err := fetchURL(t.Context(), f, s.URL); err != nil {
		t.Fatal(err)
	}
	select {
	case <-closed:
	case <-time.After(10 * time.Second):
		t.Error("the connection is still open")
	}
}

// Servers that are slow, silent or never done.
func TestFetchPatience(t *testing.T) {
	t.Parallel()
	short := 80 * time.Millisecond
	for name, c := range map[string]struct {
		cfg    Config
		answer func(net.Conn)
		code   string
		part   string
	}{
		"silent body": {Config{IdleTimeout: short}, func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[1, 2")
			untilClosed(c)
		}, CodeTimeout, "no byte for 80ms after 5 bytes"},
		"silent coded body": {Config{IdleTimeout: short}, func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08")
			untilClosed(c)
		}, CodeTimeout, "no byte for 80ms after 3 bytes"},
		"silent end of a coded body": {Config{IdleTimeout: short}, func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"+string(encode(t, []byte("[]"), "gzip")))
			untilClosed(c)
		}, CodeTimeout, "no byte for 80ms"},
		"silent header": {Config{HeaderTimeout: short}, untilClosed, CodeTimeout, "awaiting response headers"},
		"slow header": {Config{HeaderTimeout: short}, func(c net.Conn) {
			drip(c, "HTTP/1.1 200 OK\r\n", "X-A: b\r\n")
		}, CodeTimeout, "awaiting response headers"},
		"endless header": {Config{}, func(c net.Conn) {
			_, err := io.WriteString(c, "HTTP/1.1 200 OK\r\n")
			for err == nil {
				_, err = io.WriteString(c, "X-A: "+strings.Repeat("b", 1000)+"\r\n")
			}
		}, CodeNetwork, "exceeded 65536 bytes"},
		"huge header": {Config{}, func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nX-A: "+strings.Repeat("b", DefaultMaxHeader)+"\r\n\r\n")
		}, CodeNetwork, "exceeded 65536 bytes"},
		"endless information": {Config{}, func(c net.Conn) {
			for err := error(nil); err == nil; {
				_, err = io.WriteString(c, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
			}
		}, CodeNetwork, "exceeded 65536 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, docs := newFetcher(t, c.cfg)
			_, err := fetchURL(within(t, 20*time.Second), f, serveRaw(t, c.answer))
			wantFailure(t, err, c.code, false, c.part)
			if len(docs.Names()) != 0 {
				t.Error("a document was left behind")
			}
		})
	}
}

// drip writes parts, the last one again and again, until the client is gone.
func drip(c net.Conn, parts ...string) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		if _, err := io.WriteString(c, parts[min(i, len(parts)-1)]); err != nil {
			return
		}
		<-tick.C
	}
}

// A body that drips is never idle; its end is that of the context.
func TestFetchSlowBodyEndsWithContext(t *testing.T) {
	t.Parallel()
	url := serveRaw(t, func(c net.Conn) { drip(c, "HTTP/1.1 200 OK\r\n\r\n", "x") })
	f, docs := newFetcher(t, Config{IdleTimeout: 5 * time.Second})
	_, err := fetchURL(within(t, 200*time.Millisecond), f, url)
	if err == nil || !strings.Contains(err.Error(), "deadline exceeded") || len(docs.Names()) != 0 {
		t.Errorf("got %v and %d documents", err, len(docs.Names()))
	}
}

// A store that is slow is not a server that is idle: the clock runs only while
// the body waits for bytes.
func TestBodyIdleTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const idle = time.Second
		ctx, cancel := context.WithCancelCause(t.Context())
		u, _ := parseURL("http://h/")
		server, client := io.Pipe()
		var writers sync.WaitGroup
		defer writers.Wait()
		b := &body{&transfer{ctx: t.Context(), at: place{u, u}, max: 100, ratio: 1}, newPatient(ctx, server, idle, cancel)}
		read := func(wait time.Duration) error {
			writers.Go(func() { time.Sleep(wait); client.Write([]byte("x")) })
			_, err := b.Read(make([]byte, 1))
			return err
		}
		for range 3 {
			if err := read(idle - 1); err != nil || ctx.Err() != nil {
				t.Fatalf("a byte in time: %v, %v", err, context.Cause(ctx))
			}
			time.Sleep(10 * idle) // the store is writing
		}
		context.AfterFunc(ctx, func() { server.CloseWithError(ctx.Err()) }) // as the transport does
		wantFailure(t, read(2*idle), CodeTimeout, false, "no byte for 1s after 3 bytes")
	})
}
