package objectstore

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"segue/document"
)

// Put streams r into an object.
func (s *Store) Put(ctx context.Context, name string, r io.Reader) (document.Ref, error) {
	return s.store(ctx, name, r, true)
}

// Create streams r into an object that does not exist.
func (s *Store) Create(ctx context.Context, name string, r io.Reader) (document.Ref, error) {
	return s.store(ctx, name, r, false)
}

func (s *Store) store(ctx context.Context, name string, r io.Reader, replace bool) (document.Ref, error) {
	v, err := s.put(ctx, name, r, replace)
	if err != nil {
		return document.Ref{}, fmt.Errorf("store document %s: %w", name, err)
	}
	return v.ref(), nil
}

func (s *Store) put(ctx context.Context, name string, r io.Reader, replace bool) (version, error) {
	if err := ctx.Err(); err != nil {
		return version{}, err
	}
	old, err := s.version(ctx, name)
	if err != nil {
		return version{}, err
	}
	v := version{ObjectInfo: jetstream.ObjectInfo{
		Bucket:     s.bucket,
		NUID:       nuid.Next(),
		ObjectMeta: jetstream.ObjectMeta{Name: name, Opts: &jetstream.ObjectMetaOptions{ChunkSize: uint32(s.chunk)}},
	}}
	if err = s.upload(ctx, &v, r); err == nil {
		old, err = s.publish(ctx, &v, old, replace)
	}
	after := context.WithoutCancel(ctx) // cleaning up must not depend on who has lost interest
	if errors.Is(err, errSame) {
		_ = s.purge(after, v.NUID)
		return old, nil
	}
	if err != nil {
		return version{}, errors.Join(err, s.purge(after, v.NUID))
	}
	if old.sequence > 0 && !old.Deleted {
		_ = s.purge(after, old.NUID) // no info names these chunks any more: they cost room and nothing else
	}
	return v, nil
}

// upload stores the chunks of a version and notes their size and digest.
func (s *Store) upload(ctx context.Context, v *version, r io.Reader) error {
	sum := sha256.New()
	buffer := make([]byte, s.chunk)
	var under flight
	defer under.land() // or chunks would come in behind the purge that follows an error
	for end := false; !end; {
		n, err := fill(r, buffer)
		if end = err == io.EOF; err != nil && !end {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if n == 0 {
			break
		}
		if len(under.acks) == window {
			if err := under.next(ctx); err != nil {
				return err
			}
		}
		// The client has copied the bytes when this returns. It must not send them
		// again by itself: the buffer holds others by then.
		m := &nats.Msg{Subject: s.chunkSubject(v.NUID), Data: buffer[:n]}
		ack, err := s.js.PublishMsgAsync(m, jetstream.WithRetryAttempts(0), jetstream.WithStallWait(requestTimeout))
		if err != nil {
			return verdict(err)
		}
		under.acks = append(under.acks, ack)
		sum.Write(buffer[:n])
		v.Size += uint64(n)
		v.Chunks++
	}
	for len(under.acks) > 0 {
		if err := under.next(ctx); err != nil {
			return err
		}
	}
	v.Digest = jetstream.GetObjectDigestValue(sum)
	return nil
}

// fill reads until the buffer is full, and returns io.EOF if the reader ended
// before. io.ReadFull would not do: it gives the same io.ErrUnexpectedEOF for a
// reader that ended and for one that broke off and says so, such as the body of
// a response that was cut short.
func fill(r io.Reader, buffer []byte) (n int, err error) {
	for n < len(buffer) && err == nil {
		var more int
		more, err = r.Read(buffer[n:])
		n += more
	}
	if n == len(buffer) {
		return n, nil
	}
	return n, err
}

// flight is the chunks that are under way, in order.
type flight struct{ acks []jetstream.PubAckFuture }

// next waits until the oldest chunk is on disk.
func (f *flight) next(ctx context.Context) error {
	var err error
	select {
	case <-f.acks[0].Ok():
	case err = <-f.acks[0].Err():
	case <-ctx.Done():
		return ctx.Err()
	}
	f.acks = f.acks[1:]
	return verdict(err)
}

// land waits until something has become of every chunk, for requestTimeout at
// most: the client sees to that.
func (f *flight) land() {
	for len(f.acks) > 0 {
		_ = f.next(context.Background()) // whatever became of it
	}
}

// errSame says that a name stands for the same bytes already. They are not replaced:
// someone may be reading them.
var errSame = errors.New("the object has these bytes already")

// publish makes a name stand for a version, and returns the version it replaced.
// Its error is errSame if there is no need to, with the version there is.
func (s *Store) publish(ctx context.Context, v *version, old version, replace bool) (version, error) {
	var err error
	for range maxRaces {
		switch taken := old.sequence > 0 && !old.Deleted; {
		case taken && old.Size == v.Size && old.Digest == v.Digest:
			return old, errSame
		case taken && !replace:
			return old, document.ErrExists
		}
		v.sequence = old.sequence
		if err = s.replace(ctx, v); err == nil {
			return old, nil
		}
		if ctx.Err() != nil || errors.Is(err, document.ErrFull) {
			break
		}
		// Raced, or without an answer: what does the name stand for now?
		now, lookErr := s.version(ctx, v.Name)
		switch {
		case lookErr != nil:
			return old, errors.Join(err, lookErr)
		case now.NUID == v.NUID:
			v.sequence = now.sequence
			return old, nil // our own, of which the answer was lost
		}
		old = now
	}
	return old, err
}
