// Package columnar reads Parquet files as rows of JSON.
//
// A row is an object with a member for every column, in the order of the file.
// Types are kept:
//
//	BOOLEAN                   => true, false
//	INT32, INT64, INT, UINT   => a number with all its digits
//	FLOAT, DOUBLE, FLOAT16    => a number, the shortest that reads back as the same; "NaN", "Infinity", "-Infinity"
//	DECIMAL                   => a number with as many decimals as the scale says
//	STRING, ENUM, JSON        => a string; it has to be UTF-8
//	UUID                      => a string as in RFC 9562
//	DATE                      => "2006-01-02"
//	TIME                      => "15:04:05.000", in the unit's precision, with "Z" if it is UTC
//	TIMESTAMP, INT96          => "2006-01-02T15:04:05.000Z", in the unit's precision, without "Z" if it is local
//	INTERVAL                  => an ISO 8601 duration, "P1M2DT3.004S"
//	other bytes               => a string in base64
//	a list                    => an array; so is a repeated field
//	a map                     => an object, its keys as text
//	a group                   => an object
//
// What is null in the file is null; nothing goes missing.
//
// The file is a stranger's, and the library that decodes it believes what it
// says of sizes. So everything in it that has a size is checked against [Limits]
// before the library sees it: lists in the footer, page headers, and what pages
// decompress to. One row is put together at a time, from one page of each column.
package columnar

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/parquet-go/parquet-go"
)

// Defaults of [Limits].
const (
	MaxRowDefault     = 16 << 20
	MaxFooterDefault  = 16 << 20
	MaxColumnsDefault = 10_000
	MaxDepthDefault   = 128
	MaxMemoryDefault  = 256 << 20
)

// Limits bound what a file may ask for. For each of them 0 means its default.
type Limits struct {
	// MaxRow is the largest row, in bytes of JSON. Defaults to 16 MiB.
	MaxRow int
	// MaxFooter is the largest footer, in bytes. Defaults to 16 MiB.
	MaxFooter int
	// MaxColumns is the largest number of columns. Defaults to 10,000.
	MaxColumns int
	// MaxDepth is how deep columns may be nested. Defaults to 128.
	MaxDepth int
	// MaxMemory is what has to be in memory at once, in bytes and about: the footer,
	// and of each column its dictionary and its largest page. Defaults to 256 MiB.
	MaxMemory int64
	// Large, if there is one, is called before more than Small bytes of that are
	// taken, and as often as more are. It may wait. Its error ends the reader and is
	// returned as it is.
	Large func() error
	Small int64
}

// Error says what is wrong with a file. Errors of the underlying reader are
// never an Error.
type Error struct {
	// Row is the row that could not be read, from 1; 0 if it is the file as a whole.
	Row int64
	// Column is the JSON pointer (RFC 6901) to the column, as in "/a/b"; empty if it
	// is not one.
	Column jsontext.Pointer
	Reason string
	Limit  bool // over one of the Limits; the file may be well-formed
}

// Error returns the place and the reason.
func (e *Error) Error() string {
	where := "the file"
	if e.Row > 0 {
		where = "row " + strconv.FormatInt(e.Row, 10)
	}
	if e.Column != "" {
		where += ", column " + strconv.Quote(clip(strings.Join(slices.Collect(e.Column.Tokens()), ".")))
	}
	return where + ": " + e.Reason
}

// Magic is what every Parquet file begins and ends with.
const Magic = "PAR1"

// Reader reads rows. It is not safe for concurrent use.
type Reader struct {
	file   *source
	limits Limits
	parsed *parquet.File
	footer int64              // memory for it, and for reading the columns it has
	groups []parquet.RowGroup // row groups to come
	root   *node
	leaves []*cursor

	before int // length of what was in dst before the row
	row    int64
	left   int64 // rows left in the row group
	err    error // ends the reader
}

// Open reads the footer of a file. The file must not change and must stay open
// until the Reader has been closed.
func Open(file io.ReaderAt, size int64, l Limits) (r *Reader, err error) {
	r = &Reader{file: &source{r: file}, limits: l.withDefaults()}
	defer r.explain(&err)
	if r.footer, err = checkFooter(r.file, size, r.limits); err != nil {
		return nil, err
	}
	if err := r.need(r.footer); err != nil {
		return nil, err
	}
	// The indexes are for those who look for rows, and have sizes of their own.
	r.parsed, err = parquet.OpenFile(r.file, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, err
	}
	r.groups = r.parsed.RowGroups()
	r.footer += columnCost * int64(min(len(r.parsed.Metadata().Schema), r.limits.MaxColumns))
	if err := r.need(r.footer); err != nil {
		return nil, err
	}
	if err := r.plant(); err != nil {
		return nil, err
	}
	return r, nil
}

// Row returns the number of the last row, from 1.
func (r *Reader) Row() int64 { return r.row }

// Next appends the next row to dst as compact JSON. It returns io.EOF after the
// last row, an [*Error], or the error of the underlying reader; after an error it
// returns the same error again.
func (r *Reader) Next(dst []byte) (row []byte, err error) {
	if r.err != nil {
		return dst, r.err
	}
	defer func() { r.err = err }()
	defer r.explain(&err)
	for r.left == 0 {
		if err := r.nextGroup(); err != nil {
			return dst, err
		}
	}
	r.row++
	r.left--
	r.before = len(dst)
	for _, leaf := range r.leaves {
		leaf.fresh = true
	}
	dst, err = r.body(dst, r.root)
	if err == nil && r.left == 0 {
		err = r.finishGroup()
	}
	return dst, err
}

// Close gives back the pages in memory.
func (r *Reader) Close() error {
	if r.err == nil {
		r.err = errClosed
	}
	return r.closeGroup()
}

var errClosed = errors.New("read rows: the reader is closed")

// nextGroup begins the next row group.
func (r *Reader) nextGroup() error {
	if len(r.groups) == 0 {
		return io.EOF
	}
	index := len(r.parsed.RowGroups()) - len(r.groups)
	group := r.groups[0]
	r.groups = r.groups[1:]
	if err := r.checkPages(index); err != nil {
		return err
	}
	if r.left = group.NumRows(); r.left < 0 {
		return r.broken("", "a row group has %d rows", r.left)
	}
	chunks := group.ColumnChunks()
	if len(chunks) != len(r.leaves) {
		return r.broken("", "a row group has %d columns, the schema has %d", len(chunks), len(r.leaves))
	}
	for i, chunk := range chunks {
		r.leaves[i].open(chunk)
	}
	if r.left == 0 {
		return r.finishGroup()
	}
	return nil
}

// finishGroup checks that no column has more values than there are rows.
func (r *Reader) finishGroup() error {
	for _, leaf := range r.leaves {
		_, err := leaf.peek()
		if err == nil {
			return r.broken(leaf.path, "it has more values than the row group has rows")
		}
		if !errors.Is(err, io.EOF) {
			return err
		}
	}
	return r.closeGroup()
}

func (r *Reader) closeGroup() error {
	var all error
	for _, leaf := range r.leaves {
		all = errors.Join(all, leaf.close())
	}
	return all
}

// need is asked before memory is taken: how much it is by then, all together.
func (r *Reader) need(memory int64) error {
	if memory <= r.limits.Small || r.limits.Large == nil {
		return nil
	}
	if err := r.limits.Large(); err != nil {
		r.file.err = err // no flaw of the file either
		return err
	}
	return nil
}

// broken is the error of a flaw at the row that is being read.
func (r *Reader) broken(column jsontext.Pointer, format string, args ...any) error {
	return &Error{Row: r.row, Column: column, Reason: fmt.Sprintf(format, args...)}
}

// over is the error of a limit at the row that is being read.
func (r *Reader) over(column jsontext.Pointer, format string, args ...any) error {
	return &Error{Row: r.row, Column: column, Reason: fmt.Sprintf(format, args...), Limit: true}
}

// explain makes an *Error of what the library says or does, panics included:
// some of what a broken file makes it do is only found out there. What the
// underlying reader said comes first, whatever the library made of it.
func (r *Reader) explain(err *error) {
	if p := recover(); p != nil {
		*err = r.broken("", "it cannot be decoded: %s", clip(fmt.Sprint(p)))
	}
	var known *Error
	switch {
	case r.file.err != nil:
		*err = r.file.err
	case *err == nil, errors.Is(*err, io.EOF) && r.left == 0, errors.As(*err, &known):
	default:
		*err = r.broken("", "it cannot be decoded: %s", clip((*err).Error()))
	}
}

// source is the file, with its last error that is not the end of the file.
type source struct {
	r   io.ReaderAt
	err error
}

// ReadAt implements [io.ReaderAt].
func (s *source) ReadAt(p []byte, at int64) (int, error) {
	n, err := s.r.ReadAt(p, at)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

func (l Limits) withDefaults() Limits {
	for _, limit := range []struct {
		value *int
		dflt  int
	}{
		{&l.MaxRow, MaxRowDefault}, {&l.MaxFooter, MaxFooterDefault},
		{&l.MaxColumns, MaxColumnsDefault}, {&l.MaxDepth, MaxDepthDefault},
	} {
		if *limit.value == 0 {
			*limit.value = limit.dflt
		}
	}
	if l.MaxMemory == 0 {
		l.MaxMemory = MaxMemoryDefault
	}
	return l
}

// maxClip is the longest piece of a file that a message repeats, in bytes.
const maxClip = 200

// clip shortens text for a message and leaves nothing in it but text.
func clip(s string) string {
	if len(s) > maxClip {
		s = s[:maxClip] + "..."
	}
	return string([]rune(s)) // half a character becomes U+FFFD
}
