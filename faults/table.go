//go:build unix

package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// row is one line of the table.
type row struct {
	Fault    string   `json:"fault"`
	Did      string   `json:"did,omitempty"`
	Goal     string   `json:"goal"`
	Measured []string `json:"measured,omitempty"`
	Result   result   `json:"result"`
	Why      string   `json:"why,omitempty"` // why it is not a pass
	Seconds  float64  `json:"seconds"`
}

// result is what came of a fault.
type result string

const (
	passed result = "pass"
	failed result = "FAIL"
	notRun result = "NOT RUN"
)

func newRow(f Fault, report Report, err error, took time.Duration) row {
	r := row{Fault: f.Name, Did: report.Did, Goal: f.Goal, Measured: report.Found, Result: passed, Seconds: took.Seconds()}
	switch {
	case errors.Is(err, errCannot):
		r.Result, r.Why = notRun, strings.TrimPrefix(err.Error(), errCannot.Error()+": ")
	case err != nil:
		r.Result, r.Why = failed, err.Error()
	case len(report.Missed) > 0:
		r.Result, r.Why = failed, "missed: "+strings.Join(report.Missed, "; ")
	case len(report.Found) == 0:
		r.Result, r.Why = failed, "nothing was measured"
	}
	return r
}

// table prints the rows in Markdown.
func table(out io.Writer, rows []row, o options) {
	form := ""
	if o.long {
		form = " -long"
	}
	fmt.Fprintf(out, "`go run ./faults%s -seed %d`\n\n", form, o.seed)
	fmt.Fprintln(out, "| fault | what was done | goal | measured | result |")
	fmt.Fprintln(out, "|---|---|---|---|---|")
	for _, r := range rows {
		result := fmt.Sprintf("%s, %.0f s", r.Result, r.Seconds)
		if r.Result != passed {
			first, _, _ := strings.Cut(r.Why, "\n")
			result = fmt.Sprintf("**%s: %s**", r.Result, first)
		}
		fmt.Fprintf(out, "| %s | %s | %s | %s | %s |\n", cell(r.Fault), cell(r.Did), cell(r.Goal), cell(strings.Join(r.Measured, "; ")), cell(result))
	}
}

// list prints what there is to run.
func list(out io.Writer, chosen []Fault) {
	for _, f := range chosen {
		fmt.Fprintf(out, "%-18s %s\n", f.Name, f.Goal)
	}
}

// cell makes text fit a cell of a table.
func cell(s string) string {
	return strings.NewReplacer("|", "\\|", "\n", " ").Replace(s)
}
