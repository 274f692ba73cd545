package events

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Header values are percent-encoded as the binding says (and as the HTTP binding,
// 3.1.3.2, words it): space, double quote, percent sign and everything outside
// U+0021 to U+007E become %XX, byte for byte of their UTF-8 form. Decoding
// accepts any escaped character, lower-case hex and a value in double quotes, is
// done once, and refuses what is not UTF-8 afterwards.

var (
	errNotUTF8 = errors.New("the value is not UTF-8")
	errNoQuote = errors.New("the closing quote is missing")
)

const upperHex = "0123456789ABCDEF"

func plain(c byte) bool { return c > ' ' && c <= '~' && c != '"' && c != '%' }

// plainText says that a value stands for itself and is one that [checkValue] takes.
func plainText(s string) bool {
	for i := range len(s) {
		if !plain(s[i]) {
			return false
		}
	}
	return len(s) <= MaxAttributeBytes
}

func percentEncode(s string) string {
	escaped := 0
	for i := range len(s) {
		if !plain(s[i]) {
			escaped++
		}
	}
	if escaped == 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 2*escaped)
	for i := range len(s) {
		if c := s[i]; plain(c) {
			b.WriteByte(c)
		} else {
			b.WriteByte('%')
			b.WriteByte(upperHex[c>>4])
			b.WriteByte(upperHex[c&15])
		}
	}
	return b.String()
}

func percentDecode(s string) (string, error) {
	s, err := unquote(s)
	if err != nil {
		return "", err
	}
	if strings.IndexByte(s, '%') >= 0 {
		if s, err = unescape(s); err != nil {
			return "", err
		}
	}
	if !utf8.ValidString(s) {
		return "", errNotUTF8
	}
	return s, nil
}

func unescape(s string) (string, error) {
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", fmt.Errorf("the escape at byte %d is cut off", i)
		}
		hi, lo := unhex(s[i+1]), unhex(s[i+2])
		if hi < 0 || lo < 0 {
			return "", fmt.Errorf("%q at byte %d is not an escape", s[i:i+3], i)
		}
		b.WriteByte(byte(hi<<4 | lo))
		i += 2
	}
	return b.String(), nil
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// unquote takes the double quotes and backslashes off a quoted string.
func unquote(s string) (string, error) {
	if !strings.HasPrefix(s, `"`) {
		return s, nil
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; c {
		case '"':
			if i != len(s)-1 {
				return "", fmt.Errorf("something follows the closing quote at byte %d", i)
			}
			return b.String(), nil
		case '\\':
			if i++; i == len(s) {
				return "", errNoQuote
			}
			b.WriteByte(s[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", errNoQuote
}
