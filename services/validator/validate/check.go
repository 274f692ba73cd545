package validate

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"segue/archive"
	"segue/document"
	"segue/participant"
	"segue/tableschema"
)

// check is the work on one document. Its methods named for the formats put what
// is wrong with the document into the report and return the errors of everything
// else: the store's and the context's.
type check struct {
	ctx     context.Context
	cfg     *Config
	schema  *schema             // nil if there is none
	table   *tableschema.Schema // nil if there is none
	records []string            // the records pointer or path, in tokens; nil if there is none
	report  report
	turn    *document.Turn // to take much memory
	done    func()         // is called when a record is: nothing is kept of it

	stream walker // of the document
	piece  walker // of a record, or of the whole document, in memory
	seen   int64  // records
	delim  rune   // of CSV
}

// as reads a document in a format.
func (c *check) as(format string, doc *archive.Document) error {
	if format != Parquet {
		c.done = doc.Mark
		return c.streamed(format, doc.Content)
	}
	file, err := doc.File()
	if err != nil {
		return err
	}
	return c.parquet(file)
}

// streamed reads a document in a format that is read from front to back.
func (c *check) streamed(format string, r *bufio.Reader) error {
	c.stream.cfg, c.piece.cfg = c.cfg, c.cfg
	var err error
	switch format {
	case JSON:
		err = c.json(r)
	case NDJSON:
		err = c.ndjson(r)
	case CSV:
		err = c.csv(r)
	case XML:
		if err = skipBOM(r); err == nil {
			err = c.xml(r, c.records)
		}
	}
	return c.noted(err)
}

// mark says that nothing is kept of what has been read.
func (c *check) mark() {
	if c.done != nil {
		c.done()
	}
}

// noted puts what is wrong with the document, or its container, into the report
// and returns other errors.
func (c *check) noted(err error) error {
	var f *fault
	var container *archive.Error
	switch {
	case errors.As(err, &f):
		c.report.fault(f, 0)
	case errors.Is(err, document.ErrTooLarge):
		f = &fault{code: CodeLimit, limit: limitSpool, offset: -1, message: fmt.Sprintf("has more than %d bytes, too many for a format that is read from a file", c.cfg.MaxSpool)}
		c.report.fault(f, 0)
	case errors.As(err, &container):
		f = &fault{code: CodeNotWellFormed, offset: -1, message: "the document " + container.Reason}
		switch {
		case container.Member:
			f.code = participant.CodeBadInput
		case container.Limit:
			f.code, f.limit = CodeLimit, limitContainer
		}
		c.report.fault(f, 0)
	default:
		return err
	}
	return nil
}

// largeText is the longest text, in bytes, of which no more than some
// [document.Small] can be made for a schema: two bytes can be a value.
const largeText = 64 << 10

// text checks a JSON text in memory, which stands at an offset of the document, or
// at -1 if it is not written there, and at a pointer in it, and returns what it has built of it for the schema. A
// fault is returned with its place in the document.
func (c *check) text(text []byte, offset int64, pointer string, record int64) (any, error) {
	if c.schema != nil && len(text) > largeText {
		if err := c.turn.Take(); err != nil {
			return nil, err
		}
	}
	c.piece.startBytes(text, c.schema != nil)
	v, err := c.piece.one()
	if err == nil && c.schema != nil {
		err = c.conform(v, record, func(list []finding, each func(finding) bool) {
			place(text, list, func(f finding) bool {
				f.pointer = pointer + f.pointer
				f.offset = shifted(f.offset, offset)
				return each(f)
			})
		})
	}
	var f *fault
	if errors.As(err, &f) {
		f.offset = shifted(f.offset, offset)
		f.pointer = pointer + f.pointer
	}
	return v, err
}

// shifted returns the offset in the document of what has one in a text.
func shifted(offset, by int64) int64 {
	if by < 0 {
		return -1
	}
	return offset + by
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
				Pointer: f.pointer, Line: f.line, Column: f.column, Record: record, Keyword: f.keyword(), Message: f.message(), Value: f.value, offset: f.offset,
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
