// Package document keeps what is too large for a message.
//
// Three buckets hold it:
//
//	SAGA_DOCUMENTS  <run>/<step>/<attempt> => what a step made: a fetched document, parsed records
//	SAGA_SCHEMAS    <name>@<version>       => schemas that are registered, see package schemas
//	SAGA_DATA       <sha256>               => data of events over [InlineLimit], and saga definitions
//
// A document is named for the attempt that wrote it, so that undoing a step
// whose outcome is unknown finds what there is to release, and so that releasing
// one run's document never takes another's with the same bytes. Documents leave
// by themselves after a time. Event data is named for its digest, so that the
// same bytes are stored once.
package document

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"time"
)

// The buckets, as `nats object ls` shows them.
const (
	DocumentsBucket = "SAGA_DOCUMENTS"
	DataBucket      = "SAGA_DATA"
	SchemasBucket   = "SAGA_SCHEMAS"
)

// Errors of a [Store].
var (
	// ErrNotFound is returned for an object that does not exist, or no longer.
	ErrNotFound = errors.New("document not found")
	// ErrChanged is returned when an object is not the one its Ref speaks of.
	ErrChanged = errors.New("document differs from its reference")
	// ErrExists is returned by Create when the name stands for other bytes already.
	ErrExists = errors.New("another document has this name already")
	// ErrFull is returned by Put and Create when the bucket has reached its size limit.
	ErrFull = errors.New("document store is full")
)

// Ref says where bytes are and which they are.
type Ref struct {
	Bucket string `json:"bucket"`
	Name   string `json:"name"`
	// SHA256 is the digest of the bytes in lower-case hex.
	SHA256 string `json:"sha256"`
	// Size is their number.
	Size int64 `json:"size"`
}

// Document is a document as the services hand it on: a Ref and where it is from.
type Document struct {
	Ref
	// URL is where it was fetched, without user information.
	URL string `json:"url,omitempty"`
	// MediaType is what the origin says it is, such as "text/csv; charset=utf-8",
	// else what its name or its first bytes look like.
	MediaType string `json:"media_type,omitempty"`
	// FetchedAt is when the last byte arrived.
	FetchedAt time.Time `json:"fetched_at,omitzero"`
}

// Store is one bucket. All methods may be called concurrently.
type Store interface {
	// Put streams r into an object, replacing one of the same name. The object
	// appears whole or not at all: after an error from r or the store, or when ctx
	// is done, there is no new object.
	Put(ctx context.Context, name string, r io.Reader) (Ref, error)
	// Create is Put, but for an object there is already: one with the same bytes is
	// as good as the new one, and one with others stays and is ErrExists. Of several
	// that create an object at once, one wins.
	Create(ctx context.Context, name string, r io.Reader) (Ref, error)
	// Open reads an object. It returns ErrNotFound, or ErrChanged if the object
	// has another digest than ref; a Read returns ErrChanged in place of io.EOF if
	// the bytes do not match. The reader ends with ctx and must be closed.
	Open(ctx context.Context, ref Ref) (io.ReadCloser, error)
	// Stat returns the Ref of an object, or ErrNotFound.
	Stat(ctx context.Context, name string) (Ref, error)
	// Delete removes an object. One that does not exist is no error.
	Delete(ctx context.Context, name string) error
}

// Name returns the name of the document that an attempt at a step writes.
func Name(run, step string, attempt int) string {
	return run + "/" + step + "/" + strconv.Itoa(attempt)
}

// Release deletes the documents of every attempt at a step, from 1 to attempts.
func Release(ctx context.Context, s Store, run, step string, attempts int) error {
	for n := 1; n <= attempts; n++ {
		if err := s.Delete(ctx, Name(run, step, n)); err != nil {
			return fmt.Errorf("release document %s: %w", Name(run, step, n), err)
		}
	}
	return nil
}

// URI returns the reference as the dataref attribute carries it:
// nats-object://BUCKET/NAME?sha256=HEX&size=BYTES.
func (r Ref) URI() string {
	q := url.Values{"sha256": {r.SHA256}, "size": {strconv.FormatInt(r.Size, 10)}}
	u := url.URL{Scheme: "nats-object", Host: r.Bucket, Path: "/" + r.Name, RawQuery: q.Encode()}
	return u.String()
}

// ParseURI is the inverse of [Ref.URI].
func ParseURI(s string) (Ref, error) {
	u, err := url.Parse(s)
	if err != nil {
		return Ref{}, fmt.Errorf("parse document reference: %w", err)
	}
	size, err := strconv.ParseInt(u.Query().Get("size"), 10, 64)
	ref := Ref{Bucket: u.Host, SHA256: u.Query().Get("sha256"), Size: size}
	if len(u.Path) > 1 {
		ref.Name = u.Path[1:]
	}
	if err != nil || u.Scheme != "nats-object" || ref.Bucket == "" || ref.Name == "" || len(ref.SHA256) != 64 || size < 0 {
		return Ref{}, fmt.Errorf("parse document reference %q: want nats-object://BUCKET/NAME?sha256=HEX&size=BYTES", s)
	}
	return ref, nil
}
