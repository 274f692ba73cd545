package validate_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"segue/document"
	"segue/participant"
	"segue/services/validator/validate"
)

const product = `{"type":"object","required":["name"],"properties":{"name":{"type":"string","minLength":1},"price":{"type":"number","minimum":0}},"additionalProperties":false}`

// TestViolationsHaveTheirPlace holds what is reported of each format.
func TestViolationsHaveTheirPlace(t *testing.T) {
	t.Parallel()
	f := newFixture(t, validate.Config{})
	for name, test := range map[string]struct {
		text    string
		in      validate.Input
		summary string
		want    []validate.Violation // without offsets
	}{
		"whole": {
			text:    "[\n{\"name\":\"a\"},\n{\"price\": \"x\",\n \"extra\":1},\n\n7]",
			in:      validate.Input{Format: "json", Schema: json.RawMessage(`{"items":` + product + `}`)},
			summary: "line 3, /1: missing property 'name' (and 3 more)",
			want: []validate.Violation{
				{Pointer: "/1", Line: 3, Column: 1, Keyword: "required", Message: "missing property 'name'", Value: "{\"price\": \"x\",\n \"extra\":1}"},
				{Pointer: "/1/price", Line: 3, Column: 11, Keyword: "type", Message: "got string, want number", Value: `"x"`},
				{Pointer: "/1/extra", Line: 4, Column: 10, Keyword: "additionalProperties", Message: `property "extra" is not allowed`, Value: "1"},
				{Pointer: "/2", Line: 6, Column: 1, Keyword: "type", Message: "got number, want object", Value: "7"},
			},
		},
		"records": {
			text:    "{\"n\":1,\"items\":[\n {\"name\":\"a\"},\n {\"name\":\"\",\n  \"price\":-0.10000000000000000001}]}",
			in:      validate.Input{Format: "json", Records: pointer("/items"), Schema: json.RawMessage(product)},
			summary: "line 3, /items/1/name: minLength: got 0, want 1 (and 1 more)",
			want: []validate.Violation{
				{Pointer: "/items/1/name", Line: 3, Column: 10, Record: 2, Keyword: "minLength", Message: "minLength: got 0, want 1", Value: `""`},
				{Pointer: "/items/1/price", Line: 4, Column: 11, Record: 2, Keyword: "minimum", Message: "minimum: got -0.10000000000000000001, want 0", Value: "-0.10000000000000000001"},
			},
		},
		"ndjson": {
			text:    "{\"name\":\"a\"}\n\n{\"name\":1}\n{\"name\":\"b\",}\n",
			in:      validate.Input{Format: "ndjson", Schema: json.RawMessage(product)},
			summary: "line 4, column 12: invalid character ',' at start of value (and 1 more) (read as ndjson, as the command says)",
			want: []validate.Violation{
				{Pointer: "/name", Line: 3, Column: 9, Record: 2, Keyword: "type", Message: "got number, want string", Value: "1"},
				{Line: 4, Column: 12, Record: 3, Message: "invalid character ',' at start of value", Value: ",}"},
			},
		},
		"csv": {
			text:    "name,price\na,\"1\n2\"\nb,x\n",
			in:      validate.Input{Format: "csv", Schema: json.RawMessage(`{"properties":{"price":{"pattern":"^[0-9]+$"}}}`)},
			summary: `line 2, /price: "1\n2" does not match pattern "^[0-9]+$" (and 1 more)`,
			want: []validate.Violation{
				{Pointer: "/price", Line: 2, Column: 3, Record: 1, Keyword: "pattern", Message: `"1\n2" does not match pattern "^[0-9]+$"`, Value: "1\n2"},
				{Pointer: "/price", Line: 4, Column: 3, Record: 2, Keyword: "pattern", Message: `"x" does not match pattern "^[0-9]+$"`, Value: "x"},
			},
		},
		"csv, a whole row": {
			text:    "name,price\na,1\n",
			in:      validate.Input{Format: "csv", Schema: json.RawMessage(`{"required":["id"]}`)},
			summary: `line 2: missing property 'id'`,
			want:    []validate.Violation{{Line: 2, Record: 1, Keyword: "required", Message: "missing property 'id'"}},
		},
		"csv, table": { // a column is a byte: é has two
			text:    "name;price\n\"é\n\"\"é\";x\né;2\né;\"x\"\n",
			in:      validate.Input{Format: "csv", Table: json.RawMessage(`{"fields":[{"name":"name","type":"string"},{"name":"price","type":"integer"}],"uniqueKeys":[["name","price"],["name"]]}`)},
			summary: `line 3, /price: "x" is no integer (and 2 more)`,
			want: []validate.Violation{
				{Pointer: "/price", Line: 3, Column: 7, Record: 1, Keyword: "type", Message: `"x" is no integer`, Value: "x"},
				{Pointer: "/price", Line: 5, Column: 4, Record: 3, Keyword: "type", Message: `"x" is no integer`, Value: "x"},
				{Pointer: "/name", Line: 5, Column: 1, Record: 3, Keyword: "unique", Message: `"é" is there already, and name has to be unique`, Value: "é"},
			},
		},
		"parquet": { // there are no lines
			text:    columns(t, 3),
			in:      validate.Input{Format: "parquet", Schema: json.RawMessage(`{"properties":{"price":{"maximum":0}}}`)},
			summary: `record 2, /price: maximum: got 1, want 0 (and 1 more)`,
			want: []validate.Violation{
				{Pointer: "/price", Record: 2, Keyword: "maximum", Message: "maximum: got 1, want 0", Value: "1"},
				{Pointer: "/price", Record: 3, Keyword: "maximum", Message: "maximum: got 2, want 0", Value: "2"},
			},
		},
		"alternatives": {
			text:    `{"a":true}`,
			in:      validate.Input{Format: "json", Schema: json.RawMessage(`{"properties":{"a":{"anyOf":[{"type":"string"},{"$ref":"#/$defs/n"}]}},"$defs":{"n":{"type":"number"}}}`)},
			summary: "line 1, /a: 'anyOf' failed: got boolean, want string; got boolean, want number",
			want: []validate.Violation{
				{Pointer: "/a", Line: 1, Column: 6, Keyword: "anyOf", Message: "'anyOf' failed: got boolean, want string; got boolean, want number", Value: "true"},
			},
		},
		// The library reports each name with the place of an object visited later.
		"names": {
			text:    "[{\"ab\":1},\n{\"b\":{\"abc\":1,\"abd\":2}},\n{\"b\":2}]",
			in:      validate.Input{Format: "json", Schema: json.RawMessage(`{"$defs":{"o":{"propertyNames":{"maxLength":1},"additionalProperties":{"$ref":"#/$defs/o"}}},"items":{"$ref":"#/$defs/o"}}`)},
			summary: `line 1, /0: property name "ab" is not allowed (and 2 more)`,
			want: []validate.Violation{
				{Pointer: "/0", Line: 1, Column: 2, Keyword: "propertyNames", Message: `property name "ab" is not allowed`, Value: `{"ab":1}`},
				{Pointer: "/1/b", Line: 2, Column: 6, Keyword: "propertyNames", Message: `property name "abc" is not allowed`, Value: `{"abc":1,"abd":2}`},
				{Pointer: "/1/b", Line: 2, Column: 6, Keyword: "propertyNames", Message: `property name "abd" is not allowed`, Value: `{"abc":1,"abd":2}`},
			},
		},
		"forbidden": {
			text:    `{"a":1,"b":[1,2],"c":3,"d":4}`,
			in:      validate.Input{Format: "json", Schema: json.RawMessage(`{"properties":{"a":false,"b":{"prefixItems":[true],"items":false},"c":{"not":{}}},"unevaluatedProperties":false}`)},
			summary: `line 1, /a: is not allowed here (and 3 more)`,
			want: []validate.Violation{
				{Pointer: "/a", Line: 1, Column: 6, Keyword: "properties", Message: "is not allowed here", Value: "1"},
				{Pointer: "/b/1", Line: 1, Column: 15, Keyword: "items", Message: "is not allowed here", Value: "2"},
				{Pointer: "/c", Line: 1, Column: 22, Keyword: "not", Message: "fits the schema in 'not'", Value: "3"},
				{Pointer: "/d", Line: 1, Column: 28, Keyword: "unevaluatedProperties", Message: "is not allowed here", Value: "4"},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range 3 { // the library visits members in no order, and the schema comes from the shelf
				_, err := f.check(test.text, test.in)
				_, message, d := failure(t, err)
				if message != test.summary {
					t.Errorf("summary\n%s, want\n%s", message, test.summary)
				}
				if got, want := fmt.Sprintf("%+v", plain(d.Violations)), fmt.Sprintf("%+v", test.want); got != want {
					t.Errorf("violations\n%s, want\n%s", got, want)
				}
			}
		})
	}
}

// plain takes violations through JSON, as a reader of the outcome gets them.
func plain(list []validate.Violation) []validate.Violation {
	text, err := json.Marshal(list)
	if err != nil {
		panic(err)
	}
	var out []validate.Violation
	if err := json.Unmarshal(text, &out); err != nil {
		panic(err)
	}
	return out
}

func TestViolationsAreCountedOverTheLimit(t *testing.T) {
	t.Parallel()
	f := newFixture(t, validate.Config{})
	schema := json.RawMessage(`{"items":{"type":"string"}}`)
	_, err := f.check("["+strings.Repeat("1,\n", 999)+"1]", validate.Input{Format: "json", Schema: schema})
	_, message, d := failure(t, err)
	if len(d.Violations) != 100 || d.More != 900 || !strings.HasPrefix(message, "line 1, /0: got number, want string (and 999 more)") {
		t.Errorf("%s: %d and %d", message, len(d.Violations), d.More)
	}
	for i, v := range d.Violations {
		if v.Line != int64(i)+1 || v.Pointer != fmt.Sprintf("/%d", i) {
			t.Fatalf("violation %d: %+v", i, v)
		}
	}
}

// TestDetailsFitIntoTheOutcome sends names and values that swell in JSON.
func TestDetailsFitIntoTheOutcome(t *testing.T) {
	t.Parallel()
	f := newFixture(t, validate.Config{MaxViolations: 5000})
	name := strings.Repeat(`\u0001`, 2000)
	var lines strings.Builder
	for i := range 300 {
		fmt.Fprintf(&lines, "{\"%s%d\":\"%s\"}\n", name, i, name)
	}
	_, err := f.check(lines.String(), validate.Input{Format: "ndjson", Schema: json.RawMessage(`{"additionalProperties":{"pattern":"^$"}}`)})
	_, _, d := failure(t, err) // checks the size
	if len(d.Violations) == 0 || int64(len(d.Violations))+d.More != 300 {
		t.Errorf("%d listed and %d more, want 300 together", len(d.Violations), d.More)
	}
}

func TestBadSchemas(t *testing.T) {
	t.Parallel()
	f := newFixture(t, validate.Config{KnownSchemas: map[string][]byte{"https://example.com/known.json": []byte(`{"type":"string"}`)}})
	for name, test := range map[string]struct{ schema, want string }{
		"no JSON":             {`{"type":`, `schema at byte 8, at /type: ends in the middle`},
		"duplicate keyword":   {`{"type":"string","type":"number"}`, `schema at byte 17, at /type: name "type" is there twice`},
		"no schema":           {`[]`, `schema is no JSON Schema: at the top: `},
		"wrong keyword":       {`{"properties":{"a":{"type":"text"}}}`, `schema is no JSON Schema: at /properties/a/type: `},
		"bad pattern":         {`{"pattern":"("}`, `schema `},
		"unknown ref":         {`{"$ref":"http://169.254.169.254/x.json"}`, `schema refers to "http://169.254.169.254/x.json", which is not known here`},
		"file ref":            {`{"$ref":"file:///etc/passwd"}`, `schema refers to "file:///etc/passwd", which is not known here`},
		"relative ref":        {`{"$ref":"other.json"}`, `schema refers to "segue:///other.json", which`},
		"unknown $schema":     {`{"$schema":"http://example.com/meta"}`, `schema refers to "http://example.com/meta"`},
		"dangling ref":        {`{"$ref":"#/$defs/nothing"}`, `schema cannot be compiled: json-pointer in "#/$defs/nothing" not found`},
		"huge number":         {`{"minimum":1e1000000}`, `schema at byte 11, at /minimum: number of more`},
		"deep":                {strings.Repeat(`{"not":`, 200) + "{}" + strings.Repeat("}", 200), `schema at byte 896, at /not/`},
		"too large":           {`{"title":"` + strings.Repeat("x", 256<<10) + `"}`, `schema has 262156 bytes, at most 262144 can be`},
		"long chain":          {chain(199), `schema applies up to 201 subschemas to one value`},
		"too many values":     {`{"enum":[` + strings.Repeat("1,", 10_000) + `1]}`, `schema at byte `},
		"bad vocabulary":      {`{"$vocabulary":{"\u0001":true}}`, `schema is no JSON Schema: at /$vocabulary: `},
		"two mistakes":        {`{"minLength":-1,"$defs":{"a":{"pattern":7}}}`, `schema is no JSON Schema: at /$defs/a/pattern: got number, want string`},
		"multiple of nothing": {`{"multipleOf":0}`, `schema is no JSON Schema: at /multipleOf`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := f.check("1", validate.Input{Format: "json", Schema: json.RawMessage(test.schema)})
			code, message, d := failure(t, err)
			if d.Violations == nil {
				t.Error("violations are null in JSON")
			}
			if code != validate.CodeBadSchema || !strings.HasPrefix(message, test.want) {
				t.Errorf("got  %s %s\nwant %s", code, message, test.want)
			}
		})
	}
	for name, schema := range map[string]string{
		"null": `null`, "true": `true`, "empty": `{}`,
		"own $id":    `{"$id":"https://example.com/a.json","$defs":{"n":{"type":"number"}},"$ref":"https://example.com/a.json#/$defs/n"}`,
		"known ref":  `{"not":{"$ref":"https://example.com/known.json"}}`,
		"metaschema": `{"not":{"$ref":"https://json-schema.org/draft/2020-12/schema"}}`,
		"draft 4":    `{"$schema":"http://json-schema.org/draft-04/schema#","minimum":0,"exclusiveMinimum":true}`,
	} {
		if _, err := f.check("1", validate.Input{Format: "json", Schema: json.RawMessage(schema)}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// chain is a schema that applies n subschemas to a value and to each below it.
// Thousands of them would break the stack, which no process survives.
func chain(n int) string {
	var b strings.Builder
	b.WriteString(`{"$ref":"#/$defs/1","$defs":{`)
	for i := 1; i < n; i++ {
		fmt.Fprintf(&b, `"%d":{"$ref":"#/$defs/%d"},`, i, i+1)
	}
	fmt.Fprintf(&b, `"%d":{"items":{"$ref":"#"}}}}`, n)
	return b.String()
}

func TestLongestChainOnDeepestDocument(t *testing.T) {
	t.Parallel()
	f := newFixture(t, validate.Config{})
	text := strings.Repeat("[", 128) + strings.Repeat("]", 128)
	if _, err := f.check(text, validate.Input{Format: "json", Schema: json.RawMessage(chain(198))}); err != nil {
		t.Error(err)
	}
}

// bomb is a schema whose application doubles with each of n definitions.
func bomb(n int) json.RawMessage {
	var b strings.Builder
	b.WriteString(`{"$ref":"#/$defs/0","$defs":{`)
	for i := range n {
		fmt.Fprintf(&b, `"%d":{"allOf":[{"$ref":"#/$defs/%d"},{"$ref":"#/$defs/%d"}]},`, i, i+1, i+1)
	}
	fmt.Fprintf(&b, `"%d":{"type":"number"}}}`, n)
	return json.RawMessage(b.String())
}

func TestSchemaThatMultipliesItsWorkIsStopped(t *testing.T) {
	t.Parallel()
	f := newFixture(t, validate.Config{MaxSteps: 100_000})
	for _, text := range []string{"1", `"x"`} { // valid and invalid go different ways through the library
		_, err := f.check(text, validate.Input{Format: "json", Schema: bomb(64)})
		if code, message, _ := failure(t, err); code != validate.CodeLimit || !strings.Contains(message, "takes more than 100000 steps") {
			t.Errorf("got %s %s", code, message)
		}
	}
	if _, err := f.check("1", validate.Input{Format: "json", Schema: bomb(8)}); err != nil {
		t.Errorf("a small one: %v", err)
	}
}

func TestSchemaEndsWithTheContext(t *testing.T) {
	t.Parallel()
	s := new(store)
	s.put("d", func() io.Reader { return strings.NewReader("1") })
	v, err := validate.NewValidator(validate.Config{MaxSteps: 1 << 60}, s)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	in := validate.Input{Document: document.Document{Ref: document.Ref{Name: "d"}}, Format: "json", Schema: bomb(64)}
	_, err = v.Validate(ctx, participant.Command[validate.Input]{Input: in})
	if !errors.Is(err, context.DeadlineExceeded) || errors.As(err, new(*participant.Error)) {
		t.Errorf("got %v, want the context's error, to be tried again", err)
	}
}

func TestNumbersAreExact(t *testing.T) {
	t.Parallel()
	f := newFixture(t, validate.Config{})
	schema := json.RawMessage(`{"items":{"enum":[9007199254740993, 0.1]}}`)
	for text, valid := range map[string]bool{"[9007199254740993]": true, "[9007199254740992]": false, "[1e-1]": true, "[0.10000000000000000001]": false} {
		if _, err := f.check(text, validate.Input{Format: "json", Schema: schema}); (err == nil) != valid {
			t.Errorf("%s: got %v, want valid %v", text, err, valid)
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	any := json.RawMessage(`{}`)
	f := newFixture(t, validate.Config{MaxWhole: 100, MaxRecord: 50, MaxToken: 20, MaxNames: 1000, MaxValues: 10})
	for name, test := range map[string]struct {
		text string
		in   validate.Input
		want string // "" passes
	}{
		"whole":           {`[` + strings.Repeat(" ", 98) + `]`, validate.Input{Format: "json", Schema: any}, ""},
		"whole, over":     {`[` + strings.Repeat(" ", 99) + `]`, validate.Input{Format: "json", Schema: any}, "has more than 100 bytes"},
		"line":            {"[" + strings.Repeat(" ", 48) + "]\r\n[]", validate.Input{Format: "ndjson"}, "line of more than 50"},
		"line, at limit":  {"[" + strings.Repeat(" ", 48) + "]\n[]", validate.Input{Format: "ndjson"}, ""},
		"record":          {`[[` + strings.Repeat(" ", 48) + `]]`, validate.Input{Format: "json", Records: pointer(""), Schema: any}, ""},
		"record, over":    {`[[` + strings.Repeat(" ", 49) + `]]`, validate.Input{Format: "json", Records: pointer(""), Schema: any}, "record of more than 50"},
		"token":           {`["` + strings.Repeat("x", 18) + `"]`, validate.Input{Format: "json"}, ""},
		"token, over":     {`["` + strings.Repeat("x", 19) + `"]`, validate.Input{Format: "json"}, "string or number of more than 20 bytes"},
		"token, far over": {`["` + strings.Repeat("x", 1<<20), validate.Input{Format: "json"}, "string, number or white space of more than 20 bytes"},
		"white space":     {`[1,` + strings.Repeat(" ", 1<<20), validate.Input{Format: "json"}, "string, number or white space of more than 20 bytes"},
		"values":          {`[1,2,3,4,5,6,7,8,9]`, validate.Input{Format: "json", Schema: any}, ""},
		"values, over":    {`[1,2,3,4,5,6,7,8,9,0]`, validate.Input{Format: "json", Schema: any}, "more than 10 values"},
		"names":           {objectOf(14), validate.Input{Format: "json"}, ""},
		"names, over":     {objectOf(16), validate.Input{Format: "json"}, "objects with names of more than 1000 bytes"},
		"names, closed":   {"[" + strings.Repeat(objectOf(14)+",", 9) + "1]", validate.Input{Format: "json"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := f.check(test.text, test.in)
			if test.want == "" {
				if err != nil {
					t.Errorf("got %v, want it to pass", err)
				}
				return
			}
			if code, message, _ := failure(t, err); code != validate.CodeLimit || !strings.Contains(message, test.want) {
				t.Errorf("got %s %s, want %s", code, message, test.want)
			}
		})
	}
}

func objectOf(names int) string {
	var b strings.Builder
	for i := range names {
		fmt.Fprintf(&b, `,"%02d":0`, i)
	}
	return "{" + b.String()[1:] + "}"
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	for _, cfg := range []validate.Config{
		{MaxDepth: -1}, {MaxDepth: 1001}, {MaxWhole: -1}, {MaxSteps: -1},
		{KnownSchemas: map[string][]byte{"x": []byte("{")}},
	} {
		if _, err := validate.New(cfg, new(store)); err == nil {
			t.Errorf("%+v: want an error", cfg)
		}
	}
	s, err := validate.New(validate.Config{}, new(store))
	if err != nil || s.Name() != "validator" {
		t.Errorf("got service %q, %v", s.Name(), err)
	}
}

// TestOneSchemaManyCommands shares a schema between commands at the same time.
func TestOneSchemaManyCommands(t *testing.T) {
	t.Parallel()
	f := newFixture(t, validate.Config{})
	in := validate.Input{Format: "json", Schema: json.RawMessage(`{"items":` + product + `}`)}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 20 {
				text := strings.Repeat(`{"name":"a"},`, i) + `{"name":1}`
				_, err := f.check("["+text+"]", in)
				var e *participant.Error
				if !errors.As(err, &e) || !strings.HasPrefix(e.Error(), fmt.Sprintf("line 1, /%d/name: got number", i)) {
					t.Errorf("command %d: got %v", i, err)
				}
			}
		})
	}
	wg.Wait()
}

// TestStoreErrors holds what may be tried again and what not.
func TestStoreErrors(t *testing.T) {
	t.Parallel()
	broken := errors.New("connection reset")
	for name, test := range map[string]struct {
		text string
		end  error
		in   validate.Input
		code string // "" is to be tried again
	}{
		"broken":             {`[1,2`, broken, validate.Input{Format: "json"}, ""},
		"broken, whole":      {`[1,2`, broken, validate.Input{Format: "json", Schema: json.RawMessage(`{}`)}, ""},
		"broken, record":     {`[1,[2`, broken, validate.Input{Format: "json", Records: pointer(""), Schema: json.RawMessage(`{}`)}, ""},
		"broken, lines":      {"1\n2", broken, validate.Input{Format: "ndjson"}, ""},
		"broken, rows":       {"a,b\n1,", broken, validate.Input{Format: "csv"}, ""},
		"broken, detection":  {"{", broken, validate.Input{}, ""},
		"broken behind":      {`[1]`, broken, validate.Input{Format: "json"}, ""},
		"broken after fault": {`[}`, broken, validate.Input{Format: "json"}, ""},
		"cut off":            {`[1`, io.ErrUnexpectedEOF, validate.Input{Format: "json"}, ""},
		"changed":            {`[1]`, document.ErrChanged, validate.Input{Format: "json"}, validate.CodeChanged},
		"changed and bad":    {`[}`, document.ErrChanged, validate.Input{Format: "json"}, validate.CodeChanged},
		"changed rows":       {"a\n1\n", document.ErrChanged, validate.Input{Format: "csv"}, validate.CodeChanged},
		"gone":               {"", document.ErrNotFound, validate.Input{Format: "json"}, validate.CodeNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, validate.Config{})
			f.store.put("d", func() io.Reader { return io.MultiReader(bytes.NewReader([]byte(test.text)), failing{test.end}) })
			test.in.Document.Name = "d"
			_, err := f.Validate(context.Background(), participant.Command[validate.Input]{Input: test.in})
			if test.code == "" {
				if !errors.Is(err, test.end) || errors.As(err, new(*participant.Error)) {
					t.Errorf("got %v, want %v as it is", err, test.end)
				}
				return
			}
			wantPassing(t, err, test.code)
		})
	}
	_, err := newFixture(t, validate.Config{}).Validate(context.Background(), participant.Command[validate.Input]{Input: validate.Input{Format: "json"}})
	wantPassing(t, err, validate.CodeNotFound)
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestDetection(t *testing.T) {
	t.Parallel()
	f := newFixture(t, validate.Config{})
	for name, test := range map[string]struct {
		doc  document.Document
		text string
		want string // format, or the failure
	}{
		"media type":               {document.Document{MediaType: "application/x-ndjson; charset=utf-8", URL: "http://x/a.csv"}, "{}\n", "ndjson"},
		"media type with suffix":   {document.Document{MediaType: "application/geo+json"}, "{}", "json"},
		"media type, bad charset":  {document.Document{MediaType: "text/csv; charset"}, "a\n", "csv"},
		"extension":                {document.Document{MediaType: "text/plain", URL: "https://x/y/Data.JSONL?v=1.json#f"}, "{}\n", "ndjson"},
		"tabs":                     {document.Document{URL: "file:///a.tsv"}, "a\tb\n1\t2\n", "csv"},
		"object":                   {document.Document{MediaType: "application/octet-stream", URL: "http://x/get"}, "\xEF\xBB\xBF\n {\n\"a\":1}\n", "json"},
		"array of one line":        {document.Document{}, "[1,2]\n", "json"},
		"lines":                    {document.Document{}, "{\"a\":1}\r\n\n{\"a\":2}\n", "ndjson"},
		"values over lines":        {document.Document{}, "{\n}\n{}\n", "failure line 3, column 1: a second value begins here, where the document should end (read as json by its content)"},
		"scalar":                   {document.Document{}, "\"a,b\"\n", "json"},
		"rows":                     {document.Document{}, "\"a\",\"b\"\n1,2\n", "csv"},
		"rows by semicolon":        {document.Document{}, "a;b\n1;2\n", "csv"},
		"one line of rows":         {document.Document{}, "a,b", "csv"},
		"media type beats content": {document.Document{MediaType: "application/json"}, "a,b\n", "failure line 1, column 1: invalid character 'a' at start of value (read as json by its media type application/json)"},
		"extension, wrong":         {document.Document{URL: "http://x/a.json"}, "<html>", "failure line 1, column 1: invalid character '<' at start of value (read as json by its extension .json)"},
		"HTML":                     {document.Document{}, "<!DOCTYPE html>, really\n", "failure the format is not known, say it with format (neither media type, extension nor content tell the format)"},
		"text":                     {document.Document{}, "hello\nworld\n", "failure the format is not known"},
		"binary":                   {document.Document{}, "PK\x07\x08,,\x00\x00\n", "failure the format is not known"},
		"empty":                    {document.Document{}, "", "failure the format is not known"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := f.check(test.text, validate.Input{Document: test.doc})
			got := out.Format
			if err != nil {
				_, got, _ = failure(t, err)
				got = "failure " + got
			}
			if got != test.want && !(strings.HasPrefix(test.want, "failure") && strings.HasPrefix(got, test.want)) {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

// TestWire holds the JSON of the contract.
func TestWire(t *testing.T) {
	t.Parallel()
	var in validate.Input
	if err := json.Unmarshal([]byte(`{"document":{"name":"n"},"format":"json","records":"","schema":{"a":1}}`), &in); err != nil {
		t.Fatal(err)
	}
	want := validate.Input{Document: document.Document{Ref: document.Ref{Name: "n"}}, Format: "json", Records: pointer(""), Schema: json.RawMessage(`{"a":1}`)}
	if !reflect.DeepEqual(in, want) {
		t.Errorf("got %+v, want %+v", in, want)
	}
	out, err := json.Marshal(validate.Output{Format: "csv", Records: 3, Delimiter: ","})
	if err != nil || string(out) != `{"format":"csv","records":3,"delimiter":","}` {
		t.Errorf("got %s, %v", out, err)
	}
}

// wantPassing wants a failure with a code that another attempt may not meet.
func wantPassing(t *testing.T, err error, code string) {
	t.Helper()
	if e := (*participant.Error)(nil); !errors.As(err, &e) || e.Permanent || e.Unknown || e.Code != code {
		t.Errorf("error %v, want one that may pass, with code %s", err, code)
	}
}
