package objectstore_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"segue/document"
)

func TestList(t *testing.T) {
	t.Parallel()
	r := open(t, jetstream.ObjectStoreConfig{})
	if list, err := r.List(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("an empty bucket lists %v, %v", list, err)
	}
	want := make(map[string]document.Ref)
	for _, text := range []string{"a", "b", "c", "b again"} {
		ref, err := r.Put(t.Context(), text[:1], strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		want[ref.Name] = ref
	}
	if err := r.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	list, err := r.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]document.Ref{want["c"], want["b"]}, list); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
