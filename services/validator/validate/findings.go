package validate

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// finding is one way in which a value violates its schema.
type finding struct {
	pointer string // into the value
	err     *jsonschema.ValidationError
	prop    string // of additionalProperties, the one that is meant
	offset  int64  // in the document; -1 if the line is known instead, or nothing
	line    int64
	column  int64
	value   string // how the value begins
}

// flatten returns what a tree of errors comes to. It goes down through what only
// groups, and stops where alternatives begin: that none of them fits is one
// finding, and not as many as there are alternatives.
func flatten(e *jsonschema.ValidationError) []finding {
	return appendFindings(nil, e)
}

func appendFindings(list []finding, e *jsonschema.ValidationError) []finding {
	switch k := e.ErrorKind.(type) {
	case *kind.Schema, *kind.Group, *kind.Reference, *kind.AllOf:
		for _, cause := range e.Causes {
			list = appendFindings(list, cause)
		}
	case *kind.AdditionalProperties:
		at := pointerTo(e.InstanceLocation)
		for _, prop := range k.Properties {
			list = append(list, finding{pointer: string(at.AppendToken(prop)), err: e, prop: prop})
		}
	default:
		list = append(list, finding{pointer: string(pointerTo(e.InstanceLocation)), err: e})
	}
	return list
}

// misplaced reports whether the library gives a finding the place of another
// value. The probe reports the same in its right place, see [propertyName].
func (f finding) misplaced() bool {
	_, ok := f.err.ErrorKind.(*kind.PropertyNames)
	return ok
}

func pointerTo(tokens []string) jsontext.Pointer {
	var p jsontext.Pointer
	for _, token := range tokens {
		p = p.AppendToken(token)
	}
	return p
}

// keyword returns the keyword of the schema that is violated.
func (f finding) keyword() string {
	switch k := f.err.ErrorKind.(type) {
	case *kind.FalseSchema:
		return falseKeyword(f.err.SchemaURL)
	case *kind.Not:
		return "not"
	case *kind.Dependency:
		return "dependencies"
	case *kind.RefCycle:
		return "$ref"
	default:
		return strings.Join(k.KeywordPath()[:min(1, len(k.KeywordPath()))], "")
	}
}

// falseKeyword returns the keyword whose value is the schema false: the last part
// of the schema's address, or the one before if that is a name or an index.
func falseKeyword(address string) string {
	_, fragment, _ := strings.Cut(address, "#")
	parts := strings.Split(fragment, "/")
	for _, part := range []string{parts[len(parts)-1], parts[max(0, len(parts)-2)]} {
		switch part {
		case "unevaluatedProperties", "unevaluatedItems", "additionalProperties", "additionalItems",
			"items", "prefixItems", "properties", "patternProperties", "contains", "then", "else":
			return part
		}
	}
	return "false"
}

// place finds the findings in the text of the value and calls each with them, in
// the order of the text, until it returns false. Their offset becomes that of the
// value in the text.
func place(text []byte, findings []finding, each func(f finding) bool) {
	at := make(map[string][]finding)
	for _, f := range findings {
		at[f.pointer] = append(at[f.pointer], f)
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(text))
	for len(at) > 0 {
		start := valueAt(text, dec.InputOffset())
		if _, err := dec.ReadToken(); err != nil {
			return // unreachable: the text is well-formed and has every pointer
		}
		pointer := string(dec.StackPointer())
		here := at[pointer]
		delete(at, pointer)
		sortFindings(here)
		if kind, length := dec.StackIndex(dec.StackDepth()); len(here) > 0 && kind == '{' && length%2 == 1 { // a name has been read
			start = valueAt(text, dec.InputOffset())
		}
		for _, f := range here {
			f.offset, f.value = int64(start), excerpt(text[start:])
			if !each(f) {
				return
			}
		}
	}
}

// valueAt returns where the next name or value begins.
func valueAt(text []byte, offset int64) int {
	return len(text) - len(bytes.TrimLeft(text[offset:], " \t\r\n,:"))
}

// sortFindings brings findings into an order that is always the same: the
// library visits members in no order.
func sortFindings(list []finding) {
	slices.SortStableFunc(list, func(a, b finding) int {
		return cmp.Or(
			cmp.Compare(a.pointer, b.pointer),
			cmp.Compare(a.err.SchemaURL, b.err.SchemaURL),
			slices.Compare(a.err.ErrorKind.KeywordPath(), b.err.ErrorKind.KeywordPath()),
		)
	})
}
