package fetch

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// utf8Name is how charsets are named that need no conversion.
const utf8Name = "utf-8"

// charsetOf tells the charset of a text by its first bytes and its label. A byte
// order mark decides; JSON is UTF-8, whatever a parameter says (RFC 8259); then the
// charset parameter counts, then what XML says of itself. All else is UTF-8. Mark
// is how many bytes of it are to be left out.
func charsetOf(media, parameter string, head []byte) (name string, mark int) {
	for _, m := range []struct{ mark, name string }{
		{"\xff\xfe\x00\x00", "utf-32le"}, {"\x00\x00\xfe\xff", "utf-32be"}, {"\xff\xfe", "utf-16le"}, {"\xfe\xff", "utf-16be"},
	} {
		if bytes.HasPrefix(head, []byte(m.mark)) {
			return m.name, len(m.mark)
		}
	}
	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")), jsonText(media):
		return utf8Name, 0
	case parameter != "":
		return strings.ToLower(strings.TrimSpace(parameter)), 0
	case !xmlText(media):
		return utf8Name, 0
	case bytes.HasPrefix(head, []byte("<\x00?\x00")):
		return "utf-16le", 0
	case bytes.HasPrefix(head, []byte("\x00<\x00?")):
		return "utf-16be", 0
	}
	// A declaration that can be read byte by byte and speaks of wider characters lies.
	if m := xmlDeclaration.FindSubmatch(head); m != nil && !bytes.HasPrefix(bytes.ToLower(m[2]), []byte("utf-")) {
		return strings.ToLower(string(m[2])), 0
	}
	return utf8Name, 0
}

// errCharset says that a text cannot be made UTF-8.
type errCharset struct{ error }

// toUTF8 makes a text UTF-8. What is UTF-8 is left as it is, byte for byte, with
// its mistakes: the validator tells where they are. From is the charset that the
// text was converted from, or "".
func toUTF8(t *transfer, media, parameter string, r *bufio.Reader) (text *bufio.Reader, from string, err error) {
	head, _ := r.Peek(sniffLimit) // what went wrong comes again with the next read
	name, mark := charsetOf(media, parameter, head)
	decoder, err := newCharsetDecoder(name)
	if err != nil {
		return nil, "", t.fail(permanent(t.at, CodeBadCharset, err))
	}
	if decoder != nil {
		from = name
		_, _ = r.Discard(mark) // it was peeked at
		r = bufio.NewReaderSize(&converter{transfer: t, r: transform.NewReader(r, &strict{name: name, decoder: decoder, read: int64(mark)})}, sniffLimit)
	}
	if xmlText(media) {
		r = declareUTF8(r)
	}
	return r, from, nil
}

// newCharsetDecoder returns a decoder for a charset, nil for UTF-8.
func newCharsetDecoder(name string) (transform.Transformer, error) {
	switch name {
	case "utf-32le", "utf-32be":
		return &wide{size: 4, big: name == "utf-32be"}, nil
	case "iso-2022-jp", "csiso2022jp", "replacement", "x-user-defined": // the first has a memory, the others are none
		return nil, fmt.Errorf("charset %q is not supported; serve the document as UTF-8", name)
	}
	encoding, err := htmlindex.Get(name)
	if err != nil {
		return nil, fmt.Errorf("charset %.40q is not known; known are those of the WHATWG Encoding Standard", name)
	}
	switch canonical, _ := htmlindex.Name(encoding); {
	case encoding == unicode.UTF8, canonical == utf8Name:
		return nil, nil
	case canonical == "utf-16le", canonical == "utf-16be":
		return &wide{size: 2, big: canonical == "utf-16be"}, nil
	case canonical == "replacement":
		return nil, fmt.Errorf("charset %q is not supported; serve the document as UTF-8", name)
	}
	return encoding.NewDecoder(), nil
}

// strict is a decoder that fails where another puts U+FFFD in. No charset that it
// is used for has that character itself, but for gb18030: there it is refused.
type strict struct {
	name    string
	decoder transform.Transformer
	read    int64 // bytes decoded
}

var replacement = []byte("\ufffd")

// Transform implements [transform.Transformer].
func (s *strict) Transform(dst, src []byte, atEOF bool) (nDst, nSrc int, err error) {
	nDst, nSrc, err = s.decoder.Transform(dst, src, atEOF)
	if _, careful := s.decoder.(*wide); !careful {
		if i := bytes.Index(dst[:nDst], replacement); i >= 0 {
			// Decoded again up to there: these decoders remember nothing.
			nDst, nSrc, _ = s.decoder.Transform(dst[:i], src, atEOF)
			err = errInvalid
		}
	}
	s.read += int64(nSrc)
	if errors.Is(err, errInvalid) {
		err = errCharset{fmt.Errorf("byte %d of the document, counted from 0, begins no character of %s, which it is said to be", s.read, s.name)}
	}
	return nDst, nSrc, err
}

// Reset implements [transform.Transformer].
func (s *strict) Reset() { s.decoder.Reset() }

// converter reads a text that is being converted, with the limit of the whole.
type converter struct {
	*transfer
	r   io.Reader
	out int64
}

func (c *converter) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.r.Read(p)
	c.out += int64(n)
	var bad errCharset
	switch {
	case c.out > c.max:
		return 0, c.tooLarge()
	case errors.As(err, &bad):
		return n, c.fail(permanent(c.at, CodeBadCharset, bad))
	}
	return n, err
}

// xmlDeclaration finds the encoding that an XML document says it has.
var xmlDeclaration = regexp.MustCompile(`^(\x{feff}?<\?xml[ \t\r\n][^<>]{0,200}?[ \t\r\n]encoding[ \t\r\n]{0,9}=[ \t\r\n]{0,9}["'])([A-Za-z][A-Za-z0-9._-]{0,39})["'][^<>]{0,200}\?>`)

// declareUTF8 makes an XML document that is UTF-8 say so, if it says something else.
func declareUTF8(r *bufio.Reader) *bufio.Reader {
	head, _ := r.Peek(sniffLimit) // what went wrong comes again with the next read
	m := xmlDeclaration.FindSubmatchIndex(head)
	if m == nil || strings.EqualFold(string(head[m[4]:m[5]]), utf8Name) {
		return r
	}
	begin := bytes.Clone(head[:m[4]])
	_, _ = r.Discard(m[5]) // it was peeked at
	return bufio.NewReaderSize(io.MultiReader(bytes.NewReader(append(begin, "UTF-8"...)), r), sniffLimit)
}
