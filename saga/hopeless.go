package saga

import (
	"cel.dev/cel-go/cel"
)

// Hopeless returns the error of an expression in the template that fails whatever
// a run is given, because it uses nothing of it; nil if there is none.
func (t Template) Hopeless() error {
	if t.root == nil {
		return nil
	}
	return hopeless(t.root)
}

func hopeless(p part) error {
	switch p := p.(type) {
	case listPart:
		return firstHopeless(p)
	case objectPart:
		return firstHopeless(p.values)
	case textPart:
		for _, s := range p {
			if s.expression == nil {
				continue
			}
			if err := s.expression.hopeless(); err != nil {
				return err
			}
		}
	case *expression:
		return p.hopeless()
	}
	return nil
}

func firstHopeless(parts []part) error {
	for _, p := range parts {
		if err := hopeless(p); err != nil {
			return err
		}
	}
	return nil
}

// hopeless evaluates the expression without variables: one that fails and has not
// asked for any fails always.
func (e *expression) hopeless() error {
	probe := &variables{}
	_, _, err := e.program.Eval(probe)
	if probe.used {
		return nil
	}
	return e.wrap(err)
}

// variables is a CEL activation that has no value and remembers whether any was
// asked for.
type variables struct{ used bool }

// ResolveName returns nothing.
func (v *variables) ResolveName(string) (any, bool) {
	v.used = true
	return nil, false
}

// Parent returns nil: there is no outer scope.
func (v *variables) Parent() cel.Activation { return nil }
