package validate

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
)

// check is the work on one document. Its methods json, ndjson and csv put what
// is wrong with the document into the report and return the errors of everything
// else: the store's and the context's.
type check struct {
	ctx     context.Context
	cfg     *Config
	schema  *schema  // nil if there is none
	records []string // the records pointer, in tokens; nil if there is none
	report  report

	stream walker // of the document
	piece  walker // of a record, or of the whole document, in memory
	seen   int64  // records
	delim  rune   // of CSV
}

// as reads a document in a format.
func (c *check) as(format string, r *bufio.Reader) error {
	c.stream.cfg, c.piece.cfg = c.cfg, c.cfg
	var err error
	switch format {
	case JSON:
		err = c.json(r)
	case NDJSON:
		err = c.ndjson(r)
	case CSV:
		err = c.csv(r)
	}
	var f *fault
	if errors.As(err, &f) {
		c.report.fault(f, 0)
		err = nil
	}
	return err
}

// text checks a JSON text in memory, which stands at an offset of the document
// and at a pointer in it, and returns what it has built of it for the schema. A
// fault is returned with its place in the document.
func (c *check) text(text []byte, offset int64, pointer string, record int64) (any, error) {
	c.piece.startBytes(text, c.schema != nil)
	v, err := c.piece.one()
	if err == nil && c.schema != nil {
		err = c.conform(v, record, func(list []finding, each func(finding) bool) {
			place(text, list, func(f finding) bool {
				f.pointer = pointer + f.pointer
				f.offset += offset
				return each(f)
			})
		})
	}
	var f *fault
	if errors.As(err, &f) {
		f.offset += offset
		f.pointer = pointer + f.pointer
	}
	return v, err
}

// conform checks a value against the schema. The findings go through place, which
// puts them in order and says where they are, into the report; once that is full,
// they are only counted.
func (c *check) conform(v any, record int64, place func([]finding, func(finding) bool)) error {
	violation, err := c.schema.check(c.ctx, v)
	if violation == nil || err != nil {
		return err
	}
	list := slices.DeleteFunc(flatten(violation), finding.misplaced)
	reported := 0
	if !c.report.full() {
		place(list, func(f finding) bool {
			c.report.add(CodeSchemaViolated, Violation{
				Pointer: f.pointer, Line: f.line, Record: record, Keyword: f.keyword(), Message: f.message(), offset: f.offset,
			})
			reported++
			return !c.report.full()
		})
	}
	c.report.more += int64(len(list) - reported)
	return nil
}

// bom is the byte order mark of UTF-8.
const bom = "\xEF\xBB\xBF"

// skipBOM discards a byte order mark. Those of UTF-16 are a fault: what follows
// would be one about some byte in the middle.
func skipBOM(r *bufio.Reader) error {
	start, err := r.Peek(len(bom))
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch {
	case bytes.HasPrefix(start, []byte(bom)):
		_, err := r.Discard(len(bom))
		return err
	case bytes.HasPrefix(start, []byte("\xFF\xFE")), bytes.HasPrefix(start, []byte("\xFE\xFF")):
		return &fault{code: CodeNotWellFormed, message: "begins with the mark of UTF-16, only UTF-8 can be read"}
	}
	return nil
}
