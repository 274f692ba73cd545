package validate

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"segue/participant"
)

// The codes of failures, beside those of package participant. All are permanent.
const (
	CodeNotWellFormed  = "not_well_formed"  // the document is not what its format asks for
	CodeSchemaViolated = "schema_violated"  // it is, and does not fit the schema
	CodeLimit          = "limit"            // it is over a limit of Config
	CodeUnknownFormat  = "unknown_format"   // nothing tells which format it has
	CodeNoRecordsThere = "no_records_there" // the records pointer selects no array
	CodeBadSchema      = "bad_schema"       // the schema is none, or refers to an unknown one
	CodeNotFound       = "not_found"        // the document is not in the store
	CodeChanged        = "changed"          // the store has another document by that name
)

// Details goes with a failure over a document.
type Details struct {
	// Format is what the document was read as, and Because says why.
	Format  string `json:"format,omitempty"`
	Because string `json:"because,omitempty"`
	// Violations are in the order of the document; More were not listed.
	Violations []Violation `json:"violations"`
	More       int64       `json:"more"`
}

// Violation is one thing that is wrong. Text over 512 bytes is cut.
type Violation struct {
	// Pointer is the JSON pointer (RFC 6901) to the value: into the document for
	// json, into the record for ndjson, csv and parquet, into the schema for a bad
	// schema. For a Parquet file that cannot be read it is the one to the column.
	Pointer string `json:"pointer"`
	// Line is where the value begins, from 1, and Column its byte in the line, from 1;
	// a cell of CSV begins with its quote, if it has one. Absent for Parquet, which has
	// no lines; the column also for what is about a whole row of CSV.
	Line   int64 `json:"line,omitempty"`
	Column int64 `json:"column,omitempty"`
	// Record is the number of the record, from 1: of the element of the records, of
	// the line that is not empty, of the row without the header, of the row of
	// Parquet. Absent if it is not about one, or the document is checked whole.
	Record int64 `json:"record,omitempty"`
	// Keyword is the keyword of the schema that is violated.
	Keyword string `json:"keyword,omitempty"`
	Message string `json:"message"`
	// Value is the beginning of the value, as it is written: up to 64 bytes.
	Value string `json:"value,omitempty"`

	offset int64 // in the document, from which the line is found; -1 if it is known
}

// maxReport is the largest list of violations, in bytes of JSON. The runtime
// leaves out details of more than 256 KiB, which would be none at all.
const maxReport = 192 << 10

// report collects what is wrong with a document.
type report struct {
	limit int
	size  int
	list  []Violation
	more  int64
	code  string   // of the worst, which leads the summary
	lead  int      // its index in list
	over  []string // limits, for the metric
}

func (r *report) empty() bool { return r.code == "" }

// full reports whether further violations are only counted.
func (r *report) full() bool { return len(r.list) >= r.limit || r.size >= maxReport }

// add takes one violation. One that is no violation of the schema leads: that the
// rest of the document cannot be read matters more than how the beginning looked.
func (r *report) add(code string, v Violation) {
	worse := r.code == "" || r.code == CodeSchemaViolated && code != CodeSchemaViolated || code == CodeLimit && r.code != CodeLimit
	if r.full() && !worse {
		if r.more == 0 {
			r.over = append(r.over, limitViolations)
		}
		r.more++
		return
	}
	if worse {
		r.code, r.lead = code, len(r.list)
	}
	v.Pointer, v.Message = clip(v.Pointer, maxText), clip(v.Message, maxText)
	text, _ := json.Marshal(v) // unreachable error: strings and numbers
	r.size += len(text)
	r.list = append(r.list, v)
}

// fault takes a fault of a record, or of the document (record 0).
func (r *report) fault(f *fault, record int64) {
	if f.limit != "" {
		r.over = append(r.over, f.limit)
	}
	r.add(f.code, Violation{Pointer: f.pointer, Record: record, Message: f.message, offset: f.offset})
}

// err returns the failure, once the lines are known.
func (r *report) err(format, because string) error {
	return &participant.Error{
		Code:      r.code,
		Permanent: true,
		Err:       errors.New(r.summary(because)),
		Details:   Details{Format: format, Because: because, Violations: slices.Clip(r.list), More: r.more},
	}
}

// summary is one line. Why the document was read as it was belongs there unless
// reading went well.
func (r *report) summary(because string) string {
	line := r.list[r.lead].summary()
	if n := int64(len(r.list)) - 1 + r.more; n > 0 {
		line += fmt.Sprintf(" (and %d more)", n)
	}
	switch r.code {
	case CodeSchemaViolated, CodeLimit, CodeNoRecordsThere, CodeBadSchema:
		return line
	}
	if because == "" { // it was not read at all
		return line
	}
	return line + " (" + because + ")"
}

// summary is one line, such as "line 3, /2/price: got string, want number", or
// where there are no lines "record 2, /price: got string, want number".
func (v Violation) summary() string {
	var place []string
	switch {
	case v.Line > 0:
		place = append(place, fmt.Sprintf("line %d", v.Line))
	case v.Record > 0:
		place = append(place, fmt.Sprintf("record %d", v.Record))
	}
	if v.Column > 0 && v.Keyword == "" {
		place = append(place, fmt.Sprintf("column %d", v.Column))
	}
	if v.Pointer != "" {
		place = append(place, clip(v.Pointer, maxQuote))
	}
	if len(place) == 0 {
		return v.Message
	}
	return strings.Join(place, ", ") + ": " + v.Message
}

// badSchema is the failure over a schema.
func badSchema(message string, violations report) error {
	d := Details{Violations: append([]Violation{}, violations.list...), More: violations.more}
	return &participant.Error{Code: CodeBadSchema, Permanent: true, Err: fmt.Errorf("schema %s", message), Details: d}
}

// badInput is the failure over a command that asks for what cannot be.
func badInput(format string, args ...any) error {
	return participant.Permanent(participant.CodeBadInput, fmt.Errorf(format, args...))
}
