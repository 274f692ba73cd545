//go:build unix

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// doc is a document of the kill test, with what ought to become of it. All of
// them are different, and no two have a record in common.
type doc struct {
	id     string
	format string
	body   string
	web    bool // served by http, otherwise a file
	flaky  bool // refused with 503 at the first request
	gone   bool // there is no such document
	cancel int  // > 0: the run is canceled when it has that many messages; it may win
	input  map[string]any

	failsAt string         // the step that fails; empty: the run completes
	rows    map[string]any // collection/key => record, if the run completes
}

// newDoc makes the i-th document; equal random numbers make equal documents.
func newDoc(i int, random *rand.Rand) *doc {
	d := &doc{id: fmt.Sprintf("doc-%d", i), format: []string{"json", "ndjson", "csv"}[random.IntN(3)], web: random.IntN(2) == 0, rows: make(map[string]any)}
	collection := fmt.Sprintf("c%d", i%10)
	d.input = map[string]any{"collection": collection, "key": "/id"}
	var list []map[string]any
	for j := range 1 + random.IntN(40) {
		record := map[string]any{"id": fmt.Sprintf("%s-%d", d.id, j), "n": fmt.Sprint(random.IntN(1000)), "text": text(random)}
		list = append(list, record)
		d.rows[collection+"/"+record["id"].(string)] = record
	}
	switch kind := i % 10; kind {
	case 0:
		d.web, d.flaky = true, true
	case 1, 2, 3:
		d.cancel = 1 + random.IntN(len(ten))
	case 4:
		d.web, d.gone, d.failsAt = true, true, "fetch"
	case 5:
		d.failsAt, d.format = "validate", "json"
	case 6:
		d.failsAt = "validate"
		d.input["schema"] = json.RawMessage(`{"items":{"required":["missing"]},"required":["missing"]}`)
	case 7:
		d.failsAt = "save"
		list = append(list, maps.Clone(list[0])) // the same key twice
	}
	d.body = write(d.format, list)
	if i%10 == 5 {
		d.body = strings.TrimSuffix(d.body, "]") + `{"id":`
	}
	return d
}

// text returns a text that is not easy on formats.
func text(random *rand.Rand) string {
	pieces := []string{"plain", `"quoted"`, "a,b;c", "line\nbreak", "ümläut", "日本", "{{x}}", "\\", " ", "100%"}
	var b strings.Builder
	for range 1 + random.IntN(6) {
		b.WriteString(pieces[random.IntN(len(pieces))])
	}
	return b.String()
}

// write writes records in a format, in another way than segue would.
func write(format string, list []map[string]any) string {
	var b strings.Builder
	switch format {
	case "json":
		text, _ := json.Marshal(list) // strings only
		return string(text)
	case "ndjson":
		for _, record := range list {
			text, _ := json.Marshal(record)
			b.Write(append(text, '\n'))
		}
	case "csv":
		b.WriteString("id,n,text\r\n")
		for _, record := range list {
			for i, name := range []string{"id", "n", "text"} {
				if i > 0 {
					b.WriteByte(',')
				}
				b.WriteString(`"` + strings.ReplaceAll(record[name].(string), `"`, `""`) + `"`)
			}
			b.WriteString("\r\n")
		}
	}
	return b.String()
}

func (d *doc) path() string { return "/" + d.id + "." + d.format }

// library keeps documents where the fetcher finds them.
type library struct {
	*site
	dir  string
	docs map[string]*doc // by path
}

func newLibrary(t *testing.T, docs []*doc) *library {
	t.Helper()
	l := &library{dir: t.TempDir(), docs: make(map[string]*doc)}
	for _, d := range docs {
		l.docs[d.path()] = d
		if !d.web {
			if err := os.WriteFile(filepath.Join(l.dir, d.path()), []byte(d.body), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	l.site = newSite(t, l.serve)
	for _, d := range docs {
		d.input["url"] = l.url(d)
	}
	return l
}

func (l *library) url(d *doc) string {
	if d.web {
		return l.URL + d.path()
	}
	return (&url.URL{Scheme: "file", Path: filepath.Join(l.dir, d.path())}).String()
}

func (l *library) serve(w http.ResponseWriter, path string, nth int) {
	switch d := l.docs[path]; {
	case d == nil || d.gone:
		http.Error(w, "no such document", http.StatusNotFound)
	case d.flaky && nth == 1:
		http.Error(w, "not now", http.StatusServiceUnavailable)
	default:
		w.Header().Set("Content-Type", map[string]string{"json": "application/json", "ndjson": "application/x-ndjson", "csv": "text/csv"}[d.format])
		fmt.Fprint(w, d.body)
	}
}
