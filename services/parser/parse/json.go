package parse

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// jsonSource reads the elements of one array of a JSON document, or the whole.
type jsonSource struct {
	dec *jsontext.Decoder
	in  *window
	cfg Config

	names nameAccount
	array bool           // the records are the elements of an array the decoder is in
	done  bool           // the whole document was the record
	last  jsontext.Value // the last record, as long as the decoder keeps it
}

// openJSON reads up to the first record.
func openJSON(r io.Reader, pointer *string, cfg Config) (source, error) {
	in := bufio.NewReaderSize(r, readSize)
	if err := skipBOM(in); err != nil {
		return nil, err
	}
	s := &jsonSource{in: &window{r: in}, cfg: cfg}
	s.dec = jsontext.NewDecoder(s.in)
	if pointer != nil {
		if err := s.find(jsontext.Pointer(*pointer)); err != nil {
			return nil, err
		}
	}
	// After find it is an array, and otherwise it may be one.
	if s.array = s.peek() == jsontext.KindBeginArray; s.array {
		if _, err := s.token(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// next reads an element, or the whole document, at once: a record is to fit into
// memory.
func (s *jsonSource) next(dst []byte) ([]byte, error) {
	s.last = nil
	switch {
	case s.done, s.array && s.peek() == jsontext.KindEndArray:
		return dst, s.finish()
	case !s.array:
		s.done = true
	}
	s.widen()
	value, err := s.dec.ReadValue()
	if err != nil {
		return dst, s.fail(err)
	}
	s.last = value
	if len(value) > s.cfg.MaxRecord {
		return dst, tooLarge(s.line(), s.cfg.MaxRecord)
	}
	dst, ok := compact(dst, value, s.cfg.MaxDepth-s.dec.StackDepth())
	if !ok {
		return dst, tooDeep(s.line(), s.cfg.MaxDepth)
	}
	return dst, nil
}

// finish reads what comes after the records and returns io.EOF if the document
// is well-formed to its end.
func (s *jsonSource) finish() error {
	for s.dec.StackDepth() > 0 {
		if _, err := s.token(); err != nil {
			return err
		}
	}
	if s.peek() != jsontext.KindInvalid {
		return s.fail(errTrailing)
	}
	if _, err := s.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return s.fail(err)
	}
	return io.EOF
}

// skip reads over the next value, token by token, so that it may be of any size.
func (s *jsonSource) skip() error {
	depth := s.dec.StackDepth()
	for {
		if _, err := s.token(); err != nil {
			return err
		}
		if s.dec.StackDepth() == depth {
			return nil
		}
	}
}

// peek returns the kind of the next token; KindInvalid if there is none, and
// then reading it returns why.
func (s *jsonSource) peek() jsontext.Kind {
	s.widen()
	return s.dec.PeekKind()
}

// token reads the next token. It is valid until the next token or peek.
func (s *jsonSource) token() (jsontext.Token, error) {
	s.widen()
	before := s.dec.InputOffset()
	token, err := s.dec.ReadToken()
	if err != nil {
		return token, s.fail(err)
	}
	depth := s.dec.StackDepth()
	if depth > s.cfg.MaxDepth {
		return token, tooDeep(s.line(), s.cfg.MaxDepth)
	}
	kind, n := s.dec.StackIndex(depth)
	isName := kind == jsontext.KindBeginObject && n%2 == 1
	if !s.names.add(depth, isName, s.dec.InputOffset()-before) {
		line := s.line()
		return token, over("names", Place{Line: line}, "line %d: an object has too many names to look for duplicates", line)
	}
	return token, nil
}

// widen lets the decoder read as far as one value may go. Without it, the
// decoder would take a long value into memory whatever its size.
func (s *jsonSource) widen() {
	s.in.limit = s.dec.InputOffset() + int64(s.cfg.MaxRecord) + readSize
}

// fail makes a failure of an error of the decoder.
func (s *jsonSource) fail(err error) error {
	at := s.dec.InputOffset()
	if errors.Is(err, errWindow) { // at is before the delimiter of the value it speaks of
		ahead := s.dec.UnreadBuffer()
		at += int64(len(ahead) - len(bytes.TrimLeft(ahead, space+",:")))
		return tooLarge(s.lineAt(at), s.cfg.MaxRecord)
	}
	var e *jsontext.SyntacticError
	if errors.As(err, &e) {
		at = e.ByteOffset
	}
	return jsonFailure(err, Place{Line: s.lineAt(at)}, s.cfg.MaxDepth)
}

func (s *jsonSource) at() Place { return Place{Line: s.line()} }

// line returns the line on which the last record begins, or else the one that
// the decoder has come to.
func (s *jsonSource) line() int {
	return s.lineAt(s.dec.InputOffset()) - bytes.Count(s.last, newline)
}

// lineAt returns the line of an offset that the decoder has not read past: the
// lines it has taken into its buffer, without those that lie behind the offset.
func (s *jsonSource) lineAt(offset int64) int {
	ahead := s.dec.UnreadBuffer()
	skip := max(0, min(offset-s.dec.InputOffset(), int64(len(ahead))))
	return 1 + s.in.lines - bytes.Count(ahead[skip:], newline)
}
