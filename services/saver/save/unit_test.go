package save

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"segue/document"
)

func TestDefaultCollection(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		"https://example.org/data/todos.json?x=1": "todos",
		"https://example.org/data/":               "data",
		"https://example.org/airports.2026.csv":   "airports.2026",
		"https://example.org/caf%C3%A9%2Fbar.csv": "café/bar",
		"https://example.org/.json":               "example.org",
		"https://example.org:8443":                "example.org",
		"https://[::1]/":                          "::1",
		"file:///srv/in/things.ndjson":            "things",
		"":                                        "records",
		"%zz":                                     "records",
	} {
		if got := defaultCollection(source); got != want {
			t.Errorf("defaultCollection(%q) = %q, want %q", source, got, want)
		}
	}
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	text := func(s string) *string { return &s }
	from := func(url string) document.Document { return document.Document{URL: url} }
	for name, in := range map[string]Input{
		"long collection":      {Collection: strings.Repeat("c", MaxCollection+1)},
		"NUL in collection":    {Collection: "a\x00"},
		"derived, not UTF-8":   {Document: from("https://example.org/%ff.json")},
		"derived, too long":    {Document: from("https://example.org/" + strings.Repeat("c", 201) + ".json")},
		"no pointer":           {Key: text("id")},
		"bad escape":           {Key: text("/a~2")},
		"bad escape at an end": {Key: text("/a~")},
	} {
		_, err := newJob(work{"r", "s"}, in)
		if e := failed(t, err); !e.Permanent {
			t.Errorf("%s: %v is not permanent", name, err)
		}
	}
}

// TestPointer has the examples of RFC 6901, section 5.
func TestPointer(t *testing.T) {
	t.Parallel()
	const doc = `{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8}`
	for text, want := range map[string]string{
		"": doc, "/foo": `["bar","baz"]`, "/foo/0": `"bar"`, "/": "0", "/a~1b": "1", "/c%d": "2",
		"/e^f": "3", "/g|h": "4", `/i\j`: "5", `/k"l`: "6", "/ ": "7", "/m~0n": "8",
		"/foo/2": "", "/foo/00": "", "/foo/-": "", "/foo/0/x": "", "/x": "",
	} {
		p, err := parsePointer(text)
		if err != nil {
			t.Errorf("parse %q: %v", text, err)
			continue
		}
		s := newSeeker(p)
		if err := s.seek([]byte(doc)); err != nil || string(s.found[0]) != want {
			t.Errorf("%q points to %s (%v), want %s", text, s.found[0], err, want)
		}
	}
}

func TestURLHidesSecrets(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"sqlite:.segue/segue.db":                               "sqlite:.segue/segue.db",
		"postgres://me:secret@db:5432/things?sslmode=disable":  "postgres://me@db:5432/things",
		"postgresql://db/things?user=me&password=secret":       "postgresql://db/things",
		"postgres://me:secret%@db/things":                      "postgres://...",
		"postgres://me:sec#ret@db:1,db2:2/things":              "postgres://...",
		"postgres:///things?host=/tmp&sslpassword=secret#hash": "postgres:///things",
	} {
		if got := redact(url); got != want {
			t.Errorf("redact(%q) = %q, want %q", url, got, want)
		}
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	junk := filepath.Join(dir, "junk.db")
	if err := os.WriteFile(junk, bytes.Repeat([]byte("junk"), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	for url, says := range map[string]string{
		"":                                "want sqlite:PATH or postgres://",
		"mysql://me:secret@db/things":     "want sqlite:PATH or postgres://",
		"sqlite:":                         "the path is missing",
		"sqlite::memory:":                 "would not outlive the program",
		"sqlite:" + junk:                  "must be an SQLite database",
		"sqlite:" + dir:                   "folder writable",
		"sqlite:" + junk + "/x.db":        "make its folder",
		"postgres://me:secret%@db/things": "percent-encoded",
		"postgres://me:secret@[::1]:1/x?connect_timeout=2":     "check that PostgreSQL runs there",
		"postgres://me:secret@127.0.0.1:1/x?pool_max_conns=-1": "pool_max_conns",
	} {
		db, err := Open(t.Context(), url)
		if err == nil {
			_ = db.Close()
			t.Errorf("Open(%q) succeeded", url)
			continue
		}
		if !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("Open(%q): %v, want it to say %q and not the password", url, err, says)
		}
	}
}

// TestOddPaths opens files whose names mean something in a URI.
func TestOddPaths(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a b.db", "a?mode=memory", "50%25.db", "a#b", "new/deep/x.db"} {
		path := filepath.Join(t.TempDir(), name)
		db, err := Open(t.Context(), "sqlite:"+path)
		if err != nil {
			t.Error(err)
			continue
		}
		if err := errors.Join(db.Ping(t.Context()), db.Close()); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}

func TestConfigDefaults(t *testing.T) {
	t.Parallel()
	var parsed Config
	parser, err := kong.New(&parsed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(nil); err != nil {
		t.Fatal(err)
	}
	zero, err := Config{}.withDefaults()
	if err != nil || parsed != zero {
		t.Errorf("flags default to %+v, the zero value to %+v (%v)", parsed, zero, err)
	}
	if _, err := New(Config{UndoKeep: -1}, nil, nil); err == nil {
		t.Error("a negative UndoKeep is accepted")
	}
}

func FuzzRecord(f *testing.F) {
	for _, seed := range []string{`{"id":"a"}`, `{"id":1,"x":[[]]}`, `{"id":"\\\u0000"}`, `{"a\"":"[{"}`, ``, "{}\r\n{}", `{"id":1e5}`} {
		f.Add([]byte(seed))
	}
	key, err := parsePointer("/id")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := newRecords(bytes.NewReader(data), &key, nil, 100, true)
		for {
			rec, err := r.next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				failed(t, err)
				return
			}
			// What is taken, encoding/json reads as well, finds the same key in, and no \u0000.
			var got struct{ ID any }
			d := json.NewDecoder(bytes.NewReader(rec.data))
			d.UseNumber()
			var all map[string]any
			if err := d.Decode(&all); err != nil {
				t.Fatalf("%q: %v", rec.data, err)
			}
			got.ID = all["id"]
			text, isText := got.ID.(string)
			if isText && text != rec.key {
				t.Fatalf("%q: key %q, want %q", rec.data, rec.key, text)
			}
			plain, err := json.Marshal(all)
			if err != nil || bytes.Contains(bytes.ReplaceAll(plain, []byte(`\\`), nil), []byte(`\u0000`)) {
				t.Fatalf("%q has a null character (%v)", rec.data, err)
			}
		}
	})
}
