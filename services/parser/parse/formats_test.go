package parse

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
	"github.com/prometheus/client_golang/prometheus"

	"segue/archive/archivetest"
	"segue/document"
	"segue/participant"
	"segue/schemas"
)

type flight struct {
	ID   int64   `parquet:"id"`
	From *string `parquet:"from,optional"`
	Fare int64   `parquet:"fare,decimal(2:18)"`
	At   int64   `parquet:"at,timestamp(microsecond)"`
}

func flights(t testing.TB, options ...parquet.WriterOption) string {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[flight](&b, options...)
	ber := "BER"
	if _, err := w.Write([]flight{{1<<53 + 1, &ber, 12345, 1}, {2, nil, -5, 0}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

const flightLines = `{"id":9007199254740993,"from":"BER","fare":123.45,"at":"1970-01-01T00:00:00.000001Z"}` + "\n" +
	`{"id":2,"from":null,"fare":-0.05,"at":"1970-01-01T00:00:00.000000Z"}` + "\n"

func TestFormats(t *testing.T) {
	t.Parallel()
	csv := "id,price,day,note\n90071992547409930,1.50,2024-03-01,\n,-0.10,,x\n"
	table := []byte(`{"fields":[{"name":"id","type":"integer"},{"name":"price","type":"number"},{"name":"day","type":"date"},{"name":"note","type":"string"}]}`)
	for _, c := range []struct {
		name, text string
		in         Input
		want       string
	}{
		{"xml, whole", `<?xml version="1.0"?><a x="1"><b>t</b></a>`, Input{Format: "xml"}, `{"a":{"@x":"1","b":"t"}}` + "\n"},
		{"xml, a path", "<feed><title>x</title><entry><id>1</id></entry><other><entry>no</entry></other><entry>2</entry><entry/></feed>", Input{Format: "xml", Records: at("/feed/entry")}, "{\"id\":\"1\"}\n\"2\"\nnull\n"},
		{"xml, the root", "<a><a>1</a></a>", Input{Format: "xml", Records: at("/a")}, "{\"a\":\"1\"}\n"},
		{"xml, repeated children", "<r><i><t>1</t><u/><t>2</t><t k='v'>3</t></i></r>", Input{Format: "xml", Records: at("/r/i")}, `{"t":["1","2",{"@k":"v","#text":"3"}],"u":null}` + "\n"},
		{"xml, text", "<r><i> a &amp; <![CDATA[<b>]]> &#x41; </i><i> <b/> x <b/> </i><i> </i></r>", Input{Format: "xml", Records: at("/r/i")}, "\" a & <b> A \"\n{\"b\":[null,null],\"#text\":\"x\"}\n\" \"\n"},
		{"xml, prefixes", `<f:feed xmlns:f="urn:f"><f:e xml:lang="de"/></f:feed>`, Input{Format: "xml", Records: at("/f:feed/f:e")}, `{"@xml:lang":"de"}` + "\n"},
		{"xml, no records", "<feed><title>x</title></feed>", Input{Format: "xml", Records: at("/feed/entry")}, ""},
		{"xml, comments", "<r><!-- no --><i><!-- a -->1<?p q?>2</i></r>", Input{Format: "xml", Records: at("/r/i")}, "\"12\"\n"},

		{"parquet", flights(t), Input{Format: "parquet"}, flightLines},
		{"parquet in gzip", archivetest.Gzip(t, flights(t)), Input{Format: "parquet", Container: "gzip"}, flightLines},
		{"parquet in zip", archivetest.Zip(t, "f.parquet", flights(t, parquet.Compression(&parquet.Zstd))), Input{Format: "parquet", Container: "zip"}, flightLines},

		{"json in gzip", archivetest.Gzip(t, "[1,2]"), Input{Format: "json", Container: "gzip"}, "1\n2\n"},
		{"csv in zip", archivetest.Zip(t, "a/b.csv", "a,b\n1,2\n"), Input{Format: "csv", Container: "zip"}, "{\"a\":\"1\",\"b\":\"2\"}\n"},
		{"a member of zip", archivetest.Zip(t, "a.json", "[1]", "b.json", "[2]"), Input{Format: "json", Container: "zip", Member: "b.json"}, "2\n"},
		{"xml in zip", archivetest.Zip(t, "x.xml", "<a>1</a>"), Input{Format: "xml", Container: "zip"}, "{\"a\":\"1\"}\n"},

		{"csv with types", csv, Input{Format: "csv", Table: table}, `{"id":90071992547409930,"price":1.50,"day":"2024-03-01","note":null}` + "\n" + `{"id":null,"price":-0.10,"day":null,"note":"x"}` + "\n"},
		{"table null", "a\n1\n", Input{Format: "csv", Table: []byte("null")}, "{\"a\":\"1\"}\n"},

		{"transform, one", `[{"a":1,"b":2}]`, Input{Format: "json", Transform: "{b, c: (.a + 1)}"}, "{\"b\":2,\"c\":2}\n"},
		{"transform, none and many", `[[1,2],[],[3]]`, Input{Format: "json", Transform: ".[]"}, "1\n2\n3\n"},
		{"transform, all gone", `[1,2]`, Input{Format: "json", Transform: "empty"}, ""},
		{"transform keeps digits", `[{"n":12345678901234567890,"d":0.10,"e":1E+2}]`, Input{Format: "json", Transform: "{n: (.n + 1), d, e}"}, "{\"d\":0.10,\"e\":1E+2,\"n\":12345678901234567891}\n"},
		{"transform of rows", "a;b\nx;1\ny;2\n", Input{Format: "csv", Transform: `select(.b == "2") | .b |= tonumber`}, "{\"a\":\"y\",\"b\":2}\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, out, err := parse(t, Config{}, c.text, c.in)
			if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
				t.Fatalf("%v; -want +got:\n%s", err, diff)
			}
			if out.Count != int64(strings.Count(c.want, "\n")) {
				t.Errorf("count %d", out.Count)
			}
		})
	}
}

// TestHostileDocuments sends what means harm, or is broken, in each format. What
// the user reads is in docs/limits.md. Nothing is written, the limit is counted, and
// the parser goes on serving.
func TestHostileDocuments(t *testing.T) {
	if testing.Short() {
		t.Skip("HOSTILE DOCUMENTS WERE NOT PARSED: run without -short")
	}
	t.Parallel()
	small := Config{TransformTime: time.Minute, MaxRecord: 1 << 10, TransformResults: 200, MaxDepth: 8, MaxRecords: 100, MaxBytes: 50_000, MaxSpool: 1 << 20, MaxContent: 1 << 20}
	zeros := strings.Repeat("0", 40<<20)
	lying := []byte(archivetest.Zip(t, "a.json", "[1,2,3]"))
	copy(lying[len(lying)-22-len("a.json")-46+24:], []byte{1, 0, 0, 0}) // the directory says 1 byte
	table := []byte(`{"fields":[{"name":"a","type":"integer"}]}`)
	bad := strings.ReplaceAll(flights(t), "BER", "B\xffR")
	tested := []string{"names"} // by TestNamesAreBounded
	for _, c := range []struct {
		name, text string
		in         Input
		code, want string
	}{
		{"JSON nested a million deep", strings.Repeat("[", 1_000_000), Input{Format: "json"}, CodeLimit, "line 1"},
		{"JSON number of a megabyte", "[" + zeros[:1] + "." + zeros[:1<<20] + "]", Input{Format: "json"}, CodeLimit, "line 1: a record is over the limit of 1024 bytes"},
		{"JSON name of a megabyte", `[{"` + zeros[:1<<20] + `":1}]`, Input{Format: "json"}, CodeLimit, "a record is over the limit of 1024 bytes"},
		{"JSON with a NUL", "[\"\x00\"]", Input{Format: "json"}, CodeNotWellFormed, "line 1"},
		{"JSON cut off", `[{"a":1},{"a":`, Input{Format: "json"}, CodeNotWellFormed, "the text ends in the middle of a value"},
		{"NDJSON of many records of some size", strings.Repeat(`"`+zeros[:900]+"\"\n", 90), Input{Format: "ndjson"}, CodeLimit, "the records are over the limit of 50000 bytes"},
		{"NDJSON line without an end", zeros, Input{Format: "ndjson"}, CodeLimit, "line 1: a record is over the limit"},
		{"CSV quote without an end", "a\n\"" + zeros, Input{Format: "csv"}, CodeLimit, "line 2 goes over the 1024 bytes a row may have"},
		{"CSV with NULs and no UTF-8", "a\n\x00\xfe\n", Input{Format: "csv"}, CodeNotWellFormed, "is not UTF-8"},
		{"CSV that is not as its table", "a\nx\n", Input{Format: "csv", Table: table}, CodeTable, "line 2, column \"a\""},
		{"CSV with another header", "b\n1\n", Input{Format: "csv", Table: table}, CodeTable, "line 1"},

		{"XML billion laughs", `<!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;">]><lolz>&b;</lolz>`, Input{Format: "xml"}, CodeLimit, "line 1, column 1: has a DOCTYPE"},
		{"XML external entity", `<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>`, Input{Format: "xml"}, CodeLimit, "line 1, column 1: has a DOCTYPE"},
		{"XML nested deeper", strings.Repeat("<a>", 100_000), Input{Format: "xml"}, CodeLimit, "line 1"},
		{"XML text of 40 MB", "<a>" + zeros + "</a>", Input{Format: "xml"}, CodeLimit, "line 1"},
		{"XML record of many elements", "<a>" + strings.Repeat("<b/>", 200) + "</a>", Input{Format: "xml"}, CodeLimit, "more than 32 elements and attributes"},
		{"XML cut off", "<a><b>", Input{Format: "xml"}, CodeNotWellFormed, "line 1"},
		{"XML two roots", "<a/><b/>", Input{Format: "xml"}, CodeNotWellFormed, "line 1"},
		{"XML with no such element", "<rss><item/></rss>", Input{Format: "xml", Records: at("/feed/entry")}, CodeNoRecordsThere, `the document has no element "/feed"`},

		{"Parquet that is text", "PAR1 no, not really PAR1", Input{Format: "parquet"}, CodeNotWellFormed, "the file"},
		{"Parquet cut off", flights(t)[:200], Input{Format: "parquet"}, CodeNotWellFormed, "does not begin and end with PAR1"},
		{"Parquet with a wrong byte", bad, Input{Format: "parquet"}, CodeNotWellFormed, "row 1"},
		{"Parquet row over the limit", page(t, 1, 2<<10), Input{Format: "parquet"}, CodeLimit, "row 1"},
		{"Parquet over the spool", "PAR1" + zeros, Input{Format: "parquet"}, CodeLimit, "over the limit for formats that are read from a file"},

		{"gzip bomb", archivetest.Gzip(t, zeros), Input{Format: "ndjson", Container: "gzip"}, CodeLimit, "line 1"},
		{"gzip bomb of rows", archivetest.Gzip(t, "["+strings.Repeat("[],", 1<<20)+"[]]"), Input{Format: "json", Container: "gzip"}, CodeLimit, "more than 100 records"},
		{"gzip bomb for a file", archivetest.Gzip(t, zeros), Input{Format: "parquet", Container: "gzip"}, CodeLimit, "more than 1048576 bytes, unpacked"},
		{"gzip cut off", archivetest.Gzip(t, "[1,2,3]")[:20], Input{Format: "json", Container: "gzip"}, CodeNotWellFormed, "gzip"},
		{"no gzip", "[1]", Input{Format: "json", Container: "gzip"}, CodeNotWellFormed, "gzip"},
		{"zip bomb", archivetest.Zip(t, "a", zeros), Input{Format: "ndjson", Container: "zip"}, CodeLimit, "more than 1048576 bytes, unpacked"},
		{"zip with a lying size", string(lying), Input{Format: "json", Container: "zip"}, CodeNotWellFormed, "document"},
		{"zip cut off", archivetest.Zip(t, "a", "[1]")[:40], Input{Format: "json", Container: "zip"}, CodeNotWellFormed, "zip"},
		{"zip of two, none named", archivetest.Zip(t, "a", "[1]", "b", "[2]"), Input{Format: "json", Container: "zip"}, participant.CodeBadInput, "member"},
		{"zip without the member", archivetest.Zip(t, "../../etc/passwd", "[1]"), Input{Format: "json", Container: "zip", Member: "b"}, participant.CodeBadInput, "../../etc/passwd"},

		{"transform that fills memory", "[1]", Input{Format: "json", Transform: "[range(1e9)]"}, CodeLimit, "line 1: transform: it does more work for one record than the limit of"},
		{"transform that never ends", "[1]", Input{Format: "json", Transform: "def f: f; f"}, CodeLimit, "more work"},
		{"transform that doubles", "[1]", Input{Format: "json", Transform: `reduce range(99) as $i ("x"; . + .)`}, CodeLimit, "more work"},
		{"transform that puts out too many", "[1]", Input{Format: "json", Transform: "range(201)"}, CodeLimit, "more than 200 records of one"},
		{"transform that puts out too much", "[1]", Input{Format: "json", Transform: `range(100) | "x" * 100`}, CodeLimit, "more than 1024 bytes"},
		{"transform that fails", "[1,\n{}]", Input{Format: "json", Transform: ". + 1"}, CodeTransform, "line 2: transform:"},
		{"transform that asks for the time", "[1]", Input{Format: "json", Transform: "now"}, participant.CodeBadInput, "now cannot be used in a transform"},
		{"transform that asks for secrets", "[1]", Input{Format: "json", Transform: "$ENV.HOME"}, participant.CodeBadInput, "$ENV cannot be used in a transform"},
	} {
		registry, s := prometheus.NewRegistry(), newStore()
		cfg := small
		cfg.Metrics = registry
		p := parser(t, cfg, s)
		c.in.Document = s.put(c.text)
		_, err := p.Parse(t.Context(), command(c.in))
		var e *participant.Error
		if !errors.As(err, &e) || !e.Permanent || e.Code != c.code || !strings.Contains(e.Error(), c.want) || len(e.Error()) > 1500 {
			t.Errorf("%s: %v; want a permanent one, code %s, with %q", c.name, err, c.code, c.want)
		}
		if len(s.objects) != 1 {
			t.Errorf("%s: something was written", c.name)
		}
		over := limitsCounted(t, registry)
		if want := map[bool]int{true: 1}[c.code == CodeLimit]; len(over) != want {
			t.Errorf("%s: limits %q are counted, want %d: %v", c.name, over, want, err)
		}
		tested = append(tested, over...)
		if out, err := p.Parse(t.Context(), command(Input{Document: s.put("[1,2]"), Format: "json"})); err != nil || out.Count != 2 {
			t.Errorf("%s: afterwards a good document comes to %+v, %v", c.name, out, err)
		}
	}
	for _, limit := range limits {
		if !slices.Contains(tested, limit) {
			t.Errorf("limit %q is not tested", limit)
		}
	}
}

// A table schema may be one that is registered; of one that is not, the user reads
// so, and nothing else is tried.
func TestRegisteredTable(t *testing.T) {
	t.Parallel()
	registered := document.NewMemory("SAGA_SCHEMAS")
	if err := schemas.Put(t.Context(), registered, schemas.Ref{Name: "orders", Version: 1}, []byte(`{"fields":[{"name":"n","type":"integer"}]}`)); err != nil {
		t.Fatal(err)
	}
	cfg := Config{Schemas: registered}
	got, _, err := parse(t, cfg, "n\n12\n", Input{Format: "csv", Table: []byte(`"orders@1"`)})
	if err != nil || got != "{\"n\":12}\n" {
		t.Errorf("%q, %v", got, err)
	}
	for _, table := range []string{`"orders@2"`, `"orders"`, `"nothing@1"`} {
		_, _, err := parse(t, cfg, "n\n12\n", Input{Format: "csv", Table: []byte(table)})
		var e *participant.Error
		if !errors.As(err, &e) || e.Code != participant.CodeBadInput || !strings.Contains(e.Error(), "table: ") {
			t.Errorf("%s: %v", table, err)
		}
	}
}

// limitsCounted are the limits that were gone over, each as often as it was.
func limitsCounted(t *testing.T, registry *prometheus.Registry) (over []string) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "segue_parse_limits_total" {
			continue
		}
		for _, m := range family.Metric {
			for range int(m.Counter.GetValue()) {
				over = append(over, m.Label[0].GetValue())
			}
		}
	}
	return over
}

// counted adds up what all metrics have counted.
func counted(t *testing.T, registry *prometheus.Registry) (sum float64) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.Metric {
			sum += m.Counter.GetValue()
		}
	}
	return sum
}
