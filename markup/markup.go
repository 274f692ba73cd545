// Package markup reads XML as a stream, strictly.
//
//	input => [UTF-8 BOM] [XML declaration] (comment | PI)* root element (comment | PI)*
//
// It is XML 1.0 in its fifth edition, with these decisions:
//
//   - A DOCTYPE is refused. What it is there for, entities and defaults that make
//     more of a document than its bytes say, is what documents of strangers must not do.
//   - The text is UTF-8. A declaration of another encoding is an error.
//   - Names are kept as written, prefix and all: whether a prefix is declared is not
//     looked at.
//   - Comments, processing instructions and the declaration are checked and handed out;
//     who has no use for them skips them.
//
// encoding/xml, whose tokens these are, does not do for this: in strict mode too it
// takes documents without a root or with several, attributes that come twice or
// without space between, and a token of any size into memory, and it refuses names
// that the fifth edition allows. It is the tests' second opinion instead.
package markup

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
)

// Defaults of [Limits].
const (
	MaxDepthDefault      = 128
	MaxAttributesDefault = 256
	MaxNameDefault       = 1 << 10
	MaxTokenDefault      = 16 << 20
)

// Limits bound what a document may ask for. For each of them 0 means its default.
type Limits struct {
	// MaxDepth is how deep elements may be nested. Defaults to 128.
	MaxDepth int
	// MaxAttributes is how many attributes an element may have. Defaults to 256.
	MaxAttributes int
	// MaxName is the longest name, in bytes. Defaults to 1 KiB.
	MaxName int
	// MaxToken is the longest tag, comment, processing instruction, CDATA section or
	// run of text, in bytes as written. Defaults to 16 MiB.
	MaxToken int
}

func (l Limits) withDefaults() Limits {
	for _, limit := range []struct {
		value *int
		dflt  int
	}{
		{&l.MaxDepth, MaxDepthDefault},
		{&l.MaxAttributes, MaxAttributesDefault},
		{&l.MaxName, MaxNameDefault},
		{&l.MaxToken, MaxTokenDefault},
	} {
		if *limit.value <= 0 {
			*limit.value = limit.dflt
		}
	}
	return l
}

// Error says where a document breaks a rule or a limit.
type Error struct {
	// Line is counted from 1, Column is the byte in the line, from 1, and Offset the
	// byte in the input, from 0.
	Line, Column, Offset int64
	// Reason is a sentence without its end, such as "element item is not closed".
	Reason string
	// Limit says that the document may be well-formed, but is over one of the
	// [Limits] or has a DOCTYPE.
	Limit bool
}

// Error returns the place and the reason.
func (e *Error) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Reason)
}

// Reader reads tokens. It holds one token in memory, never the input. It is not
// safe for concurrent use.
type Reader struct {
	in     window
	limits Limits
	err    error // ends the reader

	open  []string // names of the open elements
	root  bool     // the root element has begun
	empty bool     // the last tag was <name/>, and its end is to be handed out

	names   map[string]string // names read, so that each is made once
	attrs   []xml.Attr        // of the last tag
	seen    map[string]bool   // names of the attributes of a tag that has many
	scratch []byte            // text of the last token where it differs from what is written

	line, lineStart int64 // where the last token begins: its line, and the offset of that
	begin           int64 // and its own offset
	first           int64 // offset of what follows the byte order mark
}

// NewReader returns a Reader of a document.
func NewReader(r io.Reader, l Limits) *Reader {
	l = l.withDefaults()
	return &Reader{in: window{r: r, limit: l.MaxToken}, limits: l, names: make(map[string]string), line: 1}
}

// Token returns the next token, valid until the next call: an [xml.StartElement],
// an [xml.EndElement] (for <name/> too), an [xml.CharData] (a run of text with its
// references resolved, or a CDATA section), an [xml.Comment] or an [xml.ProcInst]
// (the declaration too). A name is in Name.Local as written, Name.Space is empty.
// At the end Token returns io.EOF, for a broken rule or limit an [*Error], and
// otherwise the error of the underlying reader. After an error it returns the same
// error again.
func (r *Reader) Token() (xml.Token, error) {
	if r.err != nil {
		return nil, r.err
	}
	token, err := r.next()
	if err != nil {
		r.err = err
		return nil, err
	}
	return token, nil
}

// Position returns where the last token begins: its line from 1, and its byte in
// the line from 1.
func (r *Reader) Position() (line, column int64) { return r.line, r.begin - r.lineStart + 1 }

// Offset returns the byte at which the last token begins, from 0.
func (r *Reader) Offset() int64 { return r.begin }

func (r *Reader) next() (xml.Token, error) {
	if r.empty {
		r.empty = false
		return r.pop(), nil
	}
	r.advance()
	if r.begin == 0 {
		if err := r.skipBOM(); err != nil {
			return nil, err
		}
	}
	start, err := r.in.peek(2)
	if err != nil {
		return nil, err
	}
	switch {
	case len(start) == 0:
		return nil, r.end()
	case start[0] != '<':
		return r.charData()
	case len(start) < 2:
		return nil, r.fail(1, "ends in the middle of a tag")
	case start[1] == '/':
		return r.endTag()
	case start[1] == '?':
		return r.procInst()
	case start[1] == '!':
		return r.declaration()
	}
	return r.startTag()
}

// advance leaves the last token behind.
func (r *Reader) advance() {
	token := r.in.token()
	if n := bytes.Count(token, newline); n > 0 {
		r.line += int64(n)
		r.lineStart = r.begin + int64(bytes.LastIndexByte(token, '\n')) + 1
	}
	r.in.release()
	r.begin = r.in.offset()
}

var newline = []byte("\n")

// skipBOM passes over a byte order mark. That of UTF-16 is an error: what follows
// would be one about some byte.
func (r *Reader) skipBOM() error {
	start, err := r.in.peek(3)
	switch {
	case err != nil:
		return err
	case bytes.HasPrefix(start, []byte("\xFE\xFF")), bytes.HasPrefix(start, []byte("\xFF\xFE")):
		return r.fail(0, "begins with the mark of UTF-16, only UTF-8 can be read")
	case bytes.HasPrefix(start, []byte("\xEF\xBB\xBF")):
		r.in.take(3)
		r.in.release()
		r.begin, r.first, r.lineStart = 3, 3, 3
	}
	return nil
}

// end is what the end of the input means.
func (r *Reader) end() error {
	if n := len(r.open); n > 0 {
		return r.fail(0, "ends where element %s is still open", clip(r.open[n-1]))
	}
	if !r.root {
		return r.fail(0, "has no root element")
	}
	return io.EOF
}

// pop closes the innermost element.
func (r *Reader) pop() xml.EndElement {
	name := r.open[len(r.open)-1]
	r.open = r.open[:len(r.open)-1]
	return xml.EndElement{Name: xml.Name{Local: name}}
}

// fail makes the error of a place in the token that is being read.
func (r *Reader) fail(at int, format string, args ...any) error {
	return r.wrong(at, false, fmt.Sprintf(format, args...))
}

// over makes the error of a limit.
func (r *Reader) over(at int, format string, args ...any) error {
	return r.wrong(at, true, fmt.Sprintf(format, args...))
}

func (r *Reader) wrong(at int, limit bool, reason string) error {
	before := r.in.pending()
	before = before[:min(at, len(before))]
	e := &Error{Line: r.line, Offset: r.begin + int64(len(before)), Reason: reason, Limit: limit}
	start := r.lineStart
	if n := bytes.Count(before, newline); n > 0 {
		e.Line += int64(n)
		start = r.begin + int64(bytes.LastIndexByte(before, '\n')) + 1
	}
	e.Column = e.Offset - start + 1
	return e
}

// maxClip is the longest piece of the input that a message repeats, in bytes.
const maxClip = 64

// clip shortens text from the input for a message.
func clip[T string | []byte](s T) string {
	if len(s) <= maxClip {
		return string(s)
	}
	return string(bytes.ToValidUTF8([]byte(s[:maxClip]), nil)) + "..."
}
