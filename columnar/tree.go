package columnar

import (
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// node is a field of the schema.
type node struct {
	path jsontext.Pointer
	name []byte // what stands before the value in an object: "name":
	kind kind

	optional bool
	repeated bool
	// definition is the level from which on the field is there, repetition the one
	// at which it comes again.
	definition, repetition int

	leaves   []*cursor // the columns under the node
	children []*node   // of a group
	write    writer    // of a leaf
}

type kind uint8

const (
	leaf  kind = iota
	group      // an object
	list       // children[0] is the repeated field, its items are those of element
	table      // a map: children[0] is the repeated field, its two children are key and value
)

// plant makes the tree of nodes of the schema.
func (r *Reader) plant() error {
	g := gardener{r: r, elements: r.parsed.Metadata().Schema}
	root, err := g.grow(r.parsed.Root(), "", 0, 0, 0)
	if err != nil {
		return err
	}
	if root.kind == leaf {
		return &Error{Reason: "its schema has no columns"}
	}
	root.kind = group // whatever it says: it is a row
	r.root = root
	return nil
}

// gardener walks through the schema in the order of its elements.
type gardener struct {
	r        *Reader
	elements []format.SchemaElement
	next     int
}

func (g *gardener) grow(c *parquet.Column, path jsontext.Pointer, depth, definition, repetition int) (*node, error) {
	if g.next == len(g.elements) {
		return nil, &Error{Reason: "its schema is cut"}
	}
	element := &g.elements[g.next]
	g.next++
	n := &node{path: path, definition: definition, repetition: repetition}
	if depth > 0 { // the root has no levels
		n.optional, n.repeated = c.Optional(), c.Repeated()
	}
	if n.optional || n.repeated {
		n.definition++
	}
	if n.repeated {
		n.repetition++
	}
	if depth > g.r.limits.MaxDepth {
		return nil, &Error{Column: path, Reason: "columns are nested deeper than the limit", Limit: true}
	}
	if c.Leaf() {
		return n, g.leaf(n, c, element)
	}
	names := make(map[string]bool)
	for _, column := range c.Columns() {
		name := column.Name()
		if !utf8.ValidString(name) || names[name] {
			return nil, &Error{Column: path, Reason: "two fields have the same name, or a name is not UTF-8"}
		}
		names[name] = true
		child, err := g.grow(column, path.AppendToken(name), depth+1, n.definition, n.repetition)
		if err != nil {
			return nil, err
		}
		if child.name, err = jsontext.AppendQuote(nil, name); err != nil {
			return nil, err
		}
		child.name = append(child.name, ':')
		n.children = append(n.children, child)
		n.leaves = append(n.leaves, child.leaves...)
	}
	if len(n.leaves) == 0 {
		return nil, &Error{Column: path, Reason: "a group has no columns"}
	}
	return n, n.shape(c)
}

func (g *gardener) leaf(n *node, c *parquet.Column, element *format.SchemaElement) error {
	if len(g.r.leaves) == g.r.limits.MaxColumns {
		return &Error{Reason: "it has more columns than the limit", Limit: true}
	}
	column := &cursor{r: g.r, path: n.path, repetition: n.repetition > 0, definition: n.definition > 0}
	g.r.leaves = append(g.r.leaves, column)
	n.leaves = []*cursor{column}
	var err error
	n.write, err = writerOf(c.Type(), element)
	if err != nil {
		return &Error{Column: n.path, Reason: err.Error()}
	}
	return nil
}

// shape finds out whether a group is a list or a map. One that says so and is not
// built like one is a group.
func (n *node) shape(c *parquet.Column) error {
	n.kind = group
	logical := c.Type().LogicalType()
	if logical == nil || len(n.children) != 1 || !n.children[0].repeated {
		return nil
	}
	inner := n.children[0]
	switch logical.Value.(type) {
	case *format.ListType:
		n.kind = list
	case *format.MapType:
		if len(inner.children) == 2 && inner.children[0].kind == leaf && !inner.children[0].repeated {
			n.kind = table
		}
	}
	return nil
}

// element returns the node of a list's items. By the format's rules it is the one
// child of the repeated field, but in older files it is the field itself.
func (n *node) element() *node {
	inner := n.children[0]
	name := strings.TrimSuffix(string(inner.name), `":`)[1:]
	if len(inner.children) != 1 || inner.kind != group || name == "array" || strings.HasSuffix(name, "_tuple") {
		return inner
	}
	return inner.children[0]
}
