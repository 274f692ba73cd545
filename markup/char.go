package markup

import "unicode/utf8"

// The classes of ASCII characters.
const (
	classChar      = 1 << iota // Char, which all text is made of
	classNameStart             // NameStartChar
	className                  // NameChar
)

var ascii = func() (class [utf8.RuneSelf]byte) {
	for c := range class {
		switch c := byte(c); {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '_', c == ':':
			class[c] = classChar | classNameStart | className
		case '0' <= c && c <= '9', c == '-', c == '.':
			class[c] = classChar | className
		case c >= ' ', c == '\t', c == '\n', c == '\r':
			class[c] = classChar
		}
	}
	return class
}()

func isChar(c rune) bool {
	if c < utf8.RuneSelf {
		return c >= 0 && ascii[c]&classChar != 0
	}
	return c <= 0xD7FF || 0xE000 <= c && c <= 0xFFFD || 0x10000 <= c && c <= 0x10FFFF
}

// nameStart are the ranges of NameStartChar beyond ASCII, and nameOnly those that
// NameChar has in addition.
var (
	nameStart = [][2]rune{
		{0xC0, 0xD6}, {0xD8, 0xF6}, {0xF8, 0x2FF}, {0x370, 0x37D}, {0x37F, 0x1FFF}, {0x200C, 0x200D}, {0x2070, 0x218F},
		{0x2C00, 0x2FEF}, {0x3001, 0xD7FF}, {0xF900, 0xFDCF}, {0xFDF0, 0xFFFD}, {0x10000, 0xEFFFF},
	}
	nameOnly = [][2]rune{{0xB7, 0xB7}, {0x300, 0x36F}, {0x203F, 0x2040}}
)

func isNameStart(c rune) bool {
	if c < utf8.RuneSelf {
		return ascii[c]&classNameStart != 0
	}
	return within(c, nameStart)
}

func isName(c rune) bool {
	if c < utf8.RuneSelf {
		return ascii[c]&className != 0
	}
	return within(c, nameStart) || within(c, nameOnly)
}

func within(c rune, ranges [][2]rune) bool {
	for _, r := range ranges {
		if r[0] <= c && c <= r[1] {
			return true
		}
	}
	return false
}

// badChar returns the position of the first byte that begins no Char in UTF-8, or -1.
func badChar(text []byte) int {
	for i := 0; i < len(text); {
		if c := text[i]; c < utf8.RuneSelf {
			if ascii[c] == 0 {
				return i
			}
			i++
			continue
		}
		c, n := utf8.DecodeRune(text[i:])
		if c == utf8.RuneError && n == 1 || !isChar(c) {
			return i
		}
		i += n
	}
	return -1
}

// nameEnd returns where a name that begins at i ends: i if none begins there.
func nameEnd(text []byte, i int) int {
	for begin := i; i < len(text); {
		c, n := rune(text[i]), 1
		if c >= utf8.RuneSelf {
			c, n = utf8.DecodeRune(text[i:])
			if c == utf8.RuneError && n == 1 {
				return i
			}
		}
		if i == begin && !isNameStart(c) || !isName(c) {
			return i
		}
		i += n
	}
	return len(text)
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// spaceEnd returns where the white space that begins at i ends.
func spaceEnd(text []byte, i int) int {
	for i < len(text) && isSpace(text[i]) {
		i++
	}
	return i
}
