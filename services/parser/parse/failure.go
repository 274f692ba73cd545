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
	CodeNotWellFormed   = "not_well_formed"  // the document breaks the rules of its format
	CodeNoRecordsThere  = "no_records_there" // the JSON pointer does not lead to an array
	CodeLimit           = "limit"            // the document is over a limit of Config
	CodeDocumentGone    = "document_gone"    // the store has the document no longer
	CodeDocumentChanged = "document_changed" // the store has another document of that name
)

// Place says where in a document a failure is. It is the details of the
// outcome.
type Place struct {
	// Line is counted from 1.
	Line int `json:"line"`
	// Column is the byte in the line, from 1; 0 if it is not known.
	Column int `json:"column,omitempty"`
	// Pointer is a JSON pointer to the value, in its line if the format is ndjson.
	Pointer string `json:"pointer,omitempty"`
}

// refuse makes the permanent failure of a document. The text says the place in
// words, at is the same for programs.
func refuse(code string, at Place, format string, args ...any) error {
	at.Pointer = clip(at.Pointer)
	return &participant.Error{Code: code, Permanent: true, Err: fmt.Errorf(format, args...), Details: at}
}

// tooLarge is the failure of a record over Config.MaxRecord.
func tooLarge(line, limit int) error {
	return refuse(CodeLimit, Place{Line: line}, "line %d: a record is over the limit of %d bytes", line, limit)
}

// tooDeep is the failure of a document over Config.MaxDepth.
func tooDeep(line, limit int) error {
	return refuse(CodeLimit, Place{Line: line}, "line %d: arrays and objects are nested deeper than %d", line, limit)
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
