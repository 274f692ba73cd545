package validate_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"sync"
	"testing"

	"segue/document"
	"segue/participant"
	"segue/services/validator/validate"
)

// store is a document store of one bucket in memory. Only reading is real.
type store struct {
	document.Store // the methods that the validator must not call panic

	mu   sync.Mutex
	docs map[string]func() io.Reader
}

func (s *store) put(name string, open func() io.Reader) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.docs == nil {
		s.docs = make(map[string]func() io.Reader)
	}
	s.docs[name] = open
}

// Open implements document.Store.
func (s *store) Open(ctx context.Context, ref document.Ref) (io.ReadCloser, error) {
	s.mu.Lock()
	open := s.docs[ref.Name]
	s.mu.Unlock()
	if open == nil {
		return nil, document.ErrNotFound
	}
	return io.NopCloser(contextReader{ctx, open()}), nil
}

// contextReader ends with its context.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// fixture is a validator and its store.
type fixture struct {
	*validate.Validator
	store *store
}

func newFixture(t testing.TB, cfg validate.Config) fixture {
	t.Helper()
	s := new(store)
	v, err := validate.NewValidator(cfg, s)
	if err != nil {
		t.Fatal(err)
	}
	return fixture{v, s}
}

// check stores a text and validates it. The Ref of the input is filled in.
func (f fixture) check(text string, in validate.Input) (validate.Output, error) {
	sum := sha256.Sum256([]byte(text))
	name := hex.EncodeToString(sum[:])
	f.store.put(name, func() io.Reader { return bytes.NewReader([]byte(text)) })
	in.Document.Ref = document.Ref{Bucket: document.DocumentsBucket, Name: name, SHA256: name, Size: int64(len(text))}
	return f.Validate(context.Background(), participant.Command[validate.Input]{Run: "r", Step: "validate", Attempt: 1, Input: in})
}

// failure returns the parts of an error that must be a permanent failure.
func failure(t testing.TB, err error) (code, message string, details validate.Details) {
	t.Helper()
	var e *participant.Error
	if !errors.As(err, &e) || !e.Permanent || e.Unknown {
		t.Fatalf("error %v (%T): want a permanent participant.Error", err, err)
	}
	details, _ = e.Details.(validate.Details)
	text, merr := json.Marshal(e.Details)
	if merr != nil || len(text) > 256<<10 {
		t.Fatalf("details of %d bytes, error %v: the runtime would drop them", len(text), merr)
	}
	return e.Code, e.Error(), details
}

func pointer(s string) *string { return &s }
