package archive

import (
	"errors"
	"io"
)

// source is what a container is read from. It counts, and remembers its own error,
// so that a store that fails is not taken for a container that is broken.
type source struct {
	r   io.Reader
	n   int64
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.n += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// content is what comes out of a container.
type content struct {
	io.ReadCloser
	kind   string
	limits Limits
	from   func() (read int64, err error) // of the container
	n      int64
	end    error
}

// Read reads content, within the limits.
func (c *content) Read(p []byte) (int, error) {
	if c.end != nil {
		return 0, c.end
	}
	n, err := c.ReadCloser.Read(p)
	c.n += int64(n)
	read, sourceErr := c.from()
	switch {
	case sourceErr != nil:
		err = sourceErr
	case c.n > c.limits.MaxSize:
		n, err = 0, over("is %s of more than %d bytes, unpacked", c.kind, c.limits.MaxSize)
	case c.n > allowance && c.n/c.limits.MaxRatio > read:
		n, err = 0, over("is %s that unpacks to more than %d times its size", c.kind, c.limits.MaxRatio)
	case errors.Is(err, io.ErrUnexpectedEOF):
		err = broken("is %s that breaks off", c.kind)
	case err != nil && !errors.Is(err, io.EOF):
		err = broken("is no well-formed %s: %v", c.kind, err)
	}
	c.end = err
	return n, err
}
