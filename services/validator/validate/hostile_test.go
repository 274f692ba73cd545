package validate_test

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/prometheus/client_golang/prometheus"

	"segue/archive/archivetest"
	"segue/services/validator/validate"
)

// TestHostile holds what comes of documents and schemas that want to do harm: the
// user reads why, the limit is counted, and the validator still serves.
func TestHostile(t *testing.T) {
	t.Parallel()
	metrics := prometheus.NewRegistry()
	f := newFixture(t, validate.Config{
		MaxWhole: 1 << 20, MaxToken: 1 << 16, MaxRecord: 1 << 16, MaxValues: 1000, MaxNames: 1 << 16, MaxContent: 32 << 20, MaxMembers: 10,
		MaxSpool: 1 << 20, MaxKeys: 10, MaxSteps: 100_000, MaxViolations: 2, Metrics: metrics,
	})
	anything := json.RawMessage(`{}`)
	many := make([]string, 0, 22)
	for i := range 11 {
		many = append(many, string(rune('a'+i)), "x")
	}
	names := make(map[string]int)
	for i := range 5000 {
		names[strings.Repeat("n", 20)+string(rune(0x4E00+i))] = i
	}
	object, err := json.Marshal(names)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, text string
		in         validate.Input
		limit      string // that is counted; empty for none
		want       string // how the failure begins
	}{
		{"deep arrays", strings.Repeat("[", 1e6), validate.Input{Format: "json"}, "depth", "limit: line 1, column 129, "},
		{"deep elements", strings.Repeat("<a>", 1e6), validate.Input{Format: "xml"}, "xml", "limit: line 1, column 385: has elements nested deeper than 128"},
		{"a string without an end", `["` + strings.Repeat("x", 1e6), validate.Input{Format: "json"}, "token", "limit: line 1, column 2: string, number or white space of more than 65536 bytes"},
		{"a tag without an end", "<a " + strings.Repeat("b='c' ", 1e5), validate.Input{Format: "xml"}, "xml", "limit: line 1, column 1: a tag of more than 65536 bytes begins here"},
		{"a line without an end", strings.Repeat(" ", 1e6), validate.Input{Format: "ndjson"}, "record", "limit: line 1, column 1: line of more than 65536 bytes"},
		{"a quote without an end", "a,b\n\"" + strings.Repeat("x", 2<<20), validate.Input{Format: "csv"}, "csv", "limit: line 2, column 1: opens a quote with more than 1048576 bytes in it"},
		{"a number of a billion digits", `[1e1000000000]`, validate.Input{Format: "json"}, "number", "limit: line 1, column 2, /0: number of more than 1000 digits"},
		{"more names than memory", string(object), validate.Input{Format: "json"}, "names", "limit: line 1, column "},
		{"more values than memory", "[" + strings.Repeat("0,", 1000) + "0]", validate.Input{Format: "json", Schema: anything}, "values", "limit: line 1, column "},
		{"too large to be checked whole", "[" + strings.Repeat(" ", 1<<20) + "]", validate.Input{Format: "json", Schema: anything}, "whole", "limit: line 1, column 1: has more than 1048576 bytes"},
		{"names that are there twice", `{"a":1,"\u0061":2}`, validate.Input{Format: "json"}, "", `not_well_formed: line 1, column 8, /a: name "a" is there twice`},
		{"half a character", "[\"\xc3\"]", validate.Input{Format: "json"}, "", "not_well_formed: line 1, column 3, /0: invalid UTF-8"},
		{"NUL", "a,b\n1,\x00\n", validate.Input{Format: "json"}, "", "not_well_formed: line 1, column 1: "},
		{"a billion laughs", "<!DOCTYPE l [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'>]><l>&b;</l>", validate.Input{Format: "xml"}, "xml", "limit: line 1, column 1: has a DOCTYPE, which is refused"},
		{"a file that is to be included", "<!DOCTYPE l [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><l>&a;</l>", validate.Input{Format: "xml"}, "xml", "limit: line 1, column 1: has a DOCTYPE, which is refused"},
		{"attributes that are there twice", "<a b='1' b='2'/>", validate.Input{Format: "xml"}, "", "not_well_formed: line 1, column 10: has attribute b twice"},
		{"a gzip bomb", packed(t, 24<<20), validate.Input{Format: "ndjson"}, "container", "limit: the document is gzip that unpacks to more than 200 times its size"},
		{"gzip in gzip", archivetest.Gzip(t, packed(t, 1<<20)), validate.Input{}, "", "unknown_format: the format is not known"},
		{"gzip that is cut", archivetest.Gzip(t, "[1,2,3]")[:15], validate.Input{Format: "json"}, "", "not_well_formed: the document is gzip that breaks off"},
		{"zip of too many members", archivetest.Zip(t, many...), validate.Input{Member: "a"}, "container", "limit: the document is zip of more than 10 members"},
		{"zip with a path out of its folder", archivetest.Zip(t, "../../etc/passwd", "{}", "b", ""), validate.Input{Format: "json", Member: "/etc/passwd"}, "", `bad_input: the document is zip without a member "/etc/passwd", it has "../../etc/passwd", "b"`},
		{"zip that is cut", archivetest.Zip(t, "a", "x")[:60], validate.Input{Format: "json"}, "", "not_well_formed: the document is zip that breaks off"},
		{"zip too large for a file", "PK\x03\x04" + strings.Repeat("x", 1<<20), validate.Input{Format: "json"}, "spool", "limit: has more than 1048576 bytes, too many for a format that is read from a file"},
		{"parquet without a footer", "PAR1" + strings.Repeat("\x00", 1000) + "PAR1", validate.Input{}, "", "not_well_formed: "},
		{"parquet whose footer lies", columns(t, 3)[:200] + "\xff\xff\xff\x7fPAR1", validate.Input{}, "", "not_well_formed: "},
		{"parquet with a row that is too large", wideRow(t), validate.Input{}, "parquet", "limit: record 1"},
		{"lines of nothing but mistakes", strings.Repeat("x\n", 1000), validate.Input{Format: "ndjson"}, "violations", "not_well_formed: line 1, column 1: invalid character 'x' at start of value (and 999 more)"},
		{"more keys than memory", "id\n" + strings.Join(strings.Split("abcdefghijkl", ""), "\n"), validate.Input{Format: "csv", Table: json.RawMessage(`{"fields":[{"name":"id"}],"primaryKey":"id"}`)}, "table", "limit: line 12, /id: more than 10 values that have to be unique"},
		{"a schema that multiplies its work", "[1]", validate.Input{Format: "json", Schema: doubling(20)}, "steps", "limit: line 1, column 1: the schema takes more than 100000 steps"},
		{"a schema that asks for another", "{}", validate.Input{Format: "json", Schema: json.RawMessage(`{"$ref":"http://169.254.169.254/latest"}`)}, "", `bad_schema: schema refers to "http://169.254.169.254/latest", which is not known here`},
		{"a schema too large", "{}", validate.Input{Format: "json", Schema: json.RawMessage(`{"title":"` + strings.Repeat("x", 300_000) + `"}`)}, "schema", "bad_schema: schema has 300012 bytes, at most 262144 can be"},
		{"a reference out of the bucket", "{}", validate.Input{Format: "json", Schema: json.RawMessage(`"../../x@1"`)}, "", "bad_input: schema: "},
	} {
		before := counts(t, metrics)[c.limit]
		if got := outcome(t, f, c.text, c.in); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s:\n got %.300s\nwant %s ...", c.name, got, c.want)
		}
		if c.limit != "" && counts(t, metrics)[c.limit] != before+1 {
			t.Errorf("%s: limit %q is not counted", c.name, c.limit)
		}
		if got := outcome(t, f, `[{"a":1}]`, validate.Input{Schema: anything}); got != `{"format":"json","records":1}` {
			t.Fatalf("%s: afterwards a good document comes to %s", c.name, got)
		}
	}
	for limit, n := range counts(t, metrics) {
		if n == 0 {
			t.Errorf("limit %q is not tested", limit)
		}
	}
}

// counts is how often each limit has been gone over.
func counts(t *testing.T, r *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	limits := make(map[string]float64)
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() == "segue_validate_limits_total" {
				limits[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
			}
		}
	}
	return limits
}

// doubling is a schema of n definitions each of which refers twice to the next.
func doubling(n int) json.RawMessage {
	var b strings.Builder
	b.WriteString(`{"$ref":"#/$defs/a","$defs":{`)
	for i := range n {
		name, next := string(rune('a'+i)), string(rune('a'+i+1))
		b.WriteString(`"` + name + `":{"allOf":[{"$ref":"#/$defs/` + next + `"},{"$ref":"#/$defs/` + next + `"}]},`)
	}
	b.WriteString(`"` + string(rune('a'+n)) + `":{}}}`)
	return json.RawMessage(b.String())
}

// wideRow is Parquet with one row of 100,000 bytes.
func wideRow(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	if err := parquet.Write(&b, []struct{ Text string }{{strings.Repeat("x", 100_000)}}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// packed is n line feeds, in gzip.
func packed(t *testing.T, n int64) string {
	t.Helper()
	return archivetest.GzipFrom(t, io.LimitReader(lineFeeds{}, n))
}

// lineFeeds is white space without end: what JSON may begin with.
type lineFeeds struct{}

func (lineFeeds) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = "\n"[0]
	}
	return len(p), nil
}
