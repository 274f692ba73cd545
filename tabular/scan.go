package tabular

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"unicode/utf8"
)

// scanner splits the input into rows of fields. It knows quotes and limits, and
// nothing of a header.
type scanner struct {
	lines
	delim []byte
	max   Options
	row   int // line on which the last row begins

	text   []byte   // values of a row with quotes, one after the other
	ends   []int    // where each of them ends in text
	begins []place  // where each of them begins in the input
	fields []string // the fields of the last row
}

func newScanner(in *bufio.Reader, o Options) scanner {
	return scanner{lines: lines{in: in, maxRow: o.MaxRow}, delim: utf8.AppendRune(nil, o.Delimiter), max: o}
}

// place is a line and a byte in it, from 1.
type place struct{ line, column int }

// next returns the fields of the next row that is not empty. The slice is used
// again, the strings are not. It returns io.EOF, an [*Error] or the error of in.
func (s *scanner) next() ([]string, error) {
	for {
		s.size = 0
		if err := s.readLine(); err != nil {
			return nil, err
		}
		if len(body(s.line)) > 0 {
			break
		}
	}
	s.row = s.read
	s.fields, s.begins = s.fields[:0], s.begins[:0]
	if bytes.IndexByte(s.line, '"') >= 0 {
		return s.fields, s.splitQuoted()
	}
	return s.fields, s.splitPlain(body(s.line))
}

// splitPlain finds the fields of a row without quotes, by far the most common,
// which can be cut where it lies.
func (s *scanner) splitPlain(line []byte) error {
	if i := bytes.IndexByte(line, '\r'); i >= 0 {
		return s.loneCR(i)
	}
	all := string(line) // one allocation for all fields
	for start := 0; ; {
		end, last := len(all), true
		if i := s.index(line[start:]); i >= 0 {
			end, last = start+i, false
		}
		if err := s.check(end-start, len(s.fields), start); err != nil {
			return err
		}
		s.fields = append(s.fields, all[start:end])
		if last {
			return nil
		}
		start = end + len(s.delim)
	}
}

// splitQuoted finds the fields of a row with quotes. It first copies their
// values to text, reading the further lines of the row as the quotes demand.
func (s *scanner) splitQuoted() error {
	s.text, s.ends = s.text[:0], s.ends[:0]
	for at := 0; ; { // at is a position in s.line
		line, column, start := s.read, at, len(s.text)
		var err error
		if at < len(s.line) && s.line[at] == '"' {
			at, err = s.quoted(at)
		} else {
			at, err = s.unquoted(at)
		}
		if err == nil {
			err = s.check(len(s.text)-start, len(s.ends), column)
		}
		if err != nil {
			return err
		}
		s.ends = append(s.ends, len(s.text))
		s.begins = append(s.begins, place{line, column + 1})
		rest := s.line[at:]
		if len(body(rest)) == 0 {
			break
		}
		if !bytes.HasPrefix(rest, s.delim) {
			return s.fail(at, "has text after a closing quote")
		}
		at += len(s.delim)
	}
	all, start := string(s.text), 0 // one allocation for all fields
	for _, end := range s.ends {
		s.fields = append(s.fields, all[start:end])
		start = end
	}
	return nil
}

// place returns where a field of the last row begins. A row without quotes lies in
// its line as it is.
func (s *scanner) place(field int) (line, column int) {
	if len(s.begins) > 0 {
		return s.begins[field].line, s.begins[field].column
	}
	column = 1
	for _, before := range s.fields[:field] {
		column += len(before) + len(s.delim)
	}
	return s.row, column
}

// unquoted copies the field at a position, which may hold quotes as text, and
// returns the position after it.
func (s *scanner) unquoted(at int) (int, error) {
	text := body(s.line[at:])
	if i := s.index(text); i >= 0 {
		text = text[:i]
	}
	if i := bytes.IndexByte(text, '\r'); i >= 0 {
		return 0, s.loneCR(at + i)
	}
	s.text = append(s.text, text...)
	return at + len(text), nil
}

// quoted copies the field whose opening quote is at a position, with the lines
// it spans, and returns the position after its closing quote, in what is then
// the last of these lines.
func (s *scanner) quoted(at int) (int, error) {
	line, column, start := s.read, at+1, len(s.text)
	at++
	for {
		n := bytes.IndexByte(s.line[at:], '"')
		if n < 0 {
			n = len(s.line) - at
		}
		s.text = append(s.text, s.line[at:at+n]...)
		at += n
		if len(s.text)-start > s.max.MaxField {
			return 0, &Error{Line: line, Column: column, Limit: true,
				Reason: "opens a quote with more than " + count(s.max.MaxField, "byte") + " in it"}
		}
		switch {
		case at == len(s.line):
			if err := s.readLine(); err != nil {
				return 0, s.neverClosed(err, line, column)
			}
			at = 0
		case at+1 < len(s.line) && s.line[at+1] == '"':
			s.text = append(s.text, '"')
			at += 2
		default:
			return at + 1, nil
		}
	}
}

// neverClosed blames an open quote if the row has no further line or one that
// is too much.
func (s *scanner) neverClosed(err error, line, column int) error {
	var e *Error
	switch {
	case errors.Is(err, io.EOF):
		return &Error{Line: line, Column: column, Reason: "opens a quote that is never closed"}
	case errors.As(err, &e) && e.Limit:
		return &Error{Line: line, Column: column, Limit: true,
			Reason: "opens a quote that is not closed within the " + count(s.max.MaxRow, "byte") + " a row may have"}
	}
	return err
}

// index returns the position of the next delimiter, or -1.
func (s *scanner) index(text []byte) int {
	if len(s.delim) == 1 {
		return bytes.IndexByte(text, s.delim[0])
	}
	return bytes.Index(text, s.delim)
}

// check holds a field against the limits: its size, how many are before it, and
// for the message its position in the line.
func (s *scanner) check(size, before, at int) error {
	if size > s.max.MaxField {
		return s.over(at, "begins a field of more than "+count(s.max.MaxField, "byte"))
	}
	if before == s.max.MaxColumns {
		return s.over(at, "begins more than "+count(s.max.MaxColumns, "column"))
	}
	return nil
}

func (s *scanner) loneCR(at int) error {
	return s.fail(at, "has a carriage return without a line feed")
}

func (s *scanner) over(at int, reason string) error {
	return &Error{Line: s.read, Column: at + 1, Reason: reason, Limit: true}
}
