package saga

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/env"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"
)

// expression is a compiled CEL expression.
type expression struct {
	source    string
	program   cel.Program
	maybeBool bool // its value may be true or false
}

// scope holds the variables of an expression. It is a CEL activation.
type scope struct {
	input any
	steps map[string]any
	run   map[string]any
}

// scope returns what the expressions of the run may use.
func (r *Run) scope() scope { return scope{r.input, r.outputs, r.facts} }

// ResolveName returns a variable.
func (s scope) ResolveName(name string) (any, bool) {
	switch name {
	case "input":
		return s.input, true
	case "steps":
		return s.steps, true
	case "run":
		return s.run, true
	}
	return nil, false
}

// Parent returns nil: there is no outer scope.
func (s scope) Parent() cel.Activation { return nil }

// timeFunctions are the functions of CEL that have to do with time. They are
// left out: JSON has no time, and time zones are data of the machine, which
// would make the result depend on where it is computed.
var timeFunctions = []string{
	"duration", "timestamp", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getFullYear",
	"getHours", "getMilliseconds", "getMinutes", "getMonth", "getSeconds",
}

func newEnvironment() (*cel.Env, error) {
	var without env.LibrarySubset
	for _, name := range timeFunctions {
		without.ExcludeFunctions = append(without.ExcludeFunctions, env.NewFunction(name))
	}
	return cel.NewCustomEnv(
		cel.StdLib(cel.StdLibSubset(&without)),
		cel.OptionalTypes(),
		cel.CrossTypeNumericComparisons(true), // JSON has one kind of number
		cel.CustomTypeAdapter(adapter{}),
		cel.ASTValidators(cel.ValidateRegexLiterals()),
		cel.Variable("input", cel.DynType),
		cel.Variable("steps", cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable("run", cel.MapType(cel.StringType, cel.StringType)),
	)
}

func newProgram(environment *cel.Env, ast *cel.Ast) (cel.Program, error) {
	return environment.Program(ast, cel.CostLimit(MaxCost), cel.CustomDecoratorV2(sortLiterals))
}

// adapter turns decoded values into CEL values, objects into sorted ones.
type adapter struct{}

// NativeToValue implements types.Adapter.
func (a adapter) NativeToValue(value any) ref.Val {
	switch v := value.(type) {
	case map[string]any:
		return sortedMap{types.NewStringInterfaceMap(a, v)}
	case []any:
		return types.NewDynamicList(a, v)
	default:
		return types.DefaultTypeAdapter.NativeToValue(value)
	}
}

// sortedMap is a map whose macros go through it in the order of its keys. CEL's
// own maps do so in the order of Go's, which differs each time. That it hides
// every other method of the map it holds is what makes them use Iterator.
type sortedMap struct{ traits.Mapper }

// Iterator returns the keys in order.
func (m sortedMap) Iterator() traits.Iterator {
	return types.NewRefValList(adapter{}, m.keys()).Iterator()
}

func (m sortedMap) keys() []ref.Val {
	var keys []ref.Val
	for it := m.Mapper.Iterator(); it.HasNext() == types.True; {
		keys = append(keys, it.Next())
	}
	slices.SortFunc(keys, compareKeys)
	return keys
}

// compareKeys orders the keys of a map literal, which may be of several types.
func compareKeys(a, b ref.Val) int {
	if a.Type() == b.Type() {
		if comparer, ok := a.(traits.Comparer); ok {
			if order, ok := comparer.Compare(b).(types.Int); ok {
				return int(order)
			}
		}
	}
	return strings.Compare(a.Type().TypeName(), b.Type().TypeName())
}

// sortLiterals makes map literals in an expression sorted maps too.
func sortLiterals(i interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
	if c, ok := i.(interpreter.InterpretableConstructor); ok && c.Type() == types.MapType {
		return sortedLiteral{c}, nil
	}
	return i, nil
}

type sortedLiteral struct {
	interpreter.InterpretableConstructor
}

// Exec evaluates the literal.
func (l sortedLiteral) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	value := l.InterpretableConstructor.Exec(frame)
	if m, ok := value.(traits.Mapper); ok {
		return sortedMap{m}
	}
	return value
}

// Eval evaluates the literal.
func (l sortedLiteral) Eval(a interpreter.Activation) ref.Val {
	value := l.InterpretableConstructor.Eval(a)
	if m, ok := value.(traits.Mapper); ok {
		return sortedMap{m}
	}
	return value
}

// eval returns the value of an expression; nil if it is an optional without one.
func (e *expression) eval(s scope) (ref.Val, error) {
	value, _, err := e.program.Eval(s)
	if err != nil {
		return nil, err
	}
	return unwrap(value), nil
}

func unwrap(value ref.Val) ref.Val {
	for {
		optional, ok := value.(*types.Optional)
		if !ok {
			return value
		}
		if !optional.HasValue() {
			return nil
		}
		value = optional.GetValue()
	}
}

func (e *expression) append(b []byte, s scope) ([]byte, error) {
	value, err := e.eval(s)
	if err == nil && value != nil {
		b, err = appendCEL(b, value)
	}
	return b, e.wrap(err)
}

// appendText appends the value as it reads inside of text.
func (e *expression) appendText(b []byte, s scope) ([]byte, error) {
	value, err := e.eval(s)
	if err != nil {
		return b, e.wrap(err)
	}
	switch v := value.(type) {
	case nil:
		return b, e.wrap(fmt.Errorf("there is no value to put into the text; use orValue"))
	case types.String:
		return append(b, v...), nil
	case types.Bool, types.Int, types.Uint, types.Double:
		b, err := appendCEL(b, value)
		return b, e.wrap(err)
	default:
		return b, e.wrap(fmt.Errorf("a %s cannot stand inside of text", value.Type().TypeName()))
	}
}

func (e *expression) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("${%s}: %w", shortened(e.source), err)
}

// appendCEL appends a CEL value as JSON, or nothing for an optional without value.
func appendCEL(b []byte, value ref.Val) ([]byte, error) {
	switch v := unwrap(value).(type) {
	case nil:
		return b, nil
	case types.Null:
		return append(b, "null"...), nil
	case types.Bool:
		return strconv.AppendBool(b, bool(v)), nil
	case types.Int:
		return strconv.AppendInt(b, int64(v), 10), nil
	case types.Uint:
		return strconv.AppendUint(b, uint64(v), 10), nil
	case types.Double:
		return appendFloat(b, float64(v))
	case types.String:
		return appendJSON(b, string(v))
	case traits.Mapper:
		return appendMap(b, v)
	case traits.Lister:
		n, ok := v.Size().(types.Int)
		if !ok || n > MaxResult {
			return b, errTooLarge
		}
		return appendList(b, int(n), func(b []byte, i int) ([]byte, error) { return appendCEL(b, v.Get(types.Int(i))) })
	default:
		return b, fmt.Errorf("a %s is not a JSON value", value.Type().TypeName())
	}
}

func appendMap(b []byte, m traits.Mapper) ([]byte, error) {
	if native, ok := m.Value().(map[string]any); ok {
		return appendJSON(b, native) // a decoded object as it is
	}
	var keys []string
	for _, key := range (sortedMap{m}).keys() {
		name, ok := key.(types.String)
		if !ok {
			return b, fmt.Errorf("a key that is not a string but a %s is not JSON", key.Type().TypeName())
		}
		keys = append(keys, string(name))
	}
	return appendObject(b, keys, func(b []byte, i int) ([]byte, error) { return appendCEL(b, m.Get(types.String(keys[i]))) })
}
