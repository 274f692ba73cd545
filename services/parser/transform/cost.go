package transform

import (
	"regexp"
	"regexp/syntax"
	"strings"

	"github.com/itchyny/gojq"
)

// pay is the function _pay that is built into programs: it returns its input and
// takes the work of what follows. Its arguments are the name of that and its
// arguments.
func (m *meter) pay(v any, args []any) any {
	if !m.take(m.cost(args[0].(string), v, args[1:])) {
		return m.err
	}
	return v
}

// cost returns the work of a function or operator.
func (m *meter) cost(name string, v any, args []any) int64 {
	switch price := functions[name]; price {
	case free:
		return 0
	case shallow:
		return flat(v)
	case byCharacter:
		return m.characters(v)
	case whole:
		return 2 * m.size(v)
	case written:
		return 6 * m.size(v)
	case sorting:
		return 8 * (m.size(v) + m.sizes(args))
	case withArguments:
		return m.size(v) + m.sizes(args)
	case custom:
	}
	return m.ownCost(name, v, args)
}

func (m *meter) sizes(all []any) (sum int64) {
	for _, v := range all {
		sum += m.size(v)
	}
	return sum
}

// characters is the size of a text of which each byte becomes a value.
func (m *meter) characters(v any) int64 {
	if s, ok := v.(string); ok {
		return 2 * int64(len(s))
	}
	return flat(v)
}

func (m *meter) ownCost(name string, v any, args []any) int64 {
	switch name {
	case "+", "%":
		return flat(args[0]) + flat(args[1])
	case "-":
		return m.pairs(args[0], args[1]) + flat(args[0]) + flat(args[1])
	case "*":
		return m.product(args[0], args[1])
	case "/":
		return m.characters(args[0]) + flat(args[1])
	case "tonumber", "fromjson":
		s, _ := v.(string)
		return m.characters(v) + numberSize(longestNumber(s))
	case "split":
		return m.characters(v) + flat(args[0])
	case "strftime", "strptime":
		return flat(v) + 16*m.characters(args[0]) // each letter of a layout may stand for 1,024
	case "==", "!=", "<", ">", "<=", ">=":
		return m.comparison(args[0], args[1])
	case "contains", "inside":
		return m.containment(v, args[0])
	case "indices", "index", "rindex":
		return m.characters(v) + m.pairs(v, args[0])
	case "join":
		return m.size(v) + flat(v)*flat(args[0])
	case "bsearch":
		return 32 * m.size(args[0])
	case "transpose":
		return transposed(v)
	case "getpath":
		keys, _ := args[0].([]any)
		for _, key := range keys {
			m.checkIndex(key)
		}
		return m.size(args[0])
	case "[x]":
		m.checkIndex(v)
		return 0
	case "setpath":
		return m.update(v, args[0])
	case "_match":
		return m.match(v, args)
	}
	return m.left + 1 // unreachable: the table names no other
}

// comparison is the work for two values of the same kind; of others only the
// kinds are looked at.
func (m *meter) comparison(l, r any) int64 {
	if isContainer(l) && isContainer(r) {
		return m.size(l) + m.size(r)
	}
	if isContainer(l) || isContainer(r) {
		return 1
	}
	return min(flat(l), flat(r)) // texts end to be compared with the shorter
}

func isContainer(v any) bool {
	switch v.(type) {
	case []any, map[string]any:
		return true
	}
	return false
}

// pairs is the work to hold each item of an array against each of another.
func (m *meter) pairs(l, r any) int64 {
	a, isArray := l.([]any)
	b, both := r.([]any)
	if !isArray || !both {
		return 0
	}
	return capped(m.size(l), int64(len(b))+1) + capped(m.size(r), int64(len(a))+1)
}

func (m *meter) containment(l, r any) int64 {
	if isContainer(l) && isContainer(r) {
		return capped(m.size(l), m.size(r))
	}
	return flat(l) + flat(r)
}

// product is the work of a multiplication: numbers, a text that is repeated, or
// objects that are merged.
func (m *meter) product(l, r any) int64 {
	for range 2 {
		if s, ok := l.(string); ok {
			if n, ok := gojq.ToFloat64(r); ok {
				return 1 + int64(min(float64(len(s))*max(n, 0)/textUnit, float64(m.left)+1))
			}
		}
		l, r = r, l
	}
	if isContainer(l) && isContainer(r) {
		return m.size(l) + m.size(r)
	}
	return capped(flat(l), flat(r))
}

func transposed(v any) int64 {
	rows, _ := v.([]any)
	widest := 0
	for _, row := range rows {
		if cells, ok := row.([]any); ok {
			widest = max(widest, len(cells))
		}
	}
	return 1 + capped(int64(len(rows))+1, int64(widest)+1)
}

// checkIndex refuses an array as an index, which would be looked for in another
// array at a price that is not known here.
func (m *meter) checkIndex(v any) {
	if _, ok := v.([]any); ok && m.err == nil {
		m.err = &Error{Reason: "an array cannot be an index here; use indices"}
	}
}

// update is the work of setting what is at a path: each container on it is
// copied, and an array may have to grow.
func (m *meter) update(v, path any) int64 {
	keys, ok := path.([]any)
	if !ok {
		return 1
	}
	total := flat(path)
	for _, key := range keys {
		total += flat(v)
		switch k := key.(type) {
		case string:
			o, _ := v.(map[string]any)
			v = o[k]
		case map[string]any: // a slice can grow in more ways than are worth counting
			m.err = &Error{Reason: "a slice cannot be assigned to"}
			return total
		default:
			i, _ := gojq.ToInt(k)
			a, _ := v.([]any)
			v = nil
			if i >= len(a) {
				total = min(total+int64(i)-int64(len(a)), m.left+1)
			} else if i >= 0 {
				v = a[i]
			}
		}
	}
	return total
}

// pattern is a regular expression that a program has used.
type pattern struct {
	expression *regexp.Regexp
	states     int64
}

// The work for regular expressions.
const (
	patternCost = 500 // to compile one, and 50 for each state
	matchCost   = 40  // for a match, and as much for each group
)

// match is the work of finding matches: each byte may be looked at in each state,
// and what is found becomes objects.
func (m *meter) match(v any, args []any) int64 {
	text, isText := v.(string)
	source, isPattern := args[0].(string)
	flags, _ := args[1].(string)
	if !isText || !isPattern {
		return 1
	}
	p, cost := m.patternOf(source, flags)
	if p == nil {
		return cost
	}
	cost += int64(len(text)) * (1 + p.states/16)
	if args[2] == true || cost > m.left {
		return cost
	}
	most := 1
	if strings.Contains(flags, "g") {
		most = int(m.left/matchCost) + 1
	}
	found := len(p.expression.FindAllStringIndex(text, most)) + 1
	each := matchCost + int64(len(text))/8 // gojq counts the characters before each match
	return cost + capped(each, int64(found)*int64(1+p.expression.NumSubexp()))
}

// patternOf returns a compiled pattern and the work for that, which is a lot only
// for the first time. It is nil if there is an error in it.
func (m *meter) patternOf(source, flags string) (*pattern, int64) {
	key := [2]string{source, flags}
	if p := m.patterns[key]; p != nil {
		return p, 1
	}
	cost := int64(patternCost + len(source))
	if cost > m.left {
		return nil, cost
	}
	tree, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		return nil, cost
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return nil, cost
	}
	expression, err := regexp.Compile(source)
	if err != nil {
		return nil, cost
	}
	p := &pattern{expression, int64(len(program.Inst))}
	m.patterns[key] = p
	return p, cost + 50*p.states
}

// capped multiplies sizes, which are too large to pay for long before they are
// too large for the type.
func capped(a, b int64) int64 {
	const most = 1 << 40
	if b > 0 && a > most/b {
		return most
	}
	return a * b
}

// longestNumber returns the length of the longest run of digits, in numbers or not.
func longestNumber[T string | []byte](s T) int {
	longest, run := 0, 0
	for i := range len(s) {
		c := s[i]
		if run++; c < '0' || c > '9' {
			run = 0
		}
		longest = max(longest, run)
	}
	return longest
}
