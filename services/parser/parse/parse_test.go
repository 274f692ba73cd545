package parse

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"segue/document"
	"segue/participant"
)

func at(pointer string) *string { return &pointer }

func TestRecords(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("x", 3*readSize)
	for _, c := range []struct {
		name, text string
		in         Input
		want       string
	}{
		{"array", `[{"a":1},2,"x",null,true,[],{}]`, Input{Format: "json"}, "{\"a\":1}\n2\n\"x\"\nnull\ntrue\n[]\n{}\n"},
		{"object", "{\"a\": [1, 2]}\n", Input{Format: "json"}, "{\"a\":[1,2]}\n"},
		{"scalar", " 42 ", Input{Format: "json"}, "42\n"},
		{"empty array", "[ ]", Input{Format: "json"}, ""},
		{"BOM", "\xEF\xBB\xBF[1]", Input{Format: "json"}, "1\n"},
		{"white space goes, in strings it stays", "[ { \"a b\" :\r\n\t[ 1 , 2 ] , \"c\" : \" \\\" { \\\\\" } ]", Input{Format: "json"}, "{\"a b\":[1,2],\"c\":\" \\\" { \\\\\"}\n"},
		{"numbers to the digit", `[1e400,12345678901234567890.123,-0,1.0,1E+2,0.10]`, Input{Format: "json"}, "1e400\n12345678901234567890.123\n-0\n1.0\n1E+2\n0.10\n"},
		{"escapes to the letter", `["\u00e9","é","\/","\ud83d\ude00","\u0000","\u0041"]`, Input{Format: "json"}, "\"\\u00e9\"\n\"é\"\n\"\\/\"\n\"\\ud83d\\ude00\"\n\"\\u0000\"\n\"\\u0041\"\n"},
		{"order of members", `[{"z":1,"a":2,"m":3}]`, Input{Format: "json"}, "{\"z\":1,\"a\":2,\"m\":3}\n"},
		{"record longer than buffers", `[{"a":"` + big + `"},"` + big + `"]`, Input{Format: "json"}, `{"a":"` + big + "\"}\n\"" + big + "\"\n"},

		{"top", `[1,2]`, Input{Format: "json", Records: at("")}, "1\n2\n"},
		{"member", `{"meta":{"n":2},"data":[1,2],"more":[3]}`, Input{Format: "json", Records: at("/data")}, "1\n2\n"},
		{"nested", `{"a":{"data":[9],"b":[[0],{"data":[1,2]},[3]]}}`, Input{Format: "json", Records: at("/a/b/1/data")}, "1\n2\n"},
		{"array of arrays", `[[1,2],[3,[4]]]`, Input{Format: "json", Records: at("/1")}, "3\n[4]\n"},
		{"index of two digits", `[[],[],[],[],[],[],[],[],[],[],["ten"]]`, Input{Format: "json", Records: at("/10")}, "\"ten\"\n"},
		{"number as a name", `{"0":[1],"01":[2]}`, Input{Format: "json", Records: at("/01")}, "2\n"},
		{"slash and tilde", `{"a/b":{"~":{"~1":["yes"]}},"a":{"b":[]}}`, Input{Format: "json", Records: at("/a~1b/~0/~01")}, "\"yes\"\n"},
		{"empty name", `{"":{"":["yes"]}}`, Input{Format: "json", Records: at("//")}, "\"yes\"\n"},
		{"escaped name", `{"caf\u00e9":["yes"]}`, Input{Format: "json", Records: at("/café")}, "\"yes\"\n"},
		{"same name deeper", `{"x":{"data":[1]},"data":[2],"y":{"data":[3]}}`, Input{Format: "json", Records: at("/data")}, "2\n"},
		{"empty array at a pointer", `{"data":[]}`, Input{Format: "json", Records: at("/data")}, ""},
		{"skipped value longer than buffers", `{"x":["` + big + `",{"` + big + `":1}],"data":[1]}`, Input{Format: "json", Records: at("/data")}, "1\n"},

		{"lines", "{\"a\": 1}\n[1, 2]\n\"x\"\n", Input{Format: "ndjson"}, "{\"a\":1}\n[1,2]\n\"x\"\n"},
		{"no last line end", "1\n2", Input{Format: "ndjson"}, "1\n2\n"},
		{"CRLF, empty lines, BOM", "\xEF\xBB\xBF1\r\n\r\n \t\r\n\n2\r\n", Input{Format: "ndjson"}, "1\n2\n"},
		{"nothing", "", Input{Format: "ndjson"}, ""},
		{"line longer than buffers", "\"" + big + "\"\n1\n", Input{Format: "ndjson"}, "\"" + big + "\"\n1\n"},

		{"rows", "b,a\n1,x\n,\"y \"\"z\"\"\"\n", Input{Format: "csv"}, "{\"b\":\"1\",\"a\":\"x\"}\n{\"b\":\"\",\"a\":\"y \\\"z\\\"\"}\n"},
		{"header only", "a,b\n", Input{Format: "csv"}, ""},
		{"delimiter found", "a;b\n1,5;2\n", Input{Format: "csv"}, "{\"a\":\"1,5\",\"b\":\"2\"}\n"},
		{"delimiter given", "a,b|c\n1,2|3\n", Input{Format: "csv", Delimiter: "|"}, "{\"a,b\":\"1,2\",\"c\":\"3\"}\n"},
		{"text that JSON escapes", "\"a\"\"\n\",b\n\"\\\t\x01\r\n\",</é\u2028\n", Input{Format: "csv"}, "{\"a\\\"\\n\":\"\\\\\\t\\u0001\\r\\n\",\"b\":\"</é\u2028\"}\n"},
	} {
		t.Run(c.in.Format+" "+c.name, func(t *testing.T) {
			t.Parallel()
			got, out, err := parse(t, Config{}, c.text, c.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			want := Output{Count: int64(strings.Count(c.want, "\n"))}
			want.Records = document.Document{Ref: ref("run/parse/1", []byte(c.want)), URL: "https://example.org/doc", MediaType: MediaType}
			if diff := cmp.Diff(want, out); diff != "" {
				t.Errorf("output -want +got:\n%s", diff)
			}
		})
	}
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	small := Config{MaxRecord: 20, MaxRecords: 2, MaxDepth: 3, MaxBytes: 30}
	for _, c := range []struct {
		name, text string
		cfg        Config
		in         Input
		code       string
		line       int
		want       string // in the message
	}{
		{"empty", "", Config{}, Input{Format: "json"}, CodeNotWellFormed, 1, "empty"},
		{"empty at a pointer", "\n ", Config{}, Input{Format: "json", Records: at("")}, CodeNotWellFormed, 1, "empty"},
		{"cut", "[1,\n2", Config{}, Input{Format: "json"}, CodeNotWellFormed, 2, "ends in the middle"},
		{"cut in a record", "[1,\n{\"a\":", Config{}, Input{Format: "json"}, CodeNotWellFormed, 2, "ends in the middle"},
		{"comma missing", "[\n{\"a\": 1}\n{\"a\": 2}\n]", Config{}, Input{Format: "json"}, CodeNotWellFormed, 3, "expecting ','"},
		{"comma too many", "[\n1,\n]", Config{}, Input{Format: "json"}, CodeNotWellFormed, 2, "','"},
		{"bad record", "[1,\n\n{\"a\":\n x}]", Config{}, Input{Format: "json"}, CodeNotWellFormed, 4, "/1/a"},
		{"same name in a record", "[1,\n{\"a\":1,\n\"a\":2}]", Config{}, Input{Format: "json"}, CodeNotWellFormed, 3, "duplicate name at /1/a"},
		{"same name as an escape", `[{"a":1,"\u0061":2}]`, Config{}, Input{Format: "json"}, CodeNotWellFormed, 1, "duplicate name"},
		{"not UTF-8", "[\"a\",\n\"\xff\"]", Config{}, Input{Format: "json"}, CodeNotWellFormed, 2, "UTF-8"},
		{"half a surrogate pair", `["\ud800"]`, Config{}, Input{Format: "json"}, CodeNotWellFormed, 1, `\ud800`},
		{"text after the array", "[1]\n\n,", Config{}, Input{Format: "json"}, CodeNotWellFormed, 3, "','"},
		{"second value", "[1]\n[2]", Config{}, Input{Format: "json"}, CodeNotWellFormed, 1, "more text"},
		{"second value after one record", "{}{}", Config{}, Input{Format: "json"}, CodeNotWellFormed, 1, "more text"},
		{"UTF-16", "\xff\xfe[\x00", Config{}, Input{Format: "json"}, CodeNotWellFormed, 1, "UTF-16"},
		{"flaw behind the records", "{\"data\":[1,2],\n\"x\":nul}", Config{}, Input{Format: "json", Records: at("/data")}, CodeNotWellFormed, 2, "/x"},
		{"records there twice", "{\"data\":[1],\n\"data\":[2]}", Config{}, Input{Format: "json", Records: at("/data")}, CodeNotWellFormed, 2, "duplicate name"},
		{"cut behind the records", "{\"data\":[1]\n", Config{}, Input{Format: "json", Records: at("/data")}, CodeNotWellFormed, 2, "ends in the middle"},
		{"flaw before the records", "{\"x\":[1,],\n\"data\":[1]}", Config{}, Input{Format: "json", Records: at("/data")}, CodeNotWellFormed, 1, "','"},
		{"no value where the pointer goes", "{\"data\":}", Config{}, Input{Format: "json", Records: at("/data")}, CodeNotWellFormed, 1, "missing value after object name at /data"},

		{"no member", "{\"a\":1,\n\"b\":2}", Config{}, Input{Format: "json", Records: at("/data")}, CodeNoRecordsThere, 2, `no records at "/data": the document is an object without a member "data"`},
		{"no member deeper", `{"a":{"b":{}}}`, Config{}, Input{Format: "json", Records: at("/a/b/c")}, CodeNoRecordsThere, 1, `"/a/b" is an object without a member "c"`},
		{"pointer through a number", `{"a":1}`, Config{}, Input{Format: "json", Records: at("/a/0")}, CodeNoRecordsThere, 1, `"/a" is a number`},
		{"pointer through a string", `["x"]`, Config{}, Input{Format: "json", Records: at("/0/1")}, CodeNoRecordsThere, 1, `"/0" is a string`},
		{"index too large", `{"a":[1,2]}`, Config{}, Input{Format: "json", Records: at("/a/2")}, CodeNoRecordsThere, 1, `"/a" is an array of 2`},
		{"index of an empty array", `[]`, Config{}, Input{Format: "json", Records: at("/0")}, CodeNoRecordsThere, 1, `the document is an array of 0`},
		{"index beyond numbers", `[1]`, Config{}, Input{Format: "json", Records: at("/99999999999999999999")}, CodeNoRecordsThere, 1, "not an index"},
		{"dash", `[[1]]`, Config{}, Input{Format: "json", Records: at("/-")}, CodeNoRecordsThere, 1, `"-" is not an index`},
		{"leading zero", `[[1],[2]]`, Config{}, Input{Format: "json", Records: at("/01")}, CodeNoRecordsThere, 1, `"01" is not an index`},
		{"object there", `{"a":{"b":[]}}`, Config{}, Input{Format: "json", Records: at("/a")}, CodeNoRecordsThere, 1, `"/a" is an object`},
		{"null there", `{"a":null}`, Config{}, Input{Format: "json", Records: at("/a")}, CodeNoRecordsThere, 1, `"/a" is null`},
		{"string at the top", `"x"`, Config{}, Input{Format: "json", Records: at("")}, CodeNoRecordsThere, 1, `the document is a string`},

		{"record limit", "[1,\n\"" + strings.Repeat("x", 19) + "\"]", small, Input{Format: "json"}, CodeLimit, 2, "20 bytes"},
		{"record limit with white space", "[1,\n[" + strings.Repeat("\n", 19) + "]]", small, Input{Format: "json"}, CodeLimit, 2, "20 bytes"},
		{"record limit, far over", "[1,\n\"" + strings.Repeat("x", 1<<20) + "\"]", small, Input{Format: "json"}, CodeLimit, 2, "20 bytes"},
		{"record limit of the whole", "{\"x\":\"" + strings.Repeat("x", 1<<20) + "\"}", small, Input{Format: "json"}, CodeLimit, 1, "20 bytes"},
		{"one value far over the limit on the way", "{\n\"x\":\"" + strings.Repeat("x", 1<<20) + "\"}", small, Input{Format: "json", Records: at("/data")}, CodeLimit, 2, "20 bytes"},
		{"records limit", "[1,\n2,\n3]", small, Input{Format: "json"}, CodeLimit, 3, "more than 2 records"},
		{"depth limit", "[\n" + deep(3) + "]", small, Input{Format: "json"}, CodeLimit, 2, "deeper than 3"},
		{"depth limit of the whole", "{\"x\":" + deep(3) + "}", small, Input{Format: "json"}, CodeLimit, 1, "deeper than 3"},
		{"depth limit on the way", "{\"x\":\n" + deep(3) + "}", small, Input{Format: "json", Records: at("/data")}, CodeLimit, 2, "deeper than 3"},
		{"depth limit behind the records", "{\"data\":[],\n\"x\":" + deep(3) + "}", small, Input{Format: "json", Records: at("/data")}, CodeLimit, 2, "deeper than 3"},
		{"depth over the decoder's own limit", "[" + deep(20_000) + "]", Config{}, Input{Format: "json"}, CodeLimit, 1, "deeper than 128"},
		{"default depth", deep(129), Config{}, Input{Format: "json"}, CodeLimit, 1, "deeper than 128"},
		{"size limit", "[\"123456789012345\",\n\"1234567890123\"]", small, Input{Format: "json"}, CodeLimit, 2, "30 bytes"},

		{"bad line", "1\n\n{\"a\":x}\n", Config{}, Input{Format: "ndjson"}, CodeNotWellFormed, 3, "/a"},
		{"value on two lines", "{\"a\":\n1}\n", Config{}, Input{Format: "ndjson"}, CodeNotWellFormed, 1, "ends in the middle"},
		{"two values on a line", "1\n{} {}\n", Config{}, Input{Format: "ndjson"}, CodeNotWellFormed, 2, "more text"},
		{"comma after a value", "1\n{},\n", Config{}, Input{Format: "ndjson"}, CodeNotWellFormed, 2, "','"},
		{"same name in a line", "1\n{\"a\":1,\"a\":1}\n", Config{}, Input{Format: "ndjson"}, CodeNotWellFormed, 2, "duplicate name at /a"},
		{"line that is not UTF-8", "1\n\"\xff\"\n", Config{}, Input{Format: "ndjson"}, CodeNotWellFormed, 2, "UTF-8"},
		{"line limit", "1\n\"" + strings.Repeat("x", 1<<20) + "\"\n", small, Input{Format: "ndjson"}, CodeLimit, 2, "20 bytes"},
		{"line limit by one", "1\n\"" + strings.Repeat("x", 19) + "\"\n", small, Input{Format: "ndjson"}, CodeLimit, 2, "20 bytes"},
		{"line depth limit", "1\n" + deep(4) + "\n", small, Input{Format: "ndjson"}, CodeLimit, 2, "deeper than 3"},
		{"lines limit", "1\n2\n\n3\n", small, Input{Format: "ndjson"}, CodeLimit, 4, "more than 2 records"},

		{"no header", "", Config{}, Input{Format: "csv"}, CodeNotWellFormed, 1, "no header"},
		{"fields", "a,b\n1,2\n3\n", Config{}, Input{Format: "csv"}, CodeNotWellFormed, 3, "line 3 has 1 field, the header has 2"},
		{"open quote", "a,b\n1,\"2\n3,4\n", Config{}, Input{Format: "csv"}, CodeNotWellFormed, 2, "never closed"},
		{"text that is not UTF-8", "a\n\xff\n", Config{}, Input{Format: "csv"}, CodeNotWellFormed, 2, "UTF-8"},
		{"row limit", "a\n" + strings.Repeat("x", 20) + "\n", small, Input{Format: "csv"}, CodeLimit, 2, "20 bytes"},
		{"record limit by names", "abcdefgh,ijklmnop\n1,2\n", small, Input{Format: "csv"}, CodeLimit, 2, "20 bytes"},
		{"rows limit", "a\n1\n2\n3\n", small, Input{Format: "csv"}, CodeLimit, 4, "more than 2 records"},
	} {
		t.Run(c.in.Format+" "+c.name, func(t *testing.T) {
			t.Parallel()
			_, _, err := parse(t, c.cfg, c.text, c.in)
			var e *participant.Error
			if !errors.As(err, &e) || !e.Permanent || e.Unknown || e.Code != c.code {
				t.Fatalf("error %#v (%v); want a permanent one, code %s", err, err, c.code)
			}
			place, _ := e.Details.(Place)
			if place.Line != c.line || !strings.Contains(e.Error(), fmt.Sprintf("line %d", c.line)) || !strings.Contains(e.Error(), c.want) {
				t.Errorf("at %+v: %s\nwant line %d and %q", place, e, c.line, c.want)
			}
			if len(e.Error()) > 1000 {
				t.Errorf("a message of %d bytes", len(e.Error()))
			}
		})
	}
}

// TestPlaces holds what the details of a failure say of a cell: of CSV its line and
// the byte in it, of Parquet the row, and the pointer of both.
func TestPlaces(t *testing.T) {
	t.Parallel()
	table := []byte(`{"fields":[{"name":"a","type":"string"},{"name":"b/c","type":"integer"}],"primaryKey":["a","b/c"]}`)
	type row struct {
		Text string `parquet:"a.b"`
	}
	var file bytes.Buffer
	if err := parquet.Write(&file, []row{{"x"}, {"\xff"}}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		text string
		in   Input
		want Place
	}{
		{"a,b/c\n\"x\ny\",z\n", Input{Format: "csv", Table: table}, Place{Line: 3, Column: 4, Pointer: "/b~1c"}},
		{"a,b/c\né,z\n", Input{Format: "csv", Table: table}, Place{Line: 2, Column: 4, Pointer: "/b~1c"}},
		{"a,b/c\nx,1\nx,1\n", Input{Format: "csv", Table: table}, Place{Line: 3}}, // the row as a whole
		{file.String(), Input{Format: "parquet"}, Place{Row: 2, Pointer: "/a.b"}},
	} {
		_, _, err := parse(t, Config{}, c.text, c.in)
		var e *participant.Error
		if !errors.As(err, &e) || e.Details != c.want {
			t.Errorf("%s: %v at %+v, want %+v", c.in.Format, err, e.Details, c.want)
		}
	}
}

func TestLimitsAreExact(t *testing.T) {
	t.Parallel()
	cfg := Config{MaxRecord: 20, MaxRecords: 2, MaxDepth: 3, MaxBytes: 42}
	value := `"` + strings.Repeat("x", 18) + `"`
	for _, c := range []struct {
		text string
		in   Input
	}{
		{"[" + value + "," + value + "]", Input{Format: "json"}},
		{"[[[]],[[ ]]]", Input{Format: "json"}},
		{`{"a":[[]]}`, Input{Format: "json", Records: at("/a")}},
		{value + "\r\n" + value, Input{Format: "ndjson"}},
		{"[[[]]]", Input{Format: "ndjson"}},
		{"a\n123456789012\n1\n", Input{Format: "csv"}},
	} {
		if _, _, err := parse(t, cfg, c.text, c.in); err != nil {
			t.Errorf("%s %s: %v", c.in.Format, c.text, err)
		}
	}
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	for _, in := range []Input{
		{}, {Format: "text"}, {Format: "JSON"},
		{Format: "xml", Records: at("")}, {Format: "xml", Records: at("a/b")}, {Format: "xml", Records: at("/a//b")}, {Format: "parquet", Records: at("/a")},
		{Format: "json", Container: "tar"}, {Format: "json", Container: "gzip", Member: "a"}, {Format: "json", Member: "a"},
		{Format: "json", Table: []byte(`{"fields":[]}`)}, {Format: "csv", Table: []byte(`"orders@1"`)}, {Format: "csv", Table: []byte(`[1]`)}, {Format: "csv", Table: []byte(`{"fields":[{"name":"a","type":"text"}]}`)},
		{Format: "json", Transform: ".["}, {Format: "json", Transform: "now"}, {Format: "json", Transform: "nope(1)"},
		{Format: "csv", Records: at("")}, {Format: "ndjson", Records: at("/a")},
		{Format: "json", Records: at("a")}, {Format: "json", Records: at("/a~2")}, {Format: "json", Records: at("/~")},
		{Format: "json", Delimiter: ","}, {Format: "csv", Delimiter: ";;"}, {Format: "csv", Delimiter: "\""},
		{Format: "csv", Delimiter: "\n"}, {Format: "csv", Delimiter: "\x00"}, {Format: "csv", Delimiter: "\xff"},
	} {
		_, _, err := parse(t, Config{}, "[]", in)
		var e *participant.Error
		if !errors.As(err, &e) || !e.Permanent || e.Code != participant.CodeBadInput {
			t.Errorf("%+v: %v", in, err)
		}
	}
}
