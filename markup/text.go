package markup

import (
	"bytes"
	"encoding/xml"
	"strconv"
	"unicode/utf8"
)

// charData reads a run of text, up to the next tag or the end.
func (r *Reader) charData() (xml.Token, error) {
	end, err := r.find("<", 0, "run of text")
	if err != nil {
		return nil, err
	}
	if end < 0 {
		end = len(r.in.pending())
	}
	raw := r.in.take(end)
	if len(r.open) == 0 {
		if at := spaceEnd(raw, 0); at < len(raw) {
			return nil, r.fail(at, "has text outside its root element")
		}
		return xml.CharData(raw), nil
	}
	if err := r.checkChars(raw); err != nil {
		return nil, err
	}
	if at := bytes.Index(raw, []byte("]]>")); at >= 0 {
		return nil, r.fail(at, "has ]]> in its text, which has to be written ]]&gt;")
	}
	text, err := r.resolve(r.scratch[:0], raw, 0, false)
	return xml.CharData(text), err
}

// find looks for text in the token that is being read; what names the token for
// the case that it is too long.
func (r *Reader) find(text string, from int, what string) (int, error) {
	at, err := r.in.find(text, from)
	if err == errWindow {
		return 0, r.over(0, "a %s of more than %d bytes begins here", what, r.limits.MaxToken)
	}
	return at, err
}

func (r *Reader) checkChars(raw []byte) error {
	at := badChar(raw)
	if at < 0 {
		return nil
	}
	c, n := utf8.DecodeRune(raw[at:])
	if c == utf8.RuneError && n == 1 {
		return r.fail(at, "is not UTF-8")
	}
	return r.fail(at, "has the character U+%04X, which XML does not allow", c)
}

// resolve returns text with its line ends made one line feed, and its references
// what they stand for; in an attribute, white space becomes a space. The text
// stands at an offset of the token. It is returned itself if nothing changes, and
// otherwise appended to dst, whose memory is kept for the next time.
func (r *Reader) resolve(dst, text []byte, offset int, attribute bool) ([]byte, error) {
	special := "&\r"
	if attribute {
		special = "&\r\n\t"
	}
	i := bytes.IndexAny(text, special)
	if i < 0 {
		return text, nil
	}
	dst = append(dst, text[:i]...)
	for i < len(text) {
		switch c := text[i]; {
		case c == '&':
			resolved, n, err := r.reference(dst, text[i:], offset+i)
			if err != nil {
				return nil, err
			}
			dst, i = resolved, i+n
			continue
		case c == '\r' && i+1 < len(text) && text[i+1] == '\n': // the line feed follows
		case attribute && isSpace(c):
			dst = append(dst, ' ')
		case c == '\r':
			dst = append(dst, '\n')
		default:
			dst = append(dst, c)
		}
		i++
	}
	r.scratch = dst
	return dst, nil
}

// entities are those that need no declaration.
var entities = map[string]byte{"lt": '<', "gt": '>', "amp": '&', "apos": '\'', "quot": '"'}

// reference appends what the reference at the beginning of text stands for, and
// returns how long it is.
func (r *Reader) reference(dst, text []byte, at int) ([]byte, int, error) {
	end := bytes.IndexByte(text, ';')
	if end < 0 {
		return nil, 0, r.fail(at, "has an & that begins no reference, it has to be written &amp;")
	}
	name := text[1:end]
	if c, ok := entities[string(name)]; ok {
		return append(dst, c), end + 1, nil
	}
	if len(name) > 1 && name[0] == '#' {
		c, ok := charNumber(name[1:])
		if !ok {
			return nil, 0, r.fail(at, "refers to a character that XML does not allow: %s", clip(text[:end+1]))
		}
		return utf8.AppendRune(dst, c), end + 1, nil
	}
	if len(name) == 0 || nameEnd(name, 0) < len(name) {
		return nil, 0, r.fail(at, "has an & that begins no reference, it has to be written &amp;")
	}
	return nil, 0, r.fail(at, "refers to entity %s, which is not declared", clip(name))
}

// charNumber reads the number of a character reference, decimal or x and hexadecimal.
func charNumber(text []byte) (rune, bool) {
	base, digits := 10, text
	if text[0] == 'x' {
		base, digits = 16, text[1:]
	}
	n, err := strconv.ParseUint(string(digits), base, 32)
	if err != nil || n > utf8.MaxRune || !isChar(rune(n)) {
		return 0, false
	}
	return rune(n), true
}
