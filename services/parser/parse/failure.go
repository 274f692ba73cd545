package parse

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"segue/document"
	"segue/participant"
)

// The codes of permanent failures.
const (
	CodeNotWellFormed   = "not_well_formed"  // the document or its container breaks the rules of its format
	CodeNoRecordsThere  = "no_records_there" // the JSON pointer does not lead to an array, or the path to no element
	CodeLimit           = "limit"            // the document is over a limit of Config
	CodeTable           = "table"            // a row is not as the table schema says
	CodeTransform       = "transform"        // the transform has failed on a record
	CodeDocumentGone    = "document_gone"    // the store has the document no longer
	CodeDocumentChanged = "document_changed" // the store has another document of that name
)

// Place says where in a document a failure is. It is the details of the
// outcome.
type Place struct {
	// Line is counted from 1; 0 if there are no lines.
	Line int `json:"line,omitempty"`
	// Column is the byte in the line, from 1; 0 if it is not known.
	Column int `json:"column,omitempty"`
	// Row is counted from 1; only of Parquet, and 0 if it is about the whole file.
	Row int64 `json:"row,omitempty"`
	// Pointer is a JSON pointer to the value, in its line if the format is ndjson.
	Pointer string `json:"pointer,omitempty"`
}

// String names the place for a message.
func (p Place) String() string {
	switch {
	case p.Row > 0:
		return fmt.Sprintf("row %d", p.Row)
	case p.Line > 0:
		return fmt.Sprintf("line %d", p.Line)
	}
	return "the document"
}

// refuse makes the permanent failure of a document. The text says the place in
// words, at is the same for programs.
func refuse(code string, at Place, format string, args ...any) error {
	at.Pointer = clip(at.Pointer)
	return &participant.Error{Code: code, Permanent: true, Err: fmt.Errorf(format, args...), Details: at}
}

// over makes the permanent failure of a document that is over a limit. The name
// of the limit is for the metric.
func over(limit string, at Place, format string, args ...any) error {
	return refuse(CodeLimit, at, "%w", &limitError{limit, fmt.Errorf(format, args...)})
}

// limitError is an error with the name of the limit it is about.
type limitError struct {
	limit string
	error
}

func (e *limitError) Unwrap() error { return e.error }

// tooLarge is the failure of a record over Config.MaxRecord.
func tooLarge(line, limit int) error {
	return over("record", Place{Line: line}, "line %d: a record is over the limit of %d bytes", line, limit)
}

// tooDeep is the failure of a document over Config.MaxDepth.
func tooDeep(line, limit int) error {
	return over("depth", Place{Line: line}, "line %d: arrays and objects are nested deeper than %d", line, limit)
}

// storeFailure says what an error of the store means. It may pass, even if the
// document seems to be gone: a copy of the store that lags behind knows it later.
func storeFailure(verb string, err error) error {
	wrapped := fmt.Errorf("%s: %w", verb, err)
	switch {
	case errors.Is(err, document.ErrNotFound):
		return &participant.Error{Code: CodeDocumentGone, Err: wrapped}
	case errors.Is(err, document.ErrChanged):
		return &participant.Error{Code: CodeDocumentChanged, Err: wrapped}
	}
	return wrapped
}

// maxClip is the longest piece of the input that a failure repeats, in bytes.
const maxClip = 200

// clip shortens text from the input for a message.
func clip(s string) string {
	if len(s) <= maxClip {
		return s
	}
	end := maxClip
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "..."
}
