package validate

import (
	"context"
	"fmt"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// meter counts the steps of applying a schema and stops what takes too many or
// too long: thirty definitions that each refer twice to the next are a billion
// steps. The library knows neither contexts nor limits, but it calls extensions,
// so the meter is one: a vocabulary without keywords, at work in every subschema.
type meter struct {
	limit int64
	steps int64
	ctx   context.Context
	all   []*jsonschema.Schema // subschemas, while they are compiled
}

// stopped is what the meter panics with, to be recovered in schema.check.
type stopped struct{ reason error }

// start begins to count for one value.
func (m *meter) start(ctx context.Context) { m.ctx, m.steps = ctx, 0 }

// vocabulary returns the meter in the form of an extension.
func (m *meter) vocabulary() *jsonschema.Vocabulary {
	return &jsonschema.Vocabulary{
		URL: "segue:///vocabulary/meter",
		Compile: func(c *jsonschema.CompilerContext, keywords map[string]any) (jsonschema.SchemaExt, error) {
			m.all = append(m.all, c.Enqueue(nil)) // with no path, the one being compiled
			p := &probe{meter: m, self: 1, child: 1}
			p.weigh(keywords)
			if _, ok := keywords["propertyNames"]; ok {
				p.names = c.Enqueue([]string{"propertyNames"})
			}
			return p, nil
		},
	}
}

// probe counts for one subschema. The library calls it after the subschema has
// been applied, and not at all if that ended early, as a wrong type does. So it
// counts for the subschemas directly below as well.
type probe struct {
	meter *meter
	self  int64 // subschemas for the same value
	child int64 // subschemas for each element or member
	names *jsonschema.Schema
}

func (p *probe) weigh(keywords map[string]any) {
	for _, k := range []string{"allOf", "anyOf", "oneOf"} {
		if list, ok := keywords[k].([]any); ok {
			p.self += int64(len(list))
		}
	}
	for _, k := range []string{"dependentSchemas", "dependencies"} {
		if by, ok := keywords[k].(map[string]any); ok {
			p.self += int64(len(by))
		}
	}
	if by, ok := keywords["patternProperties"].(map[string]any); ok {
		p.child += int64(len(by))
	}
}

// Validate counts, and applies propertyNames.
func (p *probe) Validate(c *jsonschema.ValidatorContext, v any) {
	n := p.self
	switch v := v.(type) {
	case map[string]any:
		n += p.child * int64(len(v))
		p.checkNames(c, v)
	case []any:
		n += p.child * int64(len(v))
	}
	m := p.meter
	if m.steps += n; m.steps > m.limit {
		panic(stopped{&fault{code: CodeLimit, limit: limitSteps, message: fmt.Sprintf("the schema takes more than %d steps", m.limit)}})
	}
	if err := m.ctx.Err(); err != nil {
		panic(stopped{fmt.Errorf("apply schema: %w", err)})
	}
}

// propertyName replaces the library's error for a name, which does not keep its
// location: it comes out with that of some object visited later.
type propertyName struct{ kind.PropertyNames }

func (p *probe) checkNames(c *jsonschema.ValidatorContext, object map[string]any) {
	if p.names == nil {
		return
	}
	var bad []string
	for name := range object {
		if p.names.Validate(name) != nil {
			bad = append(bad, name)
		}
	}
	slices.Sort(bad)
	for _, name := range bad {
		c.AddError(&propertyName{kind.PropertyNames{Property: name}})
	}
}
