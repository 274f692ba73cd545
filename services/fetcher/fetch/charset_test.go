package fetch

import (
	"bufio"
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
)

// coded returns a text in a charset.
func coded(t testing.TB, charset, text string) string {
	t.Helper()
	e := map[string]encoding.Encoding{
		"utf-16le+bom": unicode.UTF16(unicode.LittleEndian, unicode.UseBOM), "utf-16be+bom": unicode.UTF16(unicode.BigEndian, unicode.UseBOM),
		"utf-16le": unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), "utf-16be": unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM),
		"utf-32le+bom": utf32.UTF32(utf32.LittleEndian, utf32.UseBOM), "utf-32be+bom": utf32.UTF32(utf32.BigEndian, utf32.UseBOM),
	}[charset]
	if e == nil {
		var err error
		if e, err = htmlindex.Get(charset); err != nil {
			t.Fatal(err)
		}
	}
	s, err := e.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestFetchCharsets(t *testing.T) {
	t.Parallel()
	const german, japanese, wideText = "name;ort\nJörg;Köln\n", "名前,都市\n太郎,東京\n", "a,b\n😀,\ufffd\n"
	type result struct{ text, media, from string }
	for name, c := range map[string]struct {
		header, body string
		want         result
	}{
		"latin 1":               {"text/csv; charset=ISO-8859-1", coded(t, "iso-8859-1", german), result{german, "text/csv; charset=utf-8", "iso-8859-1"}},
		"windows 1252":          {"text/csv; charset=windows-1252", coded(t, "windows-1252", "€\n"), result{"€\n", "text/csv; charset=utf-8", "windows-1252"}},
		"shift jis":             {"text/csv; charset=Shift_JIS", coded(t, "shift_jis", japanese), result{japanese, "text/csv; charset=utf-8", "shift_jis"}},
		"euc-jp, many reads":    {"text/csv; charset=euc-jp", coded(t, "euc-jp", strings.Repeat(japanese, 3000)), result{strings.Repeat(japanese, 3000), "text/csv; charset=utf-8", "euc-jp"}},
		"gbk":                   {"application/csv; charset=gbk", coded(t, "gbk", "城市\n"), result{"城市\n", "application/csv; charset=utf-8", "gbk"}},
		"utf-8 as it is":        {"text/csv; charset=UTF8", german, result{german, "text/csv; charset=UTF8", ""}},
		"utf-8 with its faults": {"text/csv; charset=utf-8", "a\xff\n", result{"a\xff\n", "text/csv; charset=utf-8", ""}},
		"utf-8 mark stays":      {"text/csv; charset=iso-8859-1", "\ufeff" + german, result{"\ufeff" + german, "text/csv; charset=iso-8859-1", ""}},
		"nothing said":          {"text/csv", german, result{german, "text/csv", ""}},
		"mark before parameter": {"text/csv; charset=iso-8859-1", coded(t, "utf-16le+bom", german), result{german, "text/csv; charset=utf-8", "utf-16le"}},
		"utf-16 by mark":        {"text/csv", coded(t, "utf-16be+bom", wideText), result{wideText, "text/csv; charset=utf-8", "utf-16be"}},
		"utf-16 by parameter":   {"text/csv; charset=utf-16be", coded(t, "utf-16be", wideText), result{wideText, "text/csv; charset=utf-8", "utf-16be"}},
		"utf-32 by mark":        {"text/csv", coded(t, "utf-32le+bom", wideText), result{wideText, "text/csv; charset=utf-8", "utf-32le"}},
		"utf-32 by other mark":  {"text/csv", coded(t, "utf-32be+bom", wideText), result{wideText, "text/csv; charset=utf-8", "utf-32be"}},
		"json is utf-8":         {"application/json; charset=iso-8859-1", `["ö"]`, result{`["ö"]`, "application/json; charset=iso-8859-1", ""}},
		"json with a mark":      {"application/json", coded(t, "utf-16le+bom", `["ö"]`), result{`["ö"]`, "application/json; charset=utf-8", "utf-16le"}},
		"problem+json":          {"application/problem+json; charset=latin1", `["ö"]`, result{`["ö"]`, "application/problem+json; charset=latin1", ""}},
		"bytes are not text":    {"application/zip; charset=iso-8859-1", "PK\x03\x04\xff\xfe", result{"PK\x03\x04\xff\xfe", "application/zip; charset=iso-8859-1", ""}},
		"unlabelled with a mark": {"", coded(t, "utf-16le+bom", `{"a": [1, 2, 3]}`),
			result{`{"a": [1, 2, 3]}`, "application/json", "utf-16le"}},
		"xml says": {"application/xml", coded(t, "iso-8859-1", `<?xml version="1.0" encoding="ISO-8859-1"?><a>ö</a>`),
			result{`<?xml version="1.0" encoding="UTF-8"?><a>ö</a>`, "application/xml; charset=utf-8", "iso-8859-1"}},
		"xml, the header wins": {"text/xml; charset=utf-8", `<?xml version='1.0' encoding = 'latin1' standalone='yes'?><a>ö</a>`,
			result{`<?xml version='1.0' encoding = 'UTF-8' standalone='yes'?><a>ö</a>`, "text/xml; charset=utf-8", ""}},
		"xml with a mark": {"application/atom+xml", coded(t, "utf-16be+bom", `<?xml version="1.0" encoding="UTF-16"?><a>ö</a>`),
			result{`<?xml version="1.0" encoding="UTF-8"?><a>ö</a>`, "application/atom+xml; charset=utf-8", "utf-16be"}},
		"xml without a mark": {"application/xml", coded(t, "utf-16le", `<?xml version="1.0" encoding="UTF-16LE"?><a>ö</a>`),
			result{`<?xml version="1.0" encoding="UTF-8"?><a>ö</a>`, "application/xml; charset=utf-8", "utf-16le"}},
		"xml that lies": {"application/xml", `<?xml version="1.0" encoding="UTF-16"?><a>ö</a>`,
			result{`<?xml version="1.0" encoding="UTF-8"?><a>ö</a>`, "application/xml", ""}},
		"xml as it is": {"application/xml", `<?xml version="1.0" encoding="utf-8"?><a>ö</a>`,
			result{`<?xml version="1.0" encoding="utf-8"?><a>ö</a>`, "application/xml", ""}},
		"xml with a mark and a lie": {"application/xml", "\ufeff" + `<?xml version="1.0" encoding="ascii"?><a>ö</a>`,
			result{"\ufeff" + `<?xml version="1.0" encoding="UTF-8"?><a>ö</a>`, "application/xml", ""}},
		"a text about xml": {"application/xml", `<a>encoding="latin1"?>ö</a>`, result{`<a>encoding="latin1"?>ö</a>`, "application/xml", ""}},
		"empty":            {"text/csv; charset=iso-8859-1", "", result{"", "text/csv; charset=utf-8", "iso-8859-1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, docs := newFetcher(t, Config{})
			out, err := fetchInput(t, f, Input{URL: serveTyped(t, c.header, c.body)})
			if err != nil {
				t.Fatal(err)
			}
			if got := (result{text(t, docs, out.Document), out.Document.MediaType, out.Charset}); got != c.want {
				t.Errorf("got  %.200q\nwant %.200q", got, c.want)
			}
		})
	}
}

func serveTyped(t testing.TB, media, body string) string {
	return serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = nil
		if media != "" {
			w.Header().Set("Content-Type", media)
		}
		io.WriteString(w, body)
	})
}

func TestFetchBadCharsets(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ header, body, part string }{
		"unknown":              {"text/csv; charset=klingon", "a", `charset "klingon" is not known`},
		"very long":            {"text/csv; charset=" + strings.Repeat("x", 200), "a", "is not known"},
		"stateful":             {"text/csv; charset=iso-2022-jp", "a", "serve the document as UTF-8"},
		"no charset":           {"text/csv; charset=replacement", "a", "serve the document as UTF-8"},
		"by xml":               {"application/xml", `<?xml version="1.0" encoding="klingon"?><a/>`, `charset "klingon"`},
		"invalid":              {"text/csv; charset=shift_jis", "abc\x81\x00def", "byte 3 of the document"},
		"cut off":              {"text/csv; charset=euc-jp", "abc\xa4", "byte 3 of the document"},
		"far behind":           {"text/csv; charset=euc-jp", strings.Repeat("\xa4\xa2", 50_000) + "\xff", "byte 100000 of the document"},
		"lone surrogate":       {"text/csv; charset=utf-16le", "a\x00\x00\xd8b\x00", "byte 2 of the document"},
		"second half":          {"text/csv; charset=utf-16le", "a\x00\x00\xdc", "byte 2 of the document"},
		"half a pair":          {"text/csv", "\xff\xfea\x00\x00\xd8", "byte 4 of the document"},
		"odd length":           {"text/csv", "\xfe\xff\x00ab", "byte 4 of the document"},
		"utf-32 out of range":  {"text/csv", "\xff\xfe\x00\x00a\x00\x00\x00\x00\x00\x11\x00", "byte 8 of the document"},
		"utf-32 surrogate":     {"text/csv", "\x00\x00\xfe\xff\x00\x00\xd8\x00", "byte 4 of the document"},
		"utf-32 negative":      {"text/csv", "\x00\x00\xfe\xff\xff\xff\xff\xff", "byte 4 of the document"},
		"utf-32 cut off":       {"text/csv", "\xff\xfe\x00\x00a\x00", "byte 4 of the document"},
		"gb18030 U+FFFD":       {"text/csv; charset=gb18030", "ab\x84\x31\xa4\x37", "byte 2 of the document"},
		"undefined in charset": {"text/csv; charset=iso-8859-7", "ab\xae", "byte 2 of the document"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, docs := newFetcher(t, Config{})
			_, err := fetchInput(t, f, Input{URL: serveTyped(t, c.header, c.body)})
			wantFailure(t, err, CodeBadCharset, true, c.part)
			if len(docs.Names()) != 0 {
				t.Error("a document was left behind")
			}
		})
	}
}

// Text that grows by being converted may not grow over the limit.
func TestFetchCharsetLimit(t *testing.T) {
	t.Parallel()
	f, _ := newFetcher(t, Config{MaxDocument: 1000})
	_, err := fetchInput(t, f, Input{URL: serveTyped(t, "text/csv; charset=iso-8859-1", strings.Repeat("\xf6", 501))})
	wantFailure(t, err, CodeTooLarge, true)
	_, err = fetchInput(t, f, Input{URL: serveTyped(t, "text/csv; charset=iso-8859-1", strings.Repeat("\xf6", 500))})
	if err != nil {
		t.Error(err)
	}
}

// A body that breaks off while it is converted is a broken body.
func TestFetchCutCharset(t *testing.T) {
	t.Parallel()
	f, docs := newFetcher(t, Config{})
	_, err := fetchURL(t.Context(), f, serveText(t, "HTTP/1.1 200 OK\r\nContent-Type: text/csv; charset=euc-jp\r\nContent-Length: 10\r\n\r\nab\xa4"))
	wantFailure(t, err, CodeBrokenBody, false, "after 3 bytes")
	if len(docs.Names()) != 0 {
		t.Error("a document was left behind")
	}
}

// What comes out is UTF-8, whatever goes in; what goes in as text comes out as it
// is; and wherever reads fall makes no difference.
func FuzzToUTF8(f *testing.F) {
	for _, s := range []string{"", "abc", "\xff\xfea\x00", "\xa4\xa2\xa4", "<?xml version='1.0' encoding='x'?>", "\x00\xd8", "\x84\x31\xa4\x37"} {
		f.Add("utf-16le", s)
		f.Add("shift_jis", s)
	}
	for _, name := range []string{"gb18030", "big5", "euc-kr", "windows-1252", "koi8-r", "utf-16be", "x", ""} {
		f.Add(name, "a\x80b\xffc")
	}
	f.Fuzz(func(t *testing.T, charset, body string) {
		u, _ := parseURL("http://h/")
		convert := func(r io.Reader) (string, string, error) {
			tr := &transfer{ctx: t.Context(), at: place{u, u}, max: 1 << 20, ratio: 50}
			text, from, err := toUTF8(tr, "text/xml", charset, bufio.NewReaderSize(r, sniffLimit))
			if err != nil {
				return "", "", err
			}
			data, err := io.ReadAll(text)
			if err != tr.err {
				t.Errorf("got %v, recorded %v", err, tr.err)
			}
			return string(data), from, err
		}
		whole, from, err := convert(strings.NewReader(body))
		if from != "" && err == nil && !utf8.ValidString(whole) {
			t.Errorf("%s of %q gives %q", charset, body, whole)
		}
		r := rand.New(rand.NewPCG(1, uint64(len(body))))
		parts, _, again := convert(io.MultiReader(split(body, r)...))
		if parts != whole || (err == nil) != (again == nil) || err != nil && err.Error() != again.Error() {
			t.Errorf("%s of %q gives %q, %v; in parts %q, %v", charset, body, whole, err, parts, again)
		}
	})
}

func split(s string, r *rand.Rand) (parts []io.Reader) {
	for len(s) > 0 {
		n := 1 + r.IntN(len(s))
		parts, s = append(parts, bytes.NewReader([]byte(s[:n]))), s[n:]
	}
	return parts
}
