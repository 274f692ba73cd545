package markup

import (
	"bytes"
	"encoding/xml"
)

// maxNames is how many names are kept, so that those that come again, as all but a
// few do, are not made again.
const maxNames = 1024

// startTag reads <name attribute="value" ...> or <name .../>.
func (r *Reader) startTag() (xml.Token, error) {
	end, err := r.tagEnd()
	if err != nil {
		return nil, err
	}
	raw := r.in.take(end + 1)
	if err := r.checkChars(raw); err != nil {
		return nil, err
	}
	at := nameEnd(raw, 1)
	name, err := r.name(raw, 1, at)
	switch {
	case err != nil:
		return nil, err
	case len(r.open) == 0 && r.root:
		return nil, r.fail(0, "has a second root element, %s", clip(name))
	case len(r.open) == r.limits.MaxDepth:
		return nil, r.over(0, "has elements nested deeper than %d", r.limits.MaxDepth)
	}
	closed := raw[end-1] == '/' // that it is no part of a value, attributes sees
	if closed {
		end--
	}
	if err := r.attributes(raw[:end], at); err != nil {
		return nil, err
	}
	r.root, r.empty = true, closed
	r.open = append(r.open, name)
	return xml.StartElement{Name: xml.Name{Local: name}, Attr: r.attrs}, nil
}

// tagEnd returns where the > of a start tag stands, which may be in values as well.
func (r *Reader) tagEnd() (int, error) {
	for i := 1; ; {
		pending, err := r.in.peek(i + 1)
		switch {
		case err != nil:
			return 0, err
		case len(pending) <= i:
			return 0, r.fail(len(pending), "ends in the middle of a tag")
		}
		at := bytes.IndexAny(pending[i:], "\"'<>")
		if at < 0 {
			if i = len(pending); i > r.limits.MaxToken {
				return 0, r.over(0, "a tag of more than %d bytes begins here", r.limits.MaxToken)
			}
			continue
		}
		i += at
		switch c := pending[i]; c {
		case '>':
			if i >= r.limits.MaxToken {
				return 0, r.over(0, "a tag of more than %d bytes begins here", r.limits.MaxToken)
			}
			return i, nil
		case '<':
			return 0, r.fail(i, "has a < inside a tag, it has to be written &lt;")
		default:
			closing, err := r.find(string(c), i+1, "tag")
			if err != nil {
				return 0, err
			}
			if closing < 0 {
				return 0, r.fail(i, "opens a quote that is never closed")
			}
			i = closing + 1
		}
	}
}

// name returns the name that stands between two positions of the token.
func (r *Reader) name(raw []byte, from, to int) (string, error) {
	switch {
	case from == to:
		return "", r.fail(from, "has no name where one should begin")
	case to-from > r.limits.MaxName:
		return "", r.over(from, "has a name of more than %d bytes", r.limits.MaxName)
	}
	if name, ok := r.names[string(raw[from:to])]; ok {
		return name, nil
	}
	name := string(raw[from:to])
	if len(r.names) < maxNames {
		r.names[name] = name
	}
	return name, nil
}

// attributes reads those of a tag, from behind its name, at, to the end of tag.
func (r *Reader) attributes(tag []byte, at int) error {
	r.attrs = r.attrs[:0]
	for {
		begin := spaceEnd(tag, at)
		if begin == len(tag) {
			return nil
		}
		if begin == at {
			return r.fail(at, "has no space where an attribute or the end of the tag should follow")
		}
		if len(r.attrs) == r.limits.MaxAttributes {
			return r.over(begin, "has an element of more than %d attributes", r.limits.MaxAttributes)
		}
		at = nameEnd(tag, begin)
		name, err := r.name(tag, begin, at)
		if err != nil {
			return err
		}
		if r.repeated(name) {
			return r.fail(begin, "has attribute %s twice", clip(name))
		}
		value, end, err := r.value(tag, at)
		if err != nil {
			return err
		}
		r.attrs, at = append(r.attrs, xml.Attr{Name: xml.Name{Local: name}, Value: value}), end
	}
}

// value reads ="value" and returns where it ends.
func (r *Reader) value(tag []byte, at int) (string, int, error) {
	at = spaceEnd(tag, at)
	if at == len(tag) || tag[at] != '=' {
		return "", 0, r.fail(at, "has an attribute without =")
	}
	at = spaceEnd(tag, at+1)
	if at == len(tag) || tag[at] != '"' && tag[at] != '\'' {
		return "", 0, r.fail(at, "has an attribute whose value is not in quotes")
	}
	n := bytes.IndexByte(tag[at+1:], tag[at])
	if n < 0 {
		return "", 0, r.fail(at, "opens a quote that is never closed")
	}
	raw := tag[at+1:][:n]
	if i := bytes.IndexByte(raw, '<'); i >= 0 {
		return "", 0, r.fail(at+1+i, "has a < in the value of an attribute, it has to be written &lt;")
	}
	value, err := r.resolve(r.scratch[:0], raw, at+1, true)
	return string(value), at + n + 2, err
}

// few is up to how many attributes comparing each with each is fastest.
const few = 16

// repeated says whether the tag has an attribute of that name already.
func (r *Reader) repeated(name string) bool {
	switch n := len(r.attrs); {
	case n < few:
		for _, a := range r.attrs {
			if a.Name.Local == name {
				return true
			}
		}
		return false
	case n == few:
		r.seen = make(map[string]bool)
		for _, a := range r.attrs {
			r.seen[a.Name.Local] = true
		}
	}
	if r.seen[name] {
		return true
	}
	r.seen[name] = true
	return false
}

// endTag reads </name>.
func (r *Reader) endTag() (xml.Token, error) {
	end, err := r.find(">", 2, "tag")
	switch {
	case err != nil:
		return nil, err
	case end < 0:
		return nil, r.fail(len(r.in.pending()), "ends in the middle of a tag")
	}
	raw := r.in.take(end + 1)
	at := nameEnd(raw, 2)
	name, err := r.name(raw, 2, at)
	switch {
	case err != nil:
		return nil, err
	case spaceEnd(raw, at) != end:
		return nil, r.fail(at, "has more than a name in an end tag")
	case len(r.open) == 0:
		return nil, r.fail(0, "closes element %s, which is not open", clip(name))
	case r.open[len(r.open)-1] != name:
		return nil, r.fail(0, "closes element %s where element %s is open", clip(name), clip(r.open[len(r.open)-1]))
	}
	return r.pop(), nil
}
