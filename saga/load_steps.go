package saga

import (
	"fmt"
	"slices"
	"time"

	"segue/events"
)

// stepDraft is a step as read, before it has a place in the order.
type stepDraft struct {
	Step
	at    place // of its name
	node  *node
	needs []int // indexes of drafts
}

func (d *stepDraft) where() string { return fmt.Sprintf("step %q: ", d.Name) }

// steps reads the steps and the output of a definition, which may use all of them.
func (l *loader) steps(d *Definition, n, output *node) {
	drafts := l.drafts(d, n)
	if len(drafts) == 0 {
		return
	}
	names := make([]string, len(drafts))
	needs := make([][]int, len(drafts))
	for i, s := range drafts {
		names[i] = s.Name
	}
	for i := range drafts {
		drafts[i].needs = l.needs(&drafts[i], i, names)
		needs[i] = drafts[i].needs
	}
	g := newGraph(names, needs)
	for _, cycle := range g.cycles() {
		l.problem(drafts[cycle[0]].at, drafts[cycle[0]].where(), "needs itself through others: %s", g.path(cycle))
	}
	l.pivot(drafts, g)
	l.templates(d, drafts, g, output)
	d.arrange(drafts, g.order())
}

// arrange puts the steps in order and turns indexes of drafts into positions.
func (d *Definition) arrange(drafts []stepDraft, order []int) {
	d.index = make(map[string]int, len(order))
	position := make([]int, len(drafts))
	for p, i := range order {
		position[i] = p
		step := drafts[i].Step
		for _, n := range drafts[i].needs {
			step.Needs = append(step.Needs, position[n])
		}
		slices.Sort(step.Needs)
		d.index[step.Name] = p
		if step.Pivot {
			d.pivot = p + 1
		}
		d.Steps = append(d.Steps, step)
	}
}

func (l *loader) drafts(d *Definition, n *node) []stepDraft {
	if n.kind != isObject {
		l.problem(n.place, "steps: ", "want an object of steps by name, not %s", n.kind)
		return nil
	}
	if len(n.fields) == 0 {
		l.problem(n.place, "steps: ", "a saga needs at least one step")
	}
	if len(n.fields) > MaxSteps {
		l.problem(n.place, "steps: ", "%d steps, at most %d are allowed", len(n.fields), MaxSteps)
		return nil
	}
	drafts := make([]stepDraft, 0, len(n.fields))
	for _, f := range n.fields {
		if !events.ValidName(f.name) {
			l.problem(f.place, "steps: ", "%s", badName(f.name))
		}
		drafts = append(drafts, l.step(f, d.Deadline))
	}
	return drafts
}

func (l *loader) step(f field, deadline time.Duration) stepDraft {
	s := stepDraft{Step: Step{Name: f.name}, at: f.place}
	where := s.where()
	s.node = l.object(f.value, where, "service", "description", "needs", "when", "with", "timeout", "retry", "undo", "pivot")
	if n := l.required(s.node, where, "service"); n != nil {
		s.Service = l.name(n, where+"service: ")
	}
	l.text(s.node.field("description"), where+"description: ")
	s.Timeout = min(DefaultTimeout, deadline)
	if n := s.node.field("timeout"); n != nil {
		s.Timeout = l.duration(n, where+"timeout: ")
		if s.Timeout > deadline {
			l.problem(n.place, where+"timeout: ", "%s is more than the deadline of the saga, %s", s.Timeout, deadline)
		}
	}
	s.Retry = l.policy(s.node.field("retry"), where+"retry: ", DefaultAttempts)
	s.Undo, s.NothingToUndo = l.undo(s.node.field("undo"), where+"undo: ", s.Timeout)
	s.Pivot = l.boolean(s.node.field("pivot"), where+"pivot: ")
	return s
}

func (l *loader) boolean(n *node, where string) bool {
	if n == nil {
		return false
	}
	b, ok := n.value.(bool)
	if !ok {
		l.problem(n.place, where, "want true or false, not %s", n.kind)
	}
	return b
}

// undo reads how a step is undone, or that there is nothing to undo.
func (l *loader) undo(n *node, where string, timeout time.Duration) (undo *Undo, nothing bool) {
	u := &Undo{Timeout: timeout}
	if n != nil && n.kind == isObject {
		l.object(n, where, "timeout", "retry")
		if t := n.field("timeout"); t != nil {
			u.Timeout = l.duration(t, where+"timeout: ")
		}
		u.Retry = l.policy(n.field("retry"), where+"retry: ", DefaultUndoAttempts)
		if u.Retry.Attempts == Unlimited {
			l.problem(n.field("retry").field("attempts").place, where+"retry: attempts: ",
				"an undo has an end, behind which somebody looks at it: want a whole number from 1 to %d", MaxAttempts)
		}
		return u, false
	}
	if n != nil && n.kind != isBool {
		l.problem(n.place, where, "want true, false or an object with the keys timeout, retry, not %s", n.kind)
	}
	if n == nil || n.value != true {
		return nil, n != nil
	}
	u.Retry = l.policy(nil, where, DefaultUndoAttempts)
	return u, false
}

func (l *loader) policy(n *node, where string, attempts int) Policy {
	p := Policy{Attempts: attempts, Backoff: DefaultBackoff, Max: DefaultMaxBackoff}
	if n == nil {
		return p
	}
	n = l.object(n, where, "attempts", "backoff", "max")
	if a := n.field("attempts"); a != nil {
		p.Attempts = l.attempts(a, where+"attempts: ")
	}
	backoff, longest := n.field("backoff"), n.field("max")
	if backoff != nil {
		p.Backoff = l.duration(backoff, where+"backoff: ")
		p.Max = max(p.Max, p.Backoff)
	}
	if longest != nil {
		p.Max = l.duration(longest, where+"max: ")
		if backoff == nil {
			p.Backoff = min(p.Backoff, p.Max)
		}
	}
	if p.Max < p.Backoff && p.Max > 1 { // 1 has been reported
		l.problem(longest.place, where+"max: ", "%s is less than the backoff, %s", p.Max, p.Backoff)
	}
	if p.Attempts == Unlimited && p.Max < MinUnlimited && p.Max > 1 {
		l.problem(longest.place, where+"max: ", "%s is less than unlimited attempts need, %s", p.Max, MinUnlimited)
	}
	return p
}

func (l *loader) attempts(n *node, where string) int {
	if n.value == "unlimited" {
		return Unlimited
	}
	count, ok := n.value.(int64)
	switch {
	case !ok:
		l.problem(n.place, where, "want unlimited or a whole number from 1 to %d", MaxAttempts)
	case count < 1 || count > MaxAttempts:
		l.problem(n.place, where, "%d is not from 1 to %d", count, MaxAttempts)
	default:
		return int(count)
	}
	return 1
}

// needs reads which steps must have completed before a step.
func (l *loader) needs(s *stepDraft, self int, names []string) []int {
	n := s.node.field("needs")
	if n == nil {
		return nil
	}
	if n.kind != isList {
		l.problem(n.place, s.where()+"needs: ", "want a list of steps, not %s", n.kind)
		return nil
	}
	var needs []int
	for _, item := range n.items {
		name, ok := item.value.(string)
		i := slices.Index(names, name)
		switch {
		case !ok:
			l.problem(item.place, s.where()+"needs: ", "want the name of a step, not %s", item.kind)
		case i < 0:
			l.problem(item.place, s.where(), "needs %q, which is not a step%s", shortened(name), didYouMean(name, names))
		case i == self:
			l.problem(item.place, s.where(), "needs itself")
		case slices.Contains(needs, i):
			l.problem(item.place, s.where(), "needs %q twice", name)
		default:
			needs = append(needs, i)
		}
	}
	return needs
}

// pivot checks that there is at most one and that every step is on one side of it.
func (l *loader) pivot(drafts []stepDraft, g *graph) {
	pivot := slices.IndexFunc(drafts, func(s stepDraft) bool { return s.Pivot })
	if pivot < 0 || len(g.cycles()) > 0 {
		return
	}
	for i, s := range drafts {
		if s.Pivot && i != pivot {
			l.problem(s.node.field("pivot").place, s.where(), "a second pivot; %q is one already", g.names[pivot])
			continue
		}
		if text := g.pivotProblem(i, pivot, s.Undo != nil); text != "" {
			at := s.at
			if undo := s.node.field("undo"); (i == pivot || g.before[i][pivot]) && undo != nil {
				at = undo.place
			}
			l.problem(at, s.where(), "%s", text)
		}
	}
}

// templates compiles the inputs of the steps and the output.
func (l *loader) templates(d *Definition, drafts []stepDraft, g *graph, output *node) {
	environment, err := newEnvironment()
	if err != nil {
		panic("saga: make CEL environment: " + err.Error()) // unreachable: it is the same each time
	}
	c := compiler{environment: environment, steps: g.names, input: d.input, report: l.report}
	skippable := make(map[string]bool)
	for _, s := range drafts {
		skippable[s.Name] = s.node.field("when") != nil
	}
	for i := range drafts {
		with, when := drafts[i].node.field("with"), drafts[i].node.field("when")
		c.where, c.step, c.usable = fmt.Sprintf("step %q", drafts[i].Name), drafts[i].Name, make(map[string]bool)
		for j, before := range g.before[i] {
			c.usable[g.names[j]] = before
		}
		c.skippable = skippable
		if when != nil {
			drafts[i].When = Template{c.condition(when)}
			c.skippable = nil // the when sees to it
		}
		if with != nil {
			drafts[i].With = Template{c.compile(with)}
		}
	}
	if output == nil {
		return
	}
	c.where, c.step, c.usable, c.skippable = "output", "", make(map[string]bool), skippable
	for _, name := range g.names {
		c.usable[name] = true
	}
	d.Output = Template{c.compile(output)}
}
