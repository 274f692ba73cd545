package events

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPercentEncode(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                     "",
		"plain/text:1~!'()":    "plain/text:1~!'()",
		" ":                    "%20",
		`a"b%c`:                "a%22b%25c",
		"€":                    "%E2%82%AC",
		"Euro € 😀":             "Euro%20%E2%82%AC%20%F0%9F%98%80", // the example of the HTTP binding
		"\t\r\n\x00\x7f":       "%09%0D%0A%00%7F",
		`back\slash and 'tick`: `back\slash%20and%20'tick`,
	} {
		if got := percentEncode(in); got != want {
			t.Errorf("%q is encoded as %q, want %q", in, got, want)
		}
	}
}

// TestPercentIsComplete holds the encoder to its definition, byte by byte.
func TestPercentIsComplete(t *testing.T) {
	t.Parallel()
	for c := range 256 {
		keep := 0x21 <= c && c <= 0x7e && c != '"' && c != '%'
		if got := percentEncode(string([]byte{byte(c)})); (len(got) == 1) != keep {
			t.Errorf("byte %#x is encoded as %q", c, got)
		}
	}
}

func FuzzPercent(f *testing.F) {
	for _, s := range []string{"", "a b", `"quoted \" %41"`, "%", "%4", "%zz", "%C0%A0", "€", "\xff", `"`, `"\`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		encoded := percentEncode(s)
		if i := strings.IndexFunc(encoded, func(c rune) bool { return c <= ' ' || c > '~' || c == '"' }); i >= 0 {
			t.Fatalf("%q is encoded as %q, which holds %q", s, encoded, encoded[i])
		}
		switch decoded, err := percentDecode(encoded); {
		case !utf8.ValidString(s):
			if err == nil {
				t.Fatalf("%q is not UTF-8 and decoded as %q", s, decoded)
			}
		case err != nil || decoded != s:
			t.Fatalf("%q is decoded as %q: %v", s, decoded, err)
		}
		if decoded, err := percentDecode(s); err == nil && !utf8.ValidString(decoded) {
			t.Fatalf("%q is decoded as %q", s, decoded)
		}
	})
}
