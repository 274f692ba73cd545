package saga

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits of the text of a definition.
const (
	// MaxYAML is the largest YAML text, in bytes: the time its parser takes can grow
	// with the square of the size, to seconds for a text that is made to be slow.
	// JSON may have [MaxText].
	MaxYAML = 64 << 10
	// MaxDepth is how deep objects and lists may be nested in a definition.
	MaxDepth = 100
)

// source is a file of which a definition is made.
type source struct {
	file  string
	lines []string
}

// place is a position in a source; line and column count from 1, in characters.
type place struct {
	source       *source
	line, column int
}

func (p place) problem(message string) Problem {
	return Problem{File: p.source.file, Line: p.line, Column: p.column, Message: message}
}

// inside returns the place of the character with an index in a string that
// begins at p. That can be told for a string that stands in the file as it is,
// without escapes and on one line, with or without quotes; else it is p.
func (p place) inside(value string, index int) place {
	if p.line < 1 || p.line > len(p.source.lines) || strings.Contains(value, "\n") {
		return p
	}
	rest := p.source.lines[p.line-1]
	for range p.column - 1 {
		_, size := utf8.DecodeRuneInString(rest)
		rest = rest[size:]
	}
	if len(rest) > 0 && (rest[0] == '"' || rest[0] == '\'') {
		rest = rest[1:]
		index++
	}
	if !strings.HasPrefix(rest, value) {
		return p
	}
	p.column += index
	return p
}

// node is a value of a source, with its place. Both syntaxes are read into nodes.
type node struct {
	place
	kind   nodeKind
	value  any     // of a scalar: nil, bool, int64, float64 or string
	items  []*node // of a list
	fields []field // of an object, in the order of the file, no name twice
}

type field struct {
	place // of the name
	name  string
	value *node
}

// nodeKind is what a node is, in words for messages.
type nodeKind string

const (
	isNull   nodeKind = "nothing"
	isBool   nodeKind = "a boolean"
	isNumber nodeKind = "a number"
	isString nodeKind = "a string"
	isList   nodeKind = "a list"
	isObject nodeKind = "an object"
)

func (n *node) field(name string) *node {
	for _, f := range n.fields {
		if f.name == name {
			return f.value
		}
	}
	return nil
}

// addField appends a field unless the object has one of that name already.
func (n *node) addField(f field, taken map[string]bool) *Problem {
	if taken[f.name] {
		p := f.problem(fmt.Sprintf("key %q stands here for the second time", f.name))
		return &p
	}
	taken[f.name] = true
	n.fields = append(n.fields, f)
	return nil
}

// decoded returns the node as a value of the form that DecodeValue returns.
func (n *node) decoded() any {
	switch n.kind {
	case isList:
		list := make([]any, len(n.items))
		for i, item := range n.items {
			list[i] = item.decoded()
		}
		return list
	case isObject:
		object := make(map[string]any, len(n.fields))
		for _, f := range n.fields {
			object[f.name] = f.value.decoded()
		}
		return object
	default:
		return n.value
	}
}

// scalar returns the node of a value that is neither list nor object.
func scalar(at place, value any) *node {
	n := &node{place: at, value: value}
	switch value.(type) {
	case nil:
		n.kind = isNull
	case bool:
		n.kind = isBool
	case int64, float64:
		n.kind = isNumber
	case string:
		n.kind = isString
	default:
		panic(fmt.Sprintf("saga: scalar of type %T", value)) // unreachable: the readers make no other
	}
	return n
}

// read reads a file, JSON or YAML. Most JSON is YAML, but the two differ in
// numbers and escapes, and JSON is read in linear time; so what is JSON is read
// as JSON. The node is nil if the syntax is broken.
func read(file string, text []byte) (*node, Problems) {
	text = []byte(strings.TrimPrefix(string(text), "\ufeff"))
	src := &source{file: file, lines: strings.Split(string(text), "\n")}
	start := place{src, 1, 1}
	if len(text) > MaxText {
		return nil, Problems{start.problem(fmt.Sprintf("%d bytes, at most %d are read", len(text), MaxText))}
	}
	if line, column, ok := invalidUTF8(src.lines); ok {
		return nil, Problems{place{src, line, column}.problem("not UTF-8")}
	}
	if !strings.HasPrefix(strings.TrimLeft(string(text), " \t\r\n"), "{") {
		return readYAML(src, text)
	}
	root, problems := readJSON(src, text)
	if root == nil && len(text) <= MaxYAML {
		// A YAML file may begin with a brace too; if it is neither, JSON was meant.
		if yaml, found := readYAML(src, text); yaml != nil {
			return yaml, found
		}
	}
	return root, problems
}

func invalidUTF8(lines []string) (line, column int, found bool) {
	for i, l := range lines {
		if utf8.ValidString(l) {
			continue
		}
		column := 1
		for _, r := range l {
			if r == utf8.RuneError {
				return i + 1, column, true
			}
			column++
		}
	}
	return 0, 0, false
}

var errTooDeep = errors.New("nested too deep")
