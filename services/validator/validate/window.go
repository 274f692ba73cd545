package validate

import (
	"errors"
	"io"
)

// errWindow is returned by a window that is asked for more than its limit.
var errWindow = errors.New("read beyond window")

// window bounds how far a decoder reads ahead of what it has decoded. The decoder
// keeps all of that in memory and has no limit of its own: without one, a string
// that never ends would take all memory there is.
type window struct {
	r     io.Reader
	limit int64 // bytes that may be read beyond done
	done  int64 // bytes decoded, set by the walker
	read  int64
}

// Read reads within the limit.
func (w *window) Read(p []byte) (int, error) {
	room := w.done + w.limit - w.read
	if room <= 0 {
		return 0, errWindow
	}
	n, err := w.r.Read(p[:min(int64(len(p)), room)])
	w.read += int64(n)
	return n, err
}
