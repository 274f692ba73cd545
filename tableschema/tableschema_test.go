package tableschema

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// one checks a text by a field of a schema, and writes what comes of it.
func one(t *testing.T, fieldJSON, text string) string {
	t.Helper()
	s, err := Load([]byte(`{"fields":[{"name":"f",` + fieldJSON + `}]}`))
	if err != nil {
		return "schema: " + err.Error()
	}
	table, err := s.Table([]string{"f"}, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	values, violations := table.Row([]string{text})
	if len(violations) > 0 {
		return violations[0].Keyword + ": " + violations[0].Message
	}
	got := string(values[0].AppendJSON(nil))
	if !json.Valid([]byte(got)) {
		t.Errorf("%s, %q: %s is no JSON", fieldJSON, text, got)
	}
	return got
}

func TestValues(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ field, text, want string }{
		{`"type":"string"`, `a"b`, `"a\"b"`},
		{`"type":"string"`, "", "null"},
		{`"type":"any"`, "7", `"7"`},
		{`"type":"integer"`, "9007199254740993", "9007199254740993"},
		{`"type":"integer"`, "-123456789012345678901234567890", "-123456789012345678901234567890"},
		{`"type":"integer"`, "+007", "7"},
		{`"type":"integer"`, "-0", "0"},
		{`"type":"integer"`, "1.0", `type: "1.0" is no integer`},
		{`"type":"integer"`, "1e3", `type: "1e3" is no integer`},
		{`"type":"integer"`, " 1", `type: " 1" is no integer`},
		{`"type":"integer"`, "--1", `type: "--1" is no integer`},
		{`"type":"integer"`, "1_000", `type: "1_000" is no integer`},
		{`"type":"integer","groupChar":","`, "1,234,567", "1234567"},
		{`"type":"integer","bareNumber":false`, "€95%", "95"},
		{`"type":"number"`, "1.50", "1.50"},
		{`"type":"number"`, "-0.5", "-0.5"},
		{`"type":"number"`, ".5", "0.5"},
		{`"type":"number"`, "-.5", "-0.5"},
		{`"type":"number"`, "5.", "5"},
		{`"type":"number"`, "00.10", "0.10"},
		{`"type":"number"`, "1.5E+3", "1.5e+3"},
		{`"type":"number"`, "0.1000000000000000055511151231257827", "0.1000000000000000055511151231257827"},
		{`"type":"number"`, "NaN", `type: "NaN" is no number`},
		{`"type":"number"`, "INF", `type: "INF" is no number`},
		{`"type":"number"`, "0x10", `type: "0x10" is no number`},
		{`"type":"number"`, ".", `type: "." is no number`},
		{`"type":"number"`, "1.-5", `type: "1.-5" is no number`},
		{`"type":"number"`, "1e99999", `type: "1e99999" is no number`},
		{`"type":"number"`, strings.Repeat("9", 2000), "type: has more than 1000 digits"},
		{`"type":"number","decimalChar":",","groupChar":"."`, "1.234,56", "1234.56"},
		{`"type":"number","decimalChar":","`, "1.5", `type: "1.5" is no number`},
		{`"type":"boolean"`, "TRUE", "true"},
		{`"type":"boolean"`, "0", "false"},
		{`"type":"boolean"`, "yes", `type: "yes" is no boolean`},
		{`"type":"boolean","trueValues":["ja"],"falseValues":["nein"]`, "nein", "false"},
		{`"type":"date"`, "2024-02-29", `"2024-02-29"`},
		{`"type":"date"`, "2023-02-29", `type: "2023-02-29" is no date, such as 2026-01-31`},
		{`"type":"date","format":"%d/%m/%y"`, "31/12/25", `"2025-12-31"`},
		{`"type":"date","format":"%d/%m/%y"`, "2025-12-31", `type: "2025-12-31" is no date of the form %d/%m/%y`},
		{`"type":"time"`, "23:59:30", `"23:59:30"`},
		{`"type":"time"`, "24:00:00", `type: "24:00:00" is no time, such as 23:59:30`},
		{`"type":"datetime"`, "2026-01-31T23:59:30.123456789Z", `"2026-01-31T23:59:30.123456789Z"`},
		{`"type":"datetime"`, "2026-01-31 23:59", `type: "2026-01-31 23:59" is no datetime, such as 2026-01-31T23:59:30Z`},
		{`"type":"datetime","format":"%Y-%m-%d %H:%M:%S"`, "2026-01-31 23:59:30", `"2026-01-31T23:59:30"`},
		{`"type":"datetime","format":"%Y-%m-%dT%H:%M:%S%z"`, "2026-01-31T23:59:30+0100", `"2026-01-31T23:59:30+01:00"`},
		{`"type":"year"`, "2026", "2026"},
		{`"type":"year"`, "26", `type: "26" is no year, such as 2026`},
		{`"type":"string","format":"email"`, "a@example.org", `"a@example.org"`},
		{`"type":"string","format":"email"`, "A <a@example.org>", `type: "A <a@example.org>" is no valid email`},
		{`"type":"string","format":"uri"`, "/relative", `type: "/relative" is no valid uri`},
		{`"type":"string","format":"binary"`, "!", `type: "!" is no valid binary`},
		{`"type":"string","format":"uuid"`, "123e4567-e89b-12d3-a456-426614174000", `"123e4567-e89b-12d3-a456-426614174000"`},
		{`"type":"integer","missingValues":["","-"]`, "-", "null"},
		{`"type":"integer","missingValues":[{"value":"NA","label":"not asked"}]`, "NA", "null"},
		{`"type":"integer","missingValues":[]`, "", `type: "" is no integer`},
		{`"type":"integer","constraints":{"required":true}`, "", "required: is missing, and is required"},
		{`"type":"integer","constraints":{"minimum":2}`, "1", "minimum: minimum: got 1, want 2"},
		{`"type":"integer","constraints":{"minimum":"2"}`, "2", "2"},
		{`"type":"number","constraints":{"maximum":0.3}`, "0.30000000000000000001", "maximum: maximum: got 0.30000000000000000001, want 0.3"},
		{`"type":"number","constraints":{"exclusiveMaximum":1}`, "1.0", "exclusiveMaximum: exclusiveMaximum: got 1.0, want 1"},
		{`"type":"date","constraints":{"exclusiveMinimum":"2026-01-01"}`, "2026-01-01", "exclusiveMinimum: exclusiveMinimum: got 2026-01-01, want 2026-01-01"},
		{`"type":"string","constraints":{"pattern":"a+"}`, "baab", `pattern: "baab" does not match pattern "^(?:a+)$"`},
		{`"type":"string","constraints":{"minLength":2,"maxLength":3}`, "é", `minLength: "é" has 1 characters, at least 2 have to be`},
		{`"type":"string","constraints":{"maxLength":3}`, "abcd", `maxLength: "abcd" has 4 characters, at most 3 can be`},
		{`"type":"number","constraints":{"enum":[1,2]}`, "1.0", "1.0"},
		{`"type":"string","constraints":{"enum":["a","b"]}`, "c", `enum: "c" is none of the 2 values that can be`},
		{`"type":"geopoint"`, "", `schema: read table schema: field "f": type "geopoint" is not supported; string, integer, number, boolean, date, time, datetime, year and any are`},
		{`"type":"date","format":"any"`, "", `schema: read table schema: field "f": the type date has no format "any": say its form, such as %d.%m.%Y`},
		{`"type":"string","constraints":{"minimum":1}`, "", `schema: read table schema: field "f": constraint minimum is not for the type string`},
		{`"type":"integer","constraints":{"minimum":"x"}`, "", `schema: read table schema: field "f": constraint minimum: "x" is no integer`},
	} {
		if got := one(t, c.field, c.text); got != c.want {
			t.Errorf("%s, %.40q:\n got %s\nwant %s", c.field, c.text, got, c.want)
		}
	}
}

func TestHeader(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ match, header, want string }{
		{"", "a,b", ""},
		{"", "b,a", `header has the fields of the schema in another order, it should be "a", "b"`},
		{"exact", "a", `header lacks "b", which the schema has`},
		{"exact", "a,b,c", `header has "c", which the schema lacks`},
		{"equal", "b,a", ""},
		{"subset", "c,b,a", ""},
		{"subset", "c,a", `header lacks "b", which the schema has`},
		{"superset", "a", ""},
		{"superset", "b", `header lacks "a", which is required`},
		{"superset", "a,c", `header has "c", which the schema lacks`},
		{"partial", "c,a", ""},
		{"partial", "c", `header has none of the fields of the schema, "a", "b"`},
	} {
		text := `{"fields":[{"name":"a","constraints":{"required":true}},{"name":"b"}]`
		if c.match != "" {
			text += `,"fieldsMatch":"` + c.match + `"`
		}
		s, err := Load([]byte(text + "}"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Table(strings.Split(c.header, ","), Limits{})
		if got := fmt.Sprint(err); got != c.want && (err != nil || c.want != "") {
			t.Errorf("%s, %s: %s, want %s", c.match, c.header, got, c.want)
		}
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	s, err := Load([]byte(`{"fields":[{"name":"a","type":"integer"},{"name":"b"},{"name":"c","constraints":{"unique":true}}],"primaryKey":["a","b"]}`))
	if err != nil {
		t.Fatal(err)
	}
	table, err := s.Table([]string{"a", "b", "c"}, Limits{MaxKeys: 7})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ row, want string }{
		{"1,x,p", ""},
		{"1,y,q", ""},
		{"01,x,r", `unique: "1, x" is there already, and a, b has to be unique`}, // 01 is 1
		{"2,x,p", `unique: "p" is there already, and c has to be unique`},
		{"2,,", "required: is missing, and is required"},
		{"3,x,", ""}, // nothing is not compared
		{"4,x,", "unique: more than 7 values that have to be unique"},
	} {
		_, violations := table.Row(strings.Split(c.row, ","))
		got := ""
		if len(violations) > 0 {
			got = violations[0].Keyword + ": " + violations[0].Message
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.row, got, c.want)
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		``:                                       "",
		`{"fields":[]}`:                          "it has no fields",
		`{"fields":[{"name":"a"},{"name":"a"}]}`: "field 2 has no name, or that of another field",
		`{"fields":[{"name":"a"}],"fields":[]}`:  "duplicate",
		`{"fields":[{"name":"a"}],"fieldsMatch":"some"}`:                           `fieldsMatch "some" is none of`,
		`{"fields":[{"name":"a"}],"primaryKey":"b"}`:                               `a key has the field "b"`,
		`{"fields":[{"name":"a"}],"foreignKeys":[{"fields":"a"}]}`:                 "foreignKeys cannot be checked",
		`{"fields":[{"name":"a","constraints":{"pattern":"("}}]}`:                  "constraint pattern",
		`{"fields":[{"name":"a"}],"missingValues":[1]}`:                            "missingValues has to be a list of texts",
		`{"fields":[{"name":"a","type":"number","decimalChar":",,"}]}`:             "cannot be",
		`{"fields":[{"name":"a","type":"date","format":"%Q"}]}`:                    "cannot be read",
		`{"fields":[{"name":"a","type":"time","format":"%H%f"}]}`:                  "%f can only be read behind %S and a point",
		`{"fields":[` + strings.Repeat(`{"name":"a"},`, 10_000) + `{"name":"a"}]}`: "at most 10000 can be",
	} {
		if _, err := Load([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80s: %v, want ... %s ...", text, err, want)
		}
	}
	if _, err := Load([]byte(`{"$schema":"x","title":"t","fields":[{"name":"a","title":"A","rdfType":"x"}]}`)); err != nil {
		t.Errorf("members that nobody knows: %v", err)
	}
}

func FuzzRow(f *testing.F) {
	f.Add([]byte(`{"fields":[{"name":"f","type":"integer","constraints":{"minimum":1,"enum":[1,2]}}]}`), "2")
	f.Add([]byte(`{"fields":[{"name":"f","type":"number","groupChar":" ","bareNumber":false}],"primaryKey":"f"}`), "1 000.5 EUR")
	f.Add([]byte(`{"fields":[{"name":"f","type":"datetime","format":"%d.%m.%Y %H:%M:%S"}],"missingValues":["-"]}`), "31.01.2026 23:59:30")
	f.Fuzz(func(t *testing.T, schema []byte, text string) {
		s, err := Load(schema)
		if err != nil {
			return
		}
		header := s.Fields()
		table, err := s.Table(header, Limits{})
		if err != nil {
			t.Fatalf("its own fields do not match: %v", err)
		}
		row := make([]string, len(header))
		for i := range row {
			row[i] = text
		}
		values, _ := table.Row(row)
		for _, v := range values {
			if b := v.AppendJSON(nil); !json.Valid(b) {
				t.Errorf("%q becomes %s, which is no JSON", text, b)
			}
		}
	})
}
