package validate

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// ndjson checks lines. A line that is not well-formed does not end the check:
// where the next one begins is plain.
func (c *check) ndjson(r *bufio.Reader) error {
	if err := skipBOM(r); err != nil {
		return err
	}
	lines := lineReader{r: r, limit: c.cfg.MaxRecord}
	for {
		line, err := lines.next()
		if err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if len(bytes.TrimLeft(line, " \t\r\n")) == 0 {
			continue
		}
		c.seen++
		_, err = c.text(line, lines.start, "", c.seen)
		var f *fault
		if errors.As(err, &f) {
			c.report.fault(f, c.seen)
			err = nil
		}
		if err == nil {
			err = c.ctx.Err()
		}
		if err != nil {
			return err
		}
		c.mark()
	}
}

// lineReader reads lines of any length up to a limit.
type lineReader struct {
	r     *bufio.Reader
	limit int64  // bytes, without the line's end
	start int64  // offset of the last line
	end   int64  // and of what follows it
	long  []byte // a line longer than the buffer of r
}

// next returns the next line without its end, valid until the following call, and
// io.EOF after the last. The last line may lack its end.
func (l *lineReader) next() ([]byte, error) {
	l.start, l.long = l.end, l.long[:0]
	for {
		piece, err := l.r.ReadSlice('\n')
		l.end += int64(len(piece))
		if l.end-l.start > l.limit+1 {
			return nil, &fault{code: CodeLimit, limit: limitRecord, offset: l.start, message: fmt.Sprintf("line of more than %d bytes", l.limit)}
		}
		if err == nil && len(l.long) == 0 {
			return piece[:len(piece)-1], nil
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) && !errors.Is(err, io.EOF) {
			return nil, err
		}
		l.long = append(l.long, piece...)
		switch {
		case err == nil:
			return l.long[:len(l.long)-1], nil
		case errors.Is(err, io.EOF) && len(l.long) == 0:
			return nil, io.EOF
		case errors.Is(err, io.EOF):
			return l.long, nil
		}
	}
}
