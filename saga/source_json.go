package saga

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// jsonReader reads JSON into nodes. The decoder tells where it is in bytes;
// cursor follows it in lines and columns.
type jsonReader struct {
	src      *source
	text     []byte
	dec      *jsontext.Decoder
	cursor   int // offset of line and column
	line     int
	column   int
	problems Problems
}

func readJSON(src *source, text []byte) (*node, Problems) {
	// Duplicate names are allowed here because the reader reports them itself.
	dec := jsontext.NewDecoder(bytes.NewReader(text), jsontext.AllowDuplicateNames(true))
	r := &jsonReader{src: src, text: text, dec: dec, line: 1, column: 1}
	root, err := r.value(1)
	if err == nil {
		err = r.end()
	}
	if err != nil {
		return nil, append(r.problems, r.here().problem("not JSON: "+jsonMessage(err)))
	}
	return root, r.problems
}

// end returns an error unless nothing but white space is left.
func (r *jsonReader) end() error {
	r.here()
	if rest := bytes.TrimLeft(r.text[r.cursor:], " \t\r\n"); len(rest) > 0 {
		return errors.New("something follows the value")
	}
	return nil
}

// here moves the cursor to the token that comes next.
func (r *jsonReader) here() place {
	next := int(r.dec.InputOffset())
	for next < len(r.text) && strings.IndexByte(" \t\r\n,:", r.text[next]) >= 0 {
		next++
	}
	for r.cursor < next {
		c, size := utf8.DecodeRune(r.text[r.cursor:])
		r.cursor += size
		r.column++
		if c == '\n' {
			r.line, r.column = r.line+1, 1
		}
	}
	return place{r.src, r.line, r.column}
}

func (r *jsonReader) value(depth int) (*node, error) {
	if depth > MaxDepth {
		return nil, errTooDeep
	}
	at := r.here()
	switch r.dec.PeekKind() {
	case '{':
		return r.object(at, depth)
	case '[':
		return r.list(at, depth)
	}
	token, err := r.dec.ReadToken()
	if err != nil {
		return nil, err
	}
	switch token.Kind() {
	case '"':
		return scalar(at, token.String()), nil
	case '0':
		number, err := decodeNumber(token.String())
		if err != nil {
			r.problems = append(r.problems, at.problem(err.Error()))
			number = int64(0)
		}
		return scalar(at, number), nil
	case 'n':
		return scalar(at, nil), nil
	default:
		return scalar(at, token.Bool()), nil
	}
}

func (r *jsonReader) list(at place, depth int) (*node, error) {
	n := &node{place: at, kind: isList}
	if _, err := r.dec.ReadToken(); err != nil {
		return nil, err
	}
	for r.dec.PeekKind() != ']' {
		item, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		n.items = append(n.items, item)
	}
	_, err := r.dec.ReadToken()
	return n, err
}

func (r *jsonReader) object(at place, depth int) (*node, error) {
	n := &node{place: at, kind: isObject}
	taken := make(map[string]bool)
	if _, err := r.dec.ReadToken(); err != nil {
		return nil, err
	}
	for r.dec.PeekKind() != '}' {
		f := field{place: r.here()}
		name, err := r.dec.ReadToken()
		if err != nil {
			return nil, err
		}
		f.name = name.String() // copied before the next token overwrites it
		if f.value, err = r.value(depth + 1); err != nil {
			return nil, err
		}
		if p := n.addField(f, taken); p != nil {
			r.problems = append(r.problems, *p)
		}
	}
	_, err := r.dec.ReadToken()
	return n, err
}

// jsonMessage returns what is wrong without the decoder's own position.
func jsonMessage(err error) string {
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) && syntax.Err != nil {
		return syntax.Err.Error()
	}
	if errors.Is(err, errTooDeep) {
		return fmt.Sprintf("nested more than %d deep", MaxDepth)
	}
	return err.Error()
}
