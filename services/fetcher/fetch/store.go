package fetch

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"mime"

	"github.com/gabriel-vasile/mimetype"

	"segue/document"
)

// store streams a source into the store, as UTF-8 if it is text. It returns
// errUnchanged, and leaves nothing there, if that gives the document that is known.
func (f *Fetcher) store(ctx context.Context, name string, known Known, src *source) (Output, error) {
	r := bufio.NewReaderSize(src, sniffLimit)
	head, err := r.Peek(sniffLimit)
	if err != nil && err != io.EOF {
		return Output{}, src.failure(ctx, err)
	}
	media, params := src.label.mediaType()
	var from string
	if isText(media, head) {
		if r, from, err = toUTF8(src.transfer, media, params["charset"], r); err != nil {
			return Output{}, src.failure(ctx, err)
		}
		head, _ = r.Peek(sniffLimit) // what went wrong comes again with the next read
	}
	settled, sniffed := settle(media, head) // now: head is gone with the next read
	if settled == media {
		settled = withParams(media, params, from)
	}
	ref, err := f.docs.Create(ctx, name, &recognizer{r: r, known: known.SHA256, sum: sha256.New()})
	if err != nil || src.err != nil {
		return Output{}, src.failure(ctx, err)
	}
	return Output{
		Document:   document.Document{Ref: ref, URL: redact(src.at.current), MediaType: settled, FetchedAt: src.ended.UTC()},
		Sniffed:    sniffed,
		Charset:    from,
		Validators: src.validators,
		Version:    f.cfg.Version,
	}, nil
}

// isText says whether a document is text, by its label, else by its first bytes.
func isText(media string, head []byte) bool {
	if media != "" && media != anyBytes {
		return textual(media)
	}
	for m := mimetype.Detect(head); m != nil; m = m.Parent() {
		if m.Is(anyText) {
			return true
		}
	}
	return false
}

// withParams adds parameters to a media type, as many as leave it one that
// declaredType reads: all, or the charset, or none. Text that was converted is UTF-8.
func withParams(media string, params map[string]string, from string) string {
	if from != "" {
		params = maps.Clone(params)
		if params == nil {
			params = make(map[string]string)
		}
		params["charset"] = utf8Name
	}
	for _, params := range []map[string]string{params, only(params, "charset")} {
		if full := mime.FormatMediaType(media, params); full != "" && len(full) <= maxMediaType {
			return full
		}
	}
	return media
}

// failure returns why a source is not in the store: what befell the source, else
// what the store says.
func (s *source) failure(ctx context.Context, err error) error {
	switch {
	case s.err != nil:
		return s.err // the store's error is its echo
	case errors.Is(err, errUnchanged):
		return errUnchanged
	case ctx.Err() != nil:
		return s.at.wrap(context.Cause(ctx))
	case errors.Is(err, document.ErrFull):
		return retryable(s.at, CodeStoreFull, err)
	case errors.Is(err, document.ErrExists):
		return retryable(s.at, CodeChanged, fmt.Errorf("this attempt has stored another document before: the origin has changed it meanwhile: %w", err))
	}
	return s.at.wrap(err)
}

// errUnchanged says that a document is the one that is known.
var errUnchanged = errors.New("the document has not changed")

// recognizer reads a document and fails at its end if it is the one that is known,
// so that the store does not keep it.
type recognizer struct {
	r     io.Reader
	known string // digest; "" for none
	sum   hash.Hash
}

func (k *recognizer) Read(p []byte) (int, error) {
	n, err := k.r.Read(p)
	if k.known == "" {
		return n, err
	}
	k.sum.Write(p[:n])
	if err == io.EOF && hex.EncodeToString(k.sum.Sum(nil)) == k.known {
		return n, errUnchanged
	}
	return n, err
}
