// Package tabular reads CSV as a stream and without loss.
//
// The data is rows of fields:
//
//	input  => [UTF-8 BOM] header row, row ...
//	row    => field [delimiter field] ... line end; on more than one line if quotes span them
//	field  => text, or "text" with each quote inside it doubled
//
// It is RFC 4180 with these decisions:
//
//   - The first row is the header. Each of its names must be there and be unique,
//     so that a row can become an object. A trailing delimiter in the header
//     therefore is an error: it makes a column without a name.
//   - Every row has as many fields as the header.
//   - A field is quoted only if a quote is its first character. Quotes further in
//     are text (36'37.8"N), and text after a closing quote is an error, because it
//     can be read in two ways.
//   - Fields are kept as they are: spaces are not trimmed, and line ends between
//     quotes stay LF or CRLF.
//   - A row ends at LF, CRLF or the end of the input. A carriage return alone
//     outside quotes is an error; otherwise a file with such line ends would be
//     taken for a long header and no rows.
//   - Empty lines are skipped, and so a row of one empty field must be written "".
//   - The text is UTF-8, without exception.
//
// What breaks a rule is an [*Error] that names the line. Nothing is ever
// repaired, replaced or left out.
package tabular

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"
)

// Defaults of [Options].
const (
	MaxFieldDefault   = 1 << 20
	MaxColumnsDefault = 10_000
	MaxRowDefault     = 16 << 20
)

// Options say how to read. The zero value is ready for use.
type Options struct {
	// Delimiter stands between fields: any character but a quote, CR or LF. 0 means
	// that it is found out from the beginning of the input, among comma, semicolon,
	// tab and vertical bar. Defaults to 0.
	Delimiter rune
	// MaxField is the largest field, in bytes, without its quotes. Defaults to 1 MiB.
	MaxField int
	// MaxColumns is the largest number of fields in a row. Defaults to 10,000.
	MaxColumns int
	// MaxRow is the largest row, in bytes, with quotes and line ends. It is also how
	// far a quote that is never closed is followed. Defaults to 16 MiB.
	MaxRow int
}

// Reader reads rows. It holds one row in memory, never the input. It is not safe
// for concurrent use.
type Reader struct {
	rows   scanner
	header []string
	delim  rune
	err    error // ends the reader
}

// NewReader returns a Reader that has read the header. It returns an [*Error] if
// the input has none or a bad one, and the error of r if r fails.
func NewReader(r io.Reader, o Options) (*Reader, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	in := bufio.NewReaderSize(r, prefixSize)
	if err := skipBOM(in); err != nil {
		return nil, err
	}
	if o.Delimiter == 0 {
		if o.Delimiter, err = detect(in, o); err != nil {
			return nil, err
		}
	}
	t := &Reader{rows: newScanner(in, o), delim: o.Delimiter}
	if err := t.readHeader(); err != nil {
		return nil, err
	}
	return t, nil
}

// Header returns the names of the columns. The caller must not change it.
func (t *Reader) Header() []string { return t.header }

// Delimiter returns the delimiter, given or found out.
func (t *Reader) Delimiter() rune { return t.delim }

// Line returns the line on which the last row begins, from 1.
func (t *Reader) Line() int { return t.rows.row }

// Place returns the line on which a field of the last row begins, and its byte in
// that line, both from 1. The quote of a quoted field is its first byte.
func (t *Reader) Place(field int) (line, column int) { return t.rows.place(field) }

// Read returns the fields of the next row, as many as the header has names. The
// slice is used again by the next Read; its strings stay as they are. At the end
// Read returns io.EOF, for a broken rule or limit an [*Error], and otherwise the
// error of the underlying reader. After an error it returns the same error again.
func (t *Reader) Read() ([]string, error) {
	if t.err != nil {
		return nil, t.err
	}
	fields, err := t.rows.next()
	if err == nil && len(fields) != len(t.header) {
		err = &Error{Line: t.rows.row, Reason: fmt.Sprintf("has %s, the header has %d", count(len(fields), "field"), len(t.header))}
	}
	if err != nil {
		t.err = err
		return nil, err
	}
	return fields, nil
}

func (t *Reader) readHeader() error {
	fields, err := t.rows.next()
	if errors.Is(err, io.EOF) {
		return &Error{Line: 1, Reason: "has no header: the input is empty"}
	}
	if err != nil {
		return err
	}
	t.header = slices.Clone(fields)
	seen := make(map[string]int, len(fields))
	for i, name := range t.header {
		if name == "" {
			return &Error{Line: t.rows.row, Reason: fmt.Sprintf("is a header whose field %d of %d has no name", i+1, len(fields))}
		}
		if first, ok := seen[name]; ok {
			return &Error{Line: t.rows.row, Reason: fmt.Sprintf("is a header whose fields %d and %d have the same name %q", first, i+1, clip(name))}
		}
		seen[name] = i + 1
	}
	return nil
}

// skipBOM discards a UTF-8 byte order mark and refuses one of UTF-16, whose text
// would otherwise be an error about some byte in the middle.
func skipBOM(in *bufio.Reader) error {
	start, err := in.Peek(3)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch {
	case bytes.HasPrefix(start, []byte("\xEF\xBB\xBF")):
		_, err := in.Discard(3)
		return err
	case bytes.HasPrefix(start, []byte("\xFF\xFE")), bytes.HasPrefix(start, []byte("\xFE\xFF")):
		return &Error{Line: 1, Column: 1, Reason: "begins with the mark of UTF-16, only UTF-8 can be read"}
	}
	return nil
}

func (o Options) withDefaults() (Options, error) {
	for _, limit := range []struct {
		name  string
		value *int
		dflt  int
	}{
		{"MaxField", &o.MaxField, MaxFieldDefault},
		{"MaxColumns", &o.MaxColumns, MaxColumnsDefault},
		{"MaxRow", &o.MaxRow, MaxRowDefault},
	} {
		if *limit.value < 0 {
			return o, fmt.Errorf("check options: %s is negative", limit.name)
		}
		if *limit.value == 0 {
			*limit.value = limit.dflt
		}
	}
	if d := o.Delimiter; d == '"' || d == '\r' || d == '\n' || d != 0 && !utf8.ValidRune(d) {
		return o, fmt.Errorf("check options: %q cannot be a delimiter", d)
	}
	return o, nil
}
