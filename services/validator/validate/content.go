package validate

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"segue/archive"
	"segue/document"
)

// content is a document, out of its container.
type content struct {
	r         *bufio.Reader
	container string // archive.Gzip or archive.Zip, empty for none
	member    string // of a zip file

	raw     *bufio.Reader // the document as it is stored, nil once it has been spooled
	file    *document.Spooled
	closers []io.Closer
}

// open opens a document and what contains it, which its first bytes tell. The
// caller closes what it returns, also beside an error: an [*archive.Error] if the
// container is at fault, a [*fault], or one of the store.
func (v *Validator) open(ctx context.Context, in Input) (c *content, err error) {
	c = new(content)
	doc, err := v.docs.Open(ctx, in.Document.Ref)
	if err != nil {
		return c, err
	}
	c.closers = append(c.closers, doc)
	c.raw = bufio.NewReaderSize(doc, prefixSize)
	c.r = c.raw
	prefix, err := c.raw.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return c, err
	}
	c.container = archive.Recognize(prefix)
	if in.Member != "" && c.container != archive.Zip {
		return c, &archive.Error{Reason: "is no zip file, and member names a member of one", Member: true}
	}
	limits := archive.Limits{MaxSize: v.cfg.MaxContent, MaxRatio: v.cfg.MaxRatio, MaxMembers: v.cfg.MaxMembers}
	var inside io.ReadCloser
	switch c.container {
	case archive.Gzip:
		inside, err = archive.OpenGzip(c.raw, limits)
	case archive.Zip:
		if err := c.spool(ctx, v, in); err != nil {
			return c, err
		}
		inside, c.member, err = archive.OpenZip(c.file, c.file.Size, in.Member, limits)
	default:
		return c, nil
	}
	if err != nil {
		return c, err
	}
	c.closers = append(c.closers, inside)
	c.r = bufio.NewReaderSize(inside, prefixSize)
	return c, nil
}

// spool puts the content into a file, for formats that are read in any order.
func (c *content) spool(ctx context.Context, v *Validator, in Input) (err error) {
	if c.r == c.raw { // nothing contains it, or what does is a zip file
		c.file, err = document.Spool(ctx, v.docs, in.Document.Ref, v.cfg.MaxSpool)
		c.raw = nil
	} else {
		c.file, err = document.SpoolReader(c.r, v.cfg.MaxSpool)
	}
	if errors.Is(err, document.ErrTooLarge) {
		return &fault{code: CodeLimit, limit: limitSpool, offset: -1, message: fmt.Sprintf("has more than %d bytes, too many for a format that is read from a file", v.cfg.MaxSpool)}
	}
	if err == nil {
		c.closers = append(c.closers, c.file)
	}
	return err
}

// drain reads the document, as it is stored, to its end, where the store compares
// the digest: a verdict, good or bad, is one on the right bytes.
func (c *content) drain() error {
	if c.raw == nil {
		return nil // the whole of it has been read into the file
	}
	_, err := io.Copy(io.Discard, c.raw)
	return err
}

// close closes what has been opened. An error here would say nothing about what
// has been read.
func (c *content) close() {
	for i := len(c.closers) - 1; i >= 0; i-- {
		_ = c.closers[i].Close()
	}
}
