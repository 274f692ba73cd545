package markup

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// tokens writes down what a document consists of, one token a line.
func tokens(r io.Reader, l Limits) (string, error) {
	var b strings.Builder
	for in := NewReader(r, l); ; {
		token, err := in.Token()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return b.String(), err
		}
		line, column := in.Position()
		fmt.Fprintf(&b, "%d:%d ", line, column)
		switch t := token.(type) {
		case xml.StartElement:
			fmt.Fprintf(&b, "<%s", t.Name.Local)
			for _, a := range t.Attr {
				fmt.Fprintf(&b, " %s=%q", a.Name.Local, a.Value)
			}
			fmt.Fprintln(&b, ">")
		case xml.EndElement:
			fmt.Fprintf(&b, "</%s>\n", t.Name.Local)
		case xml.CharData:
			fmt.Fprintf(&b, "%q\n", t)
		case xml.Comment:
			fmt.Fprintf(&b, "comment %q\n", t)
		case xml.ProcInst:
			fmt.Fprintf(&b, "PI %s %q\n", t.Target, t.Inst)
		}
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, text, want string }{
		{"least", "<a/>", "1:1 <a>\n1:1 </a>\n"},
		{"all kinds", "\xEF\xBB\xBF<?xml version='1.0' encoding=\"utf-8\"?>\n<!-- c -->\n<a b='1' c = \"2\">x<!--y-->z<?p q ?><![CDATA[<&]]></a>\n",
			`1:1 PI xml "version='1.0' encoding=\"utf-8\""` + "\n1:39 \"\\n\"\n2:1 comment \" c \"\n2:11 \"\\n\"\n3:1 <a b=\"1\" c=\"2\">\n" +
				"3:18 \"x\"\n3:19 comment \"y\"\n3:27 \"z\"\n3:28 PI p \"q \"\n3:36 \"<&\"\n3:50 </a>\n3:54 \"\\n\"\n"},
		{"references", "<a b='&lt;&#65;&#x1F600;&quot;'>&amp;&gt;&apos;&#10;</a>", "1:1 <a b=\"<A😀\\\"\">\n1:33 \"&>'\\n\"\n1:53 </a>\n"},
		{"line ends", "<a b='1\r\n2\n3\r4\t5'>1\r\n2\r3\n</a>", "1:1 <a b=\"1 2 3 4 5\">\n3:8 \"1\\n2\\n3\\n\"\n5:1 </a>\n"},
		{"a reference to a line end stays", "<a b='&#10;&#13;&#9;'/>", "1:1 <a b=\"\\n\\r\\t\">\n1:1 </a>\n"},
		{"prefixes stay", "<x:a xmlns:x='u' x:b=''><b:c:d/></x:a>", "1:1 <x:a xmlns:x=\"u\" x:b=\"\">\n1:25 <b:c:d>\n1:25 </b:c:d>\n1:33 </x:a>\n"},
		{"names of the fifth edition", "<ʼ·\u0300 ῼ=''/>", ""},
		{"a > in a value", "<a b='>' c=\"/>\"></a >", "1:1 <a b=\">\" c=\"/>\">\n1:17 </a>\n"},
		{"space in tags", "<a\n\tb = '1'\n/>", "1:1 <a b=\"1\">\n1:1 </a>\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := tokens(strings.NewReader(test.text), Limits{})
			if err != nil || test.want != "" && got != test.want {
				t.Errorf("%v\n%s", err, cmp.Diff(test.want, got))
			}
			slow, err := tokens(iotest.OneByteReader(strings.NewReader(test.text)), Limits{})
			if err != nil || slow != got {
				t.Errorf("byte by byte: %v\n%s", err, cmp.Diff(got, slow))
			}
		})
	}
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ text, want string }{
		{"", "line 1, column 1: has no root element"},
		{" \n<!-- only -->", "line 2, column 14: has no root element"},
		{"<a>", "line 1, column 4: ends where element a is still open"},
		{"<a/><b/>", "line 1, column 5: has a second root element, b"},
		{"<a/>x", "line 1, column 5: has text outside its root element"},
		{"x<a/>", "line 1, column 1: has text outside its root element"},
		{"<a/>&#32;", "line 1, column 5: has text outside its root element"},
		{"<a/><![CDATA[]]>", "line 1, column 5: has a CDATA section outside its root element"},
		{"<a></b>", "line 1, column 4: closes element b where element a is open"},
		{"</b>", "line 1, column 1: closes element b, which is not open"},
		{"<a\n b='1'\n b='2'/>", "line 3, column 2: has attribute b twice"},
		{"<a b='1'c='2'/>", "line 1, column 9: has no space where an attribute or the end of the tag should follow"},
		{"<a b/>", "line 1, column 5: has an attribute without ="},
		{"<a b=1/>", "line 1, column 6: has an attribute whose value is not in quotes"},
		{"<a b='<'/>", "line 1, column 7: has a < in the value of an attribute, it has to be written &lt;"},
		{"<a b='1", "line 1, column 6: opens a quote that is never closed"},
		{"<a <b/>", "line 1, column 4: has a < inside a tag, it has to be written &lt;"},
		{"<a", "line 1, column 3: ends in the middle of a tag"},
		{"<", "line 1, column 2: ends in the middle of a tag"},
		{"<1/>", "line 1, column 2: has no name where one should begin"},
		{"< a/>", "line 1, column 2: has no name where one should begin"},
		{"<a/ >", "line 1, column 3: has no space where an attribute or the end of the tag should follow"},
		{"<a></a b>", "line 1, column 7: has more than a name in an end tag"},
		{"<a>&</a>", "line 1, column 4: has an & that begins no reference, it has to be written &amp;"},
		{"<a>& ;</a>", "line 1, column 4: has an & that begins no reference, it has to be written &amp;"},
		{"<a>\n&nbsp;</a>", "line 2, column 1: refers to entity nbsp, which is not declared"},
		{"<a>&#0;</a>", "line 1, column 4: refers to a character that XML does not allow: &#0;"},
		{"<a>&#xD800;</a>", "line 1, column 4: refers to a character that XML does not allow: &#xD800;"},
		{"<a>&#+1;&#1_0;</a>", "line 1, column 4: refers to a character that XML does not allow: &#+1;"},
		{"<a>]]></a>", "line 1, column 4: has ]]> in its text, which has to be written ]]&gt;"},
		{"<a>\x00</a>", "line 1, column 4: has the character U+0000, which XML does not allow"},
		{"<a>\uFFFE</a>", "line 1, column 4: has the character U+FFFE, which XML does not allow"},
		{"<a>\xFF</a>", "line 1, column 4: is not UTF-8"},
		{"<a b='\x01'/>", "line 1, column 7: has the character U+0001, which XML does not allow"},
		{"\xFF\xFE<\x00", "line 1, column 1: begins with the mark of UTF-16, only UTF-8 can be read"},
		{"<!-- a -- b --><a/>", "line 1, column 8: has -- inside a comment"},
		{"<!-- a ---><a/>", "line 1, column 8: has -- inside a comment"},
		{"<!-- a", "line 1, column 1: begins a comment that never ends"},
		{"<a><![CDATA[", "line 1, column 4: begins a CDATA section that never ends"},
		{"<?p", "line 1, column 1: begins a processing instruction that never ends"},
		{"<?p+?><a/>", "line 1, column 4: has no space behind the name of a processing instruction"},
		{" <?xml version='1.0'?><a/>", "line 1, column 2: has an XML declaration that is not at its beginning"},
		{"<a/><?XmL ?>", "line 1, column 5: has an XML declaration that is not at its beginning"},
		{"<?xml?><a/>", "line 1, column 1: has an XML declaration without a version"},
		{"<?xml version='2.0'?><a/>", "line 1, column 1: declares version 2.0, only 1.0 can be read"},
		{"<?xml version='1.0' encoding='latin1'?><a/>", "line 1, column 1: declares the encoding latin1, only UTF-8 can be read"},
		{"<?xml version='1.0' standalone='yes' encoding='utf-8'?><a/>", "line 1, column 1: has an XML declaration with encoding out of place"},
		{"<?xml encoding='utf-8'?><a/>", "line 1, column 1: has an XML declaration with encoding out of place"},
		{"<?xml version='1.0' standalone='maybe'?><a/>", "line 1, column 1: declares standalone as maybe, which can be yes or no"},
		{"<?xml version='&#49;.0'?><a/>", "line 1, column 16: has a reference in its XML declaration"},
		{"<!ELEMENT a ANY><a/>", "line 1, column 1: has a <! that begins neither a comment nor a CDATA section"},
		{"<!DOCTYPE lolz [<!ENTITY lol 'lol'>]><lolz>&lol;</lolz>", "line 1, column 1: has a DOCTYPE, which is refused: send the document without it"},
	} {
		got, err := tokens(strings.NewReader(test.text), Limits{})
		var e *Error
		if !errors.As(err, &e) || e.Error() != test.want || e.Limit != strings.Contains(test.want, "DOCTYPE") {
			t.Errorf("%q\ngot  %v (limit %t)\nwant %s\n%s", test.text, err, e != nil && e.Limit, test.want, got)
		}
		if _, slow := tokens(iotest.OneByteReader(strings.NewReader(test.text)), Limits{}); slow == nil || slow.Error() != test.want {
			t.Errorf("%q byte by byte: %v", test.text, slow)
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	l := Limits{MaxDepth: 2, MaxAttributes: 2, MaxName: 4, MaxToken: 32}
	for _, test := range []struct{ good, bad, want string }{
		{"<a><b/></a>", "<a><b><c/></b></a>", "line 1, column 7: has elements nested deeper than 2"},
		{"<a b='' c=''/>", "<a b='' c='' d=''/>", "line 1, column 14: has an element of more than 2 attributes"},
		{"<abcd/>", "<abcde/>", "line 1, column 2: has a name of more than 4 bytes"},
		{"<a>" + strings.Repeat("x", 32) + "</a>", "<a>" + strings.Repeat("x", 33) + "</a>", "line 1, column 4: a run of text of more than 32 bytes begins here"},
		{"<a b='" + strings.Repeat("x", 23) + "'/>", "<a b='" + strings.Repeat("x", 24) + "'/>", "line 1, column 1: a tag of more than 32 bytes begins here"},
		{"<!--" + strings.Repeat("x", 20) + "--><a/>", "<!--" + strings.Repeat("x", 40) + "--><a/>", "line 1, column 1: a comment of more than 32 bytes begins here"},
	} {
		if _, err := tokens(strings.NewReader(test.good), l); err != nil {
			t.Errorf("%s: %v", test.good, err)
		}
		_, err := tokens(strings.NewReader(test.bad), l)
		var e *Error
		if !errors.As(err, &e) || e.Error() != test.want || !e.Limit {
			t.Errorf("%s: %v, want %s", test.bad, err, test.want)
		}
	}
}

// endless repeats a text for ever and counts what it has handed out.
type endless struct {
	text string
	n    int
}

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = e.text[e.n%len(e.text)]
		e.n++
	}
	return len(p), nil
}

// TestEndless holds that a token without an end is not taken into memory.
func TestEndless(t *testing.T) {
	t.Parallel()
	for start, text := range map[string]string{
		"<a>": "x", "<a ": "b", "<a b='": "x", "<a b=''": " ", "<!--": "x", "<?p ": "x", "<a><![CDATA[": "]]", "</": "a", "<": "a", "<a>&#": "0",
	} {
		more := &endless{text: text}
		_, err := tokens(io.MultiReader(strings.NewReader(start), more), Limits{MaxToken: 1 << 20})
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%s...: %v", start, err)
		}
		if more.n > 4<<20 {
			t.Errorf("%s...: %d bytes were read before it gave up", start, more.n)
		}
	}
}

func TestReaderError(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, text := range []string{"", "<", "<a", "<a b='", "<a>", "<a>x", "<!-", "<!--", "<a/>"} {
		in := NewReader(io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken)), Limits{})
		var err error
		for err == nil {
			_, err = in.Token()
		}
		if _, again := in.Token(); err != broken || again != broken {
			t.Errorf("after %q: %v, then %v", text, err, again)
		}
	}
}

func FuzzToken(f *testing.F) {
	for _, seed := range []string{
		"<?xml version='1.0'?><a b='1' c=\"&lt;\">x&#65;<!-- y --><b/><![CDATA[z]]></a>", "<a>]]></a>", "<a b='1'b='2'/>", "<é/>", "<!DOCTYPE a><a/>",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		l := Limits{MaxDepth: 20, MaxAttributes: 20, MaxName: 50, MaxToken: 500}
		got, err := tokens(strings.NewReader(string(text)), l)
		slow, slowErr := tokens(iotest.OneByteReader(strings.NewReader(string(text))), l)
		// Of a token that is broken and too long, what is told depends on how much has come.
		var fast, late *Error
		tooLong := errors.As(err, &fast) && errors.As(slowErr, &late) && (fast.Limit || late.Limit)
		if got != slow || !tooLong && fmt.Sprint(err) != fmt.Sprint(slowErr) {
			t.Fatalf("%v and, byte by byte, %v\n%s", err, slowErr, cmp.Diff(got, slow))
		}
		if err != nil {
			return
		}
		if why := second(string(text)); why != nil {
			t.Fatalf("accepted, encoding/xml says: %v", why)
		}
	})
}

// second is what encoding/xml in its strict mode says, but for names: it knows
// those of an older edition.
func second(text string) error {
	dec := xml.NewDecoder(strings.NewReader(strings.TrimPrefix(text, "\xEF\xBB\xBF")))
	dec.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil } // UTF-8 in other words
	for {
		_, err := dec.RawToken()
		var syntax *xml.SyntaxError
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &syntax) && (strings.HasPrefix(syntax.Msg, "invalid XML name") || strings.HasPrefix(syntax.Msg, "expected ")):
			return nil
		case err != nil && strings.Contains(err.Error(), "unsupported version"):
			return nil // 1.1 and the like, which the fifth edition reads as 1.0
		case err != nil:
			return err
		}
	}
}

func BenchmarkToken(b *testing.B) {
	item := `<item id="42" class="a"><title>A title &amp; more</title><price currency="EUR">12.50</price><note>Some longer text that says nothing.</note></item>` + "\n"
	text := "<feed>" + strings.Repeat(item, 10_000) + "</feed>"
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		in := NewReader(strings.NewReader(text), Limits{})
		var err error
		for err == nil {
			_, err = in.Token()
		}
		if err != io.EOF {
			b.Fatal(err)
		}
	}
}
