package fetch

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klauspost/compress/zstd"

	"segue/document"
)

// heapPeak runs f and returns how far the heap in use rose, in bytes.
func heapPeak(f func()) uint64 {
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	peak, done := before.HeapInuse, make(chan struct{})
	go func() { defer close(done); f() }()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return peak - before.HeapInuse
		case <-tick.C:
			runtime.ReadMemStats(&now)
			peak = max(peak, now.HeapInuse)
		}
	}
}

// Not parallel: it measures the memory of the process.
func TestFetchBombs(t *testing.T) {
	const tenGB = 10 << 30 // sent in 10 MB, were it read to the end
	zeros := make([]byte, 16<<20)
	member := encode(t, zeros, "gzip")
	repeat := func(unit []byte, n int) io.Reader {
		readers := make([]io.Reader, n)
		for i := range readers {
			readers[i] = bytes.NewReader(unit)
		}
		return io.MultiReader(readers...)
	}
	emptyMembers := bytes.Repeat(encode(t, nil, "gzip"), 256<<10)
	for name, c := range map[string]struct {
		within time.Duration
		coding string
		body   func() io.Reader
	}{
		"10 GB in 10 MB of gzip": {2 * time.Second, "gzip", func() io.Reader { return repeat(member, tenGB/len(zeros)) }},
		"10 GB of zstd":          {10 * time.Second, "zstd", func() io.Reader { return repeat(encode(t, zeros, "zstd"), tenGB/len(zeros)) }},
		"16 MiB of brotli":       {10 * time.Second, "br", func() io.Reader { return bytes.NewReader(encode(t, zeros, "br")) }},
		"deflate":                {10 * time.Second, "deflate", func() io.Reader { return bytes.NewReader(encode(t, zeros, "deflate")) }},
		"gzip in gzip":           {10 * time.Second, "gzip, gzip", func() io.Reader { return bytes.NewReader(encode(t, member, "gzip")) }},
		// Nothing ever comes out of the last stage; the work is in the one before.
		"nothing in gzip in gzip": {10 * time.Second, "gzip, gzip", func() io.Reader { return bytes.NewReader(encode(t, emptyMembers, "gzip")) }},
	} {
		t.Run(name, func(t *testing.T) {
			body := c.body()
			url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Encoding", c.coding)
				io.Copy(w, body) //nolint:errcheck // the client goes away
			})
			f := newFetcherTo(t, Config{}, sink{})
			start := time.Now()
			peak := heapPeak(func() {
				_, err := fetchURL(t.Context(), f, url)
				wantFailure(t, err, CodeBomb, true, "200 times")
			})
			took := time.Since(start)
			t.Logf("failed after %v with %d KiB more of heap", took.Round(time.Millisecond), peak>>10)
			if took > c.within || peak > 48<<20 {
				t.Errorf("took %v and %d bytes of heap; want at most %v and 48 MiB", took, peak, c.within)
			}
		})
	}
}

// Not parallel: it measures the memory of the process. 16 MiB, or 1 GiB where
// SEGUE_LONG is set.
func TestFetchLargeDocument(t *testing.T) {
	size := int64(16 << 20)
	if os.Getenv("SEGUE_LONG") != "" {
		size = 1 << 30
	} else {
		t.Log("16 MiB; set SEGUE_LONG=1 for 1 GiB")
	}
	for _, coding := range []string{"identity", "gzip", "zstd"} {
		block := sample(1 << 20) // in all three, whole streams after one another are a stream
		if coding != "identity" {
			block = encode(t, block, coding)
		}
		url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", coding)
			for range size >> 20 {
				w.Write(block)
			}
		})
		f := newFetcherTo(t, Config{}, sink{})
		start := time.Now()
		peak := heapPeak(func() {
			doc, err := fetchURL(t.Context(), f, url)
			if err != nil || doc.Size != size {
				t.Errorf("%s: got %d bytes, %v", coding, doc.Size, err)
			}
		})
		t.Logf("%s: %d MiB in %v with %d KiB more of heap, server included", coding, size>>20, time.Since(start).Round(time.Millisecond), peak>>10)
		if peak > 64<<20 {
			t.Errorf("%s: took %d bytes of heap", coding, peak)
		}
	}
}

// A short text may compress as well as it likes.
func TestFetchRatioAllowance(t *testing.T) {
	t.Parallel()
	f, _ := newFetcher(t, Config{})
	doc, err := fetchURL(t.Context(), f, serveCoded(t, encode(t, make([]byte, ratioAllowance), "gzip"), "gzip"))
	if err != nil || doc.Size != ratioAllowance {
		t.Errorf("got %d bytes, %v", doc.Size, err)
	}
}

func TestFetchZstdWindow(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b, zstd.WithWindowSize(2*zstdWindow), zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	w.Write(sample(1 << 20))
	w.Flush() // so that the frame cannot say how small it is
	w.Write(sample(1 << 20))
	w.Close()
	f, _ := newFetcher(t, Config{})
	_, err = fetchURL(t.Context(), f, serveCoded(t, b.Bytes(), "zstd"))
	wantFailure(t, err, CodeBrokenBody, false, "window size exceeded")
}

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
		b := newBody(&transfer{ctx: ctx, at: place{u, u}, max: 100, ratio: 1}, server, idle, cancel)
		read := func(wait time.Duration) error {
			go func() { time.Sleep(wait); client.Write([]byte("x")) }()
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
