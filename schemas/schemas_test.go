package schemas_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"segue/document"
	"segue/schemas"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestResolve(t *testing.T) {
	t.Parallel()
	s := document.NewMemory(document.SchemasBucket)
	order := schemas.Ref{Name: "order", Version: 1}
	text := []byte(`{"type":"object"}`)
	for range 2 {
		if err := schemas.Put(t.Context(), s, order, text); err != nil {
			t.Fatal(err)
		}
	}
	var e *schemas.Error
	if err := schemas.Put(t.Context(), s, order, []byte(`{}`)); !errors.As(err, &e) || !strings.Contains(err.Error(), "a version never changes") {
		t.Errorf("put another text: %v", err)
	}
	if err := schemas.Put(t.Context(), s, order, make([]byte, schemas.MaxSize+1)); !errors.As(err, &e) {
		t.Errorf("put a large text: %v", err)
	}
	for given, want := range map[string]string{
		``: "", `null`: "", `true`: "true", `{"a":1}`: `{"a":1}`, `"order@1"`: string(text),
	} {
		got, err := schemas.Resolve(t.Context(), s, json.RawMessage(given))
		if err != nil || string(got) != want {
			t.Errorf("%s is %s (%v), want %s", given, got, err, want)
		}
	}
	for given, want := range map[string]string{
		`"order"`:      "named without a version",
		`"order@2"`:    "not registered",
		`"../order@1"`: "no reference",
		`"order@"`:     "no reference",
		`"@1"`:         "no reference",
		`"order@1@2"`:  "no reference",
		`"order@01"`:   "no reference", `"order@0"`: "no reference", `"order@x"`: "no reference",
		`"` + strings.Repeat("x", 65) + `@1"`:   "no reference",
		`"` + strings.Repeat("x", 9999) + `@1"`: "no reference",
		`"order`:                                "cannot be read",
	} {
		if _, err := schemas.Resolve(t.Context(), s, json.RawMessage(given)); !errors.As(err, &e) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: %v, want ... %s ...", given, err, want)
		}
	}
	if _, err := schemas.Resolve(t.Context(), nil, json.RawMessage(`"order@1"`)); !errors.As(err, &e) {
		t.Errorf("without a store: %v", err)
	}
	s.Corrupt("order@1")
	if _, err := schemas.Resolve(t.Context(), s, json.RawMessage(`"order@1"`)); errors.As(err, &e) || !errors.Is(err, document.ErrChanged) {
		t.Errorf("damaged: %v", err)
	}
}

// FuzzParse holds: what is a reference is written in one way, and is a name that a
// bucket can have.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"order@1", "order", "a_b-c@999999999", "@1", "order@01", "order@+1", "order@1@2", "../x@1", "é@1", "order@1000000000"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ref, err := schemas.Parse(s)
		if e := new(schemas.Error); err != nil && !errors.As(err, &e) {
			t.Fatalf("%q: %v", s, err)
		}
		if err == nil && (ref.String() != s || strings.ContainsAny(s, "./ *>") || ref.Version < 1) {
			t.Fatalf("%q is %v", s, ref)
		}
	})
}
