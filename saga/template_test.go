package saga

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// withTemplate loads a saga whose second step has a template, given as JSON,
// after a first step "before" and one "be-fore".
func withTemplate(template string) (Template, error) {
	text := `{"saga": "x", "steps": {"before": {"service": "s"}, "be-fore": {"service": "s"},
"it": {"service": "s", "needs": ["before", "be-fore"], "with": ` + template + `}}}`
	d, err := Load("x.json", []byte(text), nil)
	if err != nil {
		return Template{}, err
	}
	return d.Steps[d.Step("it")].With, nil
}

const (
	testInput = `{"url": "http://x/a", "n": 7, "big": 9007199254740993, "f": 1.5, "million": 1e6, "yes": true, "none": null,
"list": [3, 1, 2], "object": {"b": 1, "a": {"z": 1, "y": [null]}, "c": 3}, "objects": [{"d": 1, "b": 2, "c": 3, "a": 4}], "ä\"/": "ö", "huge": 18446744073709551615}`
	testOutput = `{"document": {"uri": "o:1", "size": 12}, "text": "</a>&"}`
)

func mustDecode(t interface {
	Helper()
	Fatal(args ...any)
}, data string,
) any {
	t.Helper()
	value, err := DecodeValue([]byte(data))
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func testScope(t *testing.T) (any, map[string]any) {
	t.Helper()
	return mustDecode(t, testInput), map[string]any{"before": mustDecode(t, testOutput), "be-fore": int64(3)}
}

func TestTemplate(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ template, want string }{
		// Values that are no expressions stay as they are, with sorted keys.
		{`{"b": [1, 2.50, 1e3, -0, true, null], "a": "x"}`, `{"a":"x","b":[1,2.5,1000,0,true,null]}`},
		{`null`, `null`},
		{`"$${input.url}"`, `"${input.url}"`},
		{`"$ $$ {} $x }"`, `"$ $$ {} $x }"`},
		{`"$${a} ${input.n} $${b}"`, `"${a} 7 ${b}"`},

		// One expression keeps its type.
		{`"${input.url}"`, `"http://x/a"`},
		{`"${input.n}"`, `7`},
		{`"${input.n + 1}"`, `8`},
		{`"${input.big}"`, `9007199254740993`},
		{`"${input.huge}"`, `18446744073709552000`}, // beyond int64: the nearest float64
		{`"${input.f}"`, `1.5`},
		{`"${input.million}"`, `1000000`},
		{`"${1.0}"`, `1`},
		{`"${18446744073709551615u}"`, `18446744073709551615`},
		{`"${input.yes}"`, `true`},
		{`"${input.none}"`, `null`},
		{`"${input.object}"`, `{"a":{"y":[null],"z":1},"b":1,"c":3}`},
		{`"${input.list}"`, `[3,1,2]`},
		{`"${input[\"ä\\\"/\"]}"`, `"ö"`},
		{`"${steps.before.document}"`, `{"size":12,"uri":"o:1"}`},
		{`"${steps[\"be-fore\"]}"`, `3`},
		{`"${steps.before.text}"`, `"</a>&"`},
		{`"${{\"b\": input.n, \"a\": [input.f]}}"`, `{"a":[1.5],"b":7}`},
		{`"${ input.n > 1.5 ? 'y}' : \"n{\" }"`, `"y}"`},
		{`"${r'\\' + '''}'''}"`, `"\\}"`},
		{`"${input.n // }\n}"`, `7`},

		// Text with values in it.
		{`"a ${input.n}/${input.f}/${input.yes}/${input.url}!"`, `"a 7/1.5/true/http://x/a!"`},
		{`"${input.n}${input.n}"`, `"77"`},
		{`"million: ${input.million}"`, `"million: 1000000"`},
		{`"é${input.n}\u0001"`, `"é7\u0001"`},

		// What is absent is left out.
		{`{"a": "${input.?nothing}", "b": 1}`, `{"b":1}`},
		{`{"a": "${input.?url}"}`, `{"a":"http://x/a"}`},
		{`{"a": "${input.?none}"}`, `{"a":null}`},
		{`["${input.?nothing}", 1, "${input.?nothing}", 2]`, `[1,2]`},
		{`[{"a": "${input.?nothing.deeper}"}]`, `[{}]`},
		{`"${input.?nothing}"`, `null`},
		{`"${input.?nothing.orValue(5)}"`, `5`},
		{`"${input.?n.optMap(n, n * 2)}"`, `14`},
		{`"x${input.?n}"`, `"x7"`},
		{`"${[input.?nothing, input.?n]}"`, `[7]`},
		{`"${{\"a\": input.?nothing}}"`, `{}`},
		{`"${has(input.nothing)}"`, `false`},
		{`"${optional.of(optional.none())}"`, `null`},

		// Macros go through an object in the order of its keys.
		{`"${input.object.map(k, k)}"`, `["a","b","c"]`},
		{`"${{\"z\": 1, \"x\": 2, \"y\": 3, \"w\": 4}.map(k, k)}"`, `["w","x","y","z"]`},
		{`"${{3: 1, 1: 2, 2u: 3, true: 4}.map(k, k).size()}"`, `4`},
		{`"${dyn({\"z\": 1, \"x\": 2}).filter(k, true)}"`, `["x","z"]`},
		{`"${[input].map(x, x.object.map(k, k))}"`, `[["a","b","c"]]`},
		{`"${[input.object].map(o, o.map(k, k))}"`, `[["a","b","c"]]`},
		{`"${input.objects.map(o, o.map(k, k))}"`, `[["a","b","c","d"]]`},
		{`"${[input.objects].map(l, l[0].map(k, k))}"`, `[["a","b","c","d"]]`},
		{`"${(input.objects + input.objects)[1].map(k, k)}"`, `["a","b","c","d"]`},
		{`"${[{\"z\": 1, \"x\": 2}].map(m, m.map(k, m[k]))}"`, `[[2,1]]`},
		{`"${input.list.filter(x, x > 1).map(x, x * 2)}"`, `[6,4]`},
		{`"${input.object == {\"c\": 3, \"b\": 1, \"a\": {\"y\": [null], \"z\": 1}}}"`, `true`},
	} {
		template, err := withTemplate(test.template)
		if err != nil {
			t.Errorf("%s: %v", test.template, err)
			continue
		}
		input, outputs := testScope(t)
		for range 3 {
			got, err := template.Eval(input, outputs)
			if err != nil || string(got) != test.want {
				t.Errorf("%s = %s, %v; want %s", test.template, got, err, test.want)
			}
		}
	}
}

func TestTemplateErrors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ template, want string }{
		{`"${input.nothing}"`, `${input.nothing}: no such key: nothing`},
		{`{"a": {"b/c~": ["x", "${input.nothing}"]}}`, `/a/b~1c~0/1: ${input.nothing}: no such key: nothing`},
		{`{"a": "x ${steps.before.nothing.deeper}"}`, `/a: ${steps.before.nothing.deeper}: no such key: nothing`},
		{`"${1.0 / 0.0}"`, `${1.0 / 0.0}: the number is not finite`},
		{`"${input.n / 0}"`, `${input.n / 0}: division by zero`},
		{`"a${input.list}"`, `${input.list}: a list cannot stand inside of text`},
		{`"a${input.none}"`, `${input.none}: a null_type cannot stand inside of text`},
		{`"a${input.?nothing}"`, `${input.?nothing}: there is no value to put into the text; use orValue`},
		{`"${{1: 2}}"`, `${{1: 2}}: a key that is not a string but a int is not JSON`},
		{`"${dyn(b'a')}"`, `${dyn(b'a')}: a bytes is not a JSON value`},
		{`"${input.n + input.f}"`, `${input.n + input.f}: no such overload`},
	} {
		template, err := withTemplate(test.template)
		if err != nil {
			t.Errorf("%s: %v", test.template, err)
			continue
		}
		input, outputs := testScope(t)
		if got, err := template.Eval(input, outputs); err == nil || err.Error() != test.want {
			t.Errorf("%s = %s, %v; want %s", test.template, got, err, test.want)
		}
	}
}

// TestTemplateLimits checks that no expression can run or grow without end.
func TestTemplateLimits(t *testing.T) {
	t.Parallel()
	numbers := "[" + strings.TrimSuffix(strings.Repeat("1,", 200), ",") + "]"
	for name, test := range map[string]struct{ expression, want string }{
		"cost": {fmt.Sprintf("%[1]s.all(a, %[1]s.all(b, %[1]s.all(c, a == b && b == c)))", numbers), "cost limit exceeded"},
		"text": {"${input.long}${input.long}", errTooLarge.Error()},
		// Named with its expression: found while it grew, not when it was done.
		"list":     {"[1,2,3].map(x, input.long)", "input.long)}: " + errTooLarge.Error()},
		"string":   {"input.long + input.long", errTooLarge.Error()},
		"doubling": {"[[1]]" + strings.Repeat(".map(a, a + a)", 40) + "[0]", ""},
	} {
		source := test.expression
		if !strings.HasPrefix(source, "${") {
			source = "${" + source + "}"
		}
		quoted, _ := json.Marshal(source)
		template, err := withTemplate(string(quoted))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		input := map[string]any{"long": strings.Repeat("x", MaxResult*2/3)}
		if got, err := template.Eval(input, nil); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %d bytes, %v; want %q", name, len(got), err, test.want)
		}
	}
}

// TestTemplateZero says what the zero Template is.
func TestTemplateZero(t *testing.T) {
	t.Parallel()
	var zero Template
	got, err := zero.Eval(nil, nil)
	if !zero.IsZero() || err != nil || string(got) != "null" {
		t.Errorf("zero: %v, %s, %v", zero.IsZero(), got, err)
	}
	if null, err := withTemplate("null"); err != nil || null.IsZero() {
		t.Errorf("null is not the zero template: %v", err)
	}
}

// TestEvalLeavesArguments checks that evaluation does not change what it is given.
func TestEvalLeavesArguments(t *testing.T) {
	t.Parallel()
	template, err := withTemplate(`{"a": "${input.list + [1]}", "b": "${input.object}", "c": "${steps.before}"}`)
	if err != nil {
		t.Fatal(err)
	}
	input, outputs := testScope(t)
	if _, err := template.Eval(input, outputs); err != nil {
		t.Fatal(err)
	}
	got, _ := appendJSON(nil, input)
	want, _ := appendJSON(nil, mustDecode(t, testInput))
	if string(got) != string(want) || !slices.Equal(slices.Sorted(maps.Keys(outputs)), []string{"be-fore", "before"}) {
		t.Errorf("input became %s", got)
	}
}

func TestDecodeValue(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		json string
		want any
	}{
		{`9223372036854775807`, int64(math.MaxInt64)},
		{`-9223372036854775808`, int64(math.MinInt64)},
		{`9223372036854775808`, float64(1 << 63)},
		{`1.0`, 1.0},
		{`1e2`, 100.0},
		{`-0`, int64(0)},
		{` "\ud83d\ude00" `, "😀"},
		{`null`, nil},
		{`false`, false},
	} {
		if got, err := DecodeValue([]byte(test.json)); err != nil || got != test.want {
			t.Errorf("%s = %T %[2]v, %v; want %T %[4]v", test.json, got, err, test.want)
		}
	}
	for _, bad := range []string{
		``, ` `, `{`, `[1,]`, `{"a":1,"a":2}`, `1 2`, `nul`, `1e999`, `"\ud800"`, "\"\xff\"", `{"a"}`, `01`,
		strings.Repeat("[", 20_000),
	} {
		if got, err := DecodeValue([]byte(bad)); err == nil {
			t.Errorf("%.20q = %v, want an error", bad, got)
		}
	}
}

// genValue draws a decoded value.
func genValue(depth int) *rapid.Generator[any] {
	scalars := []*rapid.Generator[any]{
		rapid.Just[any](nil),
		rapid.Bool().AsAny(),
		rapid.Int64().AsAny(),
		rapid.Float64Range(-1e300, 1e300).Filter(func(f float64) bool { return f != math.Trunc(f) }).AsAny(),
		rapid.String().Filter(func(s string) bool { return strings.ToValidUTF8(s, "") == s }).AsAny(),
	}
	if depth == 0 {
		return rapid.OneOf(scalars...)
	}
	inner := genValue(depth - 1)
	return rapid.OneOf(append(scalars,
		rapid.Custom(func(t *rapid.T) any { return append([]any{}, rapid.SliceOfN(inner, 0, 4).Draw(t, "list")...) }),
		rapid.Custom(func(t *rapid.T) any {
			return rapid.MapOfN(rapid.StringN(0, 5, 20).Filter(func(s string) bool { return strings.ToValidUTF8(s, "") == s }),
				inner, 0, 4).Draw(t, "object")
		}))...)
}

// TestValuesPassThrough checks that any value goes through JSON, and through an
// expression, unchanged, and that a literal template is that value.
func TestValuesPassThrough(t *testing.T) {
	t.Parallel()
	whole, err := withTemplate(`"${input}"`)
	if err != nil {
		t.Fatal(err)
	}
	rebuilt, err := withTemplate(`"${[input].map(x, x)[0]}"`)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		value := genValue(3).Draw(t, "value")
		want, err := appendJSON(nil, value)
		if err != nil {
			t.Fatal(err)
		}
		literal, err := withTemplate(strings.ReplaceAll(strings.ReplaceAll(string(want), "$", "x"), "{x", "{y"))
		if err != nil {
			t.Fatalf("literal %s: %v", want, err)
		}
		if _, err := literal.Eval(nil, nil); err != nil {
			t.Fatal(err)
		}
		decoded := mustDecode(t, string(want))
		for _, template := range []Template{whole, rebuilt} {
			for _, input := range []any{value, decoded} {
				got, err := template.Eval(input, nil)
				if err != nil || string(got) != string(want) {
					t.Fatalf("Eval = %s, %v; want %s", got, err, want)
				}
			}
		}
	})
}

func FuzzEval(f *testing.F) {
	for _, seed := range []string{
		"${input.url}", "a ${input.n} $${x}", "${input.?x}", "${steps.before.document}", "${{'a': [1, 2.5, b'x']}}",
		"${[1,2].map(x, x * input.n)}", "${'", "${}", "$${", "${input.object.map(k, k)}", "${r'''}'''}", "${1.0/0.0}",
	} {
		f.Add(seed)
	}
	input := mustDecode(f, testInput)
	outputs := map[string]any{"before": mustDecode(f, testOutput), "be-fore": int64(3)}
	f.Fuzz(func(t *testing.T, text string) {
		quoted, err := json.Marshal(text)
		if err != nil {
			t.Skip()
		}
		template, err := withTemplate(string(quoted))
		if err != nil {
			if problems := (Problems)(nil); !errors.As(err, &problems) {
				t.Fatalf("%q: %T", text, err)
			}
			return
		}
		first, firstErr := template.Eval(input, outputs)
		again, againErr := template.Eval(input, outputs)
		if fmt.Sprint(firstErr) != fmt.Sprint(againErr) || string(first) != string(again) {
			t.Fatalf("%q: %s, %v; then %s, %v", text, first, firstErr, again, againErr)
		}
		if firstErr == nil {
			if _, err := DecodeValue(first); err != nil && !strings.Contains(err.Error(), "out of range") {
				t.Fatalf("%q makes %q: %v", text, first, err)
			}
		}
	})
}

func BenchmarkEval(b *testing.B) {
	template, err := withTemplate(`{"document": "${steps.before.document}", "format": "${input.?format}", "url": "${input.url}"}`)
	if err != nil {
		b.Fatal(err)
	}
	input := mustDecode(b, testInput)
	outputs := map[string]any{"before": mustDecode(b, testOutput)}
	for b.Loop() {
		if _, err := template.Eval(input, outputs); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		if _, err := withTemplate(`{"a": "${input.a}", "b": "${steps.before.b}"}`); err != nil {
			b.Fatal(err)
		}
	}
}
