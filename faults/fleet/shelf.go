//go:build unix

package fleet

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Document is a document of a shelf. No two have a record in common.
type Document struct {
	Format string
	Body   string
	URL    string
	Flaky  bool // refused with 503 at the first request
	Gone   bool // there is no such document
	// Rows are what is saved of it: collection/key => record.
	Rows map[string]any
}

// Shelf is a site on loopback with documents, all of them different.
type Shelf struct {
	Tasks []*Task

	server *http.Server
	docs   map[string]*Document // by path
	mu     sync.Mutex
	asked  map[string]int
}

// NewShelf makes n documents for the saga ingest, or another that takes its
// input, and serves them until Close. Most run through; of 20 one is flaky, one is
// canceled, one is gone, one is broken, one does not fit its schema and one has a
// key twice. Equal seeds make equal documents.
func NewShelf(n int, saga string, seed uint64) (*Shelf, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("serve documents: %w", err)
	}
	s := &Shelf{docs: make(map[string]*Document), asked: make(map[string]int)}
	random := rand.New(rand.NewPCG(seed, 1))
	for i := range n {
		s.add(i, saga, "http://"+l.Addr().String(), random)
	}
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		if err := s.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			panic(err) // unreachable: the listener is ours
		}
	}()
	return s, nil
}

// Close takes the site away.
func (s *Shelf) Close() { s.server.Close() } //nolint:errcheck // nothing is lost

func (s *Shelf) add(i int, saga, site string, random *rand.Rand) {
	id := fmt.Sprintf("doc-%d", i)
	d := &Document{Format: []string{"json", "ndjson", "csv"}[random.IntN(3)], Rows: make(map[string]any)}
	collection := fmt.Sprintf("c%d", i%10)
	t := &Task{ID: id, Saga: saga, Document: d}
	var list []map[string]any
	for j := range 1 + random.IntN(40) {
		r := map[string]any{"id": fmt.Sprintf("%s-%d", id, j), "n": fmt.Sprint(random.IntN(1000)), "text": text(random)}
		list = append(list, r)
		d.Rows[collection+"/"+r["id"].(string)] = r
	}
	kind, schema := i%20, ""
	switch kind {
	case 3:
		d.Flaky = true
	case 7:
		t.Cancel = 1 + random.IntN(MessagesOfIngest)
	case 11:
		d.Gone, t.FailsAt = true, "fetch"
	case 13:
		schema, t.FailsAt = `{"items":{"required":["missing"]},"required":["missing"]}`, "validate"
	case 15:
		d.Format, t.FailsAt = "json", "validate"
	case 19:
		t.FailsAt = "save"
		list = append(list, maps.Clone(list[0]))
	}
	d.Body = write(d.Format, list)
	if kind == 15 {
		d.Body = strings.TrimSuffix(d.Body, "]") + `{"id":`
	}
	path := "/" + id + "." + d.Format
	d.URL = site + path
	input := map[string]any{"url": d.URL, "collection": collection, "key": "/id"}
	if schema != "" {
		input["schema"] = json.RawMessage(schema)
	}
	t.Input = input
	s.docs[path] = d
	s.Tasks = append(s.Tasks, t)
}

// MessagesOfIngest is how many messages a run of ingest has that completes.
const MessagesOfIngest = 12

// text returns a text that is not easy on formats.
func text(random *rand.Rand) string {
	pieces := []string{"plain", `"quoted"`, "a,b;c", "line\nbreak", "ümläut", "日本", "{{x}}", "\\", " ", "100%"}
	var b strings.Builder
	for range 1 + random.IntN(6) {
		b.WriteString(pieces[random.IntN(len(pieces))])
	}
	return b.String()
}

// write writes records in a format, in another way than Segue would.
func write(format string, list []map[string]any) string {
	var b strings.Builder
	switch format {
	case "json":
		text, _ := json.Marshal(list) // strings only
		return string(text)
	case "ndjson":
		for _, r := range list {
			text, _ := json.Marshal(r)
			b.Write(append(text, '\n'))
		}
	case "csv":
		b.WriteString("id,n,text\r\n")
		for _, r := range list {
			for i, name := range []string{"id", "n", "text"} {
				if i > 0 {
					b.WriteByte(',')
				}
				b.WriteString(`"` + strings.ReplaceAll(r[name].(string), `"`, `""`) + `"`)
			}
			b.WriteString("\r\n")
		}
	}
	return b.String()
}

// ServeHTTP serves the documents.
func (s *Shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked[r.URL.Path]++
	nth := s.asked[r.URL.Path]
	s.mu.Unlock()
	switch d := s.docs[r.URL.Path]; {
	case d == nil || d.Gone:
		http.Error(w, "no such document", http.StatusNotFound)
	case d.Flaky && nth == 1:
		http.Error(w, "not now", http.StatusServiceUnavailable)
	default:
		w.Header().Set("Content-Type", map[string]string{"json": "application/json", "ndjson": "application/x-ndjson", "csv": "text/csv"}[d.Format])
		fmt.Fprint(w, d.Body)
	}
}
