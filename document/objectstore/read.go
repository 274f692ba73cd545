package objectstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"time"

	"github.com/synadia-io/orbit.go/jetstreamext"

	"segue/document"
)

// Open reads an object.
func (s *Store) Open(ctx context.Context, ref document.Ref) (io.ReadCloser, error) {
	if ref.Bucket != s.bucket {
		return nil, fmt.Errorf("open document %s of bucket %s in bucket %s: %w", ref.Name, ref.Bucket, s.bucket, document.ErrNotFound)
	}
	v, err := s.look(ctx, ref.Name)
	if err == nil && v.ref() != ref {
		err = document.ErrChanged
	}
	if err != nil {
		return nil, fmt.Errorf("open document %s: %w", ref.Name, err)
	}
	return &reader{ctx: ctx, s: s, v: v, next: 1, left: ref.Size, sum: sha256.New()}, nil
}

// reader reads the chunks of a version, a window of them at a time.
type reader struct {
	ctx    context.Context
	s      *Store
	v      version
	next   uint64   // sequence from which to look for further chunks
	chunks [][]byte // fetched; the first one in part
	left   int64    // bytes not yet fetched
	sum    hash.Hash
	err    error // what every further Read returns
}

func (r *reader) Read(p []byte) (int, error) {
	if len(p) == 0 || r.err != nil {
		return 0, r.err
	}
	if err := r.ctx.Err(); err != nil {
		return 0, r.fail(err)
	}
	for len(r.chunks) == 0 {
		if r.left == 0 {
			return 0, r.finish()
		}
		if err := r.fetch(); err != nil {
			return 0, r.fail(err)
		}
	}
	n := copy(p, r.chunks[0])
	if r.chunks[0] = r.chunks[0][n:]; len(r.chunks[0]) == 0 {
		r.chunks = r.chunks[1:]
	}
	r.sum.Write(p[:n])
	return n, nil
}

// finish compares the digest of what was read.
func (r *reader) finish() error {
	if hex.EncodeToString(r.sum.Sum(nil)) != r.v.ref().SHA256 {
		return r.fail(document.ErrChanged)
	}
	r.err = io.EOF
	return io.EOF
}

func (r *reader) fail(err error) error {
	r.err = fmt.Errorf("read document %s: %w", r.v.Name, err)
	return r.err
}

func (r *reader) Close() error {
	r.chunks, r.err = nil, fmt.Errorf("read document %s: %w", r.v.Name, fs.ErrClosed)
	return nil
}

// fetch gets the next chunks. Any replica may answer, and one may lag behind the
// one that told of the object; so nothing found is asked again for a while, as
// long as the object is still the same.
func (r *reader) fetch() error {
	for pause := firstPause; ; pause *= 2 {
		err := r.ask()
		if err == nil || !errors.Is(err, jetstreamext.ErrNoMessages) {
			return err
		}
		now, err := r.s.look(r.ctx, r.v.Name)
		switch {
		case err != nil:
			return err
		case now.NUID != r.v.NUID, pause > lastPause:
			return document.ErrChanged
		}
		select {
		case <-r.ctx.Done():
			return r.ctx.Err()
		case <-time.After(pause):
		}
	}
}

const (
	firstPause = 10 * time.Millisecond
	lastPause  = time.Second // adds up to two seconds
)

// ask makes one request for a window of chunks.
func (r *reader) ask() error {
	ctx, cancel := context.WithTimeout(r.ctx, requestTimeout)
	defer cancel()
	messages, err := jetstreamext.GetBatch(ctx, r.s.js, r.s.stream(), window,
		jetstreamext.GetBatchSubject(r.s.chunkSubject(r.v.NUID)), jetstreamext.GetBatchSeq(r.next), jetstreamext.GetBatchMaxBytes(window*ChunkSize))
	if err != nil {
		return err
	}
	for m, err := range messages {
		switch {
		case r.ctx.Err() != nil:
			return r.ctx.Err()
		case err != nil && len(r.chunks) > 0:
			return nil // what has come is in order; the rest is asked for when it is needed
		case err != nil:
			return err
		}
		if r.left -= int64(len(m.Data)); r.left < 0 {
			return document.ErrChanged
		}
		r.chunks = append(r.chunks, m.Data)
		r.next = m.Sequence + 1
	}
	if len(r.chunks) == 0 {
		return jetstreamext.ErrNoMessages
	}
	return nil
}
