package parse

import (
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"segue/tabular"
)

// csvSource makes an object of strings of each row.
type csvSource struct {
	rows *tabular.Reader
	// names holds what comes before each value: {"first": and ,"next":
	names     [][]byte
	maxRecord int
}

// openCSV reads the header. Fields and columns have the default limits of
// tabular: 1 MiB and 10,000.
func openCSV(r io.Reader, delimiter string, cfg Config) (source, error) {
	o := tabular.Options{MaxRow: cfg.MaxRecord}
	if delimiter != "" {
		o.Delimiter, _ = utf8.DecodeRuneInString(delimiter)
	}
	rows, err := tabular.NewReader(r, o)
	if err != nil {
		return nil, csvFailure(err)
	}
	s := &csvSource{rows: rows, maxRecord: cfg.MaxRecord}
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
	return s, nil
}

func (s *csvSource) line() int { return s.rows.Line() }

func (s *csvSource) next(dst []byte) ([]byte, error) {
	fields, err := s.rows.Read()
	if err != nil {
		return dst, csvFailure(err)
	}
	for i, field := range fields {
		dst = append(dst, s.names[i]...)
		if dst, err = jsontext.AppendQuote(dst, field); err != nil {
			return dst, fmt.Errorf("quote field: %w", err) // unreachable: tabular lets only UTF-8 through
		}
		// Names and escapes can make it many times larger than the row.
		if len(dst) > s.maxRecord {
			return dst, tooLarge(s.line(), s.maxRecord)
		}
	}
	return append(dst, '}'), nil
}

// csvFailure makes failures of tabular's errors; io.EOF and errors of the input
// stay as they are.
func csvFailure(err error) error {
	var e *tabular.Error
	if !errors.As(err, &e) {
		return err
	}
	code := CodeNotWellFormed
	if e.Limit {
		code = CodeLimit
	}
	return refuse(code, Place{Line: e.Line, Column: e.Column}, "%w", e)
}
