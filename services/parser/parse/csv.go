package parse

import (
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"segue/document"
	"segue/tableschema"
	"segue/tabular"
)

// largeKeys is how many values of a table can be kept in some [document.Small], at
// most 80 bytes each while the map that has them grows.
const largeKeys = 200_000

// csvSource makes an object of each row.
type csvSource struct {
	rows *tabular.Reader
	// names holds what comes before each value: {"first": and ,"next":
	names     [][]byte
	table     *tableschema.Table // nil if the values are strings
	turn      *document.Turn     // to keep many values of the table
	maxRecord int
}

// openCSV reads the header. Fields and columns have the default limits of
// tabular: 1 MiB and 10,000.
func openCSV(in io.Reader, r recipe, cfg Config) (source, error) {
	o := tabular.Options{MaxRow: cfg.MaxRecord}
	if r.Delimiter != "" {
		o.Delimiter, _ = utf8.DecodeRuneInString(r.Delimiter)
	}
	rows, err := tabular.NewReader(in, o)
	if err != nil {
		return nil, csvFailure(err)
	}
	s := &csvSource{rows: rows, turn: r.turn, maxRecord: cfg.MaxRecord}
	for i, name := range rows.Header() {
		prefix := []byte{','}
		if i == 0 {
			prefix = []byte{'{'}
		}
		prefix, err := jsontext.AppendQuote(prefix, name)
		if err != nil {
			return nil, fmt.Errorf("quote header name: %w", err) // unreachable: tabular lets only UTF-8 through
		}
		s.names = append(s.names, append(prefix, ':'))
	}
	if r.table != nil {
		if s.table, err = r.table.Table(rows.Header(), tableschema.Limits{}); err != nil {
			return nil, refuse(CodeTable, s.at(), "%s: %w", s.at(), err)
		}
	}
	return s, nil
}

func (s *csvSource) at() Place { return Place{Line: s.rows.Line()} }

func (s *csvSource) next(dst []byte) ([]byte, error) {
	fields, err := s.rows.Read()
	if err != nil {
		return dst, csvFailure(err)
	}
	if s.table != nil {
		return s.typed(dst, fields)
	}
	for i, field := range fields {
		dst = append(dst, s.names[i]...)
		if dst, err = jsontext.AppendQuote(dst, field); err != nil {
			return dst, fmt.Errorf("quote field: %w", err) // unreachable: tabular lets only UTF-8 through
		}
		// Names and escapes can make it many times larger than the row.
		if len(dst) > s.maxRecord {
			return dst, tooLarge(s.rows.Line(), s.maxRecord)
		}
	}
	return append(dst, '}'), nil
}

// typed appends a row as the table schema has it.
func (s *csvSource) typed(dst []byte, fields []string) ([]byte, error) {
	if s.table.Kept() > largeKeys {
		if err := s.turn.Take(); err != nil {
			return dst, err
		}
	}
	values, violations := s.table.Row(fields)
	if len(violations) > 0 {
		return dst, s.violation(violations[0])
	}
	for i, value := range values {
		dst = value.AppendJSON(append(dst, s.names[i]...))
		if len(dst) > s.maxRecord {
			return dst, tooLarge(s.rows.Line(), s.maxRecord)
		}
	}
	return append(dst, '}'), nil
}

// violation is the failure of a row that the table schema does not allow.
func (s *csvSource) violation(v tableschema.Violation) error {
	at := s.at()
	if v.Index >= 0 {
		at.Line, at.Column = s.rows.Place(v.Index)
		at.Pointer = string(jsontext.Pointer("").AppendToken(v.Field))
	}
	if v.Limit {
		return over("csv", at, "%s: %s", at, clip(v.Message))
	}
	where := at.String()
	if v.Index >= 0 {
		where = fmt.Sprintf("%s, column %q", where, clip(v.Field))
	}
	return refuse(CodeTable, at, "%s: %s", where, clip(v.Message))
}

// csvFailure makes failures of tabular's errors; io.EOF and errors of the input
// stay as they are.
func csvFailure(err error) error {
	var e *tabular.Error
	if !errors.As(err, &e) {
		return err
	}
	at := Place{Line: e.Line, Column: e.Column}
	if e.Limit {
		return over("csv", at, "%w", e)
	}
	return refuse(CodeNotWellFormed, at, "%w", e)
}
