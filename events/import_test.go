package events_test

import (
	"go/build"
	"slices"
	"testing"
)

// TestImports keeps the contract free of everything but bytes: no client of a
// broker, no context, no log, no files, no clock of its own beyond the type. Who
// adds an import here decides what every participant depends on.
func TestImports(t *testing.T) {
	t.Parallel()
	allowed := []string{
		"bytes", "crypto/sha1", "embed", "encoding/base64", "encoding/hex", "encoding/json", "errors", "fmt", "hash/fnv", "io", "maps", "slices", "strconv",
		"strings", "time", "unicode/utf8",
		"github.com/go-json-experiment/json/jsontext", "github.com/google/uuid",
	}
	p, err := build.ImportDir(".", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range p.Imports {
		if !slices.Contains(allowed, path) {
			t.Errorf("the package imports %s", path)
		}
	}
	if len(p.Imports) == 0 {
		t.Error("no imports found")
	}
}
