package check

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"segue/saga"
)

// TestDrawn holds the walk against its dumb twin on definitions drawn at random: what
// can be told from the text of a definition is what the walk finds, and no more.
func TestDrawn(t *testing.T) {
	if testing.Short() {
		t.Skip("DRAWN DEFINITIONS WERE NOT CHECKED: run without -short")
	}
	t.Parallel()
	const seed, wanted = 7, 200
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	good, bad := 0, 0
	for good+bad < wanted {
		text := drawn(random)
		d, err := saga.Load("drawn.yaml", []byte(text), nil)
		if err != nil {
			continue // a step on no side of the pivot, or an undo on the wrong one
		}
		r := Definition(d)
		if expected := suspects(d); (r.Flaw != nil) != (len(expected) > 0) {
			t.Fatalf("suspected %v, found %v\n%s", expected, r.Err(), text)
		} else if r.Flaw != nil {
			bad++
			if r.Flaw.Step == "" || strings.Contains(r.Flaw.WayOut, "fault of Segue") {
				t.Fatalf("%v\n%s", r.Flaw, text)
			}
		} else {
			good++
		}
	}
	t.Logf("%d good, %d bad", good, bad)
	if good < wanted/10 || bad < wanted/10 {
		t.Error("these definitions show little")
	}
}

// drawn writes a definition of up to four steps, at most two of them side by side.
func drawn(random *rand.Rand) string {
	pick := func(texts ...string) string { return texts[random.IntN(len(texts))] }
	var b strings.Builder
	b.WriteString("saga: drawn\nsteps:\n")
	steps := 1 + random.IntN(4)
	pivot := random.IntN(2 * steps)
	for i := range steps {
		var needs []string
		for n := max(0, i-2); n < i; n++ {
			if n == i-2 || random.IntN(4) > 0 {
				needs = append(needs, fmt.Sprintf("s%d", n))
			}
		}
		fmt.Fprintf(&b, "  s%d: {service: s, needs: [%s]", i, strings.Join(needs, ", "))
		switch {
		case i == pivot:
			b.WriteString(pick(", pivot: true, retry: {attempts: unlimited}", ", pivot: true, retry: {attempts: unlimited}", ", pivot: true"))
		case i > pivot:
			b.WriteString(pick(", retry: {attempts: unlimited}", ", retry: {attempts: unlimited}", ", retry: {attempts: 1}"))
		default:
			b.WriteString(pick(", undo: true", ", undo: false", ", undo: {retry: {attempts: 1}}", ", undo: true, retry: {attempts: 1}",
				", undo: true, retry: {attempts: unlimited}", ", undo: true, with: \"${input.n}\"", ""))
		}
		b.WriteString(pick("}\n", "}\n", "}\n", "}\n", "}\n", "}\n", ", with: \"${[1][3]}\"}\n"))
	}
	return b.String()
}
