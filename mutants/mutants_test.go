package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestMutantsFit holds that each mutant can still be planted, without building it.
func TestMutantsFit(t *testing.T) {
	t.Chdir("..")
	names := make(map[string]bool)
	for _, m := range all() {
		if _, err := m.changed(); err != nil {
			t.Errorf("%s: %v", m.Name, err)
		}
		if names[m.Name] || m.Bug == "" || len(m.Tests) == 0 {
			t.Errorf("%s: want a name of its own, a sentence and tests", m.Name)
		}
		names[m.Name] = true
		for _, test := range m.Tests {
			if _, err := regexp.Compile(test.Run); err != nil || !strings.HasPrefix(test.Package, "./") || test.Run == "" {
				t.Errorf("%s: test %+v: %v", m.Name, test, err)
			}
		}
	}
	if len(names) < 20 {
		t.Errorf("%d mutants, want 20 or more", len(names))
	}
	if _, err := (Mutant{File: "go.mod", Old: "no such text", New: "x"}).changed(); err == nil {
		t.Error("a mutant that does not fit is planted")
	}
}

// TestVerdict holds what is made of the output of go test. A build that fails is
// no find, and neither is a run without tests.
func TestVerdict(t *testing.T) {
	t.Parallel()
	const (
		runs   = `{"Action":"run","Package":"p","Test":"A"}{"Action":"run","Package":"p","Test":"A/b"}`
		failed = `{"Action":"fail","Package":"p","Test":"A/b"}{"Action":"fail","Package":"p","Test":"A"}{"Action":"fail","Package":"p"}`
	)
	for name, test := range map[string]struct {
		lines  string
		result result
		by     string
	}{
		"fails":          {runs + failed, found, "p A/b"},
		"passes":         {runs + `{"Action":"pass","Package":"p","Test":"A"}{"Action":"pass","Package":"p"}`, survived, ""},
		"no tests":       {`{"Action":"pass","Package":"p"}`, stale, ""},
		"skipped":        {runs + `{"Action":"skip","Package":"p","Test":"A"}{"Action":"pass","Package":"p"}`, survived, ""},
		"does not build": {`{"ImportPath":"p","Action":"build-fail"}{"Action":"fail","Package":"p","FailedBuild":"p"}`, stale, ""},
		"dies":           {runs + `{"Action":"output","Package":"p","Output":"fatal error"}{"Action":"fail","Package":"p"}`, found, "p A/b"},
		"dies behind":    {runs + `{"Action":"pass","Package":"p","Test":"A/b"}{"Action":"pass","Package":"p","Test":"A"}{"Action":"fail","Package":"p"}`, found, "p p"},
		"hangs": {runs + `{"Action":"output","Package":"p","Output":"panic: test timed out after 1m0s\n"}{"Action":"fail","Package":"p"}`, found,
			"p A/b (not done within 1m0s)"},
	} {
		v, err := readVerdict(strings.NewReader(test.lines))
		if err != nil {
			t.Fatal(err)
		}
		r := row{Result: survived}
		r.judge(Test{Package: "./p", Run: "A"}, v, nil)
		if r.Result != test.result || r.By != test.by || test.result == stale && r.Why == "" {
			t.Errorf("%s: %s by %q (%s), want %s by %q", name, r.Result, r.By, r.Why, test.result, test.by)
		}
	}
	if _, err := readVerdict(strings.NewReader("FAIL")); err == nil {
		t.Error("what is no JSON is read")
	}
}

// TestTogether holds that the tests of a package run once for all its mutants.
func TestTogether(t *testing.T) {
	t.Parallel()
	a, b := Test{"./a", "A"}, Test{"./b", "B|C"}
	got := together([]Mutant{{Tests: []Test{a, b}}, {Tests: []Test{{"./a", "X"}, {"./a", "A"}}}, {Tests: []Test{b}}})
	if want := []Test{{"./a", "A|X"}, b}; !slices.Equal(got, want) {
		t.Errorf("together they are %v, want %v", got, want)
	}
}
