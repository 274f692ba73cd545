package parse

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"segue/archive/archivetest"
	"segue/document"
	"segue/participant"
)

// With a real store: what Parse wrote can be read, and after Undo it is gone.
func TestParseAndUndo(t *testing.T) {
	t.Parallel()
	docs := document.NewMemory(document.DocumentsBucket)
	r, err := docs.Put(t.Context(), document.Name("run", "fetch", 1), strings.NewReader("a;b\n1;2\n"))
	if err != nil {
		t.Fatal(err)
	}
	p := parser(t, Config{}, docs)
	out, err := p.Parse(t.Context(), command(Input{Document: document.Document{Ref: r}, Format: "csv"}))
	if err != nil {
		t.Fatal(err)
	}
	records, err := document.ReadAll(t.Context(), docs, out.Records.Ref)
	if err != nil || string(records) != "{\"a\":\"1\",\"b\":\"2\"}\n" || out.Count != 1 {
		t.Errorf("%+v: %q, %v", out, records, err)
	}
	if err := p.Undo(t.Context(), participant.Undo[Input, Output]{Run: "run", Step: "parse", Attempt: 1, Attempts: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := docs.Stat(t.Context(), out.Records.Name); !errors.Is(err, document.ErrNotFound) {
		t.Errorf("after the undo: %v", err)
	}
	if _, err := docs.Stat(t.Context(), r.Name); err != nil {
		t.Errorf("the fetched document: %v", err)
	}
}

// What the store does is never taken for a flaw of the document, nor the other
// way round.
func TestStoreErrors(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, text := range []string{"", "[", "[1,", "[1]", `{"a":`, "a,b\n", "a,b\n1,2\n", "1\n", "\xff"} {
		for _, format := range []string{"json", "ndjson", "csv"} {
			for cause, code := range map[error]string{broken: "", document.ErrChanged: CodeDocumentChanged, document.ErrNotFound: CodeDocumentGone} {
				s := newStore()
				s.open = func(data []byte) io.Reader {
					return io.MultiReader(strings.NewReader(string(data)), iotest.ErrReader(cause))
				}
				_, err := parser(t, Config{}, s).Parse(t.Context(), command(Input{Document: s.put(text), Format: format}))
				var e *participant.Error
				flawed := text == "\xff" || text != "" && text[0] == 'a' && format != "csv"
				if flawed && errors.As(err, &e) && e.Code == CodeNotWellFormed {
					continue // the flaw was seen first
				}
				if !errors.Is(err, cause) || (code != "") != errors.As(err, &e) || e != nil && e.Code != code {
					t.Errorf("%s %q: error %v, want %v with code %q", format, text, err, cause, code)
				}
			}
		}
	}
}

func TestDocumentGone(t *testing.T) {
	t.Parallel()
	s := newStore()
	doc := s.put("[]")
	s.objects["doc"] = []byte("[1]")
	for _, want := range []string{CodeDocumentChanged, CodeDocumentGone} {
		_, err := parser(t, Config{}, s).Parse(t.Context(), command(Input{Document: doc, Format: "json"}))
		var e *participant.Error
		if !errors.As(err, &e) || e.Permanent || e.Code != want {
			t.Errorf("error %v, want one that may pass, with code %s", err, want)
		}
		delete(s.objects, "doc")
	}
}

func TestPutFails(t *testing.T) {
	t.Parallel()
	s := newStore()
	s.putErr = document.ErrFull
	_, err := parser(t, Config{}, s).Parse(t.Context(), command(Input{Document: s.put("[1]"), Format: "json"}))
	var e *participant.Error
	if !errors.Is(err, document.ErrFull) || errors.As(err, &e) {
		t.Errorf("error %v; want one that may be tried again", err)
	}
}

// Temporary files are gone when a command is done, however it ends.
func TestNoTemporaryFilesAreLeft(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for _, c := range []struct {
		text string
		in   Input
	}{
		{flights(t), Input{Format: "parquet"}},
		{flights(t)[:100], Input{Format: "parquet"}},
		{archivetest.Gzip(t, flights(t)), Input{Format: "parquet", Container: "gzip"}},
		{archivetest.Gzip(t, flights(t)[:100]), Input{Format: "parquet", Container: "gzip"}},
		{archivetest.Zip(t, "a", "[1]"), Input{Format: "json", Container: "zip"}},
		{archivetest.Zip(t, "a", "[1"), Input{Format: "json", Container: "zip"}},
		{archivetest.Zip(t, "a", flights(t)), Input{Format: "parquet", Container: "zip", Member: "b"}},
	} {
		_, _, _ = parse(t, Config{}, c.text, c.in)
		if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
			t.Fatalf("%+v left %v, %v", c.in, left, err)
		}
	}
}

// An error of the store is one of the store in every format and container.
func TestStoreErrorsBehindContainers(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for text, in := range map[string]Input{
		archivetest.Gzip(t, "[1]"): {Format: "json", Container: "gzip"}, archivetest.Zip(t, "a", "[1]"): {Format: "json", Container: "zip"},
		flights(t): {Format: "parquet"}, "<a/>": {Format: "xml"}, archivetest.Gzip(t, flights(t)): {Format: "parquet", Container: "gzip"},
	} {
		s := newStore()
		s.open = func(data []byte) io.Reader {
			return io.MultiReader(strings.NewReader(string(data[:len(data)/2])), iotest.ErrReader(broken))
		}
		in.Document = s.put(text)
		_, err := parser(t, Config{}, s).Parse(t.Context(), command(in))
		var e *participant.Error
		if !errors.Is(err, broken) || errors.As(err, &e) && e.Permanent {
			t.Errorf("%s in %q: %v", in.Format, in.Container, err)
		}
	}
}

// A store that stops reading before the end has not stored the records.
func TestPutStopsEarly(t *testing.T) {
	t.Parallel()
	s := &early{store: newStore()}
	_, err := parser(t, Config{}, s).Parse(t.Context(), command(Input{Document: s.put("[1,2]"), Format: "json"}))
	if !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("error %v", err)
	}
}

type early struct{ *store }

func (s *early) Put(_ context.Context, name string, r io.Reader) (document.Ref, error) {
	_, err := r.Read(make([]byte, 2))
	return ref(name, nil), err
}

// The end of the context ends the parser between two records, and also where no
// record comes.
func TestContext(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		in   Input
	}{
		{strings.Repeat("1\n", 1<<20), Input{Format: "ndjson"}},
		{"a\n" + strings.Repeat("1\n", 1<<20), Input{Format: "csv"}},
		{"[" + strings.Repeat("1,", 1<<20) + "1]", Input{Format: "json"}},
		{`{"x":[` + strings.Repeat("1,", 1<<20) + `1],"data":[]}`, Input{Format: "json", Records: at("/data")}},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		s := newStore()
		c.in.Document = s.put(c.text)
		total := 0
		s.open = func(data []byte) io.Reader {
			return readerFunc(func(p []byte) (int, error) {
				if total += len(p); total > 300<<10 {
					cancel()
				}
				n := copy(p, data)
				data = data[n:]
				return n, nil
			})
		}
		_, err := parser(t, Config{}, s).Parse(ctx, command(c.in))
		var e *participant.Error
		if !errors.Is(err, context.Canceled) || errors.As(err, &e) {
			t.Errorf("%s: error %v", c.in.Format, err)
		}
		if total > 500<<10 {
			t.Errorf("%s: read %d bytes after the end", c.in.Format, total)
		}
		cancel()
	}
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// A store makes a message of each read, so that reads must not be of one record
// each.
func TestReadsAreLarge(t *testing.T) {
	t.Parallel()
	s := newStore()
	doc := s.put(strings.Repeat("{\"a\":1}\n", 100_000)) // 800 kB, 7 chunks
	if _, err := parser(t, Config{}, s).Parse(t.Context(), command(Input{Document: doc, Format: "ndjson"})); err != nil {
		t.Fatal(err)
	}
	if s.reads > 8 {
		t.Errorf("%d reads for 7 chunks", s.reads)
	}
}

func TestUndo(t *testing.T) {
	t.Parallel()
	s := newStore()
	p := parser(t, Config{}, s)
	doc := s.put("[1]")
	for attempt := 1; attempt <= 2; attempt++ {
		c := command(Input{Document: doc, Format: "json"})
		c.Attempt = attempt
		if _, err := p.Parse(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	s.objects[document.Name("other", "parse", 1)] = []byte("stays")
	for range 2 { // an undo may come twice
		if err := p.Undo(t.Context(), participant.Undo[Input, Output]{Run: "run", Step: "parse", Attempt: 1, Attempts: 2}); err != nil {
			t.Fatal(err)
		}
		if len(s.objects) != 2 || s.objects["doc"] == nil {
			t.Fatalf("left %v", s.objects)
		}
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	if s, err := New(Config{}, newStore()); err != nil || s.Name() != "parser" {
		t.Errorf("New: %q, %v", s.Name(), err)
	}
	for _, cfg := range []Config{
		{MaxRecord: -1}, {MaxRecords: -1}, {MaxDepth: -1}, {MaxBytes: -1}, {MaxSpool: -1}, {MaxContent: -1}, {MaxRatio: -1},
		{TransformTime: -1}, {TransformWork: -1}, {TransformResults: -1},
	} {
		if _, err := New(cfg, newStore()); err == nil {
			t.Errorf("%+v is accepted", cfg)
		}
	}
}
