package validate_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"segue/archive/archivetest"
	"segue/document"
	"segue/participant"
	"segue/schemas"
	"segue/services/validator/validate"
)

type article struct {
	ID    int64    `parquet:"id"`
	Price *float64 `parquet:"price,optional"`
}

func columns(t testing.TB, n int) string {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[article](&b)
	for i := range n {
		price := float64(i)
		if _, err := w.Write([]article{{ID: int64(i), Price: &price}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// outcome is what a check comes to, on a few lines.
func outcome(t *testing.T, f fixture, text string, in validate.Input) string {
	t.Helper()
	out, err := f.check(text, in)
	if err == nil {
		line, _ := json.Marshal(out)
		return string(line)
	}
	code, message, _ := failure(t, err)
	return code + ": " + message
}

// TestFormats holds that each format is told and checked, in containers too.
func TestFormats(t *testing.T) {
	t.Parallel()
	f := newFixture(t, validate.Config{})
	table := json.RawMessage(`{"fields":[{"name":"id","type":"integer"},{"name":"day","type":"date"}],"primaryKey":"id"}`)
	minimum := json.RawMessage(`{"properties":{"id":{"type":"integer","minimum":2}}}`)
	const feed = "<?xml version='1.0'?>\n<feed><entry/><more><entry/></more><entry>x</entry></feed>"
	for _, c := range []struct {
		name, text string
		in         validate.Input
		want       string
	}{
		{"xml", feed, validate.Input{}, `{"format":"xml","records":1}`},
		{"xml, records", feed, validate.Input{Format: "xml", Records: pointer("/feed/entry")}, `{"format":"xml","records":2}`},
		{"xml, no records", feed, validate.Input{Format: "xml", Records: pointer("/feed/item")}, `{"format":"xml","records":0}`},
		{"xml, nowhere", feed, validate.Input{Format: "xml", Records: pointer("/rss/channel/item")}, `no_records_there: the records pointer "/rss/channel/item" leads to no element: there is no /rss`},
		{"xml, no path", feed, validate.Input{Format: "xml", Records: pointer("/feed/")}, `bad_input: records "/feed/" is no path of elements, such as /feed/entry (read as xml, as the command says)`},
		{"xml, schema", feed, validate.Input{Format: "xml", Schema: minimum}, `bad_input: schema is not for xml, of which only the form is checked: leave it out (read as xml, as the command says)`},
		{"xml, broken", "<a>\n<b></a>", validate.Input{Document: document.Document{MediaType: "text/xml"}}, `not_well_formed: line 2, column 4: closes element a where element b is open (read as xml by its media type text/xml)`},
		{"xml, DOCTYPE", "<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'b'>]><a>&b;</a>", validate.Input{}, `limit: line 1, column 22: has a DOCTYPE, which is refused: send the document without it`},
		{"parquet", columns(t, 3), validate.Input{}, `{"format":"parquet","records":3}`},
		{"parquet, schema", columns(t, 3), validate.Input{Format: "parquet", Schema: minimum}, `schema_violated: record 1, /id: minimum: got 0, want 2 (and 1 more)`},
		{"parquet, cut", columns(t, 3)[:100], validate.Input{Format: "parquet"}, `not_well_formed: `},
		{"parquet, none", "x", validate.Input{Format: "parquet"}, `not_well_formed: `},
		{"csv, table", "id,day\n1,2026-01-31\n2,\n", validate.Input{Table: table}, `{"format":"csv","records":2,"delimiter":","}`},
		{"csv, table and schema", "id,day\n1,2026-01-31\n2,\n", validate.Input{Table: table, Schema: minimum}, `schema_violated: line 2, /id: minimum: got 1, want 2`},
		{"csv, table violated", "id,day\nx,2026-01-32\n2,\n2,\n", validate.Input{Table: table}, `schema_violated: line 2, /id: "x" is no integer (and 2 more)`},
		{"csv, another header", "day,id\n", validate.Input{Format: "csv", Table: table}, `schema_violated: line 1: header has the fields of the schema in another order, it should be "id", "day"`},
		{"json, table", "[]", validate.Input{Table: table}, `bad_input: table is for csv only (read as json by its content)`},
		{"bad table", "a,b\n", validate.Input{Table: json.RawMessage(`{"fields":[]}`)}, `bad_schema: schema in table cannot be used: read table schema: it has no fields`},
		{"gzip", archivetest.Gzip(t, "[1,2]"), validate.Input{}, `{"format":"json","records":2,"container":"gzip"}`},
		{"gzip, by its name", archivetest.Gzip(t, "{}\n{}"), validate.Input{Document: document.Document{URL: "https://example.org/a.ndjson.gz?x=1", MediaType: "application/gzip"}}, `{"format":"ndjson","records":2,"container":"gzip"}`},
		{"gzip, broken inside", archivetest.Gzip(t, "[1,\n2"), validate.Input{}, `not_well_formed: line 2, column 2: ends in the middle of a value (read as json by its content)`},
		{"gzip, cut", archivetest.Gzip(t, "[1,2]")[:12], validate.Input{Format: "json"}, `not_well_formed: the document is gzip that breaks off (read as json, as the command says)`},
		{"gzip of parquet", archivetest.Gzip(t, columns(t, 3)), validate.Input{}, `{"format":"parquet","records":3,"container":"gzip"}`},
		{"gzip of gzip", archivetest.Gzip(t, archivetest.Gzip(t, "[]")), validate.Input{}, `unknown_format: the format is not known, say it with format (neither media type, extension nor content tell the format)`},
		{"zip", archivetest.Zip(t, "data/a.csv", "a,b\n1,2\n"), validate.Input{}, `{"format":"csv","records":1,"delimiter":",","container":"zip","member":"data/a.csv"}`},
		{"zip, member", archivetest.Zip(t, "a.csv", "a,b\n", "b.xml", "<b/>"), validate.Input{Member: "b.xml"}, `{"format":"xml","records":1,"container":"zip","member":"b.xml"}`},
		{"zip, which", archivetest.Zip(t, "a.csv", "a,b\n", "b.xml", "<b/>"), validate.Input{}, `bad_input: the document is zip of 2 members, say which one with member: "a.csv", "b.xml"`},
		{"zip of parquet", archivetest.Zip(t, "a.parquet", columns(t, 2)), validate.Input{}, `{"format":"parquet","records":2,"container":"zip","member":"a.parquet"}`},
		{"no zip", "[]", validate.Input{Member: "a"}, `bad_input: the document is no zip file, and member names a member of one`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := outcome(t, f, c.text, c.in); got != c.want && (!strings.HasSuffix(c.want, ": ") || !strings.HasPrefix(got, c.want)) {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
		})
	}
}

// TestRegisteredSchemas holds that schemas are found by name and version.
func TestRegisteredSchemas(t *testing.T) {
	t.Parallel()
	store := document.NewMemory(document.SchemasBucket)
	f := newFixture(t, validate.Config{Schemas: store})
	for name, text := range map[string]string{"article": `{"required":["id"]}`, "days": `{"fields":[{"name":"day","type":"date"}]}`} {
		if err := schemas.Put(t.Context(), store, schemas.Ref{Name: name, Version: 1}, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		text string
		in   validate.Input
		want string
	}{
		{"{}", validate.Input{Format: "json", Schema: json.RawMessage(`"article@1"`)}, "schema_violated: line 1: missing property 'id'"},
		{"day\nx\n", validate.Input{Format: "csv", Table: json.RawMessage(`"days@1"`)}, `schema_violated: line 2, /day: "x" is no date, such as 2026-01-31`},
		{"{}", validate.Input{Format: "json", Schema: json.RawMessage(`"article@2"`)}, "bad_input: schema: schema article@2 is not registered: segue schema put article@2 FILE registers it, segue schema ls lists those there are"},
		{"{}", validate.Input{Format: "json", Schema: json.RawMessage(`"article"`)}, "bad_input: schema: schema article is named without a version, and a run has to mean the same schema whenever it is repeated: write article@VERSION (segue schema ls article lists them)"},
	} {
		if got := outcome(t, f, c.text, c.in); got != c.want {
			t.Errorf("\n got %s\nwant %s", got, c.want)
		}
	}
	store.Corrupt("article@1")
	_, err := f.check("{}", validate.Input{Format: "json", Schema: json.RawMessage(`"article@1"`)})
	if permanent := (*participant.Error)(nil); err == nil || fmt.Sprintf("%T", err) == fmt.Sprintf("%T", permanent) {
		t.Errorf("with a store that is damaged: %v, want an error that may pass", err)
	}
}
