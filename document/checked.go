package document

import (
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"io/fs"
)

// checked reads an object and compares its digest with the Ref's at the end.
type checked struct {
	reader
	ref    Ref
	sum    hash.Hash
	closed bool
}

// Read implements [io.Reader]. It returns ErrChanged in place of io.EOF if the
// bytes are not those of the Ref.
func (c *checked) Read(p []byte) (int, error) {
	if c.closed {
		return 0, fmt.Errorf("read document %s: %w", c.ref.Name, fs.ErrClosed)
	}
	n, err := c.reader.Read(p)
	c.sum.Write(p[:n])
	if err == io.EOF && hex.EncodeToString(c.sum.Sum(nil)) != c.ref.SHA256 {
		return n, fmt.Errorf("read document %s: %w", c.ref.Name, ErrChanged)
	}
	if err != nil && err != io.EOF {
		return n, fmt.Errorf("read document %s: %w", c.ref.Name, err)
	}
	return n, err
}

// Close implements [io.Closer].
func (c *checked) Close() error {
	c.closed = true
	return nil
}
