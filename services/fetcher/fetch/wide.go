package fetch

import (
	"encoding/binary"
	"errors"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/transform"
)

// errInvalid says that a text holds bytes that are no character of its charset.
var errInvalid = errors.New("invalid character")

// wide decodes UTF-16 and UTF-32 and refuses what they do not allow, where
// golang.org/x/text replaces it by a character that a document may also have.
type wide struct {
	size int // bytes of a unit: 2 or 4
	big  bool
}

// Reset implements [transform.Transformer].
func (w *wide) Reset() {}

// Transform implements [transform.Transformer].
func (w *wide) Transform(dst, src []byte, atEOF bool) (nDst, nSrc int, err error) {
	for nSrc < len(src) {
		r, n := w.decode(src[nSrc:])
		switch {
		case n == 0 && atEOF, r == utf8.RuneError && n < 0:
			return nDst, nSrc, errInvalid
		case n == 0:
			return nDst, nSrc, transform.ErrShortSrc
		case nDst+utf8.RuneLen(r) > len(dst):
			return nDst, nSrc, transform.ErrShortDst
		}
		nDst += utf8.EncodeRune(dst[nDst:], r)
		nSrc += n
	}
	return nDst, nSrc, nil
}

// decode returns the first character with its length in bytes: 0 if it is cut off,
// -1 if it is none.
func (w *wide) decode(src []byte) (r rune, n int) {
	if len(src) < w.size {
		return 0, 0
	}
	r = w.unit(src)
	switch {
	case w.size == 4 && !utf8.ValidRune(r):
		return utf8.RuneError, -1
	case w.size == 4 || !utf16.IsSurrogate(r):
		return r, w.size
	case r >= 0xdc00: // the second half of a pair
		return utf8.RuneError, -1
	case len(src) < 2*w.size:
		return 0, 0
	}
	if r = utf16.DecodeRune(r, w.unit(src[w.size:])); r == utf8.RuneError {
		return r, -1
	}
	return r, 2 * w.size
}

func (w *wide) unit(src []byte) rune {
	var order binary.ByteOrder = binary.LittleEndian
	if w.big {
		order = binary.BigEndian
	}
	if w.size == 4 {
		return rune(order.Uint32(src)) // over 1<<31 it is negative, and no character either
	}
	return rune(order.Uint16(src))
}
