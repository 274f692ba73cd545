package events_test

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"segue/events"
)

// newData returns a new struct for the data of a type, or nil if the data is any
// JSON or none.
func newData(eventType string) any {
	switch eventType {
	case events.TypeStartRejected:
		return new(events.StartRejected)
	case events.TypeRunStarted:
		return new(events.RunStarted)
	case events.TypeRunCompleted:
		return new(events.RunCompleted)
	case events.TypeRunCompensated:
		return new(events.RunCompensated)
	case events.TypeRunArchived:
		return new(events.RunArchived)
	case events.TypeDefinitionApplied:
		return new(events.DefinitionApplied)
	case events.TypeScheduleSet:
		return new(events.ScheduleSet)
	case events.TypeStepFailed, events.TypeUndoFailed:
		return new(events.Failed)
	case events.TypeStepTimedOut, events.TypeUndoTimedOut:
		return new(events.TimedOut)
	case events.TypeUndoRequested:
		return new(events.UndoRequested)
	case events.TypeCancel, events.TypeRetry, events.TypeDeadline:
		return new(events.Signal)
	}
	return nil
}

// typeConstants reads the event types out of types.go, so that none is forgotten.
func typeConstants(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "types.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 || !strings.HasPrefix(spec.Names[0].Name, "Type") {
			return true
		}
		value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		found[spec.Names[0].Name] = value
		return true
	})
	if len(found) < 17 {
		t.Fatalf("only %d event types found in types.go", len(found))
	}
	return found
}

func compile(t *testing.T, eventType string) (*jsonschema.Schema, map[string]any) {
	t.Helper()
	text, ok := events.Schema(eventType)
	if !ok {
		t.Fatalf("%s has no schema", eventType)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	id := "segue:schema:" + eventType
	if err := c.AddResource(id, document); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile(id)
	if err != nil {
		t.Fatal(err)
	}
	return schema, document.(map[string]any)
}

func TestSchemas(t *testing.T) {
	t.Parallel()
	types := typeConstants(t)
	for name, eventType := range types {
		_, document := compile(t, eventType)
		if got, want := document["$id"], "segue:schema:"+eventType; got != want {
			t.Errorf("%s: $id is %v, want %v", name, got, want)
		}
		if got, want := document["$schema"], "https://json-schema.org/draft/2020-12/schema"; got != want {
			t.Errorf("%s: $schema is %v, want %v", name, got, want)
		}
		for _, key := range []string{"title", "description"} {
			if s, _ := document[key].(string); s == "" {
				t.Errorf("%s: the schema has no %s", name, key)
			}
		}
		if data := newData(eventType); data != nil {
			sameFields(t, eventType, reflect.TypeOf(data).Elem(), document)
		} else if document["properties"] != nil {
			t.Errorf("%s: the schema has properties and no struct", name)
		}
	}
	if got, want := events.Types(), slices.Sorted(maps.Values(types)); !slices.Equal(got, want) {
		t.Errorf("Types are %q, want %q", got, want)
	}
}

// sameFields holds a struct and a schema together: the same fields, those that
// are always written required, each with a type that fits and a description.
func sameFields(t *testing.T, path string, goType reflect.Type, schema map[string]any) {
	t.Helper()
	properties, _ := schema["properties"].(map[string]any)
	var names, required []string
	for i := range goType.NumField() {
		field := goType.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		names = append(names, name)
		if options == "" {
			required = append(required, name)
		}
		property, found := properties[name].(map[string]any)
		if !found {
			t.Errorf("%s: field %s (%q) is not in the schema", path, field.Name, name)
			continue
		}
		if s, _ := property["description"].(string); !strings.HasSuffix(s, ".") {
			t.Errorf("%s: property %s has no description in a sentence", path, name)
		}
		if got, want := property["type"], jsonType(field.Type); got != want {
			t.Errorf("%s: property %s has type %v, the field's is %v", path, name, got, want)
		}
		if field.Type.Kind() == reflect.Struct && field.Type != reflect.TypeFor[time.Time]() {
			sameFields(t, path+"."+name, field.Type, property)
		}
	}
	for name := range properties {
		if !slices.Contains(names, name) {
			t.Errorf("%s: property %s has no field", path, name)
		}
	}
	var inSchema []string
	list, _ := schema["required"].([]any)
	for _, name := range list {
		inSchema = append(inSchema, name.(string))
	}
	if !slices.Equal(inSchema, required) {
		t.Errorf("%s: required is %v, the struct always writes %v", path, inSchema, required)
	}
}

// jsonType returns the JSON type of a field, or nil for any.
func jsonType(t reflect.Type) any {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[time.Time]():
		return "string"
	case t == reflect.TypeFor[json.RawMessage]():
		return nil
	case t == reflect.TypeFor[[]byte](), t.Kind() == reflect.String:
		return "string"
	case t.Kind() == reflect.Struct, t.Kind() == reflect.Map:
		return "object"
	case t.Kind() == reflect.Slice:
		return "array"
	case t.Kind() == reflect.Bool:
		return "boolean"
	}
	return "integer"
}

// TestSamplesFitSchemas validates the golden events, and the zero value of each
// struct's optional fields with them.
func TestSamplesFitSchemas(t *testing.T) {
	t.Parallel()
	none := map[string]bool{events.TypeStepWithheld: true, events.TypeStepSkipped: true, events.TypeUndoCompleted: true, events.TypeScheduleRemoved: true}
	for _, s := range samples() {
		schema, _ := compile(t, s.event.Type)
		switch {
		case none[s.event.Type]:
			if s.event.Data != nil || schema.Validate(nil) == nil {
				t.Errorf("%s: the event has data or its schema allows some", s.event.Type)
			}
			continue
		case s.event.Data == nil && s.event.DataRef != "":
			continue // the data is elsewhere
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(s.event.Data))
		if err != nil {
			t.Fatalf("%s: %v", s.event.Type, err)
		}
		if err := schema.Validate(value); err != nil {
			t.Errorf("golden data of %s: %v", s.event.Type, err)
		}
		object, ok := value.(map[string]any)
		if !ok || newData(s.event.Type) == nil {
			continue
		}
		object["added_later"] = true
		if err := schema.Validate(object); err != nil {
			t.Errorf("%s: a field added later is refused: %v", s.event.Type, err)
		}
	}
}

// TestSchemasRefuse shows that the schemas can fail.
func TestSchemasRefuse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ eventType, data string }{
		{events.TypeRunStarted, `{"saga":"ingest","digest":"abc","input":1}`},
		{events.TypeRunStarted, `{"saga":"ingest","input":1}`},
		{events.TypeRunCompensated, `{"reason":{"kind":"bored"},"undone":[]}`},
		{events.TypeRunCompensated, `{"reason":{"kind":"failed"},"undone":null}`},
		{events.TypeStepFailed, `{"message":"no"}`},
		{events.TypeStepFailed, `{"message":"no","retryable":"yes"}`},
		{events.TypeStepTimedOut, `{"after_ms":-1}`},
		{events.TypeUndoRequested, `{"attempts":1}`},
		{events.TypeUndoCompleted, `{}`},
		{events.TypeCancel, `{"note":7}`},
		{events.TypeStartRejected, `{"reason":"","subject":"x"}`},
	} {
		schema, _ := compile(t, c.eventType)
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(c.data))
		if err != nil {
			t.Fatal(err)
		}
		if schema.Validate(value) == nil {
			t.Errorf("the schema of %s allows %s", c.eventType, c.data)
		}
	}
}

func TestSchemaOfUnknownType(t *testing.T) {
	t.Parallel()
	for _, eventType := range []string{"", "segue.run.started.v2", "../doc", "org.example.order", strings.Repeat("x", 1000)} {
		if _, ok := events.Schema(eventType); ok {
			t.Errorf("%.40q has a schema", eventType)
		}
	}
}
