package save

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"segue/document"
	"segue/participant"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(childDatabase); path != "" {
		os.Exit(child(path))
	}
	// Few random cases, for -race; a long run is: go test -run Chains -rapid.checks=1000.
	if err := flag.Set("rapid.checks", "12"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		stopCluster()
		os.Exit(code)
	}))
}

// each runs a test on both databases, each time on an empty one of its own.
func each(t *testing.T, test func(t *testing.T, url string)) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, "sqlite:"+filepath.Join(t.TempDir(), "segue.db"))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, postgresURL(t))
	})
}

// bench is a saver with what a test needs around it.
type bench struct {
	*saver
	t    *testing.T
	docs *store
}

func newBench(t *testing.T, url string) *bench {
	t.Helper()
	db, err := Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	cfg, err := Config{}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	docs := &store{objects: map[string][]byte{}}
	return &bench{saver: &saver{cfg: cfg, db: db, docs: docs, now: time.Now}, t: t, docs: docs}
}

// input puts records into the store, one a line, as those of a document that is
// a function of them.
func (b *bench) input(records ...string) Input {
	var body strings.Builder
	for _, r := range records {
		body.WriteString(r + "\n")
	}
	ref := b.docs.put([]byte(body.String()))
	return Input{
		Document: document.Document{
			Ref: ref, URL: "https://example.org/things.json", MediaType: "application/json",
			FetchedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		},
		Records: document.Document{Ref: ref},
	}
}

// keyed is input whose records have their keys at /id.
func (b *bench) keyed(records ...string) Input {
	in := b.input(records...)
	key := "/id"
	in.Key = &key
	return in
}

func (b *bench) save(run string, in Input) (Output, error) {
	return b.do(b.t.Context(), participant.Command[Input]{Run: run, Step: "save", Attempt: 1, Input: in})
}

func (b *bench) mustSave(run string, in Input) Output {
	b.t.Helper()
	out, err := b.save(run, in)
	if err != nil {
		b.t.Fatalf("save of run %s: %v", run, err)
	}
	return out
}

func (b *bench) takeBack(run string) error {
	return b.undo(b.t.Context(), participant.Undo[Input, Output]{Run: run, Step: "save", Attempt: 1, Attempts: 1})
}

func (b *bench) mustTakeBack(run string) {
	b.t.Helper()
	if err := b.takeBack(run); err != nil {
		b.t.Fatalf("undo of run %s: %v", run, err)
	}
}

// rows returns what a query finds, each row as its values joined by spaces.
func (b *bench) rows(query string, args ...any) []string {
	b.t.Helper()
	return queryRows(b.t, b.db.sql, query, args...)
}

func queryRows(t testing.TB, db *sql.DB, query string, args ...any) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	found := []string{}
	for rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		if err := rows.Scan(values...); err != nil {
			t.Fatal(err)
		}
		texts := make([]string, len(values))
		for i, v := range values {
			texts[i] = text(*v.(*any))
		}
		found = append(found, strings.Join(texts, " "))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return found
}

func text(v any) string {
	switch v := v.(type) {
	case []byte:
		return text(string(v))
	case string:
		// jsonb comes back with spaces of its own.
		if strings.HasPrefix(v, "{") {
			var value any
			if json.Unmarshal([]byte(v), &value) == nil {
				compact, _ := json.Marshal(value)
				return string(compact)
			}
		}
		return v
	case time.Time:
		return v.UTC().Format(sqliteTime)
	case nil:
		return "null"
	default:
		return fmt.Sprint(v)
	}
}

const (
	allDocuments = "SELECT run_id, collection, url, sha256, media_type, size, fetched_at, saved_at, records FROM documents ORDER BY run_id"
	allRecords   = "SELECT collection, key, data, run_id, save, ordinal, saved_at FROM records ORDER BY collection, key"
)

// empty fails the test unless nothing is left but barriers.
func (b *bench) empty() {
	b.t.Helper()
	for _, table := range []string{"documents", "records", "saves", "undo_log"} {
		if n := len(b.rows("SELECT * FROM " + table)); n != 0 {
			b.t.Errorf("table %s has %d rows, want none", table, n)
		}
	}
}

// store is a document store in memory. Only Open is used by the saver.
type store struct {
	document.Store
	mu      sync.Mutex
	objects map[string][]byte
	// wrap, if set, stands between the saver and a document.
	wrap func(io.Reader) io.Reader
}

func (s *store) put(data []byte) document.Ref {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := sha256.Sum256(data)
	name := hex.EncodeToString(sum[:])
	s.objects[name] = data
	return document.Ref{Bucket: document.DocumentsBucket, Name: name, SHA256: name, Size: int64(len(data))}
}

func (s *store) Open(_ context.Context, ref document.Ref) (io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	data, ok := s.objects[ref.Name]
	if !ok {
		return nil, document.ErrNotFound
	}
	r := io.Reader(strings.NewReader(string(data)))
	if s.wrap != nil {
		r = s.wrap(r)
	}
	return io.NopCloser(r), nil
}

// failed returns the failure behind an error, or fails the test.
func failed(t *testing.T, err error) *participant.Error {
	t.Helper()
	var e *participant.Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %v, want a *participant.Error", err)
	}
	return e
}
