package parse

import (
	"context"
	"errors"

	"segue/archive"
	"segue/document"
	"segue/participant"
)

// openContent opens a document, out of its container. Whoever calls it closes what
// it returns.
func (p *Parser) openContent(ctx context.Context, in Input, turn *document.Turn) (*archive.Document, error) {
	content, err := archive.Open(ctx, p.docs, in.Document.Ref, archive.Options{
		Container: in.Container,
		Member:    in.Member,
		Limits:    archive.Limits{MaxSize: p.cfg.MaxContent, MaxRatio: p.cfg.MaxRatio},
		Turn:      turn,
		MaxFile:   p.cfg.MaxSpool,
	})
	return content, contentFailure(err)
}

// contentFailure says what an error of opening or reading a document means.
func contentFailure(err error) error {
	var e *archive.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, document.ErrTooLarge):
		return over("spool", Place{}, "%w", err)
	case !errors.As(err, &e):
		return storeFailure("read document", err)
	case e.Member:
		return refuse(participant.CodeBadInput, Place{}, "the document %w", e)
	case e.Limit:
		return over("container", Place{}, "the document %w", e)
	}
	return refuse(CodeNotWellFormed, Place{}, "the document %w", e)
}
