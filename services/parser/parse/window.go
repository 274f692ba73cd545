package parse

import (
	"bytes"
	"errors"
	"io"
)

// errWindow is returned by a window whose limit has been reached: the value
// being read is too large.
var errWindow = errors.New("value is too large")

// window is what a JSON decoder may read now, up to a limit that moves on with
// it. It counts lines for messages.
type window struct {
	r     io.Reader
	limit int64 // offset behind which nothing may be read yet
	read  int64 // bytes read
	lines int   // line ends read
}

// Read reads up to the limit and then returns errWindow.
func (w *window) Read(p []byte) (int, error) {
	left := w.limit - w.read
	if left <= 0 {
		return 0, errWindow
	}
	n, err := w.r.Read(p[:min(int64(len(p)), left)])
	w.read += int64(n)
	w.lines += bytes.Count(p[:n], newline)
	return n, err
}

// maxNames is the largest memory, in bytes, for names of objects that a JSON
// decoder has entered. It must hold them all to find a duplicate, and an object
// around the records, or before them, may be of any size.
const maxNames = 64 << 20

// nameCost is about what a name takes in the decoder beside two copies of
// itself, in bytes.
const nameCost = 64

// nameAccount estimates the memory for names.
type nameAccount struct {
	open  []int64 // for each object or array the decoder is in
	total int64
}

// add notes that a token of a size was read and has led to a depth. It reports
// false if that is too much.
func (a *nameAccount) add(depth int, isName bool, size int64) bool {
	for len(a.open) > depth { // an object that ends gives its names back
		last := len(a.open) - 1
		a.total -= a.open[last]
		a.open = a.open[:last]
	}
	for len(a.open) < depth {
		a.open = append(a.open, 0)
	}
	if isName {
		cost := 2*size + nameCost
		a.open[depth-1] += cost
		a.total += cost
	}
	return a.total <= maxNames
}
