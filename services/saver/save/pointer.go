package save

import (
	"fmt"
	"strconv"
	"strings"
)

// pointer is a JSON pointer (RFC 6901): the way from a value to one inside it.
type pointer struct {
	text string
	path []string
}

// MaxPointer is the largest length of a pointer, in bytes.
const MaxPointer = 1024

func parsePointer(text string) (pointer, error) {
	p := pointer{text: text}
	if len(text) > MaxPointer {
		return p, over(limitPointer, fmt.Errorf("pointer %.40q... has %d bytes, at most %d are allowed", text, len(text), MaxPointer))
	}
	if text == "" {
		return p, nil // the whole value
	}
	if text[0] != '/' {
		return p, fmt.Errorf("pointer %q: want a JSON pointer such as /id", text)
	}
	for token := range strings.SplitSeq(text[1:], "/") {
		// ~1 is / and ~0 is ~; no other ~ may stand.
		rest := strings.NewReplacer("~0", "", "~1", "").Replace(token)
		if strings.Contains(rest, "~") {
			return p, fmt.Errorf("pointer %q: ~ is written ~0, / is written ~1", text)
		}
		p.path = append(p.path, strings.NewReplacer("~0", "~", "~1", "/").Replace(token))
	}
	return p, nil
}

// arrayIndex reads a pointer token as an index: digits without a leading zero.
func arrayIndex(token string) (int, bool) {
	n, err := strconv.Atoi(token)
	return n, err == nil && n >= 0 && strconv.Itoa(n) == token
}
