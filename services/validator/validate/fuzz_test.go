package validate

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"math/big"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/go-json-experiment/json/jsontext"

	"segue/participant"
)

// verdict checks a text in a format, read in pieces of one byte or whole, and
// returns what was wrong.
func verdict(t *testing.T, text []byte, format string, schema *schema, records []string, bytewise bool) *check {
	t.Helper()
	cfg, err := Config{MaxDepth: 20}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	c := &check{ctx: context.Background(), cfg: &cfg, schema: schema, records: records, report: report{limit: 10}}
	r := bufio.NewReader(bytes.NewReader(text))
	if bytewise {
		r = bufio.NewReaderSize(iotest.OneByteReader(bytes.NewReader(text)), 16)
	}
	if err := c.streamed(format, r); err != nil {
		t.Fatalf("%q as %s: error %v from a store that has none", text, format, err)
	}
	return c
}

// anything is the schema that all values fit, so that they are built.
func anything(t testing.TB) *schema {
	t.Helper()
	s, err := newTestCompiler(t).compile([]byte(`{"maxLength":1000000000}`))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var seeds = []string{
	``, ` `, `{}`, `[]`, `null`, `"a"`, `[1,2]`, `{"a":[1,{"b":2}]}`, `{"a":1,"a":2}`, `[1e400]`, `[1e9999]`, "\xEF\xBB\xBF{}",
	"{}\n{}\n", "{}\r\n\r\n[1]", "1\n2", "a,b\n1,2\n", "\xff\xfe", "[\"\\ud800\"]", "[\"\xff\"]", strings.Repeat("[", 30), `{"a":`, "[1,\n2,\n}", "{\"\":{\"/\":[0,\"~\"]}}",
}

// FuzzJSON holds: what passes is what the decoder alone accepts, but for the
// limits; the ways to read a document agree; no place is outside the document.
func FuzzJSON(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	all := anything(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		stream := verdict(t, text, JSON, nil, nil, false)
		accepted := jsontext.Value(bytes.TrimPrefix(text, []byte(bom))).IsValid()
		if stream.report.empty() != accepted && stream.report.code != CodeLimit {
			t.Fatalf("%q: passes %v, the decoder accepts %v", text, stream.report.empty(), accepted)
		}
		for _, other := range []*check{verdict(t, text, JSON, nil, nil, true), verdict(t, text, JSON, all, nil, false), verdict(t, text, JSON, nil, []string{}, false)} {
			if other.records != nil && other.report.code == CodeNoRecordsThere {
				continue // no array
			}
			if other.report.code != stream.report.code || other.report.empty() && other.seen != stream.seen {
				t.Fatalf("%q: %s and %d records, else %s and %d", text, stream.report.code, stream.seen, other.report.code, other.seen)
			}
		}
		checkPlaces(t, text, stream.report.list)
	})
}

// FuzzNDJSON holds: it passes if each line by itself does.
func FuzzNDJSON(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got := verdict(t, text, NDJSON, nil, nil, false)
		want, records, limit := 0, int64(0), false
		for _, line := range bytes.Split(bytes.TrimPrefix(text, []byte(bom)), []byte("\n")) {
			if len(bytes.Trim(line, " \t\r")) == 0 {
				continue
			}
			records++
			if !jsontext.Value(line).IsValid() {
				want++
			} else if c := verdict(t, line, JSON, nil, nil, true); c.report.code == CodeLimit {
				want, limit = want+1, true
			}
		}
		if bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff")) {
			return // one fault for all
		}
		if n := len(got.report.list) + int(got.report.more); n != want || got.seen != records {
			t.Fatalf("%q: %d faults in %d records, want %d in %d (limit %v)", text, n, got.seen, want, records, limit)
		}
		checkPlaces(t, text, got.report.list)
	})
}

// FuzzSchema holds: of a schema by a stranger, whatever it is, the outcome is a
// verdict, a limit, or that the schema cannot be used.
func FuzzSchema(f *testing.F) {
	for _, s := range shapes {
		f.Add([]byte(s.schema), []byte(append(s.fit, s.other...)[0]))
	}
	for _, s := range shapeless {
		f.Add([]byte(s), []byte(`{"a":[1,"x",null]}`))
	}
	compiler := newTestCompiler(f)
	compiler.cfg.MaxSteps = 10_000
	f.Fuzz(func(t *testing.T, schema, text []byte) {
		if len(schema) > 2<<10 || len(text) > 1<<10 {
			return
		}
		s, err := compiler.compile(schema)
		if err != nil {
			if e := new(participant.Error); !errors.As(err, &e) || !e.Permanent || e.Code != CodeBadSchema {
				t.Fatalf("%s: %v", schema, err)
			}
			return
		}
		c := verdict(t, text, JSON, s, nil, false)
		switch c.report.code {
		case "", CodeNotWellFormed, CodeSchemaViolated, CodeLimit, CodeBadSchema:
		default:
			t.Fatalf("%s of %s: %s", schema, text, c.report.code)
		}
		checkPlaces(t, text, c.report.list)
	})
}

// FuzzDetect holds: detection gives a format or none, and what it calls JSON lines
// begins with a line of JSON.
func FuzzDetect(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, whole := range []bool{true, false} {
			switch format := byContent(text, whole); format {
			case "", JSON, CSV:
			case NDJSON:
				line, _, _ := bytes.Cut(bytes.TrimLeft(bytes.TrimPrefix(text, []byte(bom)), " \t\r\n"), []byte("\n"))
				if !jsontext.Value(line).IsValid() {
					t.Fatalf("%q is taken for %s", text, format)
				}
			default:
				t.Fatalf("%q is taken for %q", text, format)
			}
		}
		verdict(t, text, CSV, nil, nil, false)
	})
}

// checkPlaces compares lines and columns with counting by hand.
func checkPlaces(t *testing.T, text []byte, list []Violation) {
	t.Helper()
	body := bytes.TrimPrefix(text, []byte(bom))
	if err := locate(iotest.OneByteReader(bytes.NewReader(body)), list); err != nil {
		t.Fatal(err)
	}
	for _, v := range list {
		if v.offset < 0 || v.offset > int64(len(body)) {
			t.Fatalf("%q: offset %d is outside", text, v.offset)
		}
		before := body[:v.offset]
		line, column := bytes.Count(before, []byte("\n"))+1, len(before)-bytes.LastIndexByte(before, '\n')
		if v.Line != int64(line) || v.Column != int64(column) {
			t.Fatalf("%q: offset %d is line %d, column %d, got %d, %d", text, v.offset, line, column, v.Line, v.Column)
		}
	}
}

// FuzzDigits compares with writing the number out.
func FuzzDigits(f *testing.F) {
	for _, s := range []string{"0", "-1.5", "1e3", "1E-3", "12.5e+10", "0e0", "1e99999999999999999999"} {
		f.Add(s, 10)
	}
	f.Fuzz(func(t *testing.T, number string, limit int) {
		if !jsontext.Value(number).IsValid() || jsontext.Value(number).Kind() != '0' || limit < 0 || limit > 100 || strings.ContainsAny(number, " \t\r\n") {
			return
		}
		if !digitsWithin([]byte(number), limit) {
			return
		}
		r, ok := new(big.Rat).SetString(number)
		if !ok {
			t.Fatalf("%s is within %d digits and cannot be computed with", number, limit)
		}
		places, _ := r.FloatPrec()
		written := strings.TrimPrefix(r.FloatString(places), "-")
		if n := len(strings.Replace(written, ".", "", 1)); n > limit+1 { // 1e-2 is 0.01: the zero before the point
			t.Fatalf("%s has %d digits written out, over %d", number, n, limit)
		}
	})
}

// TestShelf holds that the shelf stays within its limits and forgets the oldest.
func TestShelf(t *testing.T) {
	t.Parallel()
	c := newTestCompiler(t)
	var s shelf
	text := func(i int) []byte { return []byte(`{"minimum":` + strings.Repeat("1", i+1) + `}`) }
	for i := range maxShelf + 10 {
		made, err := c.compile(text(i))
		if err != nil {
			t.Fatal(err)
		}
		s.put(made)
	}
	if len(s.idle) != maxShelf || s.take(text(0)) != nil || s.take(text(9)) != nil {
		t.Errorf("%d on the shelf, want the last %d", len(s.idle), maxShelf)
	}
	if s.take(text(10)) == nil || s.take(text(10)) != nil {
		t.Error("a schema is there once, and gone when taken")
	}
	big := &schema{meter: new(meter), size: maxShelfSize}
	s.put(big)
	if len(s.idle) != 1 || s.size != maxShelfSize {
		t.Errorf("%d schemas of %d bytes, want the last one", len(s.idle), s.size)
	}
}

func TestWindow(t *testing.T) {
	t.Parallel()
	w := window{r: strings.NewReader("0123456789"), limit: 4}
	p := make([]byte, 8)
	if n, err := w.Read(p); n != 4 || err != nil {
		t.Fatalf("read %d, %v, want 4", n, err)
	}
	if _, err := w.Read(p); !errors.Is(err, errWindow) {
		t.Fatalf("got %v, want %v", err, errWindow)
	}
	w.done = 3
	if n, err := w.Read(p); n != 3 || err != nil {
		t.Fatalf("read %d, %v, want 3", n, err)
	}
}
