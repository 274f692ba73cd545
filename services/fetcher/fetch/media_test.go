package fetch

import (
	"net/http"
	"strings"
	"testing"
)

func TestMediaTypes(t *testing.T) {
	t.Parallel()
	const json, csv, html, zip = `{"a": [1, 2, 3]}`, "a,b\n1,2\n3,4\n", "<!DOCTYPE html><html><body>Sign in</body></html>", "PK\x03\x04\x14\x00"
	gzip := string(encode(t, []byte(json), "gzip"))
	for _, c := range []struct{ header, name, body, media, sniffed string }{
		{"text/csv", "/x", csv, "text/csv", ""},
		{"text/csv", "/x.json", csv, "text/csv", ""}, // the header before the name
		{"", "/x.csv", json, "text/csv", ""},         // JSON and rows are told apart by guess
		{"", "/x", json, "application/json", ""},
		{"application/octet-stream", "/x", json, "application/json", ""},
		{"application/octet-stream", "/x.csv", csv, "text/csv", ""},
		{"application/octet-stream", "/x", "\x01\x02\x03", "application/octet-stream", ""},
		{"application/octet-stream", "/x", "just words", "text/plain; charset=utf-8", ""},
		{"text/plain", "/x.ndjson", json, "application/x-ndjson", ""},
		{"text/plain; format=flowed", "/x", json, "application/json", ""},
		{"text/plain; format=flowed", "/x", "just words", "text/plain; format=flowed", ""},
		{"text/csv", "/x", html, "text/csv", "text/html; charset=utf-8"},
		{"application/json", "/x", html, "application/json", "text/html; charset=utf-8"},
		{"application/json", "/x", zip, "application/json", "application/zip"},
		{"application/json", "/x", gzip, "application/json", "application/gzip"},
		{"application/json", "/x", "not json at all", "application/json", ""},
		{"application/json", "/x", "", "application/json", ""},
		{"application/vnd.api+json", "/x", json, "application/vnd.api+json", ""},
		{"application/xml", "/x", "<?xml version=\"1.0\"?><a/>", "application/xml", ""},
		{"application/atom+xml", "/x", "<?xml version=\"1.0\"?><feed/>", "application/atom+xml", ""},
		{"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "/x", zip, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", ""},
		{"application/zip", "/x", zip, "application/zip", ""},
		{"application/x-gzip", "/x", gzip, "application/x-gzip", ""},
		{"application/vnd.apache.parquet", "/x", "PAR1\x15", "application/vnd.apache.parquet", ""},
		{"", "/x.parquet", "PAR1\x15", "application/vnd.apache.parquet", ""},
		{"image/png", "/x", csv, "image/png", "text/csv"},
		{"nonsense", "/x.json", csv, "application/json", "text/csv"},
	} {
		f, _ := newFetcher(t, Config{})
		url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = []string{c.header}
			w.Write([]byte(c.body))
		})
		out, err := fetchInput(t, f, Input{URL: url + c.name})
		if err != nil {
			t.Errorf("%s %s: %v", c.header, c.name, err)
			continue
		}
		if out.Document.MediaType != c.media || out.Sniffed != c.sniffed {
			t.Errorf("%q, %s, %.20q: %q, sniffed %q; want %q, %q", c.header, c.name, c.body, out.Document.MediaType, out.Sniffed, c.media, c.sniffed)
		}
	}
}

// No label and no bytes make a media type that cannot be one.
func FuzzSettle(f *testing.F) {
	for _, s := range []string{"", "text/csv", "Text/CSV; charset=x", "application/octet-stream", "a/b; c=\"\r\n\"", "0/0;0=\"" + strings.Repeat("\xff", 200) + "\""} {
		f.Add(s, "x.json", "{}")
		f.Add(s, "x", "\xff\xfe")
	}
	f.Fuzz(func(t *testing.T, header, name, head string) {
		media, params := label{header, name}.mediaType()
		settled, sniffed := settle(media, []byte(head))
		if settled == "" || strings.ContainsAny(settled+sniffed, "\r\n") {
			t.Errorf("%q, %q, %q: %q, %q", header, name, head, settled, sniffed)
		}
		if again, _ := declaredType(withParams(settled, params, "")); media != "" && again != media && settled == media {
			t.Errorf("%q gives %q, which reads as %q", header, media, again)
		}
	})
}
