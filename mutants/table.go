package main

import (
	"fmt"
	"io"
	"path"
	"strings"
)

// row is what became of a mutant.
type row struct {
	Mutant
	Result  result  `json:"result"`
	By      string  `json:"by,omitempty"`  // the test that found it
	Why     string  `json:"why,omitempty"` // why it is not found
	Seconds float64 `json:"seconds"`       // the build included
}

// result is what became of a mutant, in a word.
type result string

const (
	found    result = "found"
	survived result = "SURVIVED"
	stale    result = "ERROR"
)

// judge takes what one run of tests came to.
func (r *row) judge(t Test, v verdict, err error) {
	switch {
	case err != nil:
		r.Result, r.Why = stale, err.Error()
	case v.unbuilt:
		r.Result, r.Why = stale, "does not compile: "+v.output
	case v.tests == 0 && v.failed == "":
		r.Result, r.Why = stale, fmt.Sprintf("%s has no test that matches %s", t.Package, t.Run)
	case v.failed != "":
		r.Result, r.Why = found, ""
		r.By = path.Base(t.Package) + " " + v.failed
		if v.hung {
			r.By += " (not done within " + testLimit.String() + ")"
		}
	case len(v.skipped) > 0:
		r.Why = fmt.Sprintf("skipped here: %s", strings.Join(v.skipped, ", "))
	}
}

func count(rows []row, what result) (n int) {
	for _, r := range rows {
		if r.Result == what {
			n++
		}
	}
	return n
}

// table prints the rows in Markdown.
func table(out io.Writer, rows []row) {
	fmt.Fprintln(out, "| mutant | the bug | it bit | found by | after |")
	fmt.Fprintln(out, "|---|---|---|---|---|")
	for _, r := range rows {
		by := "`" + r.By + "`"
		if r.Result != found {
			by = strings.TrimSpace(fmt.Sprintf("**%s** %s", r.Result, r.Why))
		}
		fmt.Fprintf(out, "| `%s` | %s | %s | %s | %.0f s |\n", r.Name, cell(r.Bug), cell(r.Bit), cell(by), r.Seconds)
	}
	fmt.Fprintf(out, "\nFound %d of %d.\n", count(rows, found), len(rows))
}

// list prints what there is to plant.
func list(out io.Writer, mutants []Mutant) {
	for _, m := range mutants {
		fmt.Fprintf(out, "%-38s %s: %s\n", m.Name, m.File, m.Bug)
	}
}

// cell makes text fit a cell of a table.
func cell(s string) string {
	return strings.NewReplacer("|", "\\|", "\n", " ").Replace(s)
}
