package markup

import (
	"bytes"
	"errors"
	"io"
)

// errWindow is returned by a window for a token over its limit.
var errWindow = errors.New("token over the limit")

// window is the part of the input that is in memory: the token that is being read
// and what has been read behind it.
type window struct {
	r     io.Reader
	limit int // bytes a token may have

	buf  []byte
	from int   // where the token begins
	to   int   // where it ends, as far as it has been taken
	base int64 // offset of buf[0] in the input
	eof  bool
}

// piece is how much is read at a time, in bytes.
const piece = 32 << 10

// token returns the token as far as it has been taken.
func (w *window) token() []byte { return w.buf[w.from:w.to] }

// pending returns all that is in memory from the beginning of the token.
func (w *window) pending() []byte { return w.buf[w.from:] }

// take makes the next n bytes of the pending ones the token.
func (w *window) take(n int) []byte {
	w.to = w.from + n
	return w.token()
}

// release leaves the token behind.
func (w *window) release() { w.from = w.to }

// offset is that of the token's beginning.
func (w *window) offset() int64 { return w.base + int64(w.from) }

// peek returns the pending bytes, at least n of them unless the input ends.
func (w *window) peek(n int) ([]byte, error) {
	for len(w.pending()) < n && !w.eof {
		if err := w.fill(); err != nil {
			return nil, err
		}
	}
	return w.pending(), nil
}

// find returns where text begins in the pending bytes, at or behind from, and -1 if
// the input ends before. A token that is over the limit by then is errWindow.
func (w *window) find(text string, from int) (int, error) {
	for {
		if pending := w.pending(); from < len(pending) {
			if i := bytes.Index(pending[from:], []byte(text)); i >= 0 {
				if from+i > w.limit {
					return 0, errWindow
				}
				return from + i, nil
			}
			from = max(from, len(pending)-len(text)+1)
		}
		switch {
		case len(w.pending()) > w.limit:
			return 0, errWindow
		case w.eof:
			return -1, nil
		}
		if err := w.fill(); err != nil {
			return 0, err
		}
	}
}

// maxEmptyReads is how many times in a row a reader may return nothing at all.
const maxEmptyReads = 100

// fill reads more.
func (w *window) fill() error {
	if w.from > 0 && cap(w.buf)-len(w.buf) < piece {
		n := copy(w.buf, w.buf[w.from:])
		w.base += int64(w.from)
		w.buf, w.to, w.from = w.buf[:n], w.to-w.from, 0
	}
	if cap(w.buf)-len(w.buf) < piece {
		grown := make([]byte, len(w.buf), 2*cap(w.buf)+2*piece)
		copy(grown, w.buf)
		w.buf = grown
	}
	for range maxEmptyReads {
		n, err := w.r.Read(w.buf[len(w.buf):cap(w.buf)])
		w.buf = w.buf[:len(w.buf)+n]
		if errors.Is(err, io.EOF) {
			w.eof = true
			return nil
		}
		if err != nil || n > 0 {
			return err
		}
	}
	return io.ErrNoProgress
}
