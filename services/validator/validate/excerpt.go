package validate

import "unicode/utf8"

// maxExcerpt is the longest piece of a document that a violation quotes, in bytes.
const maxExcerpt = 64

// excerpt returns the value that begins a text of JSON, cut to its first bytes.
func excerpt(text []byte) string {
	depth, inString, escaped := 0, false, false
	for i, c := range text[:min(len(text), maxExcerpt)] {
		switch {
		case escaped:
			escaped = false
		case inString:
			escaped, inString = c == '\\', c != '"'
			if !inString && depth == 0 {
				return string(text[:i+1])
			}
		case c == '"':
			inString = true
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth < 0 {
				return string(text[:i]) // a number or a word ends before it
			}
			if depth == 0 {
				return string(text[:i+1])
			}
		case depth == 0 && (c == ',' || c <= ' '):
			return string(text[:i])
		}
	}
	return cut(text, maxExcerpt)
}

// cut returns the first bytes of a text, between characters, with a mark if there
// are more.
func cut(text []byte, limit int) string {
	if len(text) <= limit {
		return string(text)
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return string(text[:limit]) + "..."
}
