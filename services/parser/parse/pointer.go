package parse

import (
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// find reads up to the array that a pointer names. What is before it is checked
// and forgotten.
func (s *jsonSource) find(pointer jsontext.Pointer) error {
	at := jsontext.Pointer("")
	for name := range pointer.Tokens() {
		var err error
		switch kind := s.peek(); kind {
		case jsontext.KindBeginObject:
			err = s.enterObject(pointer, at, name)
		case jsontext.KindBeginArray:
			err = s.enterArray(pointer, at, name)
		default:
			if _, err = s.token(); err == nil {
				err = s.nothing(pointer, "%s is %s", place(at), describe(kind))
			}
		}
		if err != nil {
			return err
		}
		at = at.AppendToken(name)
	}
	kind := s.peek()
	if kind == jsontext.KindBeginArray {
		return nil
	}
	if _, err := s.token(); err != nil { // no value at all
		return err
	}
	line := s.line()
	return refuse(CodeNoRecordsThere, Place{Line: line, Pointer: string(at)},
		"line %d: want an array of records, but %s is %s", line, place(at), describe(kind))
}

// enterObject reads up to the member of that name.
func (s *jsonSource) enterObject(pointer, at jsontext.Pointer, name string) error {
	if _, err := s.token(); err != nil { // {
		return err
	}
	for s.peek() != jsontext.KindEndObject {
		token, err := s.token()
		if err != nil {
			return err
		}
		if token.String() == name {
			return nil
		}
		if err := s.skip(); err != nil {
			return err
		}
	}
	return s.nothing(pointer, "%s is an object without a member %q", place(at), clip(name))
}

// enterArray reads up to the element of that index.
func (s *jsonSource) enterArray(pointer, at jsontext.Pointer, name string) error {
	index, err := strconv.ParseInt(name, 10, 64)
	if err != nil || strconv.FormatInt(index, 10) != name || index < 0 { // 01 and - are no indexes
		return s.nothing(pointer, "%s is an array and %q is not an index", place(at), clip(name))
	}
	if _, err := s.token(); err != nil { // [
		return err
	}
	for n := int64(0); n < index; n++ {
		if s.peek() == jsontext.KindEndArray {
			return s.nothing(pointer, "%s is an array of %d", place(at), n)
		}
		if err := s.skip(); err != nil {
			return err
		}
	}
	if s.peek() == jsontext.KindEndArray {
		return s.nothing(pointer, "%s is an array of %d", place(at), index)
	}
	return nil
}

// nothing is the failure of a pointer that names nothing; the text says where it
// ends.
func (s *jsonSource) nothing(pointer jsontext.Pointer, format string, args ...any) error {
	why := fmt.Sprintf(format, args...)
	line := s.line()
	return refuse(CodeNoRecordsThere, Place{Line: line, Pointer: string(pointer)},
		"line %d: no records at %q: %s", line, clip(string(pointer)), why)
}

// place names a value for a message.
func place(at jsontext.Pointer) string {
	if at == "" {
		return "the document"
	}
	return strconv.Quote(clip(string(at)))
}

// describe names a kind for a message.
func describe(kind jsontext.Kind) string {
	switch kind {
	case jsontext.KindBeginObject:
		return "an object"
	case jsontext.KindBeginArray:
		return "an array"
	case jsontext.KindString:
		return "a string"
	case jsontext.KindNumber:
		return "a number"
	default:
		return kind.String() // null, true, false
	}
}
