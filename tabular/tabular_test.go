package tabular

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// readAll returns the header and the rows of a text.
func readAll(t testing.TB, text string, o Options) ([][]string, error) {
	t.Helper()
	return readFrom(strings.NewReader(text), o)
}

func readFrom(r io.Reader, o Options) ([][]string, error) {
	rows, err := NewReader(r, o)
	if err != nil {
		return nil, err
	}
	all := [][]string{rows.Header()}
	for {
		fields, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, append([]string{}, fields...))
	}
}

// TestPlace looks into the text at the place of each field: it begins there.
func TestPlace(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"\xEF\xBB\xBFa;b;c\n\n1;22;\n\r\n;;3\r\n\"é\";é;\"x\"\"\"\n\"1\n\n2\";\"3\r\n\";\"\"\n4;5\"6;7",
		"a|b|c\n日本|\"日\n本\"|x\n日|日本|日本語\n",
	} {
		rows, err := NewReader(strings.NewReader(text), Options{})
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.SplitAfter(strings.TrimPrefix(text, "\xEF\xBB\xBF"), "\n")
		read := 0
		for ; ; read++ {
			fields, err := rows.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			for i, field := range fields {
				line, column := rows.Place(i)
				written := strings.Join(lines[line-1:], "")[column-1:]
				if quoted := `"` + strings.ReplaceAll(field, `"`, `""`) + `"`; strings.HasPrefix(written, quoted) {
					continue
				}
				if rest, ok := strings.CutPrefix(written, field); !ok || rest != "" && !strings.ContainsAny(rest[:1], ";|\r\n") {
					t.Errorf("row %d, field %d %q is said to be at line %d, column %d, where there is %q", read+1, i+1, field, line, column, written)
				}
			}
		}
		if read < 2 {
			t.Errorf("%q: only %d rows", text, read)
		}
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 3*prefixSize)
	for _, c := range []struct {
		name, text string
		want       [][]string
	}{
		{"plain", "a,b\n1,2\n", [][]string{{"a", "b"}, {"1", "2"}}},
		{"no last line end", "a,b\n1,2", [][]string{{"a", "b"}, {"1", "2"}}},
		{"CRLF", "a,b\r\n1,2\r\n", [][]string{{"a", "b"}, {"1", "2"}}},
		{"CR at the very end", "a,b\r\n1,2\r", [][]string{{"a", "b"}, {"1", "2"}}},
		{"header only", "a,b", [][]string{{"a", "b"}}},
		{"one column", "a\n1\n2\n", [][]string{{"a"}, {"1"}, {"2"}}},
		{"empty lines", "\n\r\na,b\n\n1,2\n\r\n\n", [][]string{{"a", "b"}, {"1", "2"}}},
		{"a quoted empty field is a row", "a\n\"\"\n", [][]string{{"a"}, {""}}},
		{"empty fields", "a,b,c\n,,\n\"\",,\"\"\n", [][]string{{"a", "b", "c"}, {"", "", ""}, {"", "", ""}}},
		{"spaces stay", " a , b\n 1 ,\t2\n", [][]string{{" a ", " b"}, {" 1 ", "\t2"}}},
		{"quotes", "a,b\n\"x,y\",\"he said \"\"no\"\"\"\n", [][]string{{"a", "b"}, {"x,y", `he said "no"`}}},
		{"only quotes", "a\n\"\"\"\"\n\"\"\"\"\"\"\n", [][]string{{"a"}, {`"`}, {`""`}}},
		{"quoted header", "\"a,1\",\"b\"\"2\"\n1,2\n", [][]string{{"a,1", `b"2`}, {"1", "2"}}},
		{"bare quotes are text", "a,b\n36'37.8\"N,x\"y\"z\n", [][]string{{"a", "b"}, {`36'37.8"N`, `x"y"z`}}},
		{"a quote after a space is text", "a,b\n1, \"2\"\n", [][]string{{"a", "b"}, {"1", ` "2"`}}},
		{"LF in quotes", "a,b\n\"1\n\n2\",3\n", [][]string{{"a", "b"}, {"1\n\n2", "3"}}},
		{"CRLF in quotes", "a,b\r\n\"1\r\n2\r\",3\r\n", [][]string{{"a", "b"}, {"1\r\n2\r", "3"}}},
		{"BOM", "\xEF\xBB\xBFa,b\n1,2\n", [][]string{{"a", "b"}, {"1", "2"}}},
		{"BOM and quote", "\xEF\xBB\xBF\"a\",b\n1,2\n", [][]string{{"a", "b"}, {"1", "2"}}},
		{"characters", "é,日本\nʤ,😀\n", [][]string{{"é", "日本"}, {"ʤ", "😀"}}},
		{"the replacement character is a character", "a\n\uFFFD\n", [][]string{{"a"}, {"\uFFFD"}}},
		{"NUL is a character", "a\n\x00\n", [][]string{{"a"}, {"\x00"}}},
		{"longer than the buffer", "a,b\n" + long + "," + long + "\n1,2\n", [][]string{{"a", "b"}, {long, long}, {"1", "2"}}},
		{"quoted, longer than the buffer", "a,b\n\"" + long + "\n" + long + "\",2\n", [][]string{{"a", "b"}, {long + "\n" + long, "2"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := readAll(t, c.text, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			// How the input arrives must not matter.
			slow, err := readFrom(iotest.OneByteReader(strings.NewReader(c.text)), Options{})
			if err != nil || !cmp.Equal(c.want, slow) {
				t.Errorf("byte by byte: %v, %s", err, cmp.Diff(c.want, slow))
			}
		})
	}
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text, want string
		limit            bool
	}{
		{"nothing", "", "line 1 has no header: the input is empty", false},
		{"empty lines only", "\n\r\n", "line 1 has no header: the input is empty", false},
		{"a field too few", "a,b,c,d\n1,2,3,4\n\n\n\n\n1,2,3\n", "line 7 has 3 fields, the header has 4", false},
		{"a field too many", "a\n1\n1,2\n", "line 3 has 2 fields, the header has 1", false},
		{"line of the row, not of its end", "a,b\n\"1\n\n\"\n", "line 2 has 1 field, the header has 2", false},
		{"line after a row of many lines", "a,b\n\"1\n\n\",2\n1\n", "line 5 has 1 field, the header has 2", false},
		{"open quote", "a,b\n1,2\n1,\"2\n3,4\n5,6\n", "line 3, column 3 opens a quote that is never closed", false},
		{"open quote at the end", "a,b\n1,\"", "line 2, column 3 opens a quote that is never closed", false},
		{"text after a quote", "a,b\n\"1\"x,2\n", "line 2, column 4 has text after a closing quote", false},
		{"text after a quote, lines later", "a,b\n\"1\n2\" ,2\n", "line 3, column 3 has text after a closing quote", false},
		{"lone CR", "a,b\r1,2\r3,4\r", "line 1, column 4 has a carriage return without a line feed", false},
		{"lone CR beside quotes", "a,b\n\"1\",2\r3\n", "line 2, column 6 has a carriage return without a line feed", false},
		{"CR CR LF", "a,b\r\r\n", "line 1, column 4 has a carriage return without a line feed", false},
		{"CR after a quote", "a\n\"1\"\rx\n", "line 2, column 4 has text after a closing quote", false},
		{"not UTF-8", "a,b\n1,\xff\n", "line 2, column 3 is not UTF-8", false},
		{"Latin-1", "a,b\nMünchen,\"caf\xe9\"\n", "line 2, column 14 is not UTF-8", false},
		{"surrogate", "a\n\xed\xa0\x80\n", "line 2, column 1 is not UTF-8", false},
		{"cut character", "a\n\xe6\x97", "line 2, column 1 is not UTF-8", false},
		{"UTF-16 little", "\xFF\xFEa\x00", "line 1, column 1 begins with the mark of UTF-16, only UTF-8 can be read", false},
		{"UTF-16 big", "\xFE\xFF\x00a", "line 1, column 1 begins with the mark of UTF-16, only UTF-8 can be read", false},
		{"same name", "a,b,a\n", `line 1 is a header whose fields 1 and 3 have the same name "a"`, false},
		{"no name", "a,,c\n", "line 1 is a header whose field 2 of 3 has no name", false},
		{"trailing delimiter", "a,b,\n1,2,\n", "line 1 is a header whose field 3 of 3 has no name", false},
		{"field limit", "a,b\n1,123456789\n", "line 2, column 3 begins a field of more than 8 bytes", true},
		{"field limit in quotes", "a,b\n1,\"12345678\"\"\"\n", "line 2, column 3 opens a quote with more than 8 bytes in it", true},
		{"field limit, open quote", "a,b\n1,\"2\n3,4\n5,6\n7,8\n", "line 2, column 3 opens a quote with more than 8 bytes in it", true},
		{"column limit", "a,b,c,d,e\n", "line 1, column 9 begins more than 4 columns", true},
		{"row limit", "a,b,c,d\n12345678,12345678,12345678,1\n", "line 2 goes over the 24 bytes a row may have", true},
		{"row limit in quotes", "a,b,c,d\n12345678,12345678,\"1234\nx\n", "line 2, column 19 opens a quote that is not closed within the 24 bytes a row may have", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := Options{Delimiter: ','}
			if c.limit {
				o = Options{Delimiter: ',', MaxField: 8, MaxColumns: 4, MaxRow: 24}
			}
			got, err := readAll(t, c.text, o)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("read %q, error %v; want an *Error", got, err)
			}
			if e.Error() != c.want || e.Limit != c.limit {
				t.Errorf("got  %s (limit %v)\nwant %s (limit %v)", e, e.Limit, c.want, c.limit)
			}
		})
	}
}

// A limit holds exactly: what reaches it is read, one byte more is not.
func TestLimitsAreExact(t *testing.T) {
	t.Parallel()
	o := Options{MaxField: 8, MaxColumns: 2, MaxRow: 18}
	for _, text := range []string{"a,b\n12345678,12345678\n", "a,b\n\"1234567\"\"\",\"1234\"", "a,b\n\"123\n5678\",123456\n"} {
		if _, err := readAll(t, text, o); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// A line without an end must not be taken into memory.
func TestRowLimitBoundsMemory(t *testing.T) {
	t.Parallel()
	for _, start := range []string{"a\nx", "a\n\"", "a\n\"\n"} {
		endless := &counter{r: io.MultiReader(strings.NewReader(start), endlessReader{})}
		_, err := readFrom(endless, Options{MaxField: 1 << 20, MaxRow: 1 << 20})
		var e *Error
		if !errors.As(err, &e) || !e.Limit || e.Line != 2 {
			t.Errorf("%q...: error %v", start, err)
		}
		if endless.n > 1<<20+3*prefixSize {
			t.Errorf("%q...: read %d bytes before giving up", start, endless.n)
		}
	}
}

type endlessReader struct{}

func (endlessReader) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

type counter struct {
	r io.Reader
	n int
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

func TestReaderError(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, text := range []string{"", "a", "a,b\n", "a,b\n1,2\n", "a,b\n1,\"2", strings.Repeat("a", 2*prefixSize)} {
		_, err := readFrom(io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken)), Options{})
		if !errors.Is(err, broken) {
			t.Errorf("after %.10q: error %v", text, err)
		}
		_, err = readFrom(io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken)), Options{Delimiter: ','})
		if !errors.Is(err, broken) {
			t.Errorf("after %.10q: error %v", text, err)
		}
	}
}

func TestErrorStays(t *testing.T) {
	t.Parallel()
	rows, err := NewReader(strings.NewReader("a,b\n1\n1,2\n"), Options{Delimiter: ','})
	if err != nil {
		t.Fatal(err)
	}
	_, first := rows.Read()
	_, second := rows.Read()
	if first == nil || first != second {
		t.Errorf("first %v, then %v", first, second)
	}
}

// What Read returned stays as it was when the next row is read, except for the
// slice itself.
func TestStringsAreNotReused(t *testing.T) {
	t.Parallel()
	rows, err := NewReader(strings.NewReader("a,b\n1,\"2\"\n3,\"4\"\n"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	first, _ := rows.Read()
	kept := strings.Clone(first[1])
	value := first[1]
	second, _ := rows.Read()
	if value != kept || &first[0] != &second[0] {
		t.Errorf("value %q, want %q; slice used again: %v", value, kept, &first[0] == &second[0])
	}
	if header := rows.Header(); header[0] != "a" {
		t.Errorf("header became %q", header)
	}
}

func TestLine(t *testing.T) {
	t.Parallel()
	rows, err := NewReader(strings.NewReader("\na,b\n\n\"1\n\n\",2\r\n\r\n3,4"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := []int{rows.Line()}
	for {
		if _, err := rows.Read(); err != nil {
			break
		}
		got = append(got, rows.Line())
	}
	if want := []int{2, 4, 8}; !cmp.Equal(want, got) {
		t.Errorf("lines %v, want %v", got, want)
	}
}

func TestOptionsRefused(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{{Delimiter: '"'}, {Delimiter: '\n'}, {Delimiter: '\r'}, {Delimiter: -1}, {Delimiter: 0xD800}, {MaxField: -1}, {MaxColumns: -1}, {MaxRow: -1}} {
		if _, err := NewReader(strings.NewReader("a\n"), o); err == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
}

func TestOtherDelimiters(t *testing.T) {
	t.Parallel()
	for _, d := range []rune{';', '\t', ' ', '§', '😀', 'x'} {
		text := strings.NewReplacer("|", string(d)).Replace("a|b|c\n1||\"2|\"\"3\"\"\"\n||\n")
		got, err := readAll(t, text, Options{Delimiter: d})
		want := [][]string{{"a", "b", "c"}, {"1", "", "2" + string(d) + `"3"`}, {"", "", ""}}
		if err != nil || !cmp.Equal(want, got) {
			t.Errorf("%q: %v, %v", d, got, err)
		}
	}
}

func ExampleReader() {
	rows, err := NewReader(strings.NewReader("iata;town\nTXL;\"Berlin;\nTegel\"\nMUC;München\n"), Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%q %q\n", rows.Delimiter(), rows.Header())
	for {
		fields, err := rows.Read()
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("line %d: %q\n", rows.Line(), fields)
	}
	// Output:
	// ';' ["iata" "town"]
	// line 2: ["TXL" "Berlin;\nTegel"]
	// line 4: ["MUC" "München"]
	// EOF
}
