package tabular

import (
	"bufio"
	"errors"
	"io"
	"unicode/utf8"
)

// lines reads the input line by line.
type lines struct {
	in     *bufio.Reader
	maxRow int

	line []byte // the last line, with its line end; valid until readLine
	read int    // lines read
	size int    // bytes of the row read so far; whoever begins a row sets it to 0
	long []byte // memory for a line that is longer than in's buffer
}

// readLine makes line the next line, with its line end if it has one, and checks
// that it is UTF-8 and the row still within its limit. It returns io.EOF if
// there is no more.
func (l *lines) readLine() error {
	line, err := l.in.ReadSlice('\n')
	if err != nil {
		if line, err = l.finishLine(line, err); err != nil {
			return err
		}
	}
	l.line = line
	l.read++
	l.size += len(line)
	if l.size > l.maxRow {
		return &Error{Line: l.read, Reason: "goes over the " + count(l.maxRow, "byte") + " a row may have", Limit: true}
	}
	if !utf8.Valid(line) {
		return l.fail(invalidAt(line), "is not UTF-8")
	}
	return nil
}

// finishLine sees to what a plain read of a line leaves open: a line longer than
// the buffer, which it collects until it is over the limit of a row, and the
// last line, which needs no line end.
func (l *lines) finishLine(line []byte, err error) ([]byte, error) {
	if errors.Is(err, bufio.ErrBufferFull) {
		l.long = append(l.long[:0], line...)
		for errors.Is(err, bufio.ErrBufferFull) && l.size+len(l.long) <= l.maxRow {
			line, err = l.in.ReadSlice('\n')
			l.long = append(l.long, line...)
		}
		line = l.long
	}
	if l.size+len(line) > l.maxRow || len(line) > 0 && errors.Is(err, io.EOF) {
		err = nil
	}
	return line, err
}

// body returns a line without its line end. The CR of a CRLF whose LF is missing
// at the very end of the input counts as one.
func body(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\n' {
		line = line[:n-1]
	}
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line
}

// invalidAt returns the position of the first byte that is not UTF-8.
func invalidAt(line []byte) int {
	at := 0
	for at < len(line) {
		r, n := utf8.DecodeRune(line[at:])
		if r == utf8.RuneError && n == 1 {
			break
		}
		at += n
	}
	return at
}

// fail makes the error of a position in the last line.
func (l *lines) fail(at int, reason string) error {
	return &Error{Line: l.read, Column: at + 1, Reason: reason}
}
