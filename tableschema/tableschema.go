// Package tableschema checks and types the rows of a table by a Table Schema, as
// Frictionless Data publishes it (https://datapackage.org/standard/table-schema).
//
//	schema => fields, missingValues, fieldsMatch, primaryKey, uniqueKeys
//	field  => name, type, format, constraints, missingValues and what its type has
//
// The types are string, integer, number, boolean, date, time, datetime, year and
// any. A row becomes values of JSON:
//
//	string, any           the text
//	integer, year         a number with all its digits, however many
//	number                a number with the digits that are written, 1.50 stays 1.50
//	boolean               true or false
//	date, time, datetime  text in the form of ISO 8601, whatever the format of the field
//	a missing value       null
//
// What this package cannot check is refused when the schema is loaded, so that
// nobody takes for checked what is not: other types, other formats, foreign keys,
// and the numbers NaN and INF, which JSON does not have, when they come. Members of
// a schema that it does not know are passed over.
package tableschema

import (
	"fmt"
	"slices"
	"strings"
)

// Schema is a Table Schema. It may be used concurrently.
type Schema struct {
	fields []field
	match  string     // fieldsMatch
	unique [][]string // keys: names of the fields that are unique together
}

// Fields returns the names of the fields, in order.
func (s *Schema) Fields() []string {
	names := make([]string, len(s.fields))
	for i, f := range s.fields {
		names[i] = f.name
	}
	return names
}

// MaxKeysDefault is the default of [Limits].
const MaxKeysDefault = 2_000_000

// Limits bound what a table may ask for. For each of them 0 means its default.
type Limits struct {
	// MaxKeys is how many values are kept to find those that come twice, of all that
	// have to be unique, at some 40 bytes each. Defaults to 2,000,000.
	MaxKeys int
}

// Table checks the rows of one table. It is not safe for concurrent use.
type Table struct {
	columns []*field // by position; nil for one that the schema does not speak of
	keys    []key
	maxKeys int
	kept    int

	values     []Value
	violations []Violation
}

// Table returns a Table for a header. Its error, for people, says how the header
// differs from the fields of the schema. They have to be the same names in the
// same order unless fieldsMatch says otherwise; a column that the schema does not
// speak of is text.
func (s *Schema) Table(header []string, l Limits) (*Table, error) {
	if err := s.matches(header); err != nil {
		return nil, err
	}
	t := &Table{columns: make([]*field, len(header)), values: make([]Value, len(header)), maxKeys: l.MaxKeys}
	if t.maxKeys <= 0 {
		t.maxKeys = MaxKeysDefault
	}
	for i, name := range header {
		if at := s.find(name); at >= 0 {
			t.columns[i] = &s.fields[at]
		}
	}
	for _, names := range s.unique {
		k := newKey(names)
		for _, name := range names {
			k.columns = append(k.columns, slices.Index(header, name))
		}
		if !slices.Contains(k.columns, -1) {
			t.keys = append(t.keys, k)
		}
	}
	return t, nil
}

func (s *Schema) find(name string) int {
	return slices.IndexFunc(s.fields, func(f field) bool { return f.name == name })
}

// matches compares a header with the fields, as fieldsMatch says.
func (s *Schema) matches(header []string) error {
	names := s.Fields()
	missing := without(names, header)
	unknown := without(header, names)
	switch {
	case (s.match == matchExact || s.match == matchEqual || s.match == matchSubset) && len(missing) > 0:
		return fmt.Errorf("header lacks %s, which the schema has", quoteAll(missing))
	case (s.match == matchExact || s.match == matchEqual || s.match == matchSuperset) && len(unknown) > 0:
		return fmt.Errorf("header has %s, which the schema lacks", quoteAll(unknown))
	case s.match == matchPartial && len(missing) == len(names):
		return fmt.Errorf("header has none of the fields of the schema, %s", quoteAll(names))
	case s.match == matchExact && !slices.Equal(names, header):
		return fmt.Errorf("header has the fields of the schema in another order, it should be %s", quoteAll(names))
	}
	for _, f := range s.fields {
		if f.required && slices.Contains(missing, f.name) {
			return fmt.Errorf("header lacks %q, which is required", f.name)
		}
	}
	return nil
}

// without returns the names of a list that are not in another.
func without(list, other []string) []string {
	set := make(map[string]bool, len(other))
	for _, name := range other {
		set[name] = true
	}
	return slices.DeleteFunc(slices.Clone(list), func(name string) bool { return set[name] })
}

// quoteAll writes the first of some names.
func quoteAll(names []string) string {
	const shown = 5
	var list []string
	for _, name := range names[:min(shown, len(names))] {
		list = append(list, fmt.Sprintf("%q", clip(name)))
	}
	if len(names) > shown {
		list = append(list, fmt.Sprintf("and %d more", len(names)-shown))
	}
	return strings.Join(list, ", ")
}

// Row returns the values of a row, which has as many fields as the header, and
// what is wrong with it. Both are valid until the next call; a value that is wrong
// is null.
func (t *Table) Row(fields []string) ([]Value, []Violation) {
	t.violations = t.violations[:0]
	for i, text := range fields {
		f := t.columns[i]
		if f == nil {
			t.values[i] = Value{Kind: String, Text: text}
			continue
		}
		v, keyword, message := f.value(text)
		if message != "" {
			t.violations = append(t.violations, Violation{Index: i, Field: f.name, Keyword: keyword, Message: message, Value: clip(text)})
		}
		t.values[i] = v
	}
	for i := range t.keys {
		t.unique(&t.keys[i])
	}
	return t.values, t.violations
}

// Kept returns how many values are kept to find those that come twice.
func (t *Table) Kept() int { return t.kept }

// Violation is what is wrong with a cell or with a row.
type Violation struct {
	// Index is the cell in the row, from 0; -1 for the row. Field is its name.
	Index int
	Field string
	// Keyword is the member of the schema that is violated, such as type or minimum.
	Keyword string
	Message string
	// Value is the text, cut to 64 bytes.
	Value string
	// Limit says that the row may be in order but goes over one of the [Limits].
	Limit bool
}

// maxClip is the longest piece of a table or schema that a message repeats, in bytes.
const maxClip = 64

// clip shortens text for a message.
func clip(s string) string {
	if len(s) <= maxClip {
		return s
	}
	return strings.ToValidUTF8(s[:maxClip], "") + "..."
}
