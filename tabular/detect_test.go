package tabular

import (
	"fmt"
	"strings"
	"testing"
)

func TestDetect(t *testing.T) {
	t.Parallel()
	var wide strings.Builder // a header longer than the prefix
	for n := range 9_999 {
		fmt.Fprintf(&wide, "column %d;", n)
	}
	wide.WriteString("last\n")
	for _, c := range []struct {
		name, text string
		want       rune
	}{
		{"comma", "a,b\n1,2\n", ','},
		{"semicolon", "a;b\n1;2\n", ';'},
		{"tab", "a\tb\n1\t2\n", '\t'},
		{"bar", "a|b\n1|2\n", '|'},
		{"header only", "a;b;c", ';'},
		{"one column", "name\nx\ny\n", ','},
		{"a tie goes to the comma", "a,b;c\n1,2;3\n", ','},
		{"decimal commas", "price;tax\n1,5;0,3\n2,5;0,4\n", ';'},
		{"comma in the header's text", "name, first;age\nAnn;30\nBob;40\n", ';'},
		{"semicolons in quotes", "\"a;b;c;d\",e\n\"1;2;3;4\",5\n", ','},
		{"line ends in quotes", "\"a\nb\";c\n\"1\n2,3\";4\n", ';'},
		{"a bad row does not turn it", "a,b,c,d|e\n1,2,3,4|5\n1,2,3|4\n1,2,3,4|5\n", ','},
		{"BOM", "\xEF\xBB\xBF\"a,b\";c\n1;2\n", ';'},
		{"half a line at the prefix's end", "a;b\n" + strings.Repeat("1,2,3;4\n", prefixSize/8) + "1,2", ';'},
		{"header longer than the prefix", wide.String(), ';'},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rows, err := NewReader(strings.NewReader(c.text), Options{})
			if err != nil {
				t.Fatal(err)
			}
			if rows.Delimiter() != c.want {
				t.Errorf("found %q, want %q", rows.Delimiter(), c.want)
			}
		})
	}
}
