package parse

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"segue/document"
	"segue/participant"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// store is a document store with faults.
type store struct {
	mu      sync.Mutex
	objects map[string][]byte

	open   func(data []byte) io.Reader // what a reader of an object reads; nil for the object
	putErr error                       // what Put returns after it has read everything
	reads  int                         // reads of the last Put
}

func newStore() *store { return &store{objects: map[string][]byte{}} }

func (s *store) Create(ctx context.Context, name string, r io.Reader) (document.Ref, error) {
	return s.Put(ctx, name, r)
}

func (s *store) Put(ctx context.Context, name string, r io.Reader) (document.Ref, error) {
	var all bytes.Buffer
	reads := 0
	// In chunks, as the object store of JetStream does.
	chunk := make([]byte, 128<<10)
	for {
		n, err := r.Read(chunk)
		reads++
		all.Write(chunk[:n])
		if err == io.EOF {
			break
		}
		if err != nil {
			return document.Ref{}, err
		}
	}
	if s.putErr != nil {
		return document.Ref{}, s.putErr
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads = reads
	s.objects[name] = all.Bytes()
	return ref(name, all.Bytes()), nil
}

func (s *store) Open(_ context.Context, r document.Ref) (io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	data, ok := s.objects[r.Name]
	if !ok {
		return nil, document.ErrNotFound
	}
	if ref(r.Name, data).SHA256 != r.SHA256 {
		return nil, document.ErrChanged
	}
	if s.open != nil {
		return io.NopCloser(s.open(data)), nil
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}

func (s *store) Stat(_ context.Context, name string) (document.Ref, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if data, ok := s.objects[name]; ok {
		return ref(name, data), nil
	}
	return document.Ref{}, document.ErrNotFound
}

func (s *store) Delete(_ context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.objects, name)
	return nil
}

func ref(name string, data []byte) document.Ref {
	sum := sha256.Sum256(data)
	return document.Ref{Bucket: document.DocumentsBucket, Name: name, SHA256: hex.EncodeToString(sum[:]), Size: int64(len(data))}
}

// put stores a document for a command to parse.
func (s *store) put(data string) document.Document {
	s.objects["doc"] = []byte(data)
	return document.Document{Ref: ref("doc", []byte(data)), URL: "https://example.org/doc", MediaType: "text/plain"}
}

// parse parses a text as a whole command and returns the records.
func parse(t testing.TB, cfg Config, text string, in Input) (string, Output, error) {
	t.Helper()
	s := newStore()
	in.Document = s.put(text)
	out, err := parser(t, cfg, s).Parse(t.Context(), command(in))
	got := string(s.objects[document.Name("run", "parse", 1)])
	if err != nil && len(s.objects) > 1 {
		t.Errorf("failed with %v, and yet wrote %q", err, got)
	}
	return got, out, err
}

func parser(t testing.TB, cfg Config, s document.Store) *Parser {
	t.Helper()
	p, err := NewParser(cfg, s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func command(in Input) participant.Command[Input] {
	return participant.Command[Input]{Run: "run", Step: "parse", Attempt: 1, Input: in}
}
