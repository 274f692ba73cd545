package fetch

import (
	"mime"
	"strings"
	"testing"
)

func TestRedact(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"http://ann:pw@h/p?a=1#f":                     "http://h/p?a=1",
		"http://h/?X-Amz-Signature=abc&x=1&sig=%41&b": "http://h/?X-Amz-Signature=REDACTED&x=1&sig=REDACTED&b",
		"http://h/?access%5Ftoken=abc;page=2":         "http://h/?access%5Ftoken=REDACTED;page=2",
		"http://h/?APIKEY=abc&apikey":                 "http://h/?APIKEY=REDACTED&apikey",
		"http://h/?q=%zz&&=":                          "http://h/?q=%zz&&=",
		"http://h/?monkey=1&design=2":                 "http://h/?monkey=1&design=2",
		"file:///data/a%20b.csv":                      "file:///data/a%20b.csv",
	} {
		u, err := parseURL(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := redact(u); got != want {
			t.Errorf("redact(%s) = %s, want %s", raw, got, want)
		}
	}
}

func TestParseURL(t *testing.T) {
	t.Parallel()
	for raw, part := range map[string]string{
		"":                    "no scheme",
		"example.com/a.json":  "no scheme",
		"ftp://example.com/":  `scheme "ftp"`,
		"javascript:alert(1)": "scheme",
		"http:":               "no host",
		"http:///path":        "no host",
		"http://:80/":         "no host",
		"http:opaque":         "no host",
		"http://h:0/":         "1 to 65535",
		"http://" + strings.Repeat("h", 254) + "/": "253",
		"http://h:65536/":                          "1 to 65535",
		"http://ann:hunter2@h:portx/":              "not a URL",
		"http://ann:hunter2 x@h/%zz":               "not a URL",
		"https://h\x7f/?token=hunter2":             "not a URL",
		"http://h/" + strings.Repeat("x", maxURL):  "limit",
	} {
		_, err := parseURL(raw)
		if err == nil || !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("parseURL(%.60q) = %v, want %q", raw, err, part)
		}
	}
	f, _ := newFetcher(t, Config{})
	_, err := fetchURL(t.Context(), f, "ftp://example.com/")
	wantFailure(t, err, CodeBadURL, true)
}

func TestSameOrigin(t *testing.T) {
	t.Parallel()
	for pair, want := range map[[2]string]bool{
		{"https://h/a", "https://H:443/b"}: true,
		{"http://h:80/", "http://h/"}:      true,
		{"http://h/", "http://h:8080/"}:    false,
		{"http://h/", "https://h/"}:        false,
		{"https://h/", "https://sub.h/"}:   false,
		{"https://h:80/", "https://h/"}:    false,
		{"https://h.evil/", "https://h/"}:  false,
	} {
		a, _ := parseURL(pair[0])
		b, _ := parseURL(pair[1])
		if sameOrigin(a, b) != want || sameOrigin(b, a) != want {
			t.Errorf("%v: want %v", pair, want)
		}
	}
}

func TestDeclaredType(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"text/csv":                             "text/csv",
		"Application/JSON ; Charset=\"utf-8\"": "application/json; charset=utf-8",
		"text/csv; charset=":                   "text/csv",
		"text":                                 "",
		"":                                     "",
		"text/csv; x=" + strings.Repeat("x", 300): "",
	} {
		if got := mime.FormatMediaType(declaredType(header)); got != want {
			t.Errorf("declaredType(%.40q) = %q, want %q", header, got, want)
		}
	}
	for _, name := range []string{"a.json", "a.NDJSON", "a.jsonl", "a.csv", "a.tsv", "a.xml", "a.txt"} {
		if extensionType(name) == "" {
			t.Errorf("%s has no media type", name)
		}
	}
}

// Messages never show a secret, whatever the URL.
func FuzzParseURL(f *testing.F) {
	for _, s := range []string{"http://h/p?x=1", "https://h:1", "file:///x", "http://[::1]:80/", "//h", "%zz", "?a#b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := parseURL(raw)
		if err != nil {
			return
		}
		u.User = nil
		again, err := parseURL(redact(u))
		if err != nil && len(redact(u)) <= maxURL {
			t.Errorf("redact(%q) = %q: %v", raw, redact(u), err)
		}
		if err == nil && (again.Host != u.Host || again.Path != u.Path) {
			t.Errorf("redact(%q) = %q is another place", raw, redact(u))
		}
	})
}
