package tableschema

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
)

// The values of fieldsMatch: whether the header may have fewer or other columns,
// or another order.
const (
	matchExact    = "exact"    // the same, in the same order; the default
	matchEqual    = "equal"    // the same, in any order
	matchSubset   = "subset"   // the schema's, and maybe others
	matchSuperset = "superset" // some of the schema's, and no others
	matchPartial  = "partial"  // at least one of the schema's
)

// maxFields is how many fields a schema may have.
const maxFields = 10_000

// names is one name or a list of them.
type names []string

// UnmarshalJSON reads "name" or ["name", ...].
func (n *names) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '"' {
		*n = names{""}
		return json.Unmarshal(text, &(*n)[0])
	}
	return json.Unmarshal(text, (*[]string)(n))
}

// missing is a list of texts that stand for no value, each alone or with a label.
type missing []string

// UnmarshalJSON reads ["", "NA"] or [{"value": "NA", "label": "not asked"}].
func (m *missing) UnmarshalJSON(text []byte) error {
	var list []json.RawMessage
	if err := json.Unmarshal(text, &list); err != nil {
		return err
	}
	*m = missing{}
	for _, item := range list {
		labelled := struct {
			Value *string `json:"value"`
		}{}
		var plain string
		switch {
		case json.Unmarshal(item, &plain) == nil:
			*m = append(*m, plain)
		case json.Unmarshal(item, &labelled) == nil && labelled.Value != nil:
			*m = append(*m, *labelled.Value)
		default:
			return errors.New("missingValues has to be a list of texts")
		}
	}
	return nil
}

// The schema as it is written.
type (
	written struct {
		Fields        []writtenField  `json:"fields"`
		FieldsMatch   names           `json:"fieldsMatch"`
		MissingValues *missing        `json:"missingValues"`
		PrimaryKey    names           `json:"primaryKey"`
		UniqueKeys    []names         `json:"uniqueKeys"`
		ForeignKeys   json.RawMessage `json:"foreignKeys"`
	}
	writtenField struct {
		Name          string      `json:"name"`
		Type          string      `json:"type"`
		Format        string      `json:"format"`
		MissingValues *missing    `json:"missingValues"`
		TrueValues    []string    `json:"trueValues"`
		FalseValues   []string    `json:"falseValues"`
		DecimalChar   string      `json:"decimalChar"`
		GroupChar     string      `json:"groupChar"`
		BareNumber    *bool       `json:"bareNumber"`
		Constraints   constraints `json:"constraints"`
	}
	constraints struct {
		Required         bool              `json:"required"`
		Unique           bool              `json:"unique"`
		MinLength        *int              `json:"minLength"`
		MaxLength        *int              `json:"maxLength"`
		Minimum          json.RawMessage   `json:"minimum"`
		Maximum          json.RawMessage   `json:"maximum"`
		ExclusiveMinimum json.RawMessage   `json:"exclusiveMinimum"`
		ExclusiveMaximum json.RawMessage   `json:"exclusiveMaximum"`
		Pattern          *string           `json:"pattern"`
		Enum             []json.RawMessage `json:"enum"`
	}
)

// Load reads a schema. Its error, for people, says what is wrong with it.
func Load(text []byte) (*Schema, error) {
	var w written
	if err := jsonv2.Unmarshal(text, &w); err != nil {
		return nil, fmt.Errorf("read table schema: %w", err)
	}
	s := &Schema{match: matchExact}
	if len(w.FieldsMatch) > 0 {
		s.match = w.FieldsMatch[0]
	}
	switch {
	case len(w.Fields) == 0:
		return nil, errors.New("read table schema: it has no fields")
	case len(w.Fields) > maxFields:
		return nil, fmt.Errorf("read table schema: it has %d fields, at most %d can be", len(w.Fields), maxFields)
	case len(w.FieldsMatch) > 1 || !slices.Contains([]string{matchExact, matchEqual, matchSubset, matchSuperset, matchPartial}, s.match):
		return nil, fmt.Errorf("read table schema: fieldsMatch %s is none of exact, equal, subset, superset and partial", quoteAll(w.FieldsMatch))
	case len(w.ForeignKeys) > 0 && string(w.ForeignKeys) != "null" && string(w.ForeignKeys) != "[]":
		return nil, errors.New("read table schema: foreignKeys cannot be checked, there is one table only: take them out")
	}
	if w.MissingValues == nil {
		w.MissingValues = &missing{""}
	}
	seen := make(map[string]bool, len(w.Fields))
	for i, wf := range w.Fields {
		if wf.Name == "" || seen[wf.Name] {
			return nil, fmt.Errorf("read table schema: field %d has no name, or that of another field", i+1)
		}
		seen[wf.Name] = true
		f, err := wf.load(*w.MissingValues)
		if err != nil {
			return nil, fmt.Errorf("read table schema: field %q: %w", clip(wf.Name), err)
		}
		s.fields = append(s.fields, f)
		if wf.Constraints.Unique {
			s.unique = append(s.unique, []string{wf.Name})
		}
	}
	return s, s.keys(w)
}

// keys takes over the primary key, whose fields are required too, and other keys.
func (s *Schema) keys(w written) error {
	all := w.UniqueKeys
	if len(w.PrimaryKey) > 0 {
		all = append(all, w.PrimaryKey)
	}
	for _, k := range all {
		if len(k) == 0 {
			return errors.New("read table schema: a key has no fields")
		}
		for _, name := range k {
			if s.find(name) < 0 {
				return fmt.Errorf("read table schema: a key has the field %q, which there is not", clip(name))
			}
		}
		s.unique = append(s.unique, k)
	}
	for _, name := range w.PrimaryKey {
		s.fields[s.find(name)].required = true
	}
	return nil
}

// load checks a field and makes ready what its values are checked with.
func (w writtenField) load(missingValues missing) (field, error) {
	if w.MissingValues != nil {
		missingValues = *w.MissingValues
	}
	f := field{name: w.Name, required: w.Constraints.Required, missing: missingValues,
		minLength: w.Constraints.MinLength, maxLength: w.Constraints.MaxLength}
	kind, err := w.kind()
	if err != nil {
		return f, err
	}
	f.kind = kind
	c := w.Constraints
	if c.Pattern != nil {
		// The patterns of the standard are those of XML Schema, which match the whole value.
		if f.pattern, err = regexp.Compile(`^(?:` + *c.Pattern + `)$`); err != nil {
			return f, fmt.Errorf("constraint pattern: %w", err)
		}
	}
	for _, b := range []struct {
		name string
		text json.RawMessage
		ok   func(order int) bool
	}{
		{"minimum", c.Minimum, func(o int) bool { return o >= 0 }},
		{"maximum", c.Maximum, func(o int) bool { return o <= 0 }},
		{"exclusiveMinimum", c.ExclusiveMinimum, func(o int) bool { return o > 0 }},
		{"exclusiveMaximum", c.ExclusiveMaximum, func(o int) bool { return o < 0 }},
	} {
		if len(b.text) == 0 || string(b.text) == "null" {
			continue
		}
		if kind.compare == nil {
			return f, fmt.Errorf("constraint %s is not for the type %s", b.name, kind.name)
		}
		v, err := f.constant(b.text)
		if err != nil {
			return f, fmt.Errorf("constraint %s: %w", b.name, err)
		}
		f.bounds = append(f.bounds, bound{name: b.name, value: v, ok: b.ok})
	}
	for _, text := range c.Enum {
		v, err := f.constant(text)
		if err != nil {
			return f, fmt.Errorf("constraint enum: %w", err)
		}
		f.enum = append(f.enum, v)
	}
	return f, nil
}

// constant reads a value in a constraint, which is written as in the table or as JSON.
func (f *field) constant(text json.RawMessage) (Value, error) {
	plain := string(text)
	if strings.HasPrefix(plain, `"`) {
		if err := json.Unmarshal(text, &plain); err != nil {
			return Value{}, err
		}
	}
	v, message := f.kind.parse(plain)
	if message != "" {
		return Value{}, errors.New(message)
	}
	return v, nil
}
