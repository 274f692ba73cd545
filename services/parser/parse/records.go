package parse

import (
	"context"
	"errors"
	"fmt"
	"io"

	"segue/document"
	"segue/services/parser/transform"
)

// largeRecord is the largest record, in bytes, that is no large one; see
// [document.Large].
const largeRecord = 1 << 20

// source is a document as its records.
type source interface {
	// next appends the next record to dst as compact JSON, without a line end. It
	// returns io.EOF when the document has ended as it should, and never before it
	// was read whole.
	next(dst []byte) ([]byte, error)
	// at returns where the last record begins. It is for failures and may be slow.
	at() Place
}

// records is the document of records, made as it is read: the store pulls and
// the parser follows, in one goroutine. It is an io.Reader.
type records struct {
	ctx  context.Context
	cfg  Config
	open func() (source, error)
	// transform makes records of what is in the document; nil if that are the records.
	transform *transform.Program
	turn      *document.Turn // to take much memory
	done      func()         // is called when nothing is kept any more of what has been read

	src   source
	rest  []byte // of the last record, not read yet
	buf   []byte // memory for a record
	made  []byte // memory for what the transform makes of it
	count int64
	size  int64
	err   error // ends the records; io.EOF if all is well
}

// Read fills p as far as there are records: a store makes a message of each Read,
// and a message for each record would be far too many.
func (r *records) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		for len(r.rest) == 0 && r.err == nil {
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
	r.buf = record
	if err != nil {
		return err
	}
	r.done()
	if len(record) > largeRecord { // of little that was read, such as names of CSV
		if err := r.turn.Take(); err != nil {
			return err
		}
	}
	if len(record) > r.cfg.MaxRecord {
		at := r.src.at()
		return over("record", at, "%s: a record is over the limit of %d bytes", at, r.cfg.MaxRecord)
	}
	if r.transform != nil {
		return r.reshape(record)
	}
	r.buf = append(record, '\n')
	return r.hand(r.buf, 1)
}

// reshape makes rest what the transform makes of a record. It may be nothing.
func (r *records) reshape(record []byte) error {
	made, count, err := r.transform.Run(r.ctx, r.made[:0], record)
	r.made = made
	var e *transform.Error
	switch {
	case errors.As(err, &e) && e.Limit:
		at := r.src.at()
		return over("transform", at, "%s: %w", at, err)
	case errors.As(err, &e):
		at := r.src.at()
		return refuse(CodeTransform, at, "%s: %w", at, err)
	case err != nil:
		return fmt.Errorf("parse document: %w", err)
	}
	return r.hand(made, count)
}

// hand makes lines of records rest.
func (r *records) hand(lines []byte, count int) error {
	r.rest = lines
	r.count += int64(count)
	r.size += int64(len(lines))
	return r.checkTotal()
}

func (r *records) checkTotal() error {
	if r.count > r.cfg.MaxRecords {
		at := r.src.at()
		return over("records", at, "%s: more than %d records", at, r.cfg.MaxRecords)
	}
	if r.size > r.cfg.MaxBytes {
		at := r.src.at()
		return over("bytes", at, "%s: the records are over the limit of %d bytes", at, r.cfg.MaxBytes)
	}
	return nil
}

// close gives back what the source holds.
func (r *records) close() error {
	if c, ok := r.src.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
