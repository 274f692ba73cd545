package save

import (
	"bytes"
	"errors"
	"io"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// seeker finds what pointers point to, all of them in the one pass over a value
// that also checks it.
type seeker struct {
	root    node
	found   []jsontext.Value // for each pointer; nil: there is nothing
	decoder *jsontext.Decoder
	input   bytes.Buffer
	value   []byte
}

// node is a place in a value to which pointers lead.
type node struct {
	ends []int            // the pointers that end here
	next map[string]*node // by the token that leads on
}

func newSeeker(pointers ...pointer) *seeker {
	s := &seeker{found: make([]jsontext.Value, len(pointers)), decoder: jsontext.NewDecoder(new(bytes.Buffer))}
	for i, p := range pointers {
		at := &s.root
		for _, token := range p.path {
			if at.next == nil {
				at.next = make(map[string]*node)
			}
			if at.next[token] == nil {
				at.next[token] = new(node)
			}
			at = at.next[token]
		}
		at.ends = append(at.ends, i)
	}
	return s
}

// errNotJSON is returned by seek.
var errNotJSON = errors.New("is not one JSON value with unique names in UTF-8")

// seek fills found with parts of value, which has to stay as it is meanwhile, or
// returns errNotJSON.
func (s *seeker) seek(value []byte) error {
	clear(s.found)
	s.value, s.input = value, *bytes.NewBuffer(value)
	s.decoder.Reset(&s.input)
	if err := s.visit(&s.root); err != nil {
		return errNotJSON
	}
	if _, err := s.decoder.ReadToken(); err != io.EOF {
		return errNotJSON
	}
	return nil
}

// visit reads the next value, to which a node belongs.
func (s *seeker) visit(n *node) error {
	if len(n.ends) > 0 {
		return s.keep(n)
	}
	switch kind := s.decoder.PeekKind(); {
	case n.next != nil && kind == '{':
		return s.members(n)
	case n.next != nil && kind == '[':
		return s.elements(n)
	}
	return s.decoder.SkipValue()
}

// keep reads a value that is pointed to. Pointers that go on from there are sought
// in it by themselves.
func (s *seeker) keep(n *node) error {
	v, err := s.decoder.ReadValue()
	if err != nil {
		return err
	}
	// Of the value itself: what the decoder returns is only good until it reads on.
	end := s.decoder.InputOffset()
	v = s.value[end-int64(len(v)) : end]
	for _, i := range n.ends {
		s.found[i] = v
	}
	if n.next == nil {
		return nil
	}
	inner := seeker{root: node{next: n.next}, found: make([]jsontext.Value, len(s.found)), decoder: jsontext.NewDecoder(new(bytes.Buffer))}
	if err := inner.seek(v); err != nil {
		return err
	}
	for i, v := range inner.found {
		if v != nil {
			s.found[i] = v
		}
	}
	return nil
}

func (s *seeker) members(n *node) error {
	if _, err := s.decoder.ReadToken(); err != nil {
		return err
	}
	for s.decoder.PeekKind() != '}' {
		name, err := s.decoder.ReadValue()
		if err != nil {
			return err
		}
		if err := s.child(n.next[string(plain(name))]); err != nil {
			return err
		}
	}
	_, err := s.decoder.ReadToken()
	return err
}

func (s *seeker) elements(n *node) error {
	if _, err := s.decoder.ReadToken(); err != nil {
		return err
	}
	for i := 0; s.decoder.PeekKind() != ']'; i++ {
		if err := s.child(n.next[strconv.Itoa(i)]); err != nil {
			return err
		}
	}
	_, err := s.decoder.ReadToken()
	return err
}

// child reads the next value, to which nobody may point.
func (s *seeker) child(n *node) error {
	if n == nil {
		return s.decoder.SkipValue()
	}
	return s.visit(n)
}

// plain is the text of a valid JSON string.
func plain(text jsontext.Value) []byte {
	if bytes.IndexByte(text, '\\') < 0 {
		return text[1 : len(text)-1]
	}
	unquoted, _ := jsontext.AppendUnquote(nil, text) // it is valid
	return unquoted
}
