package saga

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var rewriteDefinitions = flag.Bool("rewrite-definitions", false, "accept what the tests of definitions find")

const definitions = "testdata/definitions"

// loadFile loads a definition of the tests with the files beside it.
func loadFile(t *testing.T, dir, name string) (*Definition, error) {
	t.Helper()
	files := os.DirFS(filepath.Join(definitions, dir))
	text, err := fs.ReadFile(files, name)
	if err != nil {
		t.Fatal(err)
	}
	return Load(name, text, func(name string) ([]byte, error) { return fs.ReadFile(files, name) })
}

// fixtures lists the definitions of a folder.
func fixtures(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(definitions, dir, "*.yaml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no definitions in %s: %v", dir, err)
	}
	for i, p := range paths {
		paths[i] = filepath.Base(p)
	}
	return paths
}

// golden compares with, or with -rewrite-definitions replaces, a file of
// expected text.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *rewriteDefinitions {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; -rewrite-definitions accepts)\n%s", file, diff)
	}
}

// TestBadDefinitions holds the exact text of every error: each problem of a
// file, at its place, and none that only follows from another.
func TestBadDefinitions(t *testing.T) {
	t.Parallel()
	for _, name := range fixtures(t, "bad") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := loadFile(t, "bad", name)
			var problems Problems
			if d != nil || !errors.As(err, &problems) {
				t.Fatalf("Load = %v, %v; want nil and Problems", d, err)
			}
			golden(t, filepath.Join(definitions, "bad", strings.TrimSuffix(name, ".yaml")+".want"), err.Error()+"\n")
		})
	}
}

func TestGoodDefinitions(t *testing.T) {
	t.Parallel()
	for _, name := range fixtures(t, "good") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := loadFile(t, "good", name)
			if err != nil {
				t.Fatal(err)
			}
			checkCanonical(t, d)
			golden(t, filepath.Join(definitions, "good", strings.TrimSuffix(name, ".yaml")+".want"), describe(d))
		})
	}
}

// describe writes a definition as text to compare.
func describe(d *Definition) string {
	var b strings.Builder
	fmt.Fprintf(&b, "saga %s, digest %s\ndeadline %s, output %v\n", d.Name, d.Digest, d.Deadline, !d.Output.IsZero())
	for i, s := range d.Steps {
		fmt.Fprintf(&b, "%d %s: service %s, needs %v, with %v, timeout %s, retry %s, pivot %v, undo ",
			i, s.Name, s.Service, s.Needs, !s.With.IsZero(), s.Timeout, describePolicy(s.Retry), s.Pivot)
		switch {
		case s.NothingToUndo:
			b.WriteString("nothing\n")
		case s.Undo == nil:
			b.WriteString("not said\n")
		default:
			fmt.Fprintf(&b, "%s, %s\n", s.Undo.Timeout, describePolicy(s.Undo.Retry))
		}
	}
	fmt.Fprintf(&b, "%s\n", d.Text)
	return b.String()
}

func describePolicy(p Policy) string {
	if p.Attempts == Unlimited {
		return fmt.Sprintf("unlimited %s..%s", p.Backoff, p.Max)
	}
	return fmt.Sprintf("%dx %s..%s", p.Attempts, p.Backoff, p.Max)
}

// checkCanonical checks that the text of a definition loads, without any file,
// as the same definition.
func checkCanonical(t interface {
	Helper()
	Fatalf(string, ...any)
}, d *Definition,
) {
	t.Helper()
	again, err := Load("canonical", d.Text, nil)
	if err != nil {
		t.Fatalf("Load(canonical): %v\n%s", err, d.Text)
	}
	if diff := cmp.Diff(d, again, cmp.AllowUnexported(Definition{}), cmp.Comparer(sameTemplate), cmp.Comparer(bytes.Equal),
		cmpopts.IgnoreTypes(&inputSchema{})); diff != "" {
		t.Fatalf("Load(canonical) differs (-original +again)\n%s", diff)
	}
	if (d.input == nil) != (again.input == nil) {
		t.Fatalf("input schema: %v, then %v", d.input, again.input)
	}
}

// sameTemplate compares what two templates are made of.
func sameTemplate(a, b Template) bool { return templateText(a.root) == templateText(b.root) }

func templateText(p part) string {
	var b strings.Builder
	switch p := p.(type) {
	case literalPart:
		b.Write(p.json)
	case listPart:
		for _, item := range p {
			b.WriteString("-" + templateText(item))
		}
	case objectPart:
		for i, key := range p.keys {
			b.WriteString(key + ":" + templateText(p.values[i]))
		}
	case textPart:
		for _, s := range p {
			if s.expression != nil {
				b.WriteString(templateText(s.expression))
			} else {
				b.WriteString(s.text)
			}
		}
	case *expression:
		b.WriteString("${" + p.source + "}")
	}
	return b.String()
}

// TestLoadJSONTwin loads one definition in both syntaxes and in another order.
func TestLoadJSONTwin(t *testing.T) {
	t.Parallel()
	yaml, err := Load("a.yaml", []byte(`
saga: twin
deadline: 10m
steps:
  b: {service: s, needs: [a], with: {n: 1e3, s: "😀/", x: "${steps.a.x}"}}
  a:
    service: s
    retry: {attempts: 2, max: 1m}
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	json, err := Load("a.json", []byte("\ufeff"+`{"steps": {
	"a": {"retry": {"max": "1m", "attempts": 2}, "service": "s"},
	"b": {"with": {"x": "${steps.a.x}", "s": "\ud83d\ude00\/", "n": 1000.0}, "needs": ["a"], "service": "s"}},
	"deadline": "10m", "saga": "twin"}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	flow, err := Load("a.yaml", []byte("\r\n{saga: twin, deadline: 10m, steps: {a: {service: s, retry: {attempts: 2, max: 1m}},\r\n"+
		`b: {service: s, needs: [a], with: {n: 1000, s: "😀/", x: "${steps.a.x}"}}}}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, twin := range []*Definition{json, flow} {
		if yaml.Digest != twin.Digest || !bytes.Equal(yaml.Text, twin.Text) {
			t.Errorf("digest %s and %s\n%s\n%s", yaml.Digest, twin.Digest, yaml.Text, twin.Text)
		}
	}
	other, err := Load("a.yaml", bytes.Replace(json.Text, []byte("10m"), []byte("11m"), 1), nil)
	if err != nil || other.Digest == json.Digest {
		t.Errorf("another deadline has the same digest %s: %v", json.Digest, err)
	}
}

func TestLoadLimits(t *testing.T) {
	t.Parallel()
	comment := "# " + strings.Repeat("x", MaxYAML)
	for name, test := range map[string]struct{ text, want string }{
		"yaml":     {"saga: x\nsteps: {a: {service: s}}\n" + comment, "a:1:1: 65"},
		"json":     {`{"saga": "x"` + strings.Repeat(" ", MaxText) + "}", "a:1:1: 1048589 bytes"},
		"brackets": {strings.Repeat("[", MaxYAML), "a:1:101: nested more than 100 deep"},
		"blocks":   {strings.Repeat("- ", MaxYAML/8), "nested more than 100 deep"},
		"quotes":   {strings.Repeat("? ", MaxYAML/8), "a:"},
	} {
		_, err := Load("a", []byte(test.text), nil)
		if err == nil || !strings.HasPrefix(err.Error(), test.want) && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

func TestLoadLargest(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString(`{"saga": "big", "steps": {`)
	for i := range MaxSteps {
		fmt.Fprintf(&b, `"s%d": {"service": "s", "with": {"a": "${input.a}", "text": "%s"}`, i, strings.Repeat("é", 4000))
		if i > 0 {
			fmt.Fprintf(&b, `, "needs": ["s%d"]`, i-1)
		}
		b.WriteString("},\n"[:2-i/(MaxSteps-1)])
	}
	b.WriteString("}}")
	d, err := Load("big.json", []byte(b.String()), nil)
	if err != nil {
		t.Fatal(err)
	}
	if d.Step("s99") != 99 || d.Step("s100") != -1 || d.Pivot() != -1 {
		t.Errorf("s99 at %d", d.Step("s99"))
	}
	checkCanonical(t, d)
}

// TestProblems covers what many problems look like.
func TestProblems(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for i := range 60 {
		fmt.Fprintf(&text, "key%d: 1\n", i)
	}
	_, err := Load("many.yaml", []byte(text.String()), nil)
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != maxShown+1 || lines[maxShown] != "and 12 more problems" {
		t.Errorf("%d lines, last %q", len(lines), lines[len(lines)-1])
	}
	var problem Problem
	if !errors.As(err, &problem) || problem.File != "many.yaml" || problem.Line != 1 {
		t.Errorf("first problem: %+v", problem)
	}
}

func TestProblemsSorted(t *testing.T) {
	t.Parallel()
	first := Problem{"m", 1, 2, "a"}
	sorted := Problems{{"a", 1, 1, "x"}, {"m", 2, 1, "b"}, first, {"m", 1, 10, "b"}, first, {"m", 1, 2, "b"}}.sorted("m")
	want := Problems{first, {"m", 1, 2, "b"}, {"m", 1, 10, "b"}, {"m", 2, 1, "b"}, {"a", 1, 1, "x"}}
	if diff := cmp.Diff(want, sorted); diff != "" {
		t.Errorf("sorted (-want +got)\n%s", diff)
	}
}

func TestDidYouMean(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, want string }{
		{"validat", "validate"}, {"Fetch", "fetch"}, {"fecth", "fetch"}, {"x", ""}, {"unrelated", ""},
		{"", ""}, {strings.Repeat("fetch", 100), ""},
	} {
		got := didYouMean(test.name, []string{"validate", "fetch", "a", "b"})
		if got != "" {
			got = strings.Split(got, `"`)[1]
		}
		if got != test.want {
			t.Errorf("didYouMean(%.20q) = %q, want %q", test.name, got, test.want)
		}
	}
}

// TestOrderIsTopological checks the order of steps on all graphs of four steps.
func TestOrderIsTopological(t *testing.T) {
	t.Parallel()
	names := []string{"d", "b", "a", "c"}
	for edges := range 1 << 6 { // step i may need each j < i
		var needs [4][]int
		bit := 0
		for i := range names {
			for j := range i {
				if edges>>bit&1 == 1 {
					needs[i] = append(needs[i], j)
				}
				bit++
			}
		}
		order := newGraph(names, needs[:]).order()
		for i, list := range needs {
			for _, n := range list {
				if slices.Index(order, n) > slices.Index(order, i) {
					t.Fatalf("%v: %d comes before %d, which it needs", order, i, n)
				}
			}
		}
		if len(order) != len(names) {
			t.Fatalf("%v: not all steps", order)
		}
	}
}
