package parse

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// ndjsonSource reads a value per line.
type ndjsonSource struct {
	in   *bufio.Reader
	cfg  Config
	dec  *jsontext.Decoder
	long []byte // memory for lines that are longer than in's buffer
	line int    // lines read
}

// openNDJSON reads nothing yet but a byte order mark.
func openNDJSON(r io.Reader, cfg Config) (source, error) {
	in := bufio.NewReaderSize(r, readSize)
	if err := skipBOM(in); err != nil {
		return nil, err
	}
	return &ndjsonSource{in: in, cfg: cfg, dec: jsontext.NewDecoder(new(bytes.Buffer))}, nil
}

func (s *ndjsonSource) at() Place { return Place{Line: s.line} }

// next reads up to a line that is not blank.
func (s *ndjsonSource) next(dst []byte) ([]byte, error) {
	for {
		line, err := s.readLine()
		if err != nil {
			return dst, err
		}
		if len(bytes.Trim(line, space)) == 0 {
			continue
		}
		value, err := s.value(line)
		if err != nil {
			return dst, jsonFailure(err, Place{Line: s.line, Column: s.column(err)}, s.cfg.MaxDepth)
		}
		dst, ok := compact(dst, value, s.cfg.MaxDepth)
		if !ok {
			return dst, tooDeep(s.line, s.cfg.MaxDepth)
		}
		return dst, nil
	}
}

// value returns the one value of a line. The decoder works on the line itself.
func (s *ndjsonSource) value(line []byte) (jsontext.Value, error) {
	s.dec.Reset(bytes.NewBuffer(line))
	value, err := s.dec.ReadValue()
	if err != nil {
		return nil, err
	}
	size := len(value)
	start := int(s.dec.InputOffset()) - size
	if s.dec.PeekKind() != jsontext.KindInvalid {
		return nil, errTrailing
	}
	if _, err := s.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, err
	}
	return line[start : start+size], nil
}

// column returns where in the line an error is.
func (s *ndjsonSource) column(err error) int {
	var e *jsontext.SyntacticError
	if errors.As(err, &e) {
		return int(e.ByteOffset) + 1
	}
	return int(s.dec.InputOffset()) + 1
}

// readLine returns the next line. It is valid until the next call.
func (s *ndjsonSource) readLine() ([]byte, error) {
	s.long = s.long[:0]
	for {
		part, err := s.in.ReadSlice('\n')
		if len(part) > 0 && len(s.long) == 0 {
			s.line++
		}
		whole := part
		if err != nil || len(s.long) > 0 {
			s.long = append(s.long, part...)
			whole = s.long
		}
		switch {
		case len(whole) > s.cfg.MaxRecord+len("\r\n"):
			return nil, tooLarge(s.line, s.cfg.MaxRecord)
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(whole) > 0:
			return whole, nil // the last line needs no line end
		default:
			return whole, err
		}
	}
}
