package archive

import (
	"bufio"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
)

// readAhead is how much of a gzip stream is read at a time, in bytes.
const readAhead = 64 << 10

// OpenGzip returns the content of a gzip stream, of all that follow one another in
// it. To have read the content to its end is to have read r to its end. It returns
// an [*Error] for what is wrong with the stream, then or while it is read, and
// otherwise the error of r.
func OpenGzip(r io.Reader, l Limits) (io.ReadCloser, error) {
	from := &source{r: r}
	in, err := gzip.NewReader(bufio.NewReaderSize(from, readAhead))
	switch {
	case from.err != nil:
		return nil, from.err
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, broken("is gzip that breaks off")
	case err != nil:
		return nil, broken("is no well-formed gzip: %v", err)
	}
	return &content{ReadCloser: in, kind: Gzip, limits: l.withDefaults(), from: func() (int64, error) { return from.n, from.err }}, nil
}
