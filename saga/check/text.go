package check

import (
	"fmt"
	"strings"

	"segue/saga"
)

// String says what was found, in a few lines: for a good definition how far the walk
// went and how every way ends, for another its flaw and the story.
func (r Result) String() string {
	var b strings.Builder
	if r.Flaw != nil {
		r.Flaw.write(&b)
		return b.String()
	}
	if r.Complete {
		fmt.Fprintf(&b, "good: looked at all %s a run can be in; it ends\n", count(r.States, "state"))
	} else {
		fmt.Fprintf(&b, "good as far as was looked: the walk was cut after %s; besides, it went through %s of runs\n"+
			"in which one thing happens after the other and at most %d go wrong; a run ends\n",
			count(r.States, "state"), count(r.Sampled, "state"), maxFaults)
	}
	for _, status := range []saga.Status{saga.StatusCompleted, saga.StatusCompensated} {
		fmt.Fprintf(&b, "  %-12s in %s\n", status, count(r.Endings[status], "state"))
	}
	if n := r.Endings[saga.StatusStuck]; n > 0 {
		fmt.Fprintf(&b, "  %-12s in %s, where an undo has failed: of %s;\n  %-12s segue retry gives it another round\n",
			saga.StatusStuck, count(n, "state"), strings.Join(r.StuckAt, ", "), "")
	}
	return b.String()
}

func (f *Flaw) write(b *strings.Builder) {
	subject := ""
	if f.Step != "" {
		subject = "step " + f.Step + " "
	}
	fmt.Fprintf(b, "REFUSED: %s%s\n", subject, f.Reason)
	fmt.Fprintf(b, "  way out: %s\n", f.WayOut)
	if len(f.Story) > 0 {
		fmt.Fprintln(b, "  the shortest way there:")
	}
	for i, line := range f.Story {
		fmt.Fprintf(b, "  %3d. %s\n", i+1, line)
	}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
