package markup

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// suite is where the W3C's conformance tests are, the folder xmlconf, unless the
// variable says another place. .ci/xmlconf fetches them.
const (
	suite          = "../../shared/testdata/xmlconf"
	suiteElsewhere = "SEGUE_TEST_XMLCONF"
)

// conformance is one of the suite's tests.
type conformance struct {
	ID             string `xml:"ID,attr"`
	Type           string `xml:"TYPE,attr"`
	File           string `xml:"URI,attr"`
	Recommendation string `xml:"RECOMMENDATION,attr"`
	Edition        string `xml:"EDITION,attr"`
}

// applies says whether a test is one of XML 1.0 in its fifth edition.
func (c conformance) applies() bool {
	return !strings.HasPrefix(c.Recommendation, "NS") && c.Recommendation != "XML1.1" &&
		(c.Edition == "" || slices.Contains(strings.Fields(c.Edition), "5"))
}

// TestConformance holds that nothing is accepted that is not well-formed, and
// all that is but for what this package refuses: DOCTYPE, and what is not UTF-8.
func TestConformance(t *testing.T) {
	t.Parallel()
	elsewhere := os.Getenv(suiteElsewhere)
	root := os.DirFS(cmp.Or(elsewhere, suite))
	switch _, err := fs.Stat(root, "."); {
	case err != nil && elsewhere != "":
		t.Fatal(err)
	case err != nil:
		t.Skipf("THE W3C'S CONFORMANCE TESTS WERE NOT RUN: they are not there (%v). %s=$(.ci/xmlconf) fetches them", err, suiteElsewhere)
	}
	count := make(map[string]int)
	for _, c := range readSuite(t, root) {
		text, err := fs.ReadFile(root, c.File)
		if err != nil {
			count["without file"]++
			continue
		}
		doctype, foreign := bytes.Contains(opaque.ReplaceAll(text, nil), []byte("<!DOCTYPE")), isForeign(text)
		err = readToEnd(bytes.NewReader(text), Limits{})
		switch {
		case doctype || foreign:
			count["refused (DOCTYPE or not UTF-8)"]++
			if err == nil {
				t.Errorf("%s (%s): accepted with a DOCTYPE or in another encoding", c.ID, c.File)
			}
		case c.Type == "error":
			count["either way"]++ // what a processor may report or not
		case c.Type == "not-wf":
			count["not well-formed"]++
			if err == nil {
				t.Errorf("%s (%s): accepted", c.ID, c.File)
			}
		default:
			count["well-formed"]++
			if err != nil {
				t.Errorf("%s (%s): %v", c.ID, c.File, err)
			}
		}
	}
	t.Logf("%v", count)
	if count["not well-formed"] < 100 || count["refused (DOCTYPE or not UTF-8)"] < 1000 {
		t.Errorf("hardly any tests: %v", count)
	}
}

// readSuite reads the catalogs: all files with TEST elements.
func readSuite(t *testing.T, root fs.FS) []conformance {
	t.Helper()
	var all []conformance
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".xml") {
			return err
		}
		text, err := fs.ReadFile(root, name)
		if err != nil || !bytes.Contains(text, []byte("<TEST ")) {
			return err
		}
		catalog := xml.NewDecoder(bytes.NewReader(text))
		catalog.Strict = false
		for {
			token, err := catalog.Token()
			if err != nil {
				return nil
			}
			start, ok := token.(xml.StartElement)
			if !ok || start.Name.Local != "TEST" {
				continue
			}
			var c conformance
			if err := catalog.DecodeElement(&c, &start); err != nil {
				return err
			}
			c.File = path.Join(path.Dir(name), c.File)
			if c.applies() {
				all = append(all, c)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// opaque is what may hold the letters of a DOCTYPE without having one.
var opaque = regexp.MustCompile(`(?s)<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>`)

// isForeign says whether a text is, or says that it is, in another encoding.
func isForeign(text []byte) bool {
	if bytes.HasPrefix(text, []byte("\xFE\xFF")) || bytes.HasPrefix(text, []byte("\xFF\xFE")) {
		return true
	}
	decl, _, _ := bytes.Cut(text[:min(len(text), 200)], []byte("?>"))
	at := bytes.Index(decl, []byte("encoding"))
	return bytes.HasPrefix(decl, []byte("<?xml")) && at >= 0 && !bytes.Contains(bytes.ToLower(decl[at:]), []byte("utf-8"))
}

func readToEnd(r io.Reader, l Limits) error {
	tokens := NewReader(r, l)
	for {
		if _, err := tokens.Token(); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}
