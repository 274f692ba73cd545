package saga

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// MaxViolations is the largest number of violations that [Definition.CheckInput]
// names; the rest are counted.
const MaxViolations = 20

// ErrInput is wrapped by every error of [Definition.CheckInput].
var ErrInput = errors.New("input does not fit the saga")

// inputSchema is a compiled JSON Schema of draft 2020-12. "format" is an
// annotation, as the draft says; it is not checked.
type inputSchema struct {
	schema *jsonschema.Schema
	// properties are the names that the input may have and required those it must
	// have. Both are nil if the schema does not tell.
	properties, required []string
}

const (
	dialect   = "https://json-schema.org/draft/2020-12/schema"
	schemaURL = "segue:input" // names the schema inside the compiler, never shown
)

// noLoader refuses to load any schema by URL.
type noLoader struct{}

var errRemote = errors.New("schemas are not loaded from elsewhere")

// Load implements jsonschema.URLLoader.
func (noLoader) Load(string) (any, error) { return nil, errRemote }

// compileSchema compiles the schema that a node holds. What is wrong is reported.
func compileSchema(n *node, report func(place, string)) *inputSchema {
	if !checkReferences(n, report) {
		return nil
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.UseLoader(noLoader{})
	err := compiler.AddResource(schemaURL, n.decoded())
	var schema *jsonschema.Schema
	if err == nil {
		schema, err = compiler.Compile(schemaURL)
	}
	if err != nil {
		reportSchemaError(n, err, report)
		return nil
	}
	s := &inputSchema{schema: schema}
	s.properties, s.required = closedProperties(n)
	return s
}

// checkReferences refuses references out of the schema and other dialects, which
// would have to be loaded, at the place where they stand.
func checkReferences(n *node, report func(place, string)) bool {
	ok := true
	for _, item := range n.items {
		ok = checkReferences(item, report) && ok
	}
	for _, f := range n.fields {
		ok = checkReferences(f.value, report) && ok
		text, isText := f.value.value.(string)
		switch {
		case !isText:
		case (f.name == "$ref" || f.name == "$dynamicRef") && !strings.HasPrefix(text, "#"):
			report(f.value.place, fmt.Sprintf("input: refers to %q; a reference inside a schema must begin with #", shortened(text)))
			ok = false
		case f.name == "$schema" && strings.TrimSuffix(text, "#") != dialect:
			report(f.value.place, fmt.Sprintf("input: $schema is %q; only %s is read", shortened(text), dialect))
			ok = false
		}
	}
	return ok
}

// reportSchemaError reports why a schema does not compile, as near to the place
// as the compiler's error allows.
func reportSchemaError(n *node, err error, report func(place, string)) {
	var invalid *jsonschema.ValidationError
	if schemaError, ok := errors.AsType[*jsonschema.SchemaValidationError](err); ok && errors.As(schemaError.Err, &invalid) {
		for _, v := range violations(invalid) {
			report(n.find(v.location).place, "input: not a JSON Schema: "+v.message)
		}
		return
	}
	if ref := n.findDangling(err.Error()); ref != nil {
		report(ref.place, fmt.Sprintf("input: nothing in the schema is at %s", ref.value))
		return
	}
	report(n.place, "input: not a JSON Schema: "+strings.ReplaceAll(err.Error(), schemaURL, ""))
}

// find returns the node at a location, or the deepest one on the way to it.
func (n *node) find(location []string) *node {
	for _, token := range location {
		next := n.field(token)
		for i, item := range n.items {
			if fmt.Sprint(i) == token {
				next = item
			}
		}
		if next == nil {
			break
		}
		n = next
	}
	return n
}

// findDangling returns the reference that an error of the compiler is about.
func (n *node) findDangling(message string) *node {
	for _, item := range n.items {
		if found := item.findDangling(message); found != nil {
			return found
		}
	}
	for _, f := range n.fields {
		text, isText := f.value.value.(string)
		if isText && (f.name == "$ref" || f.name == "$dynamicRef") && len(text) > 1 && strings.Contains(message, text[1:]) {
			return f.value
		}
		if found := f.value.findDangling(message); found != nil {
			return found
		}
	}
	return nil
}

// opening are the keywords with which a schema may allow or require properties
// that its own "properties" and "required" do not list.
var opening = []string{
	"$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "not", "if", "dependentSchemas", "patternProperties",
}

// closedProperties returns the properties that an expression may select from the
// input, and those that are always there. They are nil unless the schema lists
// them at its top.
func closedProperties(n *node) (properties, required []string) {
	listed := n.field("properties")
	if listed == nil || listed.kind != isObject || slices.ContainsFunc(opening, func(k string) bool { return n.field(k) != nil }) {
		return nil, nil
	}
	if more := n.field("additionalProperties"); more != nil && more.value != false {
		return nil, nil
	}
	properties = []string{}
	for _, f := range listed.fields {
		properties = append(properties, f.name)
	}
	if list := n.field("required"); list != nil {
		for _, item := range list.items {
			if name, ok := item.value.(string); ok {
				required = append(required, name)
			}
		}
	}
	return properties, required
}

// check returns an error that names every place where data does not fit. A nil
// schema takes any JSON.
func (s *inputSchema) check(data json.RawMessage) error {
	value, err := DecodeValue(data)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInput, err)
	}
	if s == nil {
		return nil
	}
	err = s.schema.Validate(value)
	var invalid *jsonschema.ValidationError
	if err == nil {
		return nil
	}
	if !errors.As(err, &invalid) {
		return fmt.Errorf("%w: %w", ErrInput, err)
	}
	found := violations(invalid)
	var texts []string
	for _, v := range found[:min(len(found), MaxViolations)] {
		texts = append(texts, v.pointer()+": "+v.message)
	}
	if more := len(found) - MaxViolations; more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", more))
	}
	return fmt.Errorf("%w: %s", ErrInput, strings.Join(texts, "; "))
}

// violation is one place where a value does not fit its schema.
type violation struct {
	location []string
	message  string
}

// pointer returns the location as a JSON pointer, and "input" for the whole.
func (v violation) pointer() string {
	if len(v.location) == 0 {
		return "input"
	}
	var b strings.Builder
	for _, token := range v.location {
		b.WriteString("/" + pointerEscape.Replace(token))
	}
	return shortened(b.String())
}

// violations returns what a validation found, by place. The validator goes
// through objects in the order of Go's maps; sorted, the result is always the same.
func violations(e *jsonschema.ValidationError) []violation {
	var list []violation
	collectViolations(e, &list)
	slices.SortFunc(list, func(a, b violation) int {
		return cmp.Or(slices.Compare(a.location, b.location), cmp.Compare(a.message, b.message))
	})
	return slices.CompactFunc(list, func(a, b violation) bool {
		return slices.Equal(a.location, b.location) && a.message == b.message
	})
}

func collectViolations(e *jsonschema.ValidationError, list *[]violation) {
	add := func(message string, below ...string) {
		*list = append(*list, violation{slices.Concat(e.InstanceLocation, below), message})
	}
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		for _, name := range k.Missing {
			add("missing", name)
		}
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			add("not a known property", name)
		}
	case *kind.AnyOf, *kind.OneOf:
		add(alternatives(e))
	default:
		for _, cause := range e.Causes {
			collectViolations(cause, list)
		}
		if len(e.Causes) == 0 {
			add(violationMessage(e.ErrorKind))
		}
	}
}
