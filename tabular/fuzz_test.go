package tabular

import (
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

var seeds = []string{
	"", "a,b\n1,2\n", "a;b\r\n1;2\r\n", "\xEF\xBB\xBFa\n\"\"\n", "a,b\n\"x\n\"\"y\"\"\",z\n", "a\tb\n1\t\"\r\n\"\n",
	"a,b\n1\"2,3\n", "a,b\n\"1\"2,3\n", "a,b\n\"1,2\n", "a\r1\r", "\xff\xfea", "a,b\n\xff,1\n", "a,a\n", "a,\n", "a|b\n\n|\n",
}

// FuzzRead feeds anything. The reader must end, must not panic, and must give
// what encoding/csv gives where both read the whole without an error.
func FuzzRead(f *testing.F) {
	for _, s := range seeds {
		f.Add(s, "")
		f.Add(s, ";")
	}
	f.Fuzz(func(t *testing.T, text, delimiter string) {
		o := Options{MaxField: 100, MaxColumns: 10, MaxRow: 1000}
		o.Delimiter, _ = utf8.DecodeRuneInString(delimiter)
		if o.Delimiter == utf8.RuneError {
			o.Delimiter = 0
		}
		rows, err := NewReader(strings.NewReader(text), o)
		if err != nil {
			checkError(t, err, o.Delimiter, text)
			return
		}
		got := [][]string{rows.Header()}
		for line := rows.Line(); ; {
			fields, err := rows.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				checkError(t, err, o.Delimiter, text)
				return
			}
			if len(fields) != len(got[0]) || rows.Line() <= line {
				t.Fatalf("%q on line %d after line %d, header %q", fields, rows.Line(), line, got[0])
			}
			line = rows.Line()
			got = append(got, append([]string{}, fields...))
		}
		compareWithStandard(t, strings.TrimPrefix(text, "\xEF\xBB\xBF"), rows.Delimiter(), got)
	})
}

func checkError(t *testing.T, err error, delimiter rune, text string) {
	var e *Error
	if !errors.As(err, &e) {
		if (Options{Delimiter: delimiter}).refused() {
			return
		}
		t.Fatalf("error %v is no *Error", err)
	}
	lines := 1 + strings.Count(text, "\n")
	if e.Line < 1 || e.Line > lines || e.Column < 0 || e.Column > len(text)+1 || e.Reason == "" {
		t.Fatalf("%+v of a text of %d lines", e, lines)
	}
}

func (o Options) refused() bool {
	_, err := o.withDefaults()
	return err != nil
}

// compareWithStandard holds the rows against encoding/csv, whose rules differ in
// two points: it makes LF of CRLF in quotes, and calls bare quotes an error.
func compareWithStandard(t *testing.T, text string, delimiter rune, got [][]string) {
	std := csv.NewReader(strings.NewReader(text))
	std.Comma = delimiter
	want, err := std.ReadAll()
	if err != nil {
		return
	}
	for _, row := range got {
		for i := range row {
			row[i] = strings.ReplaceAll(row[i], "\r\n", "\n")
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("-encoding/csv +tabular:\n%s", diff)
	}
}

// FuzzRoundTrip writes fields as RFC 4180 says and expects them back, to the
// byte.
func FuzzRoundTrip(f *testing.F) {
	f.Add("a", "", "\"", "\r\n", ',', true)
	f.Add("x;y", " z ", "\r", "\"\"", ';', false)
	f.Fuzz(func(t *testing.T, a, b, c, d string, delimiter rune, crlf bool) {
		for _, field := range []string{a, b, c, d} {
			if !utf8.ValidString(field) {
				t.Skip()
			}
		}
		if (Options{Delimiter: delimiter}).refused() || delimiter == 0 {
			t.Skip()
		}
		end := "\n"
		if crlf {
			end = "\r\n"
		}
		want := [][]string{{"h1", "h2"}, {a, b}, {c, d}}
		var text strings.Builder
		for _, row := range want {
			text.WriteString(quote(row[0]) + string(delimiter) + quote(row[1]) + end)
		}
		got, err := readAll(t, text.String(), Options{Delimiter: delimiter})
		if err != nil || !cmp.Equal(want, got) {
			t.Fatalf("%q: error %v, -want +got:\n%s", text.String(), err, cmp.Diff(want, got))
		}
	})
}

func quote(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
