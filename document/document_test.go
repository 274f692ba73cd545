package document_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segue/document"
	"segue/document/documenttest"
	"segue/events"
)

func TestMemoryConformance(t *testing.T) {
	t.Parallel()
	documenttest.Run(t, func(*testing.T) document.Store { return document.NewMemory(document.DocumentsBucket) })
}

func TestMemoryFull(t *testing.T) {
	t.Parallel()
	m := document.NewMemory("B")
	m.MaxBytes = 100
	put := func(name string, n int) error {
		_, err := m.Put(t.Context(), name, strings.NewReader(strings.Repeat("x", n)))
		return err
	}
	for _, step := range []struct {
		name string
		size int
		want error
	}{
		{"a", 60, nil}, {"b", 41, document.ErrFull}, {"b", 40, nil}, {"a", 61, document.ErrFull}, {"a", 10, nil}, {"c", 50, nil},
	} {
		if err := put(step.name, step.size); !errors.Is(err, step.want) {
			t.Errorf("put %d bytes as %s: %v, want %v", step.size, step.name, err, step.want)
		}
	}
	if err := m.Delete(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	if err := put("d", 50); err != nil {
		t.Errorf("put into the room of a deleted object: %v", err)
	}
	if got, want := m.Names(), []string{"a", "b", "d"}; !cmp.Equal(got, want) {
		t.Errorf("the bucket holds %v, want %v", got, want)
	}
}

func TestURI(t *testing.T) {
	t.Parallel()
	digest := strings.Repeat("0123456789abcdef", 4)
	for _, ref := range []document.Ref{
		{Bucket: "SAGA_DATA", Name: digest, SHA256: digest, Size: 0},
		{Bucket: "SAGA_DOCUMENTS", Name: document.Name("r-1", "fetch", 12), SHA256: digest, Size: 1 << 40},
		{Bucket: "B", Name: "a b/ü?#%2F", SHA256: digest, Size: 1},
	} {
		back, err := document.ParseURI(ref.URI())
		if err != nil || back != ref {
			t.Errorf("%s reads as %+v (%v), want %+v", ref.URI(), back, err, ref)
		}
	}
	if got, want := (document.Ref{Bucket: "B", Name: "r/s/1", SHA256: digest, Size: 7}).URI(), "nats-object://B/r/s/1?sha256="+digest+"&size=7"; got != want {
		t.Errorf("the URI is %s, want %s", got, want)
	}
	for _, bad := range []string{
		"", "nats-object://", "http://B/n?sha256=" + digest + "&size=1", "nats-object://B/?sha256=" + digest + "&size=1",
		"nats-object:///n?sha256=" + digest + "&size=1", "nats-object://B/n?sha256=12&size=1",
		"nats-object://B/n?sha256=" + digest, "nats-object://B/n?sha256=" + digest + "&size=-1",
		"nats-object://B/n?sha256=" + digest + "&size=x", "nats-object://B/%zz?sha256=" + digest + "&size=1",
	} {
		if ref, err := document.ParseURI(bad); err == nil {
			t.Errorf("%q was read as %+v, want an error", bad, ref)
		}
	}
}

func TestRelease(t *testing.T) {
	t.Parallel()
	m := document.NewMemory("B")
	for _, name := range []string{"r/fetch/1", "r/fetch/3", "r/fetch/4", "r/fetch2/1", "r2/fetch/1"} {
		if _, err := m.Put(t.Context(), name, strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := document.Release(t.Context(), m, "r", "fetch", 3); err != nil {
			t.Errorf("release: %v", err)
		}
		if got, want := m.Names(), []string{"r/fetch/4", "r/fetch2/1", "r2/fetch/1"}; !cmp.Equal(got, want) {
			t.Errorf("after the release the bucket holds %v, want %v", got, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := document.Release(ctx, m, "r", "fetch", 4); !errors.Is(err, context.Canceled) {
		t.Errorf("release with a context that is done: %v", err)
	}
}

func TestClaimCheck(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		size   int
		stored bool
	}{{0, false}, {1, false}, {document.InlineLimit, false}, {document.InlineLimit + 1, true}, {document.DataLimit, true}} {
		m := document.NewMemory(document.DataBucket)
		e := events.Event{ID: "1", Type: events.TypeStepCompleted, Data: bytes.Repeat([]byte("x"), test.size)}
		in, err := document.CheckIn(t.Context(), m, e)
		if err != nil {
			t.Errorf("check in %d bytes: %v", test.size, err)
			continue
		}
		if stored := len(m.Names()) == 1; stored != test.stored || stored != (in.DataRef != "") || stored && len(in.Data) != 0 {
			t.Errorf("%d bytes: stored is %v, the event has %d bytes and reference %q", test.size, stored, len(in.Data), in.DataRef)
		}
		if again, err := document.CheckIn(t.Context(), m, e); err != nil || again.DataRef != in.DataRef || len(m.Names()) > 1 {
			t.Errorf("%d bytes a second time: reference %q (%v), objects %v", test.size, again.DataRef, err, m.Names())
		}
		out, err := document.CheckOut(t.Context(), m, in)
		if err != nil || !bytes.Equal(out.Data, e.Data) {
			t.Errorf("check out %d bytes: %d came (%v)", test.size, len(out.Data), err)
		}
	}
}

func TestClaimCheckRefuses(t *testing.T) {
	t.Parallel()
	m := document.NewMemory(document.DataBucket)
	_, err := document.CheckIn(t.Context(), m, events.Event{Data: make([]byte, document.DataLimit+1)})
	if !errors.Is(err, document.ErrDataTooLarge) || len(m.Names()) != 0 {
		t.Errorf("check in over the limit: %v, objects %v", err, m.Names())
	}
	large := make([]byte, document.InlineLimit+1)
	in, err := document.CheckIn(t.Context(), m, events.Event{Data: large})
	if err != nil {
		t.Fatal(err)
	}
	ref, err := document.ParseURI(in.DataRef)
	if err != nil {
		t.Fatal(err)
	}
	huge, other := ref, ref
	huge.Size = document.DataLimit + 1
	other.SHA256 = strings.Repeat("0", 64)
	for want, uri := range map[error]string{document.ErrDataTooLarge: huge.URI(), document.ErrChanged: other.URI()} {
		if _, err := document.CheckOut(t.Context(), m, events.Event{DataRef: uri}); !errors.Is(err, want) {
			t.Errorf("check out %s: %v, want %v", uri, err, want)
		}
	}
	if _, err := document.CheckOut(t.Context(), m, events.Event{DataRef: "https://example.org/x"}); err == nil {
		t.Error("a foreign reference was checked out")
	}
	m.Corrupt(ref.Name)
	if _, err := document.CheckOut(t.Context(), m, in); !errors.Is(err, document.ErrChanged) {
		t.Errorf("check out of damaged data: %v", err)
	}
	if err := m.Delete(t.Context(), ref.Name); err != nil {
		t.Fatal(err)
	}
	if _, err := document.CheckOut(t.Context(), m, in); !errors.Is(err, document.ErrNotFound) {
		t.Errorf("check out of deleted data: %v", err)
	}
}

// A reference lies about the size of what it names: a reader must not take more
// into memory than the limit allows, whatever the reference says.
func TestCheckOutLyingSize(t *testing.T) {
	t.Parallel()
	m := document.NewMemory(document.DataBucket)
	ref, err := m.Put(t.Context(), "big", bytes.NewReader(make([]byte, 2*document.DataLimit)))
	if err != nil {
		t.Fatal(err)
	}
	ref.Size = 1
	if e, err := document.CheckOut(t.Context(), m, events.Event{DataRef: ref.URI()}); err == nil {
		t.Errorf("%d bytes were checked out by a reference that says 1", len(e.Data))
	}
}
