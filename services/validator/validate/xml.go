package validate

import (
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"

	"segue/markup"
)

// elementPath returns the names of a path such as /feed/entry.
func elementPath(path string) ([]string, bool) {
	names := strings.Split(path, "/")
	return names[1:], len(names) > 1 && names[0] == "" && !slices.Contains(names[1:], "")
}

// xml checks that a document is well-formed, and counts the elements at the
// path of the records. That there are none is in order as long as there is the
// element that would have them.
func (c *check) xml(r io.Reader, path []string) error {
	in := markup.NewReader(r, markup.Limits{MaxDepth: c.cfg.MaxDepth, MaxToken: int(c.cfg.MaxToken)})
	depth, matched, deepest := 0, 0, 0 // elements open, how many of them are the first of path, and the most there were
	for {
		token, err := in.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return xmlFault(err)
		}
		c.mark()
		switch t := token.(type) {
		case xml.StartElement:
			if depth == matched && depth < len(path) && t.Name.Local == path[depth] {
				matched++
				deepest = max(deepest, matched)
				if matched == len(path) {
					c.seen++
				}
			}
			depth++
		case xml.EndElement:
			depth--
			matched = min(matched, depth)
			if err := c.ctx.Err(); err != nil {
				return err
			}
		}
	}
	switch {
	case path == nil:
		c.seen = 1
	case deepest < len(path)-1:
		return c.noRecords("leads to no element: there is no /" + strings.Join(path[:deepest+1], "/"))
	}
	return nil
}

// xmlFault makes a fault of an error of markup.
func xmlFault(err error) error {
	var e *markup.Error
	switch {
	case !errors.As(err, &e):
		return err
	case e.Limit:
		return &fault{code: CodeLimit, limit: limitXML, offset: e.Offset, message: e.Reason}
	}
	return &fault{code: CodeNotWellFormed, offset: e.Offset, message: e.Reason}
}
