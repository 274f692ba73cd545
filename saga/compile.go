package saga

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// compiler compiles one template and checks what its expressions refer to.
type compiler struct {
	environment *cel.Env
	where       string          // such as `step "save"`, for messages
	step        string          // the step that the template belongs to; empty for the output
	steps       []string        // all steps
	usable      map[string]bool // those whose outputs the template may use
	skippable   map[string]bool // those that may have been skipped, and have no output then
	input       *inputSchema
	report      func(place, string)
}

func (c *compiler) problem(at place, format string, args ...any) {
	c.report(at, c.where+": "+fmt.Sprintf(format, args...))
}

// expression compiles the expression that stands at an offset, in bytes, of a
// string. Only the first problem is reported: the others mostly follow from it.
func (c *compiler) expression(n *node, value string, offset int, source string, whole bool) *expression {
	begin := utf8.RuneCountInString(value[:offset])
	at := func(l common.Location) place {
		if l.Line() != 1 {
			return n.place // an expression of several lines, which place.inside cannot tell
		}
		return n.inside(value, begin+l.Column())
	}
	checked, issues := c.environment.Compile(source)
	if issues.Err() != nil {
		first := slices.MinFunc(issues.Errors(), func(a, b *cel.Error) int {
			return cmp.Or(cmp.Compare(a.Location.Line(), b.Location.Line()), cmp.Compare(a.Location.Column(), b.Location.Column()))
		})
		c.problem(at(first.Location), "%s", celMessage(first.Message))
		return nil
	}
	if reason := unfit(checked.OutputType(), whole); reason != "" {
		c.problem(n.inside(value, begin), "%s", reason)
		return nil
	}
	c.references(checked.NativeRep(), at)
	program, err := newProgram(c.environment, checked)
	if err != nil {
		c.problem(n.inside(value, begin), "%s", celMessage(err.Error()))
		return nil
	}
	kind := checked.OutputType().Kind()
	return &expression{source: source, program: program, maybeBool: kind == types.BoolKind || kind == types.DynKind}
}

// celMessage makes an error of CEL fit to read.
func celMessage(message string) string {
	message, _, _ = strings.Cut(message, " expecting ")
	return celWords.Replace(message)
}

// celWords turns words of CEL's parser into ones for people who do not know it.
var celWords = strings.NewReplacer(
	"Syntax error: ", "syntax error: ",
	"mismatched input '<EOF>'", "unexpected end",
	"no viable alternative at input '<EOF>'", "unexpected end",
	"mismatched input ", "unexpected ",
	"no viable alternative at input ", "unexpected ",
	"extraneous input ", "unexpected ",
	" (in container '')", "",
	"invalid matches argument", "not a regular expression",
)

// unfit says why values of a type can never become what the template needs.
func unfit(t *types.Type, whole bool) string {
	if t.Kind() == types.OpaqueKind && t.TypeName() == types.OptionalType.TypeName() && len(t.Parameters()) == 1 {
		t = t.Parameters()[0]
	}
	switch t.Kind() {
	case types.BytesKind, types.TypeKind, types.DurationKind, types.TimestampKind:
		return fmt.Sprintf("the expression makes a %s, which is not a JSON value", t)
	case types.ListKind, types.MapKind, types.NullTypeKind:
		if !whole {
			return fmt.Sprintf("the expression makes a %s, which cannot stand inside of text", t)
		}
	}
	return ""
}

// references checks every use of the variables.
func (c *compiler) references(ast *celast.AST, at func(common.Location) place) {
	for _, e := range celast.MatchDescendants(celast.NavigateAST(ast), celast.AllMatcher()) {
		here := func() place { return at(ast.SourceInfo().GetStartLocation(e.ID())) }
		switch e.Kind() {
		case celast.ComprehensionKind:
			for _, name := range []string{e.AsComprehension().IterVar(), e.AsComprehension().IterVar2()} {
				if name == "input" || name == "steps" || name == "run" {
					c.problem(here(), "%s is the name of a variable; call the element something else", name)
				}
			}
		case celast.IdentKind:
			switch strings.TrimPrefix(e.AsIdent(), ".") {
			case "steps":
				c.stepUse(here, e)
			case "input":
				c.inputUse(here, e)
			case "run":
				c.runUse(here, e)
			}
		}
	}
}

// selection returns what is selected of a variable by the expression around it:
// variable.name, variable["name"] or, if optional, variable.?name,
// variable[?"name"] or has(variable.name).
func selection(variable celast.NavigableExpr) (name string, optional, ok bool) {
	parent, found := variable.Parent()
	if !found {
		return "", false, false
	}
	switch parent.Kind() {
	case celast.SelectKind:
		s := parent.AsSelect()
		return s.FieldName(), s.IsTestOnly(), true
	case celast.CallKind:
		call := parent.AsCall()
		function := call.FunctionName()
		if function != operators.Index && function != operators.OptIndex && function != operators.OptSelect {
			return "", false, false
		}
		if call.Args()[0].ID() != variable.ID() || call.Args()[1].Kind() != celast.LiteralKind {
			return "", false, false
		}
		text, isText := call.Args()[1].AsLiteral().(types.String)
		return string(text), function != operators.Index, isText
	}
	return "", false, false
}

func (c *compiler) stepUse(at func() place, variable celast.NavigableExpr) {
	name, optional, ok := selection(variable)
	switch {
	case !ok:
		c.problem(at(), `write steps.NAME or steps["NAME"] with the name of a step`)
	case !slices.Contains(c.steps, name):
		c.problem(at(), "steps.%s: there is no such step%s", shortened(name), didYouMean(name, c.steps))
	case name == c.step:
		c.problem(at(), "uses its own output, steps.%s", name)
	case !c.usable[name]:
		c.problem(at(), "uses steps.%s but does not need it", name)
	case !optional && c.skippable[name]:
		c.problem(at(), "steps.%s may be skipped; write steps.?%[1]s, or say with a when of its own when this step is", name)
	}
}

func (c *compiler) runUse(at func() place, variable celast.NavigableExpr) {
	name, _, ok := selection(variable)
	if !ok || !slices.Contains(facts, name) {
		c.problem(at(), "write run.NAME with one of %s%s", strings.Join(facts, ", "), didYouMean(name, facts))
	}
}

func (c *compiler) inputUse(at func() place, variable celast.NavigableExpr) {
	name, optional, ok := selection(variable)
	if !ok || c.input == nil || c.input.properties == nil {
		return
	}
	switch {
	case !slices.Contains(c.input.properties, name):
		c.problem(at(), "input.%s: the input schema has no such property%s", shortened(name), didYouMean(name, c.input.properties))
	case !optional && !slices.Contains(c.input.required, name):
		c.problem(at(), "input.%s may be absent; write input.?%[1]s to leave it out then, or input.?%[1]s.orValue(...)", name)
	}
}
