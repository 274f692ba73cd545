package parse

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// readSize is the size of read buffers, in bytes.
const readSize = 64 << 10

// space is the white space of JSON.
const space = " \t\r\n"

var newline = []byte("\n")

// errTrailing is the error of a document or line that goes on after its value.
var errTrailing = errors.New("more text after the end of the value")

// depthMessage is what jsontext says of a value over its own limit of 10,000.
const depthMessage = "exceeded max depth"

// jsonFailure makes a failure of an error of jsontext at a place.
func jsonFailure(err error, at Place, maxDepth int) error {
	var e *jsontext.SyntacticError
	switch {
	case errors.As(err, &e) && e.Err.Error() == depthMessage:
		return tooDeep(at.Line, maxDepth)
	case errors.As(err, &e):
		at.Pointer = string(e.JSONPointer)
	case errors.Is(err, io.EOF):
		return refuse(CodeNotWellFormed, at, "line %d: the document is empty", at.Line)
	default:
		return refuse(CodeNotWellFormed, at, "line %d: %w", at.Line, err)
	}
	where := ""
	if at.Pointer != "" {
		where = " at " + clip(at.Pointer)
	}
	switch {
	case errors.Is(e.Err, jsontext.ErrDuplicateName):
		return refuse(CodeNotWellFormed, at, "line %d: duplicate name%s", at.Line, where)
	case errors.Is(e.Err, io.ErrUnexpectedEOF):
		return refuse(CodeNotWellFormed, at, "line %d: the text ends in the middle of a value%s", at.Line, where)
	}
	return refuse(CodeNotWellFormed, at, "line %d: %w%s", at.Line, e.Err, where)
}

// skipBOM discards the byte order mark of UTF-8, which is of no use and not
// JSON, and refuses that of UTF-16.
func skipBOM(in *bufio.Reader) error {
	start, err := in.Peek(3)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch {
	case bytes.Equal(start, []byte("\xEF\xBB\xBF")):
		_, err := in.Discard(3)
		return err
	case bytes.HasPrefix(start, []byte("\xFF\xFE")), bytes.HasPrefix(start, []byte("\xFE\xFF")):
		return refuse(CodeNotWellFormed, Place{Line: 1, Column: 1}, "line 1: the document is UTF-16, only UTF-8 can be read")
	}
	return nil
}

// compact appends a well-formed value to dst without the white space between its
// tokens; the tokens stay as they are, to the byte. It reports false if arrays
// and objects are nested deeper than maxDepth.
func compact(dst, value []byte, maxDepth int) ([]byte, bool) {
	depth, from := 0, 0 // value[from:i] is yet to be copied
	for i := 0; i < len(value); i++ {
		switch value[i] {
		case '"':
			i = closingQuote(value, i)
		case '{', '[':
			if depth++; depth > maxDepth {
				return dst, false
			}
		case '}', ']':
			depth--
		case ' ', '\t', '\r', '\n':
			dst = append(dst, value[from:i]...)
			from = i + 1
		}
	}
	return append(dst, value[from:]...), true
}

// closingQuote returns the position of the quote that ends the string whose
// opening quote is at a position.
func closingQuote(value []byte, open int) int {
	for i := open + 1; i < len(value); i++ {
		switch value[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return len(value) - 1 // unreachable: the value is well-formed
}
