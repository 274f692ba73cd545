package parse

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"segue/markup"
)

// xmlSource makes a record of each element at a path. The JSON of an element is
// that of Python's xmltodict, which is widely known:
//
//	<a/>                        => null
//	<a>text</a>                 => "text", as it stands
//	<a id="7">text</a>          => {"@id":"7","#text":"text"}
//	<a><b>1</b><c/><b>2</b></a> => {"b":["1","2"],"c":null}
//
// Attributes come first, then children in the order in which their names occur
// first, then text. Beside children, white space around text goes, and where it
// stood between them is not kept. Names keep their prefix; namespaces are
// attributes like others. Comments and processing instructions are no data.
type xmlSource struct {
	in   *markup.Reader
	cfg  Config
	path []string // of the records; nil for the whole document as one
	open []string // the elements that the reader is in, while no record

	depth   int   // how many of the first elements of path have been seen in each other
	record  Place // where the last record begins
	started int64 // and at which byte
	items   int   // elements and attributes of the record, so far
}

// itemCost is about what an element or attribute takes in memory for each byte
// that MaxRecord allows: <a/> is 4 bytes of text and some hundred in memory.
const itemCost = 32

func openXML(r io.Reader, path *string, cfg Config) (source, error) {
	s := &xmlSource{in: markup.NewReader(r, markup.Limits{MaxDepth: cfg.MaxDepth, MaxToken: cfg.MaxRecord}), cfg: cfg}
	if path != nil {
		s.path = strings.Split(*path, "/")[1:]
	}
	return s, nil
}

// checkElementPath checks a path of names, such as /feed/entry.
func checkElementPath(path string) error {
	names := strings.Split(path, "/")
	if len(names) < 2 || names[0] != "" || slices.Contains(names[1:], "") {
		return fmt.Errorf("records %q is not a path of elements such as /feed/entry", clip(path))
	}
	return nil
}

func (s *xmlSource) at() Place { return s.record }

// next reads up to the end of the next element at the path.
func (s *xmlSource) next(dst []byte) ([]byte, error) {
	for {
		token, err := s.in.Token()
		if errors.Is(err, io.EOF) {
			return dst, s.finish()
		}
		if err != nil {
			return dst, xmlFailure(err)
		}
		switch t := token.(type) {
		case xml.EndElement:
			s.open = s.open[:len(s.open)-1]
		case xml.StartElement:
			if s.isRecord(t.Name.Local) {
				return s.read(dst, t)
			}
			s.open = append(s.open, strings.Clone(t.Name.Local))
			if len(s.path) >= len(s.open) && slices.Equal(s.open, s.path[:len(s.open)]) {
				s.depth = max(s.depth, len(s.open))
			}
		}
	}
}

func (s *xmlSource) isRecord(name string) bool {
	if s.path == nil {
		return true
	}
	last := len(s.path) - 1
	return len(s.open) == last && s.path[last] == name && slices.Equal(s.open, s.path[:last])
}

// finish is the end of the document. That there are no records is no failure if
// there is the element that would have them.
func (s *xmlSource) finish() error {
	if last := len(s.path) - 1; last > s.depth && s.record.Line == 0 {
		missing := "/" + strings.Join(s.path[:s.depth+1], "/")
		return refuse(CodeNoRecordsThere, Place{Line: 1, Pointer: missing},
			"no records at %q: the document has no element %q", clip("/"+strings.Join(s.path, "/")), clip(missing))
	}
	return io.EOF
}

// read reads the rest of a record and appends it.
func (s *xmlSource) read(dst []byte, start xml.StartElement) ([]byte, error) {
	line, column := s.in.Position()
	s.record, s.started, s.items = Place{Line: int(line), Column: int(column)}, s.in.Offset(), 0
	root, err := s.element(start)
	if err != nil {
		return dst, err
	}
	if s.path != nil {
		return root.append(dst)
	}
	whole := &element{children: []*element{root}}
	return whole.append(dst)
}

// element reads the rest of an element.
func (s *xmlSource) element(start xml.StartElement) (*element, error) {
	e := &element{name: strings.Clone(start.Name.Local)}
	for _, a := range start.Attr {
		e.attributes = append(e.attributes, xml.Attr{Name: xml.Name{Local: strings.Clone(a.Name.Local)}, Value: strings.Clone(a.Value)})
	}
	if err := s.account(1 + len(start.Attr)); err != nil {
		return nil, err
	}
	for {
		token, err := s.in.Token()
		if err != nil {
			return nil, xmlFailure(err)
		}
		if err := s.account(0); err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case xml.EndElement:
			return e, nil
		case xml.CharData:
			e.text = append(e.text, t...)
		case xml.StartElement:
			child, err := s.element(t)
			if err != nil {
				return nil, err
			}
			e.children = append(e.children, child)
		}
	}
}

// account holds a record against MaxRecord, as text and as what it is in memory.
func (s *xmlSource) account(items int) error {
	s.items += items
	if s.in.Offset()-s.started > int64(s.cfg.MaxRecord) {
		return tooLarge(s.record.Line, s.cfg.MaxRecord)
	}
	if limit := max(s.cfg.MaxRecord/itemCost, 1); s.items > limit {
		return over("record", s.record, "%s: a record has more than %d elements and attributes", s.record, limit)
	}
	return nil
}

// element is an element of a record in memory.
type element struct {
	name       string
	attributes []xml.Attr
	children   []*element
	text       []byte
}

// append appends the JSON of an element.
func (e *element) append(dst []byte) ([]byte, error) {
	text := e.text
	if len(e.children) > 0 {
		text = bytes.TrimSpace(text)
	}
	if len(e.attributes) == 0 && len(e.children) == 0 {
		if len(text) == 0 {
			return append(dst, "null"...), nil
		}
		return jsontext.AppendQuote(dst, text)
	}
	o := object{dst: append(dst, '{')}
	for _, a := range e.attributes {
		o.name("@" + a.Name.Local)
		o.text(a.Value)
	}
	groups, names := e.groups()
	for _, name := range names {
		o.name(name)
		o.elements(groups[name])
	}
	if len(text) > 0 {
		o.name("#text")
		o.text(string(text))
	}
	return append(o.dst, '}'), o.err
}

// groups returns the children by their name, and the names in their order.
func (e *element) groups() (groups map[string][]*element, names []string) {
	groups = make(map[string][]*element)
	for _, child := range e.children {
		if groups[child.name] == nil {
			names = append(names, child.name)
		}
		groups[child.name] = append(groups[child.name], child)
	}
	return groups, names
}

// object writes the members of an object, up to the first error.
type object struct {
	dst   []byte
	count int
	err   error
}

func (o *object) name(name string) {
	if o.count++; o.count > 1 {
		o.dst = append(o.dst, ',')
	}
	o.text(name)
	o.dst = append(o.dst, ':')
}

func (o *object) text(s string) {
	if o.err == nil {
		o.dst, o.err = jsontext.AppendQuote(o.dst, s)
	}
}

// elements writes the one element, or an array of several.
func (o *object) elements(all []*element) {
	if len(all) > 1 {
		o.dst = append(o.dst, '[')
	}
	for i, e := range all {
		if i > 0 {
			o.dst = append(o.dst, ',')
		}
		if o.err == nil {
			o.dst, o.err = e.append(o.dst)
		}
	}
	if len(all) > 1 {
		o.dst = append(o.dst, ']')
	}
}

// xmlFailure makes failures of markup's errors; io.EOF and errors of the input
// stay as they are.
func xmlFailure(err error) error {
	var e *markup.Error
	if !errors.As(err, &e) {
		return err
	}
	at := Place{Line: int(e.Line), Column: int(e.Column)}
	if e.Limit {
		return over("xml", at, "%w", e)
	}
	return refuse(CodeNotWellFormed, at, "%w", e)
}
