package fetch

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
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
	f, _ := newFetcher(t, Config{})
	_, err := fetchURL(t.Context(), f, serveCoded(t, wideZstd(t), "zstd"))
	wantFailure(t, err, CodeBadEncoding, true, "a window of more than 8388608 bytes")
}

// wideZstd is a zstd stream with a window over the limit.
func wideZstd(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b, zstd.WithWindowSize(2*zstdWindow), zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	w.Write(sample(1 << 20))
	w.Flush() // so that the frame cannot say how small it is
	w.Write(sample(1 << 20))
	w.Close()
	return b.Bytes()
}
