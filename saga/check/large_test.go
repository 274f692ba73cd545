package check

import (
	"fmt"
	"strings"
	"testing"

	"segue/saga"
)

// chain returns a definition of steps one after the other; last is what the last
// one says of itself.
func chain(t testing.TB, steps int, last string) *saga.Definition {
	var b strings.Builder
	b.WriteString("saga: chain\nsteps:\n  s0: {service: s, undo: true}\n")
	for i := 1; i < steps-1; i++ {
		fmt.Fprintf(&b, "  s%d: {service: s, needs: [s%d], undo: true}\n", i, i-1)
	}
	fmt.Fprintf(&b, "  last: {service: s, needs: [s%d], %s}\n", steps-2, last)
	return parse(t, b.String())
}

// diamond returns a definition of two steps with all others side by side between them.
func diamond(t testing.TB, steps int, last string) *saga.Definition {
	var b strings.Builder
	var middle []string
	b.WriteString("saga: diamond\nsteps:\n  first: {service: s, undo: true}\n")
	for i := range steps - 2 {
		fmt.Fprintf(&b, "  m%d: {service: s, needs: [first], undo: true}\n", i)
		middle = append(middle, fmt.Sprintf("m%d", i))
	}
	fmt.Fprintf(&b, "  last: {service: s, needs: [%s], %s}\n", strings.Join(middle, ", "), last)
	return parse(t, b.String())
}

// TestLarge holds that definitions with more states than can be looked at are cut and
// say so, and that a bug at their far end is found all the same.
func TestLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("LARGE DEFINITIONS WERE NOT CHECKED: run without -short")
	}
	t.Parallel()
	for name, make := range map[string]func(last string) *saga.Definition{
		"chain of 100":  func(last string) *saga.Definition { return chain(t, 100, last) },
		"diamond of 20": func(last string) *saga.Definition { return diamond(t, 20, last) },
	} {
		good := definition(make("undo: true"), (*saga.Run).Decide, 2000)
		if good.Err() != nil || good.Complete || good.States != 2000 || good.Sampled != 2000 || good.Endings[saga.StatusCompleted] == 0 {
			t.Errorf("%s: %v\n%s", name, good.Err(), good)
		}
		for last, want := range map[string]string{
			"retry: {attempts: 5}":              "forgets its undo",
			"retry: {attempts: 5}, pivot: true": "can run out of attempts",
			`undo: true, with: "${1 / 0}"`:      "is never reached",
		} {
			bad := definition(make(last), (*saga.Run).Decide, 2000)
			if bad.Flaw == nil || bad.Flaw.Step != "last" || !strings.Contains(bad.Flaw.Reason, want) || len(bad.Flaw.Story) == 0 {
				t.Errorf("%s, %s: %v", name, last, bad.Err())
			}
		}
	}
}

// BenchmarkDefinition measures checks at the limit and one of a usual size.
func BenchmarkDefinition(b *testing.B) {
	for name, d := range map[string]*saga.Definition{
		"chain of 5": chain(b, 5, "undo: true"), "chain of 20": chain(b, 20, "undo: true"),
		"chain of 100": chain(b, 100, "undo: true"), "diamond of 20": diamond(b, 20, "undo: true"),
	} {
		b.Run(name, func(b *testing.B) {
			states := 0
			for b.Loop() {
				r := Definition(d)
				states += r.States + r.Sampled
			}
			b.ReportMetric(float64(states)/b.Elapsed().Seconds(), "states/s")
		})
	}
}
