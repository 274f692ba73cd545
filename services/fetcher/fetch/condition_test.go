package fetch

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"segue/participant"
)

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// fetchInput fetches as attempt 1 of a run.
func fetchInput(t testing.TB, f *Fetcher, in Input) (Output, error) {
	t.Helper()
	return f.Fetch(t.Context(), participant.Command[Input]{Run: "run", Step: "fetch", Attempt: 1, Input: in})
}

const someDay, otherDay = "Sun, 01 Mar 2026 12:00:00 GMT", "Mon, 02 Mar 2026 12:00:00 GMT"

func TestFetchConditions(t *testing.T) {
	t.Parallel()
	const body = `{"version": 1}`
	for name, c := range map[string]struct {
		known     Known
		serve     http.HandlerFunc
		unchanged bool
		want      Validators
		code      string
	}{
		"strong tag": {
			known: Known{SHA256: digest(body), Validators: Validators{ETag: `"a"`, LastModified: someDay}},
			serve: func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("If-None-Match") != `"a"` || r.Header.Get("If-Modified-Since") != someDay {
					http.Error(w, "conditions", http.StatusBadRequest)
					return
				}
				w.Header().Set("ETag", `"a"`)
				w.WriteHeader(http.StatusNotModified)
			},
			unchanged: true, want: Validators{`"a"`, someDay},
		},
		"weak answer to a strong tag": {
			known:     Known{SHA256: digest(body), Validators: Validators{ETag: `"a"`}},
			serve:     notModified(`W/"a"`),
			unchanged: true, want: Validators{ETag: `W/"a"`},
		},
		"no tag in the answer": {
			known:     Known{SHA256: digest(body), Validators: Validators{ETag: `W/"a"`}},
			serve:     notModified(""),
			unchanged: true, want: Validators{ETag: `W/"a"`},
		},
		"by date alone": {
			known: Known{SHA256: digest(body), Validators: Validators{LastModified: someDay}},
			serve: func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Last-Modified", someDay)
				http.ServeContent(w, r, "", noon, strings.NewReader(body))
			},
			unchanged: true, want: Validators{LastModified: someDay},
		},
		"another tag than asked for is not believed": {
			known: Known{SHA256: digest("old"), Validators: Validators{ETag: `"a"`}},
			serve: func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("ETag", `"b"`)
				if r.Header.Get("If-None-Match") != "" {
					w.WriteHeader(http.StatusNotModified)
					return
				}
				io.WriteString(w, body)
			},
			want: Validators{ETag: `"b"`},
		},
		"changed": {
			known: Known{SHA256: digest("old"), Validators: Validators{ETag: `"a"`}},
			serve: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("ETag", `W/"b"`)
				w.Header().Set("Last-Modified", otherDay)
				io.WriteString(w, body)
			},
			want: Validators{`W/"b"`, otherDay},
		},
		"the same bytes again": {
			known: Known{SHA256: digest(body), Validators: Validators{ETag: `"a"`}},
			serve: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("ETag", `"b"`)
				io.WriteString(w, body)
			},
			unchanged: true, want: Validators{ETag: `"b"`},
		},
		"the same bytes, nothing else known": {
			known:     Known{SHA256: digest(body)},
			serve:     func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) },
			unchanged: true,
		},
		"not modified, unasked": {serve: notModified(`"a"`), code: CodeHTTPStatus},
		"a tag without a digest is not asked with": {
			known: Known{Validators: Validators{ETag: `"a"`, LastModified: someDay}}, serve: notModified(`"a"`), code: CodeHTTPStatus,
		},
		"tags that are none are not sent": {
			known: Known{SHA256: digest(body), Validators: Validators{ETag: "a\"\r\nX-Evil: 1", LastModified: "yesterday\r\nX-Evil: 1"}},
			serve: func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("If-None-Match") != "" || r.Header.Get("If-Modified-Since") != "" || r.Header.Get("X-Evil") != "" {
					http.Error(w, "conditions", http.StatusBadRequest)
				}
				w.Header()["Etag"] = []string{"bare"}
				w.Header().Set("Last-Modified", "yesterday")
				io.WriteString(w, "new")
			},
		},
		"modified within the second of the answer": {
			serve: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Date", someDay)
				w.Header().Set("Last-Modified", someDay)
				io.WriteString(w, body)
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, docs := newFetcher(t, Config{})
			c.known.Run = "earlier"
			out, err := fetchInput(t, f, Input{URL: serve(t, c.serve), Known: &c.known})
			if c.code != "" {
				wantFailure(t, err, c.code, true, "304")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if out.Unchanged != c.unchanged || out.Validators != c.want {
				t.Errorf("unchanged is %v with %+v, want %v with %+v", out.Unchanged, out.Validators, c.unchanged, c.want)
			}
			stored := len(docs.Names()) == 1
			if stored == c.unchanged || stored != (out.Document.Name != "") {
				t.Errorf("the store holds %v, the document is %+v", docs.Names(), out.Document)
			}
			if c.unchanged && (out.Known == nil || out.Known.Run != "earlier" || out.Known.SHA256 != c.known.SHA256) || !c.unchanged && out.Known != nil {
				t.Errorf("known is %+v", out.Known)
			}
		})
	}
}

func notModified(tag string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if tag != "" {
			w.Header().Set("ETag", tag)
		}
		w.WriteHeader(http.StatusNotModified)
	}
}

// The conditions go along with redirects: they are about what is at their end.
func TestFetchConditionsBehindRedirect(t *testing.T) {
	t.Parallel()
	end := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-None-Match") == `"a"` {
			w.WriteHeader(http.StatusNotModified)
		}
	})
	f, _ := newFetcher(t, Config{})
	known := Known{SHA256: digest("x"), Validators: Validators{ETag: `"a"`}}
	out, err := fetchInput(t, f, Input{URL: serve(t, http.RedirectHandler(end, http.StatusFound).ServeHTTP), Known: &known})
	if err != nil || !out.Unchanged {
		t.Errorf("got %+v, %v", out, err)
	}
}

// An attempt that is made twice does not replace the document of the first time,
// which an outcome may speak of; and an undo finds whatever was stored.
func TestFetchTwice(t *testing.T) {
	t.Parallel()
	version := 0
	url := serve(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "version %d", version) })
	f, docs := newFetcher(t, Config{})
	first, err := fetchInput(t, f, Input{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	if again, err := fetchInput(t, f, Input{URL: url}); err != nil || again.Document.Ref != first.Document.Ref {
		t.Errorf("the same again: %+v, %v", again, err)
	}
	version++
	_, err = fetchInput(t, f, Input{URL: url})
	wantFailure(t, err, CodeChanged, false, "changed it meanwhile")
	if got := text(t, docs, first.Document); got != "version 0" {
		t.Errorf("the first document is %q now", got)
	}
	// What it has become is known from elsewhere: still not the first one's to delete.
	out, err := fetchInput(t, f, Input{URL: url, Known: &Known{SHA256: digest("version 1")}})
	if err != nil || !out.Unchanged || text(t, docs, first.Document) != "version 0" {
		t.Errorf("got %+v, %v", out, err)
	}
	c := participant.Command[Input]{Run: "run", Step: "fetch", Attempt: 2, Input: Input{URL: url}}
	if _, err := f.Fetch(t.Context(), c); err != nil {
		t.Errorf("the next attempt: %v", err)
	}
	if err := f.Release(t.Context(), participant.Undo[Input, Output]{Run: "run", Step: "fetch", Attempts: 2}); err != nil || len(docs.Names()) != 0 {
		t.Errorf("the undo leaves %v, %v", docs.Names(), err)
	}
}

// The undo of an unchanged fetch takes nothing away from the run that saved the document.
func TestReleaseUnchanged(t *testing.T) {
	t.Parallel()
	f, docs := newFetcher(t, Config{})
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "{}") })
	if _, err := docs.Put(t.Context(), "earlier/fetch/1", strings.NewReader("{}")); err != nil {
		t.Fatal(err)
	}
	out, err := fetchInput(t, f, Input{URL: url, Known: &Known{Run: "earlier", SHA256: digest("{}")}})
	if err != nil || !out.Unchanged {
		t.Fatalf("got %+v, %v", out, err)
	}
	u := participant.Undo[Input, Output]{Run: "run", Step: "fetch", Attempts: 1, Output: &out}
	if err := f.Release(t.Context(), u); err != nil || strings.Join(docs.Names(), " ") != "earlier/fetch/1" {
		t.Errorf("the undo leaves %v, %v", docs.Names(), err)
	}
}

// Whatever a server sends as validators is not handed on unless it can be sent back.
func FuzzValidators(f *testing.F) {
	for _, s := range []string{`"a"`, `W/"a"`, `a`, `""`, `"a`, someDay, "yesterday"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, tag, modified string) {
		v := readValidators(http.Header{"Etag": {tag}, "Last-Modified": {modified}}, time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
		known := Known{SHA256: digest(""), Validators: v}
		if known.checked() != known {
			t.Errorf("%q, %q are handed on as %+v and not taken back", tag, modified, v)
		}
		for name, values := range known.conditions() {
			if strings.ContainsAny(values[0], "\r\n\x00") {
				t.Errorf("%s would be %q", name, values[0])
			}
		}
	})
}
