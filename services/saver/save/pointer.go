package save

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// pointer is a JSON pointer (RFC 6901): the way from a value to one inside it.
type pointer struct {
	text string
	path []string
}

// MaxPointer is the largest length of a pointer, in bytes.
const MaxPointer = 1024

func parsePointer(text string) (pointer, error) {
	p := pointer{text: text}
	if len(text) > MaxPointer {
		return p, fmt.Errorf("key pointer %.40q... has %d bytes, at most %d are allowed", text, len(text), MaxPointer)
	}
	if text == "" {
		return p, nil // the whole value
	}
	if text[0] != '/' {
		return p, fmt.Errorf("key pointer %q: want a JSON pointer such as /id", text)
	}
	for token := range strings.SplitSeq(text[1:], "/") {
		// ~1 is / and ~0 is ~; no other ~ may stand.
		rest := strings.NewReplacer("~0", "", "~1", "").Replace(token)
		if strings.Contains(rest, "~") {
			return p, fmt.Errorf("key pointer %q: ~ is written ~0, / is written ~1", text)
		}
		p.path = append(p.path, strings.NewReplacer("~0", "~", "~1", "/").Replace(token))
	}
	return p, nil
}

// errMissing is returned by find when there is nothing where the pointer points.
var errMissing = errors.New("is missing")

// find returns what the pointer points to in a valid JSON value.
func (p pointer) find(value []byte) (jsontext.Value, error) {
	d := jsontext.NewDecoder(bytes.NewBuffer(value))
	for _, token := range p.path {
		if err := descend(d, token); err != nil {
			return nil, err
		}
	}
	return d.ReadValue()
}

// descend moves a decoder from the beginning of a value to that of its member
// or element.
func descend(d *jsontext.Decoder, token string) error {
	kind := d.PeekKind()
	index, isIndex := arrayIndex(token)
	switch {
	case kind != '{' && kind != '[':
		return errMissing
	case kind == '[' && !isIndex:
		return errMissing
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for i := 0; d.PeekKind() != '}' && d.PeekKind() != ']'; i++ {
		found := kind == '[' && i == index
		if kind == '{' {
			name, err := d.ReadToken()
			if err != nil {
				return err
			}
			found = name.String() == token
		}
		if found {
			return nil
		}
		if err := d.SkipValue(); err != nil {
			return err
		}
	}
	return errMissing
}

// arrayIndex reads a pointer token as an index: digits without a leading zero.
func arrayIndex(token string) (int, bool) {
	n, err := strconv.Atoi(token)
	return n, err == nil && n >= 0 && strconv.Itoa(n) == token
}
