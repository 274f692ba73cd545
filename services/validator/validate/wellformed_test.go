package validate_test

import (
	"strings"
	"testing"

	"segue/services/validator/validate"
)

func TestWellFormedDocumentsPass(t *testing.T) {
	t.Parallel()
	f := newFixture(t, validate.Config{})
	for name, test := range map[string]struct {
		text, format string
		records      *string
		want         validate.Output
	}{
		"object":                 {`{"a":[1,{"b":null}]}`, validate.JSON, nil, validate.Output{Format: "json", Records: 1}},
		"scalar":                 {` "x" `, validate.JSON, nil, validate.Output{Format: "json", Records: 1}},
		"array":                  {"[1,\n2,3]\n", validate.JSON, nil, validate.Output{Format: "json", Records: 3}},
		"empty array":            {`[]`, validate.JSON, nil, validate.Output{Format: "json", Records: 0}},
		"byte order mark":        {"\xEF\xBB\xBF[1]", validate.JSON, nil, validate.Output{Format: "json", Records: 1}},
		"records":                {`{"n":{"a/b":[7,8]},"z":1}`, validate.JSON, pointer("/n/a~1b"), validate.Output{Format: "json", Records: 2}},
		"records in an array":    {`[[],[1,2,3]]`, validate.JSON, pointer("/1"), validate.Output{Format: "json", Records: 3}},
		"records at the top":     {`[1,2]`, validate.JSON, pointer(""), validate.Output{Format: "json", Records: 2}},
		"records, escaped name":  {`{"\u0061":[1]}`, validate.JSON, pointer("/a"), validate.Output{Format: "json", Records: 1}},
		"surrogate pair":         {`["\ud83d\ude00"]`, validate.JSON, nil, validate.Output{Format: "json", Records: 1}},
		"1,000 digits":           {"[" + strings.Repeat("9", 1000) + ",1e999]", validate.JSON, nil, validate.Output{Format: "json", Records: 2}},
		"128 levels":             {strings.Repeat("[", 128) + strings.Repeat("]", 128), validate.JSON, nil, validate.Output{Format: "json", Records: 1}},
		"lines":                  {"{}\n[]\n1\n", validate.NDJSON, nil, validate.Output{Format: "ndjson", Records: 3}},
		"lines with CRLF":        {"{}\r\n{}\r\n", validate.NDJSON, nil, validate.Output{Format: "ndjson", Records: 2}},
		"blank lines":            {"\n{}\n \t\r\n\n{}\n\n", validate.NDJSON, nil, validate.Output{Format: "ndjson", Records: 2}},
		"last line without end":  {"{}\n{}", validate.NDJSON, nil, validate.Output{Format: "ndjson", Records: 2}},
		"lines, byte order mark": {"\xEF\xBB\xBF{}\n", validate.NDJSON, nil, validate.Output{Format: "ndjson", Records: 1}},
		"no lines":               {"", validate.NDJSON, nil, validate.Output{Format: "ndjson", Records: 0}},
		"long line":              {`"` + strings.Repeat("x", 300_000) + "\"\n1", validate.NDJSON, nil, validate.Output{Format: "ndjson", Records: 2}},
		"rows":                   {"a;b\n1;2\n3;4\n", validate.CSV, nil, validate.Output{Format: "csv", Records: 2, Delimiter: ";"}},
		"rows, byte order mark":  {"\xEF\xBB\xBFa,b\r\n\"x\ny\",2", validate.CSV, nil, validate.Output{Format: "csv", Records: 1, Delimiter: ","}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := f.check(test.text, validate.Input{Format: test.format, Records: test.records})
			if err != nil || got != test.want {
				t.Errorf("got %+v, %v, want %+v", got, err, test.want)
			}
		})
	}
}

// TestIllFormedDocumentsFail holds the place and the words of each failure.
func TestIllFormedDocumentsFail(t *testing.T) {
	t.Parallel()
	f := newFixture(t, validate.Config{})
	for name, test := range map[string]struct {
		text, format string
		want         string // code, then the beginning of the summary
	}{
		"empty":                   {"", validate.JSON, "not_well_formed line 1, column 1: there is no value"},
		"white space":             {" \n ", validate.JSON, "not_well_formed line"},
		"truncated":               {"{\"a\": [1,\n 2", validate.JSON, "not_well_formed line 2, column 3, /a: ends in the middle"},
		"truncated string":        {`["abc`, validate.JSON, "not_well_formed line 1, column 6, /0: ends in the middle"},
		"duplicate name":          {"{\"a\":1,\n \"b\":{\"c\":1, \"c\":2}}", validate.JSON, `not_well_formed line 2, column 14, /b/c: name "c" is there twice`},
		"duplicate, escaped":      {`{"a":1,"\u0061":2}`, validate.JSON, `not_well_formed line 1, column 8, /a: name "a" is there twice`},
		"invalid UTF-8":           {"[\"a\",\n\"\xff\"]", validate.JSON, "not_well_formed line 2, column 2, /1: invalid UTF-8"},
		"overlong UTF-8":          {"\"\xc0\x80\"", validate.JSON, "not_well_formed line 1, column 2: invalid UTF-8"},
		"surrogate in UTF-8":      {"\"\xed\xa0\x80\"", validate.JSON, "not_well_formed line 1, column 2: invalid UTF-8"},
		"lone surrogate":          {`["\ud800"]`, validate.JSON, "not_well_formed line 1, column 3, /0: invalid surrogate"},
		"surrogates reversed":     {`["\ude00\ud83d"]`, validate.JSON, "not_well_formed line 1, column 3, /0: invalid surrogate"},
		"raw control character":   {"[\"a\tb\"]", validate.JSON, "not_well_formed line 1, column 4, /0: invalid character '\\t'"},
		"NUL":                     {"[1]\x00", validate.JSON, "not_well_formed line 1, column 4: invalid character"},
		"trailing comma":          {"[1,]", validate.JSON, "not_well_formed line 1, column 3"},
		"missing comma":           {"[1 2]", validate.JSON, "not_well_formed line 1, column 4"},
		"wrong bracket":           {"[1}", validate.JSON, "not_well_formed line 1, column 3"},
		"single quotes":           {"{'a':1}", validate.JSON, "not_well_formed line 1, column 2"},
		"comment":                 {"[1] // x", validate.JSON, "not_well_formed line 1, column 5"},
		"NaN":                     {"[NaN]", validate.JSON, "not_well_formed line 1, column 2"},
		"leading zero":            {"[01]", validate.JSON, "not_well_formed line 1, column 3"},
		"number as a name":        {"{1:2}", validate.JSON, "not_well_formed line 1, column 2"},
		"second value":            {"{}\n  {}\n", validate.JSON, "not_well_formed line 2, column 3: a second value begins here"},
		"two byte order marks":    {"\xEF\xBB\xBF\xEF\xBB\xBF[]", validate.JSON, "not_well_formed line 1, column 1: invalid character"},
		"byte order mark, column": {"\xEF\xBB\xBF[x]", validate.JSON, "not_well_formed line 1, column 2, /0: invalid character 'x'"},
		"UTF-16":                  {"\xff\xfe[\x00]\x00", validate.JSON, "not_well_formed line 1, column 1: begins with the mark of UTF-16"},
		"HTML":                    {"\n<html>", validate.JSON, "not_well_formed line 2, column 1: invalid character '<'"},
		"129 levels":              {strings.Repeat("[", 129), validate.JSON, "limit line 1, column 129, " + strings.Repeat("/0", 64) + "...: nested deeper than 128"},
		"deep nesting":            {strings.Repeat(`{"a":[`, 1e6), validate.JSON, "limit line 1, column 385, /a/0"},
		"1,001 digits":            {"[\n" + strings.Repeat("9", 1001) + "]", validate.JSON, "limit line 2, column 1, /0: number of more than 1000 digits"},
		"huge exponent":           {"[1e1000000000]", validate.JSON, "limit line 1, column 2, /0: number of"},
		"huge negative exponent":  {"[1e-99999999999999999999]", validate.JSON, "limit line 1, column 2, /0: number of"},
		"bad line":                {"{}\n{]\n{}", validate.NDJSON, "not_well_formed line 2, column 2: invalid character ']'"},
		"value over two lines":    {"{\"a\":\n1}\n", validate.NDJSON, "not_well_formed line 1, column 6, /a: ends in the middle of a value (and 1 more)"},
		"two values a line":       {"{} {}\n", validate.NDJSON, "not_well_formed line 1, column 4: a second value"},
		"truncated last line":     {"{}\n{\"a\"", validate.NDJSON, "not_well_formed line 2, column 5"},
		"CR alone":                {"{}\r{}\r", validate.NDJSON, "not_well_formed line 1, column 4: a second value"},
		"short row":               {"a,b\n1,2\n3\n", validate.CSV, "not_well_formed line 3: has 1 field, the header has 2"},
		"open quote":              {"a,b\n1,\"2\n", validate.CSV, "not_well_formed line 2, column 3"},
		"CSV not UTF-8":           {"a,b\n1,\xe9\n", validate.CSV, "not_well_formed line 2, column 3"},
		"CSV without header":      {"", validate.CSV, "not_well_formed line 1: has no header"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := f.check(test.text, validate.Input{Format: test.format})
			code, message, details := failure(t, err)
			if got := code + " " + message; !strings.HasPrefix(got, test.want) {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if len(details.Violations) == 0 || details.Format != test.format || details.Violations[0].Line == 0 {
				t.Errorf("details %+v", details)
			}
		})
	}
}

// TestBadLinesAreAllReported holds that NDJSON goes on after a bad line.
func TestBadLinesAreAllReported(t *testing.T) {
	t.Parallel()
	f := newFixture(t, validate.Config{MaxViolations: 2})
	_, err := f.check("{}\nx\n{}\n[1\n{]\n", validate.Input{Format: validate.NDJSON})
	_, message, d := failure(t, err)
	if len(d.Violations) != 2 || d.More != 1 || !strings.Contains(message, "(and 2 more)") {
		t.Fatalf("%s: %+v", message, d)
	}
	if a, b := d.Violations[0], d.Violations[1]; a.Line != 2 || a.Record != 2 || b.Line != 4 || b.Record != 4 {
		t.Errorf("violations %+v", d.Violations)
	}
}

func TestRecordsPointer(t *testing.T) {
	t.Parallel()
	f := newFixture(t, validate.Config{})
	for name, test := range map[string]struct {
		in   validate.Input
		text string
		want string
	}{
		"absent":            {validate.Input{Format: "json", Records: pointer("/items")}, `{"item":[]}`, `no_records_there the records pointer "/items" is not in the document`},
		"through a leaf":    {validate.Input{Format: "json", Records: pointer("/a/b")}, `{"a":1}`, `no_records_there the records pointer "/a/b" is not in`},
		"an object":         {validate.Input{Format: "json", Records: pointer("/a")}, `{"a":{}}`, `no_records_there the records pointer "/a" is not an array`},
		"top, an object":    {validate.Input{Format: "json", Records: pointer("")}, `{}`, `no_records_there the records pointer "" is not an array`},
		"leading zero":      {validate.Input{Format: "json", Records: pointer("/00")}, `[[]]`, `no_records_there the records pointer "/00" is not in`},
		"no pointer":        {validate.Input{Format: "json", Records: pointer("items")}, `[]`, `bad_input records "items" is no JSON pointer`},
		"bad escape":        {validate.Input{Format: "json", Records: pointer("/~2")}, `[]`, `bad_input records "/~2" is no JSON pointer`},
		"of lines":          {validate.Input{Format: "ndjson", Records: pointer("")}, `{}`, `bad_input records is for json and xml only`},
		"ill-formed behind": {validate.Input{Format: "json", Records: pointer("/a")}, `{"a":[],"b":}`, `not_well_formed line 1, column 13`},
		"no such format":    {validate.Input{Format: "yaml"}, `{}`, `bad_input format "yaml" is none of`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := f.check(test.text, test.in)
			code, message, _ := failure(t, err)
			if got := code + " " + message; !strings.HasPrefix(got, test.want) {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}
