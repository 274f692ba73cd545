package document

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// ErrTooLarge is returned by [Spool] for a document over its limit.
var ErrTooLarge = errors.New("document is over the limit for formats that are read from a file")

// Spool copies a document, of which r is all, into a temporary file, for formats
// that cannot be read from front to back: zip and Parquet keep their tables of
// contents at the end. A document of more than limit bytes is ErrTooLarge and
// nothing is read of it. The file stands at its beginning, holds exactly the bytes
// that ref speaks of, and is gone when it is closed, or when the process ends in
// whatever way where the system lets a file be removed while it is open.
func Spool(r io.Reader, ref Ref, limit int64) (*Spooled, error) {
	if ref.Size > limit {
		return nil, fmt.Errorf("spool document %s: %w (it has %d bytes, the limit is %d)", ref.Name, ErrTooLarge, ref.Size, limit)
	}
	// The size is a stranger's word: one byte more than it is asked for, so that the
	// reader comes to its end and checks the digest, and a longer one is seen.
	f, err := SpoolReader(io.LimitReader(r, ref.Size+1), ref.Size+1)
	if err != nil {
		return nil, fmt.Errorf("spool document %s: %w", ref.Name, err)
	}
	if f.Size != ref.Size {
		return nil, errors.Join(fmt.Errorf("spool document %s: %w: its size is not %d", ref.Name, ErrChanged, ref.Size), f.Close())
	}
	return f, nil
}

// SpoolReader is [Spool] for what is no document itself, such as what is in a
// container. More than limit bytes are ErrTooLarge; errors of r are returned as
// they are.
func SpoolReader(r io.Reader, limit int64) (*Spooled, error) {
	file, err := os.CreateTemp("", "segue-*")
	if err != nil {
		return nil, err
	}
	f := &Spooled{File: file, removed: os.Remove(file.Name()) == nil}
	f.Size, err = io.Copy(file, io.LimitReader(r, limit+1))
	if err == nil && f.Size > limit {
		err = fmt.Errorf("%w (the limit is %d bytes)", ErrTooLarge, limit)
	}
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Spooled is a document in a temporary file.
type Spooled struct {
	*os.File
	// Size is the number of its bytes.
	Size int64

	removed bool // the file has no name any more
}

// Close closes the file and removes it.
func (f *Spooled) Close() error {
	err := f.File.Close()
	if !f.removed {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	return err
}
