package fetch

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"

	"segue/document"
	"segue/participant"
)

// ServiceName is the name of the service, as definitions and subjects have it.
const ServiceName = "fetcher"

// Input says what to fetch.
type Input struct {
	// URL is an http, https or file URL of at most 8 KiB.
	URL string `json:"url"`
}

// Output is the document as it was stored.
type Output struct {
	Document document.Document `json:"document"`
}

// Fetcher fetches documents into a store. All methods may be called concurrently.
type Fetcher struct {
	cfg       Config
	dirs      []string // Config.AllowFiles, absolute
	docs      document.Store
	transport *http.Transport
	active    atomic.Int64 // fetches that use the transport
}

// New makes the service. It returns an error that names the field for a Config
// that makes no sense.
func New(cfg Config, docs document.Store) (participant.Service, error) {
	f, err := NewFetcher(cfg, docs)
	if err != nil {
		return participant.Service{}, err
	}
	return participant.New(ServiceName, f.Fetch, f.Release), nil
}

// NewFetcher makes what the service is made of.
func NewFetcher(cfg Config, docs document.Store) (*Fetcher, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("configure fetcher: %w", err)
	}
	dirs, err := cfg.directories()
	if err != nil {
		return nil, fmt.Errorf("configure fetcher: %w", err)
	}
	return &Fetcher{cfg: cfg, dirs: dirs, docs: docs, transport: newTransport(cfg)}, nil
}

// Fetch stores the document at the URL under the name of the attempt. The
// package documentation lists its failures; after one there is no document.
func (f *Fetcher) Fetch(ctx context.Context, c participant.Command[Input]) (Output, error) {
	u, err := parseURL(c.Input.URL)
	if err != nil {
		return Output{}, participant.Permanent(CodeBadURL, fmt.Errorf("fetch: %w", err))
	}
	src, err := f.open(ctx, u)
	if err != nil {
		return Output{}, err
	}
	defer src.close()
	doc, err := f.store(ctx, document.Name(c.Run, c.Step, c.Attempt), src)
	return Output{Document: doc}, err
}

// Release deletes what any attempt has stored. An attempt that stores its
// document afterwards leaves it to the expiry of the store.
func (f *Fetcher) Release(ctx context.Context, u participant.Undo[Input, Output]) error {
	return document.Release(ctx, f.docs, u.Run, u.Step, u.Attempts)
}

func (f *Fetcher) open(ctx context.Context, u *url.URL) (*source, error) {
	if u.Scheme == "file" {
		return f.openFile(ctx, u)
	}
	return f.openWeb(ctx, u)
}

// store streams a source into the store.
func (f *Fetcher) store(ctx context.Context, name string, src *source) (document.Document, error) {
	r := bufio.NewReaderSize(src, sniffLimit)
	head, err := r.Peek(sniffLimit)
	if err != nil && err != io.EOF {
		return document.Document{}, src.failure(ctx, err)
	}
	media := src.mediaType(head) // now: head is gone with the next read
	ref, err := f.docs.Put(ctx, name, r)
	if err != nil || src.err != nil {
		return document.Document{}, src.failure(ctx, err)
	}
	return document.Document{
		Ref:       ref,
		URL:       redact(src.at.current),
		MediaType: media,
		FetchedAt: src.ended.UTC(),
	}, nil
}

// failure returns why a source is not in the store: what befell the source, else
// what the store says.
func (s *source) failure(ctx context.Context, err error) error {
	switch {
	case s.err != nil:
		return s.err // the store's error is its echo
	case ctx.Err() != nil:
		return s.at.wrap(context.Cause(ctx))
	case errors.Is(err, document.ErrFull):
		return retryable(s.at, CodeStoreFull, err)
	}
	return s.at.wrap(err)
}
