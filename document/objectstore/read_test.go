package objectstore_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"segue/document"
	"segue/document/objectstore"
)

// TestReadersWhileReplaced holds that a reader sees one version or an error.
func TestReadersWhileReplaced(t *testing.T) {
	t.Parallel()
	r := open(t, jetstream.ObjectStoreConfig{})
	const size = 40 * objectstore.ChunkSize
	ref, err := r.Put(t.Context(), "a", bytes.NewReader(noise(0, size)))
	if err != nil {
		t.Fatal(err)
	}
	reader, err := r.Open(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close() //nolint:errcheck // was only read
	if _, err := io.ReadFull(reader, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Put(t.Context(), "a", bytes.NewReader(noise(1, size))); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if _, err := io.Copy(io.Discard, reader); !errors.Is(err, document.ErrChanged) {
		t.Errorf("error is %v, want ErrChanged", err)
	}
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("it took %v to notice", took)
	}
	ref, err = r.Stat(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if reader, err = r.Open(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(reader, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	if err := r.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, reader); !errors.Is(err, document.ErrNotFound) {
		t.Errorf("error is %v, want ErrNotFound", err)
	}
	if err := reader.Close(); err != nil {
		t.Error(err)
	}
	if _, err := reader.Read(make([]byte, 1)); err == nil {
		t.Error("a closed reader reads on")
	}
}

// TestSlowReader reads slower than the five seconds that the client library gives.
func TestSlowReader(t *testing.T) {
	if testing.Short() {
		t.Skip("a reader that takes 6 s is not tested: -short is set")
	}
	t.Parallel()
	r := open(t, jetstream.ObjectStoreConfig{})
	ref, err := r.Put(t.Context(), "a", bytes.NewReader(noise(0, 20*objectstore.ChunkSize)))
	if err != nil {
		t.Fatal(err)
	}
	reader, err := r.Open(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close() //nolint:errcheck // was only read
	if _, err := io.ReadFull(reader, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	timer := time.NewTimer(6 * time.Second)
	defer timer.Stop()
	<-timer.C
	if _, err := io.Copy(io.Discard, reader); err != nil {
		t.Error(err)
	}
}
