package saga

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func schemaSaga(t *testing.T, schema string) *Definition {
	t.Helper()
	d, err := Load("x.yaml", []byte("saga: x\nsteps: {a: {service: s}}\ninput: "+schema+"\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestCheckInput(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ schema, input, want string }{
		{`{type: object, required: [url, b]}`, `{}`, "/b: missing; /url: missing"},
		{`{type: object}`, `[1]`, "input: got array, want object"},
		{`{properties: {a: {enum: [json, 7, [1]]}}}`, `{"a": "xml"}`, `/a: got "xml", want one of json, 7, [1]`},
		{`{properties: {a: {const: x}}}`, `{"a": 1}`, `/a: got 1, want "x"`},
		{`{properties: {a: {pattern: "^x"}}}`, `{"a": "yx"}`, `/a: got "yx", want a match of ^x`},
		{`{properties: {a: {minLength: 2}, b: {maxLength: 1}}}`, `{"a": "é", "b": "xx"}`,
			"/a: got 1 characters, want at least 2; /b: got 2 characters, want at most 1"},
		{`{properties: {a: {minimum: 2}, b: {maximum: 1.5}}}`, `{"a": 1, "b": 2}`, "/a: got 1, want at least 2; /b: got 2, want at most 3/2"},
		{`{additionalProperties: false}`, `{"z/~": 1, "y": 2}`, "/y: not a known property; /z~1~0: not a known property"},
		{`{items: {type: integer}}`, `[1, "a", 2, 1.5, 3.0]`, "/1: got string, want integer; /3: got number, want integer"},
		{`{properties: {a: false}}`, `{"a": 1}`, "/a: not allowed"},
		{`{properties: {a: {anyOf: [{type: string}, {properties: {b: {type: string}}, type: object}]}}}`, `{"a": {"b": 1}}`,
			"/a: fits no alternative (got object, want string; or /b got number, want string)"},
		{`{oneOf: [{type: integer}, {minimum: 1}]}`, `2`, "input: fits alternatives 1 and 2, want exactly one"},
		{`{uniqueItems: true}`, `[1, 1]`, "input: items at 0 and 1 are equal"},
		{`{$ref: "#/$defs/a", $defs: {a: {type: string}}}`, `1`, "input: got number, want string"},
		{`{}`, `{"a": 1, "a": 2}`, "duplicate"},
		{`{}`, ``, "decode JSON"},
		{`{type: string}`, `"` + strings.Repeat("x", 10) + `" x`, "something follows"},
	} {
		err := schemaSaga(t, test.schema).CheckInput([]byte(test.input))
		if !errors.Is(err, ErrInput) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s with %s: %v\nwant %s", test.schema, test.input, err, test.want)
		}
	}
	for _, test := range []struct{ schema, input string }{
		{`{}`, `null`},
		{`{type: integer}`, `9007199254740993`},
		{`{type: integer}`, `3.0`},
		{`{format: email}`, `"not checked"`},
		{`{$id: "https://example.com/a", $ref: "#/$defs/a", $defs: {a: {type: string}}}`, `"x"`},
	} {
		if err := schemaSaga(t, test.schema).CheckInput([]byte(test.input)); err != nil {
			t.Errorf("%s with %s: %v", test.schema, test.input, err)
		}
	}
}

// TestCheckInputWithoutSchema takes any JSON and nothing else.
func TestCheckInputWithoutSchema(t *testing.T) {
	t.Parallel()
	d, err := Load("x.yaml", []byte("saga: x\nsteps: {a: {service: s}}\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.CheckInput([]byte(`[{"anything": 1}]`)); err != nil {
		t.Error(err)
	}
	if err := d.CheckInput([]byte(`{`)); !errors.Is(err, ErrInput) {
		t.Errorf("%v, want ErrInput", err)
	}
}

// TestCheckInputLimits keeps the error of a large, wholly wrong input short and
// always the same.
func TestCheckInputLimits(t *testing.T) {
	t.Parallel()
	d := schemaSaga(t, `{additionalProperties: {type: integer}}`)
	var input strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&input, `,"k%04d%s": "x"`, i, strings.Repeat("y", 1000))
	}
	data := []byte("{" + input.String()[1:] + "}")
	first := d.CheckInput(data)
	text := first.Error()
	if strings.Count(text, "want integer") != MaxViolations || !strings.HasSuffix(text, "; and 980 more") || len(text) > 4000 {
		t.Errorf("%d bytes: %s", len(text), text)
	}
	for range 5 {
		if again := d.CheckInput(data); again.Error() != text {
			t.Errorf("first %s\nthen %s", text, again)
		}
	}
}

// TestSchemaLoadsNothing checks that no schema reaches for a file or the network.
func TestSchemaLoadsNothing(t *testing.T) {
	t.Parallel()
	for _, schema := range []string{
		`{$ref: "file:///etc/passwd"}`,
		`{properties: {a: {$ref: "http://localhost/a.json"}}}`,
		`{$schema: "http://localhost/meta"}`,
		`{$defs: {a: {$schema: "http://localhost/meta", $id: "http://localhost/x"}}}`,
		`{$dynamicRef: "other#x"}`,
	} {
		opened := false
		d, err := Load("x.yaml", []byte("saga: x\nsteps: {a: {service: s}}\ninput: "+schema+"\n"), func(string) ([]byte, error) {
			opened = true
			return []byte("{}"), nil
		})
		if err == nil || opened {
			t.Errorf("%s: %v, %v, opened %v", schema, d, err, opened)
		}
	}
}
