package transform

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/itchyny/gojq"
)

// A program is rewritten before it is compiled, so that whatever works on a whole
// value is paid for before it is done:
//
//	x[]          => (x | _pay("[]") | .[])
//	x[1:2]       => (x | _pay("[:]"))[1:2]
//	x[y]         => x[y | _pay("[x]")]
//	x + y        => _call_add(y; x)            where  def _call_add($y; $x): _pay("+"; $x; $y) | $x + $y
//	f            => _pay("f") | f
//	f(x)         => _call_f(x)                 where  def _call_f($x): _pay("f"; $x) | f($x)
//	"a \(x)"     => "a \(x | _pay("tostring"))"
//	path(f)      => path(f) | _pay("path")     a path may be long
//	x = y        => _assign(x; y)              which is written in jq, see builtin.jq
//	x |= y       => _modify(x; y)
//	x[] |= y     => _modify(x; _each_first(y))
//	x += y       => y as $_y | _modify(x; . + $_y)
//
// _pay returns its input, also where jq follows paths. The functions of builtin.jq
// go through the same and are put in front of the program, as far as it needs them.
// Names that begin with _ are ours, a program may not use them.

//go:embed builtin.jq
var builtinSource string

// builtins returns the functions that are written in jq, rewritten.
var builtins = sync.OnceValue(func() []*gojq.FuncDef {
	query, err := gojq.Parse(builtinSource + " .")
	if err != nil {
		panic(fmt.Sprintf("read builtin.jq: %v", err)) // unreachable: a test reads it
	}
	r := rewriter{internal: true}
	r.query(query)
	if r.err != nil {
		panic(fmt.Sprintf("rewrite builtin.jq: %v", r.err)) // unreachable: a test does it
	}
	return query.FuncDefs
})

// rewrite checks a program and builds the meter into it.
func rewrite(program *gojq.Query) (*gojq.Query, error) {
	if program.Meta != nil || len(program.Imports) > 0 {
		return nil, fmt.Errorf("a transform cannot use modules")
	}
	r := rewriter{}
	for _, f := range builtins() {
		r.define(f.Name, len(f.Args))
	}
	program = r.query(program)
	if r.err != nil {
		return nil, r.err
	}
	defs := append(slices.Clip(calls()), needed(program)...)
	program.FuncDefs = append(defs, program.FuncDefs...)
	return program, nil
}

// rewriter walks through a program.
type rewriter struct {
	internal bool // it is builtin.jq
	scope    []function
	err      error // the first one
}

// function is one that is defined where the walk is.
type function struct {
	name  string
	arity int
}

func (r *rewriter) define(name string, arity int) {
	r.scope = append(r.scope, function{name, arity})
}

func (r *rewriter) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

// query rewrites a query and returns what it has become.
func (r *rewriter) query(q *gojq.Query) *gojq.Query {
	if q == nil || r.err != nil {
		return q
	}
	outer := len(r.scope)
	for _, f := range q.FuncDefs {
		r.definition(f)
	}
	switch {
	case q.Term != nil:
		q.Term = r.term(q.Term)
	case q.Op == gojq.OpPipe:
		q.Left = r.query(q.Left)
		r.patterns(q.Patterns)
		q.Right = r.query(q.Right)
	default:
		if !r.internal {
			wholeAtOnce(q)
		}
		q.Left, q.Right = r.query(q.Left), r.query(q.Right)
		defs := q.FuncDefs
		q = r.operation(q)
		if len(defs) > 0 && len(q.FuncDefs) == 0 {
			q.FuncDefs = defs
		}
	}
	if !r.internal || outer > 0 {
		r.scope = r.scope[:outer]
	}
	return q
}

func (r *rewriter) definition(f *gojq.FuncDef) {
	if !r.internal && strings.HasPrefix(f.Name, "_") {
		r.fail("the name of function %s begins with _, which names of a transform may not", f.Name)
	}
	r.define(f.Name, len(f.Args))
	outer := len(r.scope)
	for _, name := range f.Args {
		if !r.internal && strings.HasPrefix(strings.TrimPrefix(name, "$"), "_") {
			r.fail("the name of argument %s begins with _, which names of a transform may not", name)
		}
		r.define(strings.TrimPrefix(name, "$"), 0)
	}
	f.Body = r.query(f.Body)
	r.scope = r.scope[:outer]
}

// operators are those that work on whole values, by the names of their calls.
var operators = map[gojq.Operator]string{
	gojq.OpAdd: "add", gojq.OpSub: "sub", gojq.OpMul: "mul", gojq.OpDiv: "div", gojq.OpMod: "mod",
	gojq.OpEq: "eq", gojq.OpNe: "ne", gojq.OpGt: "gt", gojq.OpLt: "lt", gojq.OpGe: "ge", gojq.OpLe: "le",
}

// updates are the operators that change what is at a path, and by which other.
var updates = map[gojq.Operator]gojq.Operator{
	gojq.OpUpdateAdd: gojq.OpAdd, gojq.OpUpdateSub: gojq.OpSub, gojq.OpUpdateMul: gojq.OpMul,
	gojq.OpUpdateDiv: gojq.OpDiv, gojq.OpUpdateMod: gojq.OpMod, gojq.OpUpdateAlt: gojq.OpAlt,
}

// cheap says that an operator does little work because of one of its operands, if
// that is a constant: what is compared with one is not looked at further than it
// goes, and a number is only added to, or taken from, another.
func cheap(op gojq.Operator, operand *gojq.Query) bool {
	if operand.Term == nil || len(operand.Term.SuffixList) > 0 {
		return false
	}
	number := operand.Term.Type == gojq.TermTypeNumber && len(operand.Term.Number) <= maxClip
	switch op {
	case gojq.OpAdd, gojq.OpSub, gojq.OpDiv, gojq.OpMod:
		return number
	case gojq.OpEq, gojq.OpNe, gojq.OpGt, gojq.OpLt, gojq.OpGe, gojq.OpLe:
		t := operand.Term
		return number || t.Type == gojq.TermTypeNull || t.Type == gojq.TermTypeTrue || t.Type == gojq.TermTypeFalse ||
			t.Type == gojq.TermTypeString && len(t.Str.Queries) == 0
	}
	return false
}

// wholeAtOnce makes x |= _each_first(y) of x[] |= y, which copies an array once and
// not for each of its items.
func wholeAtOnce(q *gojq.Query) {
	if q.Op != gojq.OpModify || q.Left.Term == nil || len(q.Left.FuncDefs) > 0 {
		return
	}
	n := len(q.Left.Term.SuffixList)
	if n > 0 && q.Left.Term.SuffixList[n-1].Iter {
		q.Left = &gojq.Query{Term: before(q.Left.Term, n-1)}
		q.Right = call("_each_first", q.Right)
	}
}

func (r *rewriter) operation(q *gojq.Query) *gojq.Query {
	if name, ok := operators[q.Op]; ok {
		if cheap(q.Op, q.Left) || cheap(q.Op, q.Right) {
			return q
		}
		return call("_call_"+name, q.Right, q.Left)
	}
	if op, ok := updates[q.Op]; ok {
		change := &gojq.Query{Left: identity(), Op: op, Right: call("$_y")}
		if name, ok := operators[op]; ok {
			change = call("_call_"+name, change.Right, change.Left)
		}
		return parenthesized(&gojq.Query{Left: q.Right, Op: gojq.OpPipe, Right: call("_modify", q.Left, change), Patterns: []*gojq.Pattern{{Name: "$_y"}}})
	}
	switch q.Op {
	case gojq.OpAssign:
		return call("_assign", q.Left, q.Right)
	case gojq.OpModify:
		return call("_modify", q.Left, q.Right)
	}
	return q
}

// term rewrites a term, from its last suffix on.
func (r *rewriter) term(t *gojq.Term) *gojq.Term {
	n := len(t.SuffixList)
	if n == 0 {
		r.plain(t)
		if t.Type == gojq.TermTypeIndex && t.Index.IsSlice {
			paid := *parenthesized(pay("[:]")).Term
			paid.SuffixList = []*gojq.Suffix{{Index: t.Index}}
			return &paid
		}
		if t.Type == gojq.TermTypeFunc || t.Type == gojq.TermTypeFormat && t.Str == nil {
			return r.function(t)
		}
		return t
	}
	last := t.SuffixList[n-1]
	if last.Iter {
		return r.each(t, n-1)
	}
	if last.Optional && n > 1 && t.SuffixList[n-2].Iter { // of x.a[]? only the [] is tried
		return r.each(t, n-2)
	}
	if last.Index != nil {
		r.index(last.Index)
	}
	inner := r.term(before(t, n-1))
	if last.Index != nil && last.Index.IsSlice {
		inner = parenthesized(pipe(&gojq.Query{Term: inner}, pay("[:]"))).Term
	}
	rest := *inner
	rest.SuffixList = append(slices.Clip(rest.SuffixList), last)
	return &rest
}

// each rewrites a term that ends with [] or []?, at a position.
func (r *rewriter) each(t *gojq.Term, at int) *gojq.Term {
	each := &gojq.Term{Type: gojq.TermTypeIdentity, SuffixList: t.SuffixList[at:]}
	paid := pipe(&gojq.Query{Term: r.term(before(t, at))}, pay("[]"))
	return parenthesized(pipe(paid, &gojq.Query{Term: each})).Term
}

// before returns a term with only so many of its suffixes.
func before(t *gojq.Term, n int) *gojq.Term {
	short := *t
	short.SuffixList = t.SuffixList[:n:n]
	return &short
}

// plain rewrites what is inside a term, but for its suffixes.
func (r *rewriter) plain(t *gojq.Term) {
	switch {
	case t.Index != nil:
		r.index(t.Index)
	case t.Object != nil:
		for _, kv := range t.Object.KeyVals {
			r.text(kv.KeyString, "tostring")
			kv.KeyQuery, kv.Val = r.query(kv.KeyQuery), r.query(kv.Val)
			r.variable(kv.Key)
		}
	case t.Array != nil:
		t.Array.Query = r.query(t.Array.Query)
	case t.Unary != nil:
		t.Unary.Term = r.term(t.Unary.Term)
	case t.Str != nil:
		r.text(t.Str, "format")
	case t.If != nil:
		t.If.Cond, t.If.Then, t.If.Else = r.query(t.If.Cond), r.query(t.If.Then), r.query(t.If.Else)
		for _, elif := range t.If.Elif {
			elif.Cond, elif.Then = r.query(elif.Cond), r.query(elif.Then)
		}
	case t.Try != nil:
		t.Try.Body, t.Try.Catch = r.query(t.Try.Body), r.query(t.Try.Catch)
	case t.Reduce != nil:
		t.Reduce.Query = r.query(t.Reduce.Query)
		r.patterns(t.Reduce.Patterns)
		t.Reduce.Start, t.Reduce.Update = r.query(t.Reduce.Start), r.query(t.Reduce.Update)
	case t.Foreach != nil:
		t.Foreach.Query = r.query(t.Foreach.Query)
		r.patterns(t.Foreach.Patterns)
		t.Foreach.Start, t.Foreach.Update, t.Foreach.Extract = r.query(t.Foreach.Start), r.query(t.Foreach.Update), r.query(t.Foreach.Extract)
	case t.Label != nil:
		t.Label.Body = r.query(t.Label.Body)
	case t.Query != nil:
		t.Query = r.query(t.Query)
	}
}

func (r *rewriter) index(x *gojq.Index) {
	r.text(x.Str, "tostring")
	x.Start, x.End = r.query(x.Start), r.query(x.End)
	if x.Start != nil && !x.IsSlice && !cheap(gojq.OpEq, x.Start) {
		x.Start = parenthesized(pipe(x.Start, pay("[x]")))
	}
}

func (r *rewriter) patterns(all []*gojq.Pattern) {
	for _, p := range all {
		r.variable(p.Name)
		r.patterns(p.Array)
		for _, o := range p.Object {
			r.variable(o.Key)
			r.text(o.KeyString, "tostring")
			if o.KeyQuery = r.query(o.KeyQuery); o.KeyQuery != nil {
				o.KeyQuery = parenthesized(pipe(o.KeyQuery, pay("[x]")))
			}
			if o.Val != nil {
				r.patterns([]*gojq.Pattern{o.Val})
			}
		}
	}
}

// variable checks the name of one.
func (r *rewriter) variable(name string) {
	if !r.internal && strings.HasPrefix(name, "$_") && name != "$__loc__" {
		r.fail("the name of variable %s begins with _, which names of a transform may not", name)
	}
	if why, ok := refused[name]; ok && strings.HasPrefix(name, "$") {
		r.fail("%s cannot be used in a transform: %s", name, why)
	}
}

// text rewrites the values in a string.
func (r *rewriter) text(s *gojq.String, price string) {
	if s == nil {
		return
	}
	for i, q := range s.Queries {
		if q.Term != nil && q.Term.Str != nil && q.Term.Type == gojq.TermTypeString && len(q.Term.Str.Queries) == 0 {
			continue // the text between the values
		}
		s.Queries[i] = parenthesized(pipe(r.query(q), pay(price)))
	}
}

// function rewrites a call.
func (r *rewriter) function(t *gojq.Term) *gojq.Term {
	if t.Type == gojq.TermTypeFormat {
		return parenthesized(pipe(pay("format"), &gojq.Query{Term: t})).Term
	}
	f := t.Func
	for i := range f.Args {
		f.Args[i] = r.query(f.Args[i])
	}
	r.variable(f.Name)
	switch _, priced := functions[f.Name]; {
	case r.err != nil, strings.HasPrefix(f.Name, "$"), slices.Contains(r.scope, function{f.Name, len(f.Args)}):
		return t
	case refused[f.Name] != "":
		r.fail("%s cannot be used in a transform: %s", f.Name, refused[f.Name])
	case !r.internal && strings.HasPrefix(f.Name, "_"):
		r.fail("the name of function %s begins with _, which names of a transform may not", f.Name)
	case !priced:
		r.fail("there is no function %s with %d arguments", f.Name, len(f.Args))
	case f.Name == "path":
		return parenthesized(pipe(&gojq.Query{Term: t}, pay(f.Name))).Term
	case functions[f.Name] == free:
		return t
	case len(f.Args) == 0:
		return parenthesized(pipe(pay(f.Name), &gojq.Query{Term: t})).Term
	default:
		return call("_call_"+f.Name, f.Args...).Term
	}
	return t
}

// needed returns the functions of builtin.jq that a program uses, in their order.
func needed(program *gojq.Query) []*gojq.FuncDef {
	used := names(program.String())
	keep := make([]bool, len(builtins()))
	for i, f := range slices.Backward(builtins()) { // they use those before them
		if used[f.Name] || f.Name == "recurse" && used[".."] {
			keep[i] = true
			maps.Copy(used, names(f.String()))
		}
	}
	var defs []*gojq.FuncDef
	for i, f := range builtins() {
		if keep[i] {
			defs = append(defs, f)
		}
	}
	return defs
}

// names returns the names in a program, strings and fields among them, and "..".
func names(text string) map[string]bool {
	found := map[string]bool{"..": strings.Contains(text, "..")}
	for _, name := range strings.FieldsFunc(text, func(c rune) bool {
		return c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
	}) {
		found[name] = true
	}
	return found
}

// calls returns the functions that pay for operators and for functions with
// arguments. Their arguments are taken last to first, as gojq takes those of its
// own functions.
var calls = sync.OnceValue(func() []*gojq.FuncDef {
	var text strings.Builder
	for _, op := range slices.Sorted(maps.Keys(operators)) {
		name := operators[op]
		fmt.Fprintf(&text, "def _call_%s($y; $x): _pay(%q; $x; $y) | $x %s $y;\n", name, op, op)
	}
	for _, f := range []function{
		{"contains", 1}, {"inside", 1}, {"indices", 1}, {"index", 1}, {"rindex", 1}, {"join", 1}, {"bsearch", 1}, {"split", 1},
		{"startswith", 1}, {"endswith", 1}, {"ltrimstr", 1}, {"rtrimstr", 1}, {"trimstr", 1}, {"getpath", 1}, {"delpaths", 1},
		{"_sort_by", 1}, {"_group_by", 1}, {"_unique_by", 1}, {"_min_by", 1}, {"_max_by", 1}, {"flatten", 1}, {"format", 1},
		{"strftime", 1}, {"strptime", 1},
	} {
		fmt.Fprintf(&text, "def _call_%s($x): _pay(%q; $x) | %[1]s($x);\n", f.name, f.name)
	}
	text.WriteString("def _call_setpath($p; $v): _pay(\"setpath\"; $p) | setpath($p; $v);\n")
	text.WriteString("def _call__match($a; $b; $c): _pay(\"_match\"; $a; $b; $c) | _match($a; $b; $c);\n")
	query, err := gojq.Parse(text.String() + ".")
	if err != nil {
		panic(fmt.Sprintf("read the calls: %v", err)) // unreachable: a test reads them
	}
	return query.FuncDefs
})

func identity() *gojq.Query { return &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeIdentity}} }

func call(name string, args ...*gojq.Query) *gojq.Query {
	return &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeFunc, Func: &gojq.Func{Name: name, Args: args}}}
}

func pay(name string) *gojq.Query {
	return call("_pay", &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeString, Str: &gojq.String{Str: name}}})
}

func pipe(l, r *gojq.Query) *gojq.Query { return &gojq.Query{Left: l, Op: gojq.OpPipe, Right: r} }

func parenthesized(q *gojq.Query) *gojq.Query {
	return &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeQuery, Query: q}}
}
