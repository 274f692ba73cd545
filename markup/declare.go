package markup

import (
	"bytes"
	"encoding/xml"
	"strings"
)

// procInst reads <?target data?>. At the very beginning it may be the declaration.
func (r *Reader) procInst() (xml.Token, error) {
	end, err := r.find("?>", 2, "processing instruction")
	switch {
	case err != nil:
		return nil, err
	case end < 0:
		return nil, r.fail(0, "begins a processing instruction that never ends")
	}
	raw := r.in.take(end + 2)
	if err := r.checkChars(raw); err != nil {
		return nil, err
	}
	at := nameEnd(raw[:end], 2)
	target, err := r.name(raw, 2, at)
	if err != nil {
		return nil, err
	}
	data := spaceEnd(raw[:end], at)
	if data == at && at < end {
		return nil, r.fail(at, "has no space behind the name of a processing instruction")
	}
	if strings.EqualFold(target, "xml") {
		if err := r.xmlDecl(target, raw[:end], at); err != nil {
			return nil, err
		}
	}
	return xml.ProcInst{Target: target, Inst: r.lineEnds(raw[data:end])}, nil
}

// lineEnds returns text with its line ends made one line feed.
func (r *Reader) lineEnds(text []byte) []byte {
	if bytes.IndexByte(text, '\r') < 0 {
		return text
	}
	dst := r.scratch[:0]
	for i, c := range text {
		switch {
		case c != '\r':
			dst = append(dst, c)
		case i+1 == len(text) || text[i+1] != '\n':
			dst = append(dst, '\n')
		}
	}
	r.scratch = dst
	return dst
}

// xmlDecl checks <?xml version="1.0" encoding="UTF-8" standalone="yes"?>, of which
// only the version has to be there.
func (r *Reader) xmlDecl(target string, decl []byte, at int) error {
	if target != "xml" || r.begin != r.first {
		return r.fail(0, "has an XML declaration that is not at its beginning")
	}
	if i := bytes.IndexByte(decl, '&'); i >= 0 {
		return r.fail(i, "has a reference in its XML declaration")
	}
	if err := r.attributes(decl, at); err != nil {
		return err
	}
	order := []string{"version", "encoding", "standalone"}
	for i, a := range r.attrs {
		for len(order) > 0 && order[0] != a.Name.Local {
			order = order[1:]
		}
		if len(order) == 0 || i == 0 && a.Name.Local != "version" {
			return r.fail(0, "has an XML declaration with %s out of place", clip(a.Name.Local))
		}
		order = order[1:]
		if reason := declared(a.Name.Local, a.Value); reason != "" {
			return r.fail(0, "%s", reason)
		}
	}
	if len(r.attrs) == 0 {
		return r.fail(0, "has an XML declaration without a version")
	}
	return nil
}

// declared says what is wrong with a part of the declaration.
func declared(name, value string) string {
	switch name {
	case "version":
		minor, ok := strings.CutPrefix(value, "1.")
		if !ok || minor == "" || strings.Trim(minor, "0123456789") != "" {
			return "declares version " + clip(value) + ", only 1.0 can be read"
		}
	case "encoding":
		if !strings.EqualFold(value, "UTF-8") {
			return "declares the encoding " + clip(value) + ", only UTF-8 can be read"
		}
	case "standalone":
		if value != "yes" && value != "no" {
			return "declares standalone as " + clip(value) + ", which can be yes or no"
		}
	}
	return ""
}

// declaration reads what begins with <!: a comment or a CDATA section.
func (r *Reader) declaration() (xml.Token, error) {
	const comment, cdata, doctype = "<!--", "<![CDATA[", "<!DOCTYPE"
	start, err := r.in.peek(len(cdata))
	switch {
	case err != nil:
		return nil, err
	case bytes.HasPrefix(start, []byte(comment)):
		return r.comment()
	case bytes.HasPrefix(start, []byte(cdata)):
		return r.cdata(len(cdata))
	case bytes.HasPrefix(start, []byte(doctype)):
		return nil, r.over(0, "has a DOCTYPE, which is refused: send the document without it")
	}
	return nil, r.fail(0, "has a <! that begins neither a comment nor a CDATA section")
}

func (r *Reader) comment() (xml.Token, error) {
	const open = len("<!--")
	end, err := r.find("--", open, "comment")
	switch {
	case err != nil:
		return nil, err
	case end < 0:
		return nil, r.fail(0, "begins a comment that never ends")
	}
	if all, err := r.in.peek(end + 3); err != nil {
		return nil, err
	} else if len(all) < end+3 || all[end+2] != '>' {
		return nil, r.fail(end, "has -- inside a comment")
	}
	raw := r.in.take(end + 3)
	if err := r.checkChars(raw); err != nil {
		return nil, err
	}
	return xml.Comment(r.lineEnds(raw[open:end])), nil
}

func (r *Reader) cdata(open int) (xml.Token, error) {
	end, err := r.find("]]>", open, "CDATA section")
	switch {
	case err != nil:
		return nil, err
	case end < 0:
		return nil, r.fail(0, "begins a CDATA section that never ends")
	case len(r.open) == 0:
		return nil, r.fail(0, "has a CDATA section outside its root element")
	}
	raw := r.in.take(end + 3)
	if err := r.checkChars(raw); err != nil {
		return nil, err
	}
	return xml.CharData(r.lineEnds(raw[open:end])), nil
}
