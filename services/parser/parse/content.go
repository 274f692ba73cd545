package parse

import (
	"context"
	"errors"
	"fmt"
	"io"

	"segue/archive"
	"segue/document"
	"segue/participant"
)

// content is what there is to parse: a document, out of its container.
type content struct {
	// stream is read from front to back. It is nil for parquet, which has file.
	stream io.Reader
	file   *document.Spooled

	stored, unpacked *input // what reads went through; nil where there was none
	closers          []io.Closer
}

// openContent opens a document. Whoever calls it closes what it returns.
func (p *Parser) openContent(ctx context.Context, in Input) (c *content, err error) {
	c = &content{}
	defer func() {
		if err != nil {
			err = errors.Join(c.explain(err), c.close())
		}
	}()
	if in.Container == archive.Zip || in.Container == "" && in.Format == FormatParquet {
		file, err := document.Spool(ctx, p.docs, in.Document.Ref, p.cfg.MaxSpool)
		if err != nil {
			return c, p.spoolFailure("read document", err)
		}
		c.closers = append(c.closers, file)
		c.file = file
	} else {
		doc, err := p.docs.Open(ctx, in.Document.Ref)
		if err != nil {
			return c, storeFailure("open document", err)
		}
		c.closers = append(c.closers, doc)
		c.stored = &input{ctx: ctx, r: doc}
		c.stream = c.stored
	}
	return c, p.unpack(ctx, c, in)
}

// unpack replaces a container by what is in it.
func (p *Parser) unpack(ctx context.Context, c *content, in Input) error {
	limits := archive.Limits{MaxSize: p.cfg.MaxContent, MaxRatio: p.cfg.MaxRatio}
	var inside io.ReadCloser
	var err error
	switch in.Container {
	case archive.Gzip:
		inside, err = archive.OpenGzip(c.stream, limits)
	case archive.Zip:
		inside, _, err = archive.OpenZip(c.file, c.file.Size, in.Member, limits)
	default:
		return nil
	}
	if err != nil {
		return err
	}
	c.closers = append(c.closers, inside)
	c.unpacked = &input{ctx: ctx, r: inside}
	c.stream = c.unpacked
	if in.Format != FormatParquet {
		return nil
	}
	file, err := document.SpoolReader(c.unpacked, p.cfg.MaxSpool)
	if err != nil {
		return p.spoolFailure("unpack document", err)
	}
	c.closers = append(c.closers, file)
	c.file = file
	return nil
}

// explain says what an error means, given what reading met with: an error of the
// store first, whatever came of it, then one of the container.
func (c *content) explain(err error) error {
	if c.stored != nil && c.stored.err != nil {
		return storeFailure("read document", c.stored.err)
	}
	if c.unpacked != nil && c.unpacked.err != nil {
		err = c.unpacked.err
	}
	var e *archive.Error
	if !errors.As(err, &e) {
		return err
	}
	code := CodeNotWellFormed
	switch {
	case e.Member:
		code = participant.CodeBadInput
	case e.Limit:
		return over("container", Place{}, "the document %w", e)
	}
	return refuse(code, Place{}, "the document %w", e)
}

// spoolFailure says what an error of spooling means.
func (p *Parser) spoolFailure(verb string, err error) error {
	if errors.Is(err, document.ErrTooLarge) {
		return over("spool", Place{}, "%w", err)
	}
	return storeFailure(verb, err)
}

func (c *content) close() error {
	var all error
	for i := len(c.closers) - 1; i >= 0; i-- {
		all = errors.Join(all, c.closers[i].Close())
	}
	if all != nil {
		return fmt.Errorf("close document: %w", all)
	}
	return nil
}
