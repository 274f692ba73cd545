package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"segue/document"
	"segue/participant"
)

func TestFetch(t *testing.T) {
	t.Parallel()
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Accept-Encoding") != acceptEncoding, r.Header.Get("User-Agent") != DefaultUserAgent:
			http.Error(w, "headers", http.StatusBadRequest)
		case r.URL.Path == "/typed":
			w.Header().Set("Content-Type", "Text/CSV;Charset=utf-8")
			io.WriteString(w, "a,b\n1,2\n")
		case r.URL.Path == "/untyped":
			w.Header()["Content-Type"] = nil
			io.WriteString(w, `{"items": [`+strings.Repeat(`{"a": 1}, `, 2000)+`0]}`)
		case r.URL.Path == "/cut.json": // by its first bytes it could be CSV
			w.Header()["Content-Type"] = nil
			io.WriteString(w, "[1,2\n,3\n,4\n")
		case r.URL.Path == "/nonsense":
			w.Header().Set("Content-Type", "of course")
			io.WriteString(w, `[1, 2, 3]`)
		}
	})
	for path, want := range map[string]struct {
		size  int64
		media string
	}{
		"/typed":    {8, "text/csv; charset=utf-8"},
		"/untyped":  {20014, "application/json"},
		"/nonsense": {9, "application/json"},
		"/cut.json": {11, "application/json"},
		"/empty":    {0, "text/plain"},
	} {
		t.Run(path, func(t *testing.T) {
			f, docs := newFetcher(t, Config{})
			before := time.Now()
			doc, err := fetchURL(t.Context(), f, url+path+"?page=2#part")
			if err != nil {
				t.Fatal(err)
			}
			if doc.Size != want.size || doc.MediaType != want.media && path != "/empty" {
				t.Errorf("got %d bytes of %q, want %d of %q", doc.Size, doc.MediaType, want.size, want.media)
			}
			if doc.Name != "run/fetch/1" || doc.URL != url+path+"?page=2" {
				t.Errorf("got name %s and URL %s", doc.Name, doc.URL)
			}
			if doc.FetchedAt.Before(before) || doc.FetchedAt.After(time.Now()) {
				t.Errorf("fetched at %v", doc.FetchedAt)
			}
			if len(docs.Names()) != 1 {
				t.Errorf("store holds %d documents", len(docs.Names()))
			}
		})
	}
}

func TestFetchHTTP10(t *testing.T) {
	t.Parallel()
	f, _ := newFetcher(t, Config{})
	doc, err := fetchURL(t.Context(), f, serveText(t, "HTTP/1.0 200 OK\r\n\r\n[1]"))
	if err != nil || doc.Size != 3 {
		t.Errorf("got %d bytes, %v", doc.Size, err)
	}
}

func TestFetchHTTP2(t *testing.T) {
	t.Parallel()
	f, docs := newFetcher(t, Config{})
	url := serveHTTP2(t, f, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/cut" {
			w.Write(make([]byte, 10_000))
			panic(http.ErrAbortHandler)
		}
		fmt.Fprint(w, r.Proto)
	})
	if doc, err := fetchURL(t.Context(), f, url); err != nil || doc.Size != int64(len("HTTP/2.0")) {
		t.Errorf("got %d bytes, %v", doc.Size, err)
	}
	docs.Delete(t.Context(), "run/fetch/1")
	_, err := fetchURL(t.Context(), f, url+"/cut")
	wantFailure(t, err, CodeBrokenBody, false)
	if len(docs.Names()) != 0 {
		t.Error("a cut body left a document behind")
	}
}

// A body that does not end as announced is no document, and may be one next time.
func TestFetchCutBody(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"content length":   "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[1, 2",
		"no final chunk":   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[1, 2\r\n",
		"half a chunk":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n[1, 2",
		"no chunk at all":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhello\r\n",
		"gzip header only": "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, docs := newFetcher(t, Config{})
			_, err := fetchURL(t.Context(), f, serveText(t, answer))
			wantFailure(t, err, CodeBrokenBody, false, "http://127.0.0.1")
			if len(docs.Names()) != 0 {
				t.Error("a document was left behind")
			}
		})
	}
}

func TestFetchNetworkFailures(t *testing.T) {
	t.Parallel()
	closed := httptest.NewServer(nil)
	closed.Close()
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = quiet()
	secure.StartTLS()
	t.Cleanup(secure.Close)
	plain := strings.Replace(serve(t, http.NotFound), "http:", "https:", 1)
	for name, c := range map[string]struct {
		url, code string
		permanent bool
		part      string
	}{
		"refused":       {closed.URL, CodeNetwork, false, "connection refused"},
		"no answer":     {serveText(t, ""), CodeNetwork, false, "without an answer"},
		"no HTTP":       {serveText(t, "220 mail ready\x00\xff"+strings.Repeat("x", 5000)+"\r\n"), CodeNetwork, false, "malformed HTTP"},
		"unknown CA":    {secure.URL, CodeTLS, true, "certificate"},
		"no TLS":        {plain, CodeTLS, true, "is it http?"},
		"cut in header": {serveText(t, "HTTP/1.1 200 OK\r\nContent-"), CodeNetwork, false, "broken"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, _ := newFetcher(t, Config{})
			_, err := fetchURL(t.Context(), f, c.url)
			wantFailure(t, err, c.code, c.permanent, c.part, c.url)
			if len(err.Error()) > maxReason+200 {
				t.Errorf("message has %d bytes", len(err.Error()))
			}
		})
	}
}

func TestConnectFailure(t *testing.T) {
	t.Parallel()
	u, _ := parseURL("http://data.example/")
	at := place{u, u}
	for name, c := range map[string]struct {
		err       error
		code      string
		permanent bool
	}{
		"no such host":   {&net.DNSError{Err: "no such host", Name: "data.example", IsNotFound: true}, CodeHostNotFound, true},
		"server failure": {&net.DNSError{Err: "server misbehaving", IsTemporary: true}, CodeNetwork, false},
		"both":           {&net.DNSError{Err: "no such host", IsNotFound: true, IsTemporary: true}, CodeNetwork, false},
		"slow resolver":  {&net.DNSError{Err: "i/o timeout", IsTimeout: true}, CodeTimeout, false},
		"slow host":      {os.ErrDeadlineExceeded, CodeTimeout, false},
		"refused":        {&net.OpError{Op: "dial", Err: &refusal{"no"}}, CodeAddressRefused, true},
		"else":           {errors.New("x"), CodeNetwork, false},
	} {
		t.Run(name, func(t *testing.T) {
			wantFailure(t, connectFailure(t.Context(), at, fmt.Errorf("dial: %w", c.err)), c.code, c.permanent, "http://data.example/")
		})
	}
}

func TestFetchStoreFailures(t *testing.T) {
	t.Parallel()
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "{}") })
	f, docs := newFetcher(t, Config{})
	docs.MaxBytes = 1
	_, err := fetchURL(t.Context(), f, url)
	wantFailure(t, err, CodeStoreFull, false, url)

	f = newFetcherTo(t, Config{}, broken{})
	_, err = fetchURL(t.Context(), f, url)
	var e *participant.Error
	if !errors.Is(err, io.ErrClosedPipe) || errors.As(err, &e) {
		t.Errorf("a failing store gives %v", err)
	}
}

// The end of the context is not dressed up: what it means is the runtime's to say.
func TestFetchContextEnds(t *testing.T) {
	t.Parallel()
	body := serveRaw(t, func(c net.Conn) {
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[1, 2")
		untilClosed(c)
	})
	header := serveRaw(t, untilClosed)
	for _, url := range []string{body, header} {
		f, docs := newFetcher(t, Config{})
		_, err := fetchURL(within(t, 50*time.Millisecond), f, url)
		var e *participant.Error
		if !errors.Is(err, context.DeadlineExceeded) || errors.As(err, &e) {
			t.Errorf("got %v", err)
		}
		if len(docs.Names()) != 0 {
			t.Error("a document was left behind")
		}
	}
}

func TestRelease(t *testing.T) {
	t.Parallel()
	url := serve(t, func(http.ResponseWriter, *http.Request) {})
	f, docs := newFetcher(t, Config{})
	for _, run := range []string{"mine", "other"} {
		for n := 1; n <= 3; n += 2 {
			c := participant.Command[Input]{Run: run, Step: "fetch", Attempt: n, Input: Input{URL: url}}
			if _, err := f.Fetch(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 2 { // the second time there is nothing to release, which is no error
		u := participant.Undo[Input, Output]{Run: "mine", Step: "fetch", Attempt: 1, Attempts: 3}
		if err := f.Release(t.Context(), u); err != nil {
			t.Fatal(err)
		}
	}
	if len(docs.Names()) != 2 {
		t.Errorf("%d documents are left, want the 2 of the other run", len(docs.Names()))
	}
}

func TestFetchConcurrently(t *testing.T) {
	t.Parallel()
	url := serve(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.URL.Path) })
	f, docs := newFetcher(t, Config{})
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			c := participant.Command[Input]{Run: fmt.Sprint(i), Step: "s", Attempt: 1, Input: Input{URL: fmt.Sprintf("%s/%d", url, i)}}
			out, err := f.Fetch(t.Context(), c)
			if want := fmt.Sprintf("/%d", i); err != nil || text(t, docs, out.Document) != want {
				t.Errorf("fetch %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if n := f.active.Load(); n != 0 {
		t.Errorf("%d fetches are still active", n)
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	s, err := New(Config{}, document.NewMemory("TEST"))
	if err != nil || s.Name() != "fetcher" {
		t.Errorf("got %q, %v", s.Name(), err)
	}
	if _, err := New(Config{MaxRatio: -1}, document.NewMemory("TEST")); err == nil || !strings.Contains(err.Error(), "MaxRatio") {
		t.Errorf("got %v", err)
	}
}
