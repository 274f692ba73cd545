package document

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"segue/events"
)

const (
	// InlineLimit is the largest data, in bytes, that travels inside an event.
	InlineLimit = 16 << 10
	// DataLimit is the largest data, in bytes, that an event may have at all.
	// What is larger is a document and is handed on by its Ref.
	DataLimit = 1 << 20
)

// ErrDataTooLarge is returned for event data over [DataLimit].
var ErrDataTooLarge = fmt.Errorf("event data is over %d bytes", DataLimit)

// CheckIn moves the data of an event over [InlineLimit] into a store and leaves
// a reference in its dataref attribute (the claim check of CloudEvents' dataref
// extension). Smaller data is left where it is.
func CheckIn(ctx context.Context, s Store, e events.Event) (events.Event, error) {
	if len(e.Data) <= InlineLimit {
		return e, nil
	}
	if len(e.Data) > DataLimit {
		return e, fmt.Errorf("%w (it has %d)", ErrDataTooLarge, len(e.Data))
	}
	ref, err := PutData(ctx, s, e.Data)
	if err != nil {
		return e, err
	}
	e.Data, e.DataRef = nil, ref.URI()
	return e, nil
}

// CheckOut is the inverse of [CheckIn]: it brings the data of an event back. An
// event without a reference is returned as it is.
func CheckOut(ctx context.Context, s Store, e events.Event) (events.Event, error) {
	if e.DataRef == "" || len(e.Data) > 0 {
		return e, nil
	}
	ref, err := ParseURI(e.DataRef)
	if err != nil {
		return e, err
	}
	if ref.Size > DataLimit {
		return e, fmt.Errorf("%w (it has %d)", ErrDataTooLarge, ref.Size)
	}
	if e.Data, err = ReadAll(ctx, s, ref); err != nil {
		return e, fmt.Errorf("read data of event %s: %w", e.ID, err)
	}
	return e, nil
}

// PutData stores bytes under their digest, unless they are there already.
func PutData(ctx context.Context, s Store, data []byte) (Ref, error) {
	sum := sha256.Sum256(data)
	name := hex.EncodeToString(sum[:])
	switch ref, err := s.Stat(ctx, name); {
	case err == nil && ref.SHA256 == name:
		return ref, nil
	case err != nil && !errors.Is(err, ErrNotFound):
		return Ref{}, fmt.Errorf("look for data %s: %w", name, err)
	}
	ref, err := s.Put(ctx, name, bytes.NewReader(data))
	if err != nil {
		return Ref{}, fmt.Errorf("store data %s: %w", name, err)
	}
	return ref, nil
}

// ReadAll reads a whole object into memory. It never takes more than the Ref
// says there is: the size in a reference is a stranger's word, and an object of
// another size is ErrChanged.
func ReadAll(ctx context.Context, s Store, ref Ref) ([]byte, error) {
	r, err := s.Open(ctx, ref)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(r, ref.Size+1)) // the last Read checks the digest
	if err == nil && int64(len(data)) != ref.Size {
		err = fmt.Errorf("read document %s: %w", ref.Name, ErrChanged)
	}
	return data, errors.Join(err, r.Close())
}
