// Package schemas keeps schemas by name and version: JSON Schemas, and Table
// Schemas for CSV.
//
//	SAGA_SCHEMAS  <name>@<version> => the text of a schema
//
// A version never changes once it is there, so that a run that names it can be
// repeated; for the same reason a name alone is no reference.
package schemas

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"segue/document"
)

// MaxSize is the largest schema, in bytes.
const MaxSize = 256 << 10

// Error is what is wrong with a reference or a schema, for people.
type Error struct{ Reason string }

// Error returns the reason.
func (e *Error) Error() string { return e.Reason }

func wrong(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }

// MaxVersion is the largest version.
const MaxVersion = 999_999_999

// word is what names look like.
var word = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}$`)

// Ref names a version of a schema; versions are counted from 1.
type Ref struct {
	Name    string
	Version int
}

// String returns name@version.
func (r Ref) String() string { return r.Name + "@" + strconv.Itoa(r.Version) }

// Parse reads name@version.
func Parse(s string) (Ref, error) {
	name, version, found := strings.Cut(s, "@")
	n, err := strconv.Atoi(version)
	switch {
	case !word.MatchString(name) || found && (err != nil || n < 1 || n > MaxVersion || strconv.Itoa(n) != version):
		return Ref{}, wrong("%.80q is no reference to a schema, which is name@version: a name of up to 64 letters, digits, dashes and underscores, and a number from 1", s)
	case !found:
		return Ref{}, wrong("schema %s is named without a version, and a run has to mean the same schema whenever it is repeated: write %s@VERSION (segue schema ls %s lists them)", name, name, name)
	}
	return Ref{name, n}, nil
}

// Get returns the text of a schema, or an [*Error] if there is none.
func Get(ctx context.Context, s document.Store, r Ref) ([]byte, error) {
	ref, err := s.Stat(ctx, r.String())
	switch {
	case errors.Is(err, document.ErrNotFound):
		return nil, wrong("schema %s is not registered: segue schema put %s FILE registers it, segue schema ls lists those there are", r, r)
	case err != nil:
		return nil, fmt.Errorf("look up schema %s: %w", r, err)
	case ref.Size > MaxSize:
		return nil, wrong("schema %s has %d bytes, at most %d can be", r, ref.Size, MaxSize)
	}
	text, err := document.ReadAll(ctx, s, ref)
	if err != nil {
		return nil, fmt.Errorf("read schema %s: %w", r, err)
	}
	return text, nil
}

// Put registers a schema. Doing so again with the same text is no error; another
// text under a version that is there is an [*Error].
func Put(ctx context.Context, s document.Store, r Ref, text []byte) error {
	if len(text) > MaxSize {
		return wrong("schema %s has %d bytes, at most %d can be", r, len(text), MaxSize)
	}
	_, err := s.Create(ctx, r.String(), bytes.NewReader(text))
	switch {
	case errors.Is(err, document.ErrExists):
		return wrong("schema %s is registered with another text, and a version never changes: choose another version", r)
	case err != nil:
		return fmt.Errorf("register schema %s: %w", r, err)
	}
	return nil
}

// Resolve returns the text of a schema as a command gives it: itself, or a string
// that refers to one that is registered. It is nil if there is none. What the
// command gets wrong is an [*Error]; s may be nil where nothing can be registered.
func Resolve(ctx context.Context, s document.Store, given json.RawMessage) ([]byte, error) {
	switch {
	case len(given) == 0 || string(given) == "null":
		return nil, nil
	case given[0] != '"':
		return given, nil
	}
	var name string
	if err := json.Unmarshal(given, &name); err != nil {
		return nil, wrong("the reference to a schema cannot be read: %v", err)
	}
	ref, err := Parse(name)
	switch {
	case err != nil:
		return nil, err
	case s == nil:
		return nil, wrong("schema %s is given by reference, and no schemas are registered here: give the schema itself", ref)
	}
	return Get(ctx, s, ref)
}
