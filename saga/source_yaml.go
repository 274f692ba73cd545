package saga

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// yamlReader turns a YAML tree into nodes. It accepts the part of YAML that
// means the same as JSON: no anchors, aliases, merge keys or tags, keys that are
// strings, numbers as JSON writes them.
type yamlReader struct {
	src      *source
	problems Problems
}

func readYAML(src *source, text []byte) (*node, Problems) {
	start := place{src, 1, 1}
	if len(text) > MaxYAML {
		return nil, Problems{start.problem(fmt.Sprintf("%d bytes of YAML, at most %d are read; JSON may have %d", len(text), MaxYAML, MaxText))}
	}
	if line, column, ok := tooManyBrackets(src.lines); ok {
		return nil, Problems{place{src, line, column}.problem(fmt.Sprintf("nested more than %d deep", MaxDepth))}
	}
	file, err := parseYAML(text)
	if err != nil {
		return nil, Problems{yamlProblem(start, err)}
	}
	r := &yamlReader{src: src}
	var root *node
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil:
		case root != nil:
			r.problem(r.at(doc.Body), "a second document; a file holds one definition")
		default:
			root = r.node(doc.Body, 1)
		}
	}
	if root == nil {
		return nil, Problems{start.problem("the file is empty")}
	}
	return root, r.problems
}

// parseYAML turns a panic of the parser into an error: a definition file must
// not bring down the program that reads it.
func parseYAML(text []byte) (file *ast.File, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the YAML parser gave up: %v", p)
		}
	}()
	return parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey()) // reported by the reader instead
}

// tooManyBrackets finds where more than MaxDepth brackets are open. It guards
// the parser, which needs stack and time for each; brackets in strings and
// comments count too, but come in pairs.
func tooManyBrackets(lines []string) (line, column int, found bool) {
	open := 0
	for i, l := range lines {
		for j, c := range []byte(l) {
			switch c {
			case '[', '{':
				open++
			case ']', '}':
				open = max(0, open-1)
			}
			if open > MaxDepth {
				return i + 1, utf8.RuneCountInString(l[:j]) + 1, true
			}
		}
	}
	return 0, 0, false
}

func yamlProblem(start place, err error) Problem {
	var known yaml.Error
	if !errors.As(err, &known) {
		return start.problem("not YAML: " + err.Error())
	}
	if t := known.GetToken(); t != nil && t.Position != nil {
		start.line, start.column = max(1, t.Position.Line), max(1, t.Position.Column)
	}
	message := "not YAML: " + known.GetMessage()
	if line := start.source.lines[min(start.line, len(start.source.lines))-1]; strings.Contains(line, "${") {
		message += "; put a string that holds ${...} in quotes"
	}
	return start.problem(message)
}

func (r *yamlReader) problem(at place, format string, args ...any) {
	r.problems = append(r.problems, at.problem(fmt.Sprintf(format, args...)))
}

// at returns where a node begins. The parser says of a mapping where its first
// colon is.
func (r *yamlReader) at(n ast.Node) place {
	t := n.GetToken()
	switch n := n.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return r.at(n.Values[0].Key)
		}
		t = n.Start
	case *ast.MappingValueNode:
		return r.at(n.Key)
	}
	if t == nil || t.Position == nil {
		return place{r.src, 1, 1}
	}
	return place{r.src, max(1, t.Position.Line), max(1, t.Position.Column)}
}

func (r *yamlReader) node(n ast.Node, depth int) *node {
	at := r.at(n)
	if depth > MaxDepth {
		r.problem(at, "nested more than %d deep", MaxDepth)
		return scalar(at, nil)
	}
	switch n := n.(type) {
	case *ast.MappingNode:
		return r.object(at, n.Values, depth)
	case *ast.MappingValueNode:
		return r.object(at, []*ast.MappingValueNode{n}, depth)
	case *ast.SequenceNode:
		list := &node{place: at, kind: isList}
		for _, item := range n.Values {
			list.items = append(list.items, r.node(item, depth+1))
		}
		return list
	case *ast.AnchorNode, *ast.AliasNode:
		r.problem(at, "anchors and aliases are not read; write the value out")
	case *ast.TagNode:
		r.problem(at, "tags are not read; remove %q", n.GetToken().Value)
	case *ast.NullNode:
	case *ast.BoolNode:
		return scalar(at, n.Value)
	case *ast.LiteralNode:
		return r.text(at, n.Value.Value)
	case *ast.StringNode:
		return r.string(at, n)
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return r.number(at, n.GetToken().Value)
	default:
		r.problem(at, "this YAML is not read: %s", n.Type())
	}
	return scalar(at, nil)
}

func (r *yamlReader) object(at place, values []*ast.MappingValueNode, depth int) *node {
	object := &node{place: at, kind: isObject}
	taken := make(map[string]bool, len(values))
	for _, v := range values {
		f := field{place: r.at(v.Key)}
		switch key := v.Key.(type) {
		case *ast.StringNode:
			f.name = key.Value
		case *ast.MergeKeyNode:
			r.problem(f.place, "merge keys are not read; write the values out")
			continue
		default:
			r.problem(f.place, "the key is not a string; put it in quotes")
			continue
		}
		f.value = r.node(v.Value, depth+1)
		if p := object.addField(f, taken); p != nil {
			r.problems = append(r.problems, *p)
		}
	}
	return object
}

// string reads a string node. What stands there without quotes and looks like
// a number to JSON is one: the parser takes 1e3 for a string.
func (r *yamlReader) string(at place, n *ast.StringNode) *node {
	if t := n.GetToken(); t.Type != token.DoubleQuoteType && t.Type != token.SingleQuoteType && isJSONNumber(n.Value) {
		return r.number(at, n.Value)
	}
	return r.text(at, n.Value)
}

func (r *yamlReader) text(at place, value string) *node {
	if !utf8.ValidString(value) {
		r.problem(at, "the string is not UTF-8")
		value = strings.ToValidUTF8(value, "\ufffd")
	}
	return scalar(at, value)
}

func (r *yamlReader) number(at place, text string) *node {
	if !isJSONNumber(text) {
		r.problem(at, "%s is not how JSON writes a number; put it in quotes if it is a string", text)
		return scalar(at, int64(0))
	}
	number, err := decodeNumber(text)
	if err != nil {
		r.problem(at, "%s", err)
		return scalar(at, int64(0))
	}
	return scalar(at, number)
}
