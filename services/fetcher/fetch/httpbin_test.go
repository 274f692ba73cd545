package fetch

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mccutchen/go-httpbin/v2/httpbin"

	"segue/participant"
)

// TestHTTPBin predicts what comes of every class of endpoint that httpbin has.
func TestHTTPBin(t *testing.T) {
	t.Parallel()
	// Closed by a cleanup: the subtests are parallel.
	server := httptest.NewServer(httpbin.New(httpbin.WithMaxDuration(2*time.Second), httpbin.WithObserver(nil)).Handler())
	t.Cleanup(server.Close)
	secrets := keep(t, hostport(t, server.URL), map[string]string{"passwd": "passwd", "wrong": "wrong", "cookie": "a=b"})
	basic := func(secret string) *Auth {
		return &Auth{Basic: &Basic{User: "user", Password: SecretRef{secret}}}
	}
	const ok = ""
	for _, c := range []struct {
		path      string
		in        Input
		code      string // of the failure
		temporary bool
		// Of the document: a part of its media type, its size (-1 for any), a part of it.
		media string
		size  int64
		part  string
	}{
		{path: "/", media: "text/html", size: -1},
		{path: "/absolute-redirect/3", media: "application/json", size: -1, part: `"url"`},
		{path: "/redirect/10", media: "application/json", size: -1},
		{path: "/redirect/11", code: CodeRedirectRefused},
		{path: "/relative-redirect/2", media: "application/json", size: -1},
		{path: "/redirect-to?url=/image/png&status_code=307", media: "image/png", size: -1},
		{path: "/redirect-to?url=http://10.1.2.3/", code: CodeAddressRefused},
		{path: "/redirect-to?url=ftp://example.org/", code: CodeRedirectRefused},
		{path: "/anything?y=1", media: "application/json", size: -1, part: `"y"`},
		{path: "/anything/x?y=1", media: "application/json", size: -1, part: `"y"`},
		{path: "/base64/aGVsbG8=", media: "text/plain", size: 5, part: "hello"},
		{path: "/base64/decode/!!", code: CodeHTTPStatus},
		{path: "/basic-auth/user/passwd", code: CodeHTTPStatus},
		{path: "/basic-auth/user/passwd", in: Input{Auth: basic("wrong")}, code: CodeHTTPStatus},
		{path: "/basic-auth/user/passwd", in: Input{Auth: basic("passwd")}, media: "application/json", size: -1, part: `"authenticated": true`},
		{path: "/hidden-basic-auth/user/passwd", code: CodeNotFound},
		{path: "/hidden-basic-auth/user/passwd", in: Input{Auth: basic("passwd")}, media: "application/json", size: -1},
		{path: "/digest-auth/auth/user/passwd/SHA-256", in: Input{Auth: basic("passwd")}, code: CodeHTTPStatus},
		{path: "/digest-auth/auth/user/passwd", in: Input{Auth: basic("passwd")}, code: CodeHTTPStatus}, // the scheme is not spoken
		{path: "/bearer", code: CodeHTTPStatus},
		{path: "/bearer", in: Input{Auth: &Auth{Bearer: &SecretRef{"passwd"}}}, media: "application/json", size: -1, part: `"token": "passwd"`},
		{path: "/bytes/1000?seed=1", media: "application/octet-stream", size: 1000},
		{path: "/bytes/0", media: "text/plain", size: 0},
		{path: "/cache", media: "application/json", size: -1},
		{path: "/cache/60", media: "application/json", size: -1},
		{path: "/cookies", in: Input{Headers: map[string]Value{"Cookie": {Secret: "cookie"}}}, media: "application/json", size: -1, part: `"a": "b"`},
		{path: "/cookies/set?a=b", media: "application/json", size: -1, part: "{}"}, // it redirects; no cookie is kept
		{path: "/cookies/delete?a", media: "application/json", size: -1, part: "{}"},
		{path: "/deflate", media: "application/json", size: -1, part: `"deflated": true`},
		{path: "/gzip", media: "application/json", size: -1, part: `"gzipped": true`},
		{path: "/brotli", code: CodeUnavailable, temporary: true}, // 501
		{path: "/delay/0.05", media: "application/json", size: -1},
		{path: "/delay/1", code: CodeTimeout, temporary: true},
		{path: "/drip?numbytes=10&duration=0.1&delay=0", media: "text/plain", size: 10},
		{path: "/drip?numbytes=2&duration=1.5&delay=0", code: CodeTimeout, temporary: true},
		{path: "/drip?code=500&numbytes=1&duration=0&delay=0", code: CodeUnavailable, temporary: true},
		{path: "/dump/request", media: "text/plain", size: -1, part: "GET /dump/request HTTP/1.1"},
		{path: "/deny", media: "text/plain", size: -1},
		{path: "/deny", in: Input{Robots: true}, code: CodeRobotsRefused},
		{path: "/get", in: Input{Robots: true}, media: "application/json", size: -1},
		{path: "/encoding/utf8", media: "text/html", size: -1, part: "STARGΛ̊TE"},
		{path: "/env", media: "application/json", size: -1},
		{path: "/etag/a", media: "application/json", size: -1},
		{path: "/forms/post", media: "text/html", size: -1},
		{path: "/get?a=1", media: "application/json", size: -1},
		{path: "/head", code: CodeHTTPStatus}, // 405
		{path: "/post", code: CodeHTTPStatus},
		{path: "/put", code: CodeHTTPStatus},
		{path: "/patch", code: CodeHTTPStatus},
		{path: "/delete", code: CodeHTTPStatus},
		{path: "/upload", code: CodeHTTPStatus},
		{path: "/headers", in: Input{Headers: map[string]Value{"X-Mine": {Text: "yes"}}}, media: "application/json", size: -1, part: `"X-Mine"`},
		{path: "/hostname", media: "application/json", size: -1},
		{path: "/html", media: "text/html", size: -1},
		{path: "/image", in: Input{Headers: map[string]Value{"Accept": {Text: "image/webp"}}}, media: "image/webp", size: -1},
		{path: "/image/png", media: "image/png", size: -1},
		{path: "/ip", media: "application/json", size: -1, part: "127.0.0.1"},
		{path: "/json", media: "application/json", size: -1, part: "slideshow"},
		{path: "/jsonl", media: "json", size: -1},
		{path: "/links/3", media: "text/html", size: -1},
		{path: "/links/3/1", media: "text/html", size: -1},
		{path: "/range/1000", media: "text/plain", size: 1000, part: "abcdefghij"},
		{path: "/response-headers?Content-Type=text/csv", media: "text/csv", size: -1},
		{path: "/response-headers?Content-Encoding=gzip", code: CodeBrokenBody, temporary: true},
		{path: "/response-headers?Content-Encoding=lzma", code: CodeBadEncoding},
		{path: "/robots.txt", media: "text/plain", size: -1, part: "Disallow"},
		{path: "/sse?count=2&duration=0.1&delay=0", media: "text/event-stream", size: -1},
		{path: "/status/204", media: "text/plain", size: 0},
		{path: "/status/301", media: "application/json", size: -1},
		{path: "/status/401", code: CodeHTTPStatus},
		{path: "/status/404", code: CodeNotFound},
		{path: "/status/418", code: CodeHTTPStatus},
		{path: "/status/429", code: CodeUnavailable, temporary: true},
		{path: "/status/500", code: CodeUnavailable, temporary: true},
		{path: "/stream-bytes/1000?seed=1&chunk_size=100", media: "application/octet-stream", size: 1000},
		{path: "/stream/3", media: "json", size: -1},
		{path: "/trailers?X-Trailer=1", media: "application/json", size: -1},
		{path: "/unstable?failure_rate=1", code: CodeUnavailable, temporary: true},
		{path: "/unstable?failure_rate=0", media: "text/plain", size: -1},
		{path: "/user-agent", media: "application/json", size: -1, part: DefaultUserAgent},
		{path: "/uuid", media: "application/json", size: -1},
		{path: "/version", media: "application/json", size: -1},
		{path: "/websocket/echo", code: CodeHTTPStatus},
		{path: "/xml", media: "application/xml", size: -1, part: `encoding='UTF-8'`}, // it declares us-ascii
		{path: "/no/such/endpoint", code: CodeNotFound},
	} {
		t.Run(strings.ReplaceAll(c.path, "/", "|"), func(t *testing.T) {
			t.Parallel()
			f, docs := newFetcher(t, Config{Secrets: secrets, HeaderTimeout: 700 * time.Millisecond, IdleTimeout: 700 * time.Millisecond})
			c.in.URL = server.URL + c.path
			out, err := f.Fetch(t.Context(), participant.Command[Input]{Run: "run", Step: "fetch", Attempt: 1, Input: c.in})
			if c.code != ok {
				wantFailure(t, err, c.code, !c.temporary)
				if len(docs.Names()) != 0 {
					t.Error("a document was left behind")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			doc := out.Document
			if !strings.Contains(doc.MediaType, c.media) || c.size >= 0 && doc.Size != c.size {
				t.Errorf("%d bytes of %s, want %d of %s", doc.Size, doc.MediaType, c.size, c.media)
			}
			if got := text(t, docs, doc); !strings.Contains(got, c.part) {
				t.Errorf("it lacks %q: %.300s", c.part, got)
			}
		})
	}
}

// What httpbin names by an ETag is asked for again with it.
func TestHTTPBinETag(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(httpbin.New().Handler())
	t.Cleanup(server.Close)
	for _, path := range []string{"/etag/a", "/cache"} {
		f, _ := newFetcher(t, Config{})
		first, err := fetchInput(t, f, Input{URL: server.URL + path})
		if err != nil {
			t.Fatal(err)
		}
		known := Known{SHA256: first.Document.SHA256, Validators: first.Validators}
		known.LastModified = someDay // httpbin answers 304 to any date
		out, err := fetchInput(t, f, Input{URL: server.URL + path, Known: &known})
		if err != nil || !out.Unchanged {
			t.Errorf("%s again: %+v, %v", path, out, err)
		}
	}
}
