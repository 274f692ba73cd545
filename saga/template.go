package saga

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Limits of a template.
const (
	// MaxCost is how much work one expression may do, in CEL's units: roughly one
	// for each operation and element, a tenth for each byte of a string. A million
	// takes about a tenth of a second.
	MaxCost = 1_000_000
	// MaxResult is the largest JSON that a template may make, in bytes.
	MaxResult = 1 << 20
)

var errTooLarge = fmt.Errorf("the result is larger than %d bytes", MaxResult)

// Template makes a JSON value out of the input of a run and the outputs of its
// steps. The zero Template makes null.
//
// In a definition file it is any value. Strings in it may hold CEL expressions:
//
//	"${input.url}"           the value of the expression, with its type
//	"page ${input.page}"     text with the value in it: a string, number or boolean
//	"$${input.url}"          the text ${input.url}
//	"${run.digest}"          of the definition; there are run.id, run.saga and run.correlation, too
//	"${input.?format}"       the value if there is one; else the entry of the object,
//	                         or the element of the list, that it stands for is left out
//
// The variables are run, input and steps.NAME, which is the output of a step that
// this one needs, if only through others; write steps["NAME"] if the name holds
// a hyphen. Keys of objects are plain text.
//
// The functions are CEL's own without those of time, plus optional values. None
// depends on anything but its arguments: macros go through an object in the
// order of its keys, and there is no clock, so a template evaluated twice makes
// the same bytes.
//
// A Template is immutable and safe for concurrent use.
type Template struct{ root part }

// IsZero reports whether the template is the zero Template.
func (t Template) IsZero() bool { return t.root == nil }

// Eval returns the value, for no run in particular (what ${run.NAME} says is
// empty), as JSON with sorted keys; null if it is absent. Both
// arguments hold values as [DecodeValue] returns them and are not changed;
// outputs has those of all steps that the template may use.
//
// An error names the place in the template and the expression, such as
// "/url: ${input.url}: no such key: url". The same arguments fail again.
func (t Template) Eval(input any, outputs map[string]any) (json.RawMessage, error) {
	none := make(map[string]any, len(facts))
	for _, name := range facts {
		none[name] = ""
	}
	return t.eval(scope{input: input, steps: outputs, run: none})
}

func (t Template) eval(s scope) (json.RawMessage, error) {
	if t.root == nil {
		return json.RawMessage("null"), nil
	}
	b, err := t.root.append(nil, s)
	if err != nil {
		return nil, err
	}
	if len(b) == 0 {
		return json.RawMessage("null"), nil
	}
	if len(b) > MaxResult {
		return nil, errTooLarge
	}
	return b, nil
}

// holds returns the value of a template that is to be true or false; true if it is
// the zero Template.
func (t Template) holds(s scope) (bool, error) {
	if t.root == nil {
		return true, nil
	}
	value, err := t.eval(s)
	switch {
	case err != nil:
		return false, fmt.Errorf("when: %w", err)
	case string(value) == "true":
		return true, nil
	case string(value) == "false":
		return false, nil
	}
	return false, fmt.Errorf("when: want true or false, not %s", shortened(string(value)))
}

// part is a piece of a template. It appends its value, or nothing if the value
// is absent.
type part interface {
	append(b []byte, s scope) ([]byte, error)
}

type (
	literalPart struct{ json []byte }
	listPart    []part
	objectPart  struct {
		keys   []string // sorted
		values []part
	}
	textPart []segment // text with expressions in it
)

// segment is an expression or, if that is nil, plain text.
type segment struct {
	text       string
	expression *expression
}

func (p literalPart) append(b []byte, _ scope) ([]byte, error) { return append(b, p.json...), nil }

func (p listPart) append(b []byte, s scope) ([]byte, error) {
	return appendList(b, len(p), func(b []byte, i int) ([]byte, error) {
		b, err := p[i].append(b, s)
		return b, below(fmt.Sprint(i), err)
	})
}

func (p objectPart) append(b []byte, s scope) ([]byte, error) {
	return appendObject(b, p.keys, func(b []byte, i int) ([]byte, error) {
		b, err := p.values[i].append(b, s)
		return b, below(p.keys[i], err)
	})
}

func (p textPart) append(b []byte, s scope) ([]byte, error) {
	var text []byte
	for _, segment := range p {
		if segment.expression == nil {
			text = append(text, segment.text...)
			continue
		}
		var err error
		if text, err = segment.expression.appendText(text, s); err != nil {
			return b, err
		}
		if len(text) > MaxResult {
			return b, errTooLarge
		}
	}
	return jsontext.AppendQuote(b, text)
}

// evalError is an error at a place inside a template.
type evalError struct {
	pointer string
	err     error
}

func (e *evalError) Error() string { return e.pointer + ": " + e.err.Error() }
func (e *evalError) Unwrap() error { return e.err }

// below moves an error under the key or index it happened at.
func below(token string, err error) error {
	if err == nil {
		return nil
	}
	token = "/" + pointerEscape.Replace(token)
	if inner, ok := err.(*evalError); ok { //nolint:errorlint // made here, never wrapped
		return &evalError{token + inner.pointer, inner.err}
	}
	return &evalError{token, err}
}

var pointerEscape = strings.NewReplacer("~", "~0", "/", "~1")

// compile makes a template of a node. What is wrong goes to the compiler's
// problems; the template is then not usable.
func (c *compiler) compile(n *node) part {
	switch n.kind {
	case isList:
		list := make(listPart, len(n.items))
		for i, item := range n.items {
			list[i] = c.compile(item)
		}
		return list
	case isObject:
		byName := make(map[string]part, len(n.fields))
		for _, f := range n.fields {
			if strings.Contains(f.name, "${") {
				c.problem(f.place, "key %q: keys are plain text, an expression can only stand in a value", f.name)
			}
			byName[f.name] = c.compile(f.value)
		}
		object := objectPart{keys: slices.Sorted(maps.Keys(byName))}
		for _, key := range object.keys {
			object.values = append(object.values, byName[key])
		}
		return object
	case isString:
		return c.compileText(n)
	default:
		return literal(n.value)
	}
}

// condition makes a template of a node that is to say true or false.
func (c *compiler) condition(n *node) part {
	p := c.compile(n)
	e, ok := p.(*expression)
	_, isText := p.(textPart)
	text, _ := n.value.(string)
	switch {
	case ok && e != nil && !e.maybeBool:
		c.problem(n.place, "when: want true or false; write .orValue(false) behind what may be absent")
	case !ok && !strings.Contains(text, "${"):
		c.problem(n.place, "when: want an expression that is true or false, such as ${input.rows > 0}")
	case isText:
		c.problem(n.place, "when: want one expression and nothing beside it")
	}
	return p
}

func literal(value any) part {
	b, err := appendJSON(nil, value)
	if err != nil {
		panic("saga: literal: " + err.Error()) // unreachable: nodes hold JSON values only
	}
	return literalPart{b}
}

// compileText takes a string apart into text and expressions.
func (c *compiler) compileText(n *node) part {
	value := n.value.(string)
	var text textPart
	var plain strings.Builder
	flush := func() {
		if plain.Len() > 0 {
			text = append(text, segment{text: plain.String()})
			plain.Reset()
		}
	}
	for i := 0; i < len(value); {
		switch {
		case strings.HasPrefix(value[i:], "$${"):
			plain.WriteString("${")
			i += len("$${")
		case strings.HasPrefix(value[i:], "${"):
			end, err := expressionEnd(value[i+2:])
			if err != nil {
				c.problem(n.inside(value, utf8.RuneCountInString(value[:i])), "%s", err)
				return literal(value)
			}
			flush()
			source, whole := value[i+2:i+2+end], i == 0 && i+2+end+1 == len(value)
			text = append(text, segment{expression: c.expression(n, value, i+2, source, whole)})
			i += 2 + end + 1
			if whole {
				return text[0].expression
			}
		default:
			plain.WriteByte(value[i])
			i++
		}
	}
	flush()
	if len(text) == 0 || len(text) == 1 && text[0].expression == nil {
		return literal(strings.ReplaceAll(value, "$${", "${"))
	}
	return text
}

var (
	errUnclosed = errors.New(`"${" without its "}"; write "$${" for the text "${"`)
	errEmpty    = errors.New(`"${}" holds no expression`)
)

// expressionEnd returns the index of the brace that closes an expression. Braces
// in the strings and comments of the expression do not count.
func expressionEnd(s string) (int, error) {
	open := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '{':
			open++
		case '}':
			if open > 0 {
				open--
			} else if strings.TrimSpace(s[:i]) == "" {
				return 0, errEmpty
			} else {
				return i, nil
			}
		case '"', '\'':
			i += quotedLength(s, i) - 1
		case '/':
			if strings.HasPrefix(s[i:], "//") {
				comment, _, _ := strings.Cut(s[i:], "\n")
				i += len(comment) - 1
			}
		}
	}
	return 0, errUnclosed
}

// quotedLength returns the length of the CEL string literal that begins at s[i]
// with a quote: one or three of them, raw if an r stands before.
func quotedLength(s string, i int) int {
	rest, quote := s[i:], s[i:i+1]
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(rest, triple) {
		quote = triple
	}
	raw := i > 0 && (s[i-1] == 'r' || s[i-1] == 'R')
	for j := len(quote); j < len(rest); j++ {
		if rest[j] == '\\' && !raw {
			j++
		} else if strings.HasPrefix(rest[j:], quote) {
			return j + len(quote)
		}
	}
	return len(rest)
}
