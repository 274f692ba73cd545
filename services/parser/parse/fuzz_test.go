package parse

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"segue/archive/archivetest"
	"segue/participant"
)

// FuzzParse feeds anything as any format. The parser must not panic; what it
// accepts it must have counted right and made valid, compact JSON of; what it
// refuses it must refuse for good, with a line that exists.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"", "[]", `[1,{"a":[2]},"x"]`, "{\"a\":{\"b\":[1, 2]}}", "1\n2\r\n\n{\"a\":1}", "a,b\n1,\"x\ny\"\n", "a;b\n\"\"\"\";\n",
		"\xEF\xBB\xBF[1]", "\xff\xfe", `["\ud800"]`, "[1e400,-0]", "[[[[[[[[]]]]]]]]", "{\"a\":1,\"a\":2}", "[1,]", "[1]x", "a\r1",
	} {
		for format := range byte(4) {
			f.Add(text, format, "/a/b")
		}
	}
	for _, text := range []string{"<a><b>1</b><b x='2'/>t</a>", "<a/>", "<a>\n<b>\n<c/></b></a>", "<a><b>&lt;</b></a><a/>"} {
		f.Add(text, byte(4), "/a/b")
		f.Add(text, byte(5), "")
	}
	f.Add(archivetest.Gzip(f, "[1,2]"), byte(6), "")
	f.Add(archivetest.Zip(f, "a", "[1,2]"), byte(7), "")
	f.Add(archivetest.Zip(f, "a", "1\n", "b", "2\n"), byte(8), "b")
	f.Add(flights(f), byte(9), "")
	f.Fuzz(func(t *testing.T, text string, format byte, pointer string) {
		in := []Input{
			{Format: FormatJSON}, {Format: FormatNDJSON}, {Format: FormatCSV}, {Format: FormatJSON, Records: &pointer},
			{Format: FormatXML, Records: &pointer}, {Format: FormatXML}, {Format: FormatJSON, Container: "gzip"},
			{Format: FormatJSON, Container: "zip"}, {Format: FormatNDJSON, Container: "zip", Member: pointer}, {Format: FormatParquet},
		}[format%10]
		records, out, err := parse(t, Config{MaxRecord: 200, MaxRecords: 50, MaxDepth: 6, MaxBytes: 2000, MaxSpool: 1 << 20, MaxContent: 10_000}, text, in)
		if err != nil {
			checkFailure(t, err, text, in)
			return
		}
		lines := 0
		for line := range strings.Lines(records) {
			lines++
			var compacted bytes.Buffer
			value, ended := strings.CutSuffix(line, "\n")
			if !ended || json.Compact(&compacted, []byte(value)) != nil || compacted.String() != value {
				t.Fatalf("line %d is %q", lines, line)
			}
		}
		if int64(lines) != out.Count || out.Records.Size != int64(len(records)) {
			t.Fatalf("%d lines of %d bytes, output %+v", lines, len(records), out)
		}
		if in.Format == FormatJSON && in.Records == nil && in.Container == "" {
			checkSame(t, text, records)
		}
	})
}

func checkFailure(t *testing.T, err error, text string, in Input) {
	var e *participant.Error
	if !errors.As(err, &e) || !e.Permanent {
		t.Fatalf("error %v", err)
	}
	if e.Code == participant.CodeBadInput {
		return
	}
	place, ok := e.Details.(Place)
	if in.Container != "" || in.Format == FormatParquet { // its lines are not those of the text
		return
	}
	if lines := 1 + strings.Count(text, "\n"); !ok || place.Line < 1 || place.Line > lines {
		t.Fatalf("%v at %+v of %d lines", err, e.Details, lines)
	}
}

// checkSame holds the records against the document as encoding/json compacts it.
func checkSame(t *testing.T, text, records string) {
	var want bytes.Buffer
	if err := json.Compact(&want, []byte(strings.TrimPrefix(text, "\xEF\xBB\xBF"))); err != nil {
		t.Fatalf("parsed, but encoding/json says %v", err)
	}
	got := strings.TrimSuffix(records, "\n")
	if strings.HasPrefix(want.String(), "[") {
		got = "[" + strings.ReplaceAll(got, "\n", ",") + "]"
	}
	if got != want.String() {
		t.Fatalf("got %s, want %s", got, want.String())
	}
}
