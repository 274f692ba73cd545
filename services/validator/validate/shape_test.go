package validate

import "testing"

// shapes are schemas that have a shape, each with values that fit for sure, and with
// some of which only the library can say what they do.
var shapes = []struct {
	schema     string
	fit, other []string
}{
	{order, []string{`{"id":1,"customer":"é","items":[{"sku":""}]}`, `{"id":4711,"customer":"Ada","status":"paid","code":"AB12","items":[{"sku":"x","count":-2,"more":null}]}`},
		[]string{`{"id":1.0,"customer":"Ada","items":[{"sku":"x"}]}`, `{"id":0,"customer":"Ada","items":[{"sku":"x"}]}`, `{"id":1,"customer":"Ada","items":[]}`,
			`{"id":1,"customer":"","items":[{"sku":"x"}]}`, `{"id":1,"customer":"Ada","items":[{"count":1}]}`, `{"id":1,"customer":"Ada","items":[{"sku":"x"}],"more":1}`, `[]`}},
	{`true`, []string{`null`, `[{"a":1.5e3}]`}, nil},
	{`false`, nil, []string{`null`, `1`}},
	{`{"enum":["a",1,null,true,[1]]}`, []string{`"a"`, `1`, `null`, `true`}, []string{`1.0`, `[1]`, `"b"`, `false`, `{}`}},
	{`{"const":{"a":1}}`, nil, []string{`{"a":1}`, `{}`}},
	{`{"minimum":-5,"maximum":9223372036854775807}`, []string{`-5`, `9223372036854775807`, `"x"`, `-0`}, []string{`-6`, `9223372036854775808`, `-5.0`, `-5.5`, `1e2`}},
	{`{"maximum":9223372036854775807}`, []string{`9223372036854775807`}, []string{`9226372033854775807`, `1e400`}},
	{`{"type":["integer","null"]}`, []string{`1`, `null`}, []string{`1.5`, `1.0`, `"1"`, `123456789012345678901234567890`}},
	{`{"type":"number"}`, []string{`1`, `1.5`, `1e400`}, []string{`"1"`}},
	{`{"minLength":2,"maxLength":2,"pattern":"^é"}`, []string{`"éé"`, `1`}, []string{`"é"`, `"aé"`, `"ééé"`}},
	{`{"minItems":1,"maxItems":2,"items":{"type":"boolean"}}`, []string{`[true]`, `[true,false]`, `{}`}, []string{`[]`, `[1]`, `[true,true,true]`}},
	{`{"properties":{"a":{"type":"string"}},"additionalProperties":{"type":"null"}}`, []string{`{"a":"x","b":null}`, `1`}, []string{`{"a":1}`, `{"b":1}`}},
	{`{"$schema":"http://json-schema.org/draft-07/schema#","format":"date","items":{"additionalProperties":true}}`, []string{`"2026-01-31"`, `[{"a":1}]`}, []string{`"2026-01-32"`}},
}

// shapeless are schemas with keywords that a shape does not know.
var shapeless = []string{
	`{"$ref":"#"}`, `{"items":{"$dynamicRef":"#a"},"$dynamicAnchor":"a"}`, `{"not":{}}`, `{"allOf":[{}]}`, `{"properties":{"a":{"uniqueItems":true}}}`, `{"minimum":0.5}`,
	`{"maximum":1e30}`, `{"exclusiveMinimum":0}`, `{"multipleOf":2}`, `{"prefixItems":[{}]}`, `{"contains":{}}`, `{"propertyNames":{}}`, `{"patternProperties":{"a":{}}}`,
	`{"dependentRequired":{"a":["b"]}}`, `{"unevaluatedProperties":false}`, `{"if":{}}`, `{"maxProperties":1}`, `{"enum":[1],"const":1}`,
	`{"$schema":"http://json-schema.org/draft-07/schema#","items":[{}]}`, `{"$schema":"http://json-schema.org/draft-07/schema#","dependencies":{"a":["b"]}}`,
	`{"$schema":"http://json-schema.org/draft-04/schema#","minimum":1,"exclusiveMinimum":true}`,
}

// TestShape holds that shapes know the values that fit, and none but those of which
// the library says the same. The official suite goes through them as well.
func TestShape(t *testing.T) {
	t.Parallel()
	c := newTestCompiler(t)
	for _, s := range shapes {
		compiled, err := c.compile([]byte(s.schema))
		if err != nil || compiled.shape == nil {
			t.Errorf("%s has no shape: %v", s.schema, err)
			continue
		}
		for _, value := range s.fit {
			if !agree(t, c, compiled, value) {
				t.Errorf("%s does not know %s", s.schema, value)
			}
		}
		for _, value := range s.other {
			if agree(t, c, compiled, value) {
				t.Errorf("%s says that it knows %s", s.schema, value)
			}
		}
	}
	for _, text := range shapeless {
		if compiled, err := c.compile([]byte(text)); err != nil || compiled.shape != nil {
			t.Errorf("%s has a shape: %v", text, err)
		}
	}
}

// agree says whether a value fits the shape of a schema. If it does, the library has
// to say that it fits the schema.
func agree(t *testing.T, c *compiler, s *schema, text string) bool {
	t.Helper()
	v, err := c.parse([]byte(text))
	if err != nil {
		return false
	}
	fits := s.shape.fits(v)
	slow := *s
	slow.shape = nil
	if violation, err := slow.check(t.Context(), v); fits && (violation != nil || err != nil) {
		t.Errorf("%s: the shape says that it fits, the library: %v, %v", text, violation, err)
	}
	return fits
}

func newTestCompiler(t testing.TB) *compiler {
	t.Helper()
	cfg, err := Config{}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	c, err := newCompiler(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// FuzzShape looks for a value that a shape takes for one that fits, and the library
// does not.
func FuzzShape(f *testing.F) {
	for _, s := range shapes {
		for _, value := range append(s.fit, s.other...) {
			f.Add(s.schema, value)
		}
	}
	c := newTestCompiler(f)
	f.Fuzz(func(t *testing.T, schema, value string) {
		if len(schema) > 1<<10 || len(value) > 1<<10 {
			return
		}
		s, err := c.compile([]byte(schema))
		if err == nil && s.shape != nil {
			agree(t, c, s, value)
		}
	})
}
