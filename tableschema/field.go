package tableschema

import (
	"fmt"
	"regexp"
	"slices"
	"unicode/utf8"
)

// field is one of the schema, ready for use.
type field struct {
	name     string
	required bool
	missing  []string
	kind     kind

	minLength, maxLength *int // in characters
	pattern              *regexp.Regexp
	bounds               []bound
	enum                 []Value
}

// bound is a minimum or maximum: ok says whether a value that compares like that
// with the bound's is within.
type bound struct {
	name  string
	value Value
	ok    func(order int) bool
}

// value types the text of a cell, or says which keyword it violates and how.
func (f *field) value(text string) (v Value, keyword, message string) {
	if slices.Contains(f.missing, text) {
		if f.required {
			return Value{}, "required", "is missing, and is required"
		}
		return Value{}, "", ""
	}
	v, message = f.kind.parse(text)
	if message != "" {
		return Value{}, "type", message
	}
	if keyword, message = f.violated(v, text); message != "" {
		return Value{}, keyword, message
	}
	return v, "", ""
}

// violated checks the constraints.
func (f *field) violated(v Value, text string) (keyword, message string) {
	if f.minLength != nil || f.maxLength != nil {
		n := utf8.RuneCountInString(text)
		switch {
		case f.minLength != nil && n < *f.minLength:
			return "minLength", fmt.Sprintf("%s has %d characters, at least %d have to be", quoteText(text), n, *f.minLength)
		case f.maxLength != nil && n > *f.maxLength:
			return "maxLength", fmt.Sprintf("%s has %d characters, at most %d can be", quoteText(text), n, *f.maxLength)
		}
	}
	if f.pattern != nil && !f.pattern.MatchString(text) {
		return "pattern", fmt.Sprintf("%s does not match pattern %s", quoteText(text), quoteText(f.pattern.String()))
	}
	for _, b := range f.bounds {
		if !b.ok(f.kind.compare(v, b.value)) {
			return b.name, fmt.Sprintf("%s: got %s, want %s", b.name, clip(v.Text), clip(b.value.Text))
		}
	}
	if f.enum != nil && !slices.ContainsFunc(f.enum, func(e Value) bool { return f.kind.equal(v, e) }) {
		return "enum", fmt.Sprintf("%s is none of the %d values that can be", quoteText(text), len(f.enum))
	}
	return "", ""
}

func quoteText(s string) string { return fmt.Sprintf("%q", clip(s)) }
