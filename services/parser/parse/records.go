package parse

import (
	"context"
	"fmt"
	"io"
)

// source is a document as its records.
type source interface {
	// next appends the next record to dst as compact JSON, without a line end. It
	// returns io.EOF when the document has ended as it should, and never before it
	// was read whole.
	next(dst []byte) ([]byte, error)
	// line returns the line of the document on which the last record begins, from
	// 1. It is for failures and may be slow.
	line() int
}

// records is the document of records, made as it is read: the store pulls and
// the parser follows, in one goroutine. It is an io.Reader.
type records struct {
	ctx  context.Context
	cfg  Config
	open func() (source, error)

	src   source
	rest  []byte // of the last record, not read yet
	buf   []byte // memory for a record
	count int64
	size  int64
	err   error // ends the records; io.EOF if all is well
}

// Read fills p as far as there are records: a store makes a message of each Read,
// and a message for each record would be far too many.
func (r *records) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if len(r.rest) == 0 {
			r.advance()
		}
		if r.err != nil {
			break
		}
		c := copy(p[n:], r.rest)
		n, r.rest = n+c, r.rest[c:]
	}
	if n == 0 && len(p) > 0 {
		return 0, r.err
	}
	return n, nil
}

// advance makes rest the next record, or sets err.
func (r *records) advance() {
	if r.err == nil {
		r.err = r.step()
	}
}

func (r *records) step() error {
	if err := r.ctx.Err(); err != nil {
		return fmt.Errorf("parse document: %w", err)
	}
	if r.src == nil {
		src, err := r.open()
		if err != nil {
			return err
		}
		r.src = src
	}
	record, err := r.src.next(r.buf[:0])
	if err != nil {
		return err
	}
	if len(record) > r.cfg.MaxRecord {
		return tooLarge(r.src.line(), r.cfg.MaxRecord)
	}
	record = append(record, '\n')
	r.buf, r.rest = record, record
	r.count++
	r.size += int64(len(record))
	return r.checkTotal()
}

func (r *records) checkTotal() error {
	if r.count > r.cfg.MaxRecords {
		line := r.src.line()
		return refuse(CodeLimit, Place{Line: line}, "line %d: more than %d records", line, r.cfg.MaxRecords)
	}
	if r.size > r.cfg.MaxBytes {
		line := r.src.line()
		return refuse(CodeLimit, Place{Line: line}, "line %d: the records are over the limit of %d bytes", line, r.cfg.MaxBytes)
	}
	return nil
}

// input is the document's bytes. It remembers an error of the store, so that it
// can be told from an error in the document, and ends with ctx even while no
// record comes.
type input struct {
	ctx context.Context
	r   io.Reader
	err error // what ended the input before its end
}

// Read reads from the store.
func (in *input) Read(p []byte) (int, error) {
	if in.err == nil {
		in.err = in.ctx.Err()
	}
	if in.err != nil {
		return 0, in.err
	}
	n, err := in.r.Read(p)
	if err != nil && err != io.EOF {
		in.err = err
	}
	return n, err
}
