package fetch

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// cutter serves a document and breaks off after some bytes of each answer.
type cutter struct {
	body   []byte
	after  int // bytes of each answer; 0 for all of it
	header http.Header
	// answer makes something else of a request for the rest.
	answer func(w http.ResponseWriter, r *http.Request, from int) bool

	mu     sync.Mutex
	ranges []string
}

func (c *cutter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	c.ranges = append(c.ranges, r.Header.Get("Range")+" "+r.Header.Get("If-Range"))
	c.mu.Unlock()
	for name, values := range c.header {
		w.Header()[name] = values
	}
	from, status := 0, http.StatusOK
	if n, _ := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); n == 1 {
		if c.answer != nil && c.answer(w, r, from) {
			return
		}
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(c.body)-1, len(c.body)))
		status = http.StatusPartialContent
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(c.body)-from))
	w.WriteHeader(status)
	rest := c.body[from:]
	if c.after > 0 && c.after < len(rest) {
		w.Write(rest[:c.after])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	w.Write(rest)
}

func resumable(tag string) http.Header {
	return http.Header{"Accept-Ranges": {"bytes"}, "Etag": {tag}}
}

func TestFetchResumes(t *testing.T) {
	t.Parallel()
	data := sample(40_000)
	other := func(status int, header ...string) func(http.ResponseWriter, *http.Request, int) bool {
		return func(w http.ResponseWriter, _ *http.Request, _ int) bool {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
			w.Write(data)
			return true
		}
	}
	for name, c := range map[string]struct {
		*cutter
		requests  int
		code      string
		permanent bool
		part      string
	}{
		"strong tag":       {cutter: &cutter{after: 15_000, header: resumable(`"a"`)}, requests: 3},
		"date":             {cutter: &cutter{after: 25_000, header: http.Header{"Accept-Ranges": {"Bytes"}, "Last-Modified": {someDay}}}, requests: 2},
		"at every byte":    {cutter: &cutter{after: 1, header: resumable(`"a"`)}, requests: 4, code: CodeBrokenBody, part: "no resuming"},
		"weak tag":         {cutter: &cutter{after: 15_000, header: resumable(`W/"a"`)}, requests: 1, code: CodeBrokenBody},
		"no ranges":        {cutter: &cutter{after: 15_000, header: http.Header{"Etag": {`"a"`}}}, requests: 1, code: CodeBrokenBody},
		"ranges refused":   {cutter: &cutter{after: 15_000, header: http.Header{"Etag": {`"a"`}, "Accept-Ranges": {"none"}}}, requests: 1, code: CodeBrokenBody},
		"begins anew":      {cutter: &cutter{after: 15_000, header: resumable(`"a"`), answer: other(200)}, requests: 2, code: CodeBrokenBody, part: "has changed"},
		"cannot satisfy":   {cutter: &cutter{after: 15_000, header: resumable(`"a"`), answer: other(416)}, requests: 2, code: CodeBrokenBody, part: "has changed"},
		"is gone":          {cutter: &cutter{after: 15_000, header: resumable(`"a"`), answer: other(404)}, requests: 2, code: CodeNotFound, permanent: true},
		"is busy":          {cutter: &cutter{after: 15_000, header: resumable(`"a"`), answer: other(503)}, requests: 2, code: CodeUnavailable},
		"no range":         {cutter: &cutter{after: 15_000, header: resumable(`"a"`), answer: other(206)}, requests: 2, code: CodeBrokenBody, part: "not the rest"},
		"another range":    {cutter: &cutter{after: 15_000, header: resumable(`"a"`), answer: other(206, "Content-Range", "bytes 14999-39999/40000")}, requests: 2, code: CodeBrokenBody, part: "not the rest"},
		"another size":     {cutter: &cutter{after: 15_000, header: resumable(`"a"`), answer: other(206, "Content-Range", "bytes 15000-39999/40001")}, requests: 2, code: CodeBrokenBody, part: "not the rest"},
		"range past size":  {cutter: &cutter{after: 15_000, header: resumable(`"a"`), answer: other(206, "Content-Range", "bytes 15000-40000/40000")}, requests: 2, code: CodeBrokenBody, part: "not the rest"},
		"another version":  {cutter: &cutter{after: 15_000, header: resumable(`"a"`), answer: other(206, "Content-Range", "bytes 15000-39999/40000", "ETag", `"b"`)}, requests: 2, code: CodeBrokenBody, part: "another version"},
		"another coding":   {cutter: &cutter{after: 15_000, header: resumable(`"a"`), answer: other(206, "Content-Range", "bytes 15000-39999/40000", "Content-Encoding", "gzip")}, requests: 2, code: CodeBrokenBody, part: "another content coding"},
		"moves elsewhere":  {cutter: &cutter{after: 15_000, header: resumable(`"a"`), answer: other(302, "Location", "/")}, requests: 2, code: CodeHTTPStatus, permanent: true},
		"several parts":    {cutter: &cutter{after: 15_000, header: resumable(`"a"`), answer: other(206, "Content-Type", "multipart/byteranges; boundary=x")}, requests: 2, code: CodeBrokenBody, part: "not the rest"},
		"gives ever less ": {cutter: &cutter{after: 15_000, header: resumable(`"a"`), answer: smallParts(data)}, requests: 4, code: CodeBrokenBody, part: "after 15030 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.body = data
			f, docs := newFetcher(t, Config{})
			doc, err := fetchURL(t.Context(), f, serve(t, c.ServeHTTP))
			if c.code == "" {
				if err != nil || text(t, docs, doc) != string(data) {
					t.Errorf("got %d bytes of %d, %v", doc.Size, len(data), err)
				}
			} else {
				wantFailure(t, err, c.code, c.permanent, c.part)
				if len(docs.Names()) != 0 {
					t.Error("a document was left behind")
				}
			}
			if len(c.ranges) != c.requests {
				t.Errorf("requests for %q, want %d", c.ranges, c.requests)
			}
		})
	}
}

// smallParts answers with ten bytes of the rest.
func smallParts(data []byte) func(http.ResponseWriter, *http.Request, int) bool {
	return func(w http.ResponseWriter, _ *http.Request, from int) bool {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, from+9, len(data)))
		w.WriteHeader(http.StatusPartialContent)
		w.Write(data[from : from+10])
		return true
	}
}

// A coded body is resumed where its coded bytes broke off, and credentials go along.
func TestFetchResumesCoded(t *testing.T) {
	t.Parallel()
	data := sample(200_000)
	for _, coding := range []string{"gzip", "br", "zstd", "deflate"} {
		t.Run(coding, func(t *testing.T) {
			t.Parallel()
			packed := encode(t, data, coding)
			c := &cutter{body: packed, after: len(packed)/2 - 7, header: resumable(`"a"`)}
			c.header.Set("Content-Encoding", coding)
			registry := prometheus.NewRegistry()
			f, docs := newFetcher(t, Config{Metrics: registry})
			url := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if user, _, _ := r.BasicAuth(); user != "ann" {
					w.WriteHeader(http.StatusUnauthorized)
					return
				}
				c.ServeHTTP(w, r)
			})
			doc, err := fetchURL(t.Context(), f, strings.Replace(url, "http://", "http://ann:pw@", 1))
			if err != nil || text(t, docs, doc) != string(data) {
				t.Errorf("got %d bytes of %d, %v", doc.Size, len(data), err)
			}
			want := []string{" ", fmt.Sprintf(`bytes=%d- "a"`, c.after), fmt.Sprintf(`bytes=%d- "a"`, 2*c.after)}
			if !slices.Equal(c.ranges, want) {
				t.Errorf("requests for %q, want %q", c.ranges, want)
			}
			if got := counted(t, registry, "segue_fetch_resumes_total"); got != 2 {
				t.Errorf("%v resumes are counted, want 2", got)
			}
		})
	}
}

// A body that stands still is resumed like one that breaks off.
func TestFetchResumesSilentBody(t *testing.T) {
	t.Parallel()
	data := sample(10_000)
	c := &cutter{body: data, header: resumable(`"a"`)}
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Range") != "" {
			c.ServeHTTP(w, r)
			return
		}
		w.Header().Set("ETag", `"a"`)
		w.Header().Set("Accept-Ranges", "bytes")
		w.Header().Set("Content-Length", "10000")
		w.Write(data[:100])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	f, docs := newFetcher(t, Config{IdleTimeout: 100 * time.Millisecond})
	doc, err := fetchURL(t.Context(), f, url)
	if err != nil || text(t, docs, doc) != string(data) {
		t.Errorf("got %d bytes of %d, %v", doc.Size, len(data), err)
	}
}

// A document of a length that was never said may be resumed, and not grow beyond the limit.
func TestFetchResumesWithinLimit(t *testing.T) {
	t.Parallel()
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var from int
		w.Header().Set("ETag", `"a"`)
		w.Header().Set("Accept-Ranges", "bytes")
		if n, _ := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); n == 1 {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, from+9999, from+10000))
			w.WriteHeader(http.StatusPartialContent)
		}
		w.Write(make([]byte, 9000))
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	f, docs := newFetcher(t, Config{MaxDocument: 10_000})
	_, err := fetchURL(t.Context(), f, url)
	wantFailure(t, err, CodeTooLarge, true)
	if len(docs.Names()) != 0 {
		t.Error("a document was left behind")
	}
}

// counted adds up a counter over its labels.
func counted(t testing.TB, r *prometheus.Registry, name string) (sum float64) {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == name {
			for _, m := range family.GetMetric() {
				sum += m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return sum
}

// Whatever a server sends as Content-Range, the part that it gives lies in the whole.
func FuzzParseContentRange(f *testing.F) {
	for _, s := range []string{"bytes 0-9/10", "bytes 5-9/*", "bytes */10", "bytes 9-5/3", "items 0-1/2", "bytes 0-99999999999999999999/1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		first, last, total, ok := parseContentRange(value)
		if ok && (first < 0 || last < 0 || total < -1) || !ok && (first != 0 || last != 0) {
			t.Errorf("%q reads as %d-%d/%d, %v", value, first, last, total, ok)
		}
	})
}
