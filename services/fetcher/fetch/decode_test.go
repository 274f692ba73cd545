package fetch

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// encode applies codings in order. "raw" is deflate without the zlib frame.
func encode(t testing.TB, data []byte, codings ...string) []byte {
	t.Helper()
	for _, c := range codings {
		var b bytes.Buffer
		var w io.WriteCloser
		switch c {
		case "gzip":
			w = gzip.NewWriter(&b)
		case "deflate":
			w = zlib.NewWriter(&b)
		case "raw":
			w, _ = flate.NewWriter(&b, flate.DefaultCompression)
		case "br":
			w = brotli.NewWriter(&b)
		case "zstd":
			w, _ = zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		data = b.Bytes()
	}
	return data
}

// sample is a text that is neither trivial to compress nor random.
func sample(size int) []byte {
	var b bytes.Buffer
	for r := rand.New(rand.NewPCG(1, 2)); b.Len() < size; {
		fmt.Fprintf(&b, "%d,%x,name\n", r.IntN(1e6), r.Uint64())
	}
	return b.Bytes()[:size]
}

// serveCoded serves a body under Content-Encoding headers.
func serveCoded(t testing.TB, body []byte, headers ...string) string {
	return serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Encoding"] = headers
		w.Write(body) //nolint:errcheck // the client may have gone
	})
}

func TestFetchDecodes(t *testing.T) {
	t.Parallel()
	data := sample(300_000)
	for _, c := range []struct {
		applied []string
		headers []string
	}{
		{nil, nil},
		{nil, []string{"identity"}},
		{nil, []string{""}},
		{[]string{"gzip"}, []string{"gzip"}},
		{[]string{"gzip"}, []string{"X-GZIP"}},
		{[]string{"deflate"}, []string{"deflate"}},
		{[]string{"raw"}, []string{"deflate"}},
		{[]string{"br"}, []string{"br"}},
		{[]string{"zstd"}, []string{"ZStd"}},
		{[]string{"gzip", "br"}, []string{"gzip, br"}},
		{[]string{"deflate", "zstd", "gzip"}, []string{"deflate", " zstd ,identity,, gzip"}},
	} {
		t.Run(strings.Join(c.headers, "|"), func(t *testing.T) {
			t.Parallel()
			f, docs := newFetcher(t, Config{})
			doc, err := fetchURL(t.Context(), f, serveCoded(t, encode(t, data, c.applied...), c.headers...))
			if err != nil || text(t, docs, doc) != string(data) {
				t.Errorf("got %d bytes of %d, %v", doc.Size, len(data), err)
			}
		})
	}
}

// Two gzip members after one another are one document, says RFC 1952.
func TestFetchGzipMembers(t *testing.T) {
	t.Parallel()
	body := append(encode(t, []byte("[1, "), "gzip"), encode(t, []byte("2]"), "gzip")...)
	f, docs := newFetcher(t, Config{})
	doc, err := fetchURL(t.Context(), f, serveCoded(t, body, "gzip"))
	if err != nil || text(t, docs, doc) != "[1, 2]" {
		t.Errorf("got %q, %v", text(t, docs, doc), err)
	}
}

func TestFetchEmptyCodedBody(t *testing.T) {
	t.Parallel()
	for _, coding := range []string{"gzip", "deflate", "br", "zstd", "gzip, br"} {
		f, docs := newFetcher(t, Config{})
		doc, err := fetchURL(t.Context(), f, serveCoded(t, nil, coding))
		if err != nil || doc.Size != 0 || len(docs.Names()) != 1 {
			t.Errorf("%s: got %d bytes, %v", coding, doc.Size, err)
		}
	}
}

func TestFetchRefusesCodings(t *testing.T) {
	t.Parallel()
	for header, part := range map[string]string{
		"compress":               `"compress" is not known; known are zstd, br, gzip, deflate`,
		"gzip, aws-chunked":      "aws-chunked",
		"gzip;q=1":               "gzip;q=1",
		strings.Repeat("x", 999): `xxxx" is not known`,
		"gzip,gzip,gzip,gzip":    "more than 3 content codings",
	} {
		f, docs := newFetcher(t, Config{})
		_, err := fetchURL(t.Context(), f, serveCoded(t, []byte("body"), header))
		wantFailure(t, err, CodeBadEncoding, true, part)
		if len(docs.Names()) != 0 {
			t.Errorf("%.20s: a document was left behind", header)
		}
	}
}

// A coded body that is cut, changed or followed by something is no document.
func TestFetchBrokenCodings(t *testing.T) {
	t.Parallel()
	data := sample(50_000)
	for _, coding := range []string{"gzip", "deflate", "raw", "br", "zstd"} {
		whole := encode(t, data, coding)
		changed := bytes.Clone(whole)
		for i := range 40 { // enough to hit any of them, checksum or not
			changed[len(changed)/2+i] ^= 0x55
		}
		for name, body := range map[string][]byte{
			"cut in the middle":   whole[:len(whole)/2],
			"last byte missing":   whole[:len(whole)-1],
			"first byte alone":    whole[:1],
			"changed":             changed,
			"garbage behind":      append(bytes.Clone(whole), "garbage"...),
			"one zero behind":     append(bytes.Clone(whole), 0),
			"much garbage behind": append(bytes.Clone(whole), data...),
			"another document":    []byte("[1, 2, 3]"),
		} {
			t.Run(coding+"/"+name, func(t *testing.T) {
				t.Parallel()
				header := strings.Replace(coding, "raw", "deflate", 1)
				f, docs := newFetcher(t, Config{})
				_, err := fetchURL(t.Context(), f, serveCoded(t, body, header))
				wantFailure(t, err, CodeBrokenBody, false, header)
				if len(docs.Names()) != 0 {
					t.Error("a document was left behind")
				}
			})
		}
	}
}

// When the connection breaks inside a coded body, the failure says so, and not
// what the decoder makes of it.
func TestFetchCutCodedBody(t *testing.T) {
	t.Parallel()
	for _, coding := range []string{"gzip", "deflate", "br", "zstd"} {
		body := encode(t, sample(50_000), coding)
		answer := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n%s", coding, len(body)+1, body)
		for name, text := range map[string]string{"behind the stream": answer, "inside": answer[:len(answer)-1000]} {
			f, docs := newFetcher(t, Config{})
			_, err := fetchURL(t.Context(), f, serveText(t, text))
			wantFailure(t, err, CodeBrokenBody, false, "unexpected EOF")
			if strings.Contains(err.Error(), "decode") || len(docs.Names()) != 0 {
				t.Errorf("%s cut %s: %v", coding, name, err)
			}
		}
	}
}

// What the parser accepts is a list of at most limit codings that we can decode,
// and reading its own output again changes nothing.
func FuzzParseEncodings(f *testing.F) {
	for _, s := range []string{"", "gzip", "identity, x-gzip", "br,zstd", "GZIP , , deflate", "compress", "gzip;q=1"} {
		f.Add(s, "br")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		const limit = 4
		got, err := parseEncodings([]string{a, b}, limit)
		if err != nil {
			if len(err.Error()) > 300 {
				t.Errorf("message has %d bytes", len(err.Error()))
			}
			return
		}
		if len(got) > limit {
			t.Errorf("%q, %q give %v", a, b, got)
		}
		for _, c := range got {
			if !slices.Contains([]string{"gzip", "br", "zstd", "deflate"}, c) {
				t.Errorf("%q, %q give %v", a, b, got)
			}
		}
		if again, err := parseEncodings(got, limit); err != nil || !slices.Equal(again, got) {
			t.Errorf("%v gives %v, %v", got, again, err)
		}
	})
}

// Whatever bytes come under whatever coding: no panic, the limits hold, and
// what went wrong is recorded.
func FuzzDecode(f *testing.F) {
	for i, coding := range []string{"gzip", "deflate", "br", "zstd"} {
		f.Add(byte(i), encode(f, sample(500), coding))
		f.Add(byte(i), encode(f, make([]byte, 100_000), coding))
	}
	f.Fuzz(func(t *testing.T, which byte, data []byte) {
		u, _ := parseURL("http://h/")
		tr := &transfer{ctx: context.Background(), at: place{u, u}, max: 1 << 20, ratio: 50}
		b := &body{tr, bytes.NewReader(data)}
		r, err := decode(tr, b, []string{[]string{"gzip", "deflate", "br", "zstd"}[which%4]})
		if err == nil {
			var n int64
			if n, err = io.Copy(io.Discard, r); n > tr.max {
				t.Errorf("%d bytes got through", n)
			}
		}
		if err != tr.err {
			t.Errorf("got %v, recorded %v", err, tr.err)
		}
		if err == nil && tr.received != int64(len(data)) {
			t.Errorf("success after %d of %d bytes", tr.received, len(data))
		}
	})
}
