package daemon

import (
	"strings"
	"testing"
)

// TestWrongCommandLine holds that a wrong command line is told with the usage, and
// that a right one says nothing.
func TestWrongCommandLine(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args []string
		want string // in what is written; empty: nothing is
	}{
		{[]string{"--concurrency", "4"}, ""},
		{[]string{"--frobnicate"}, "thing: unknown flag --frobnicate"},
		{[]string{"--log-level", "loud"}, "loud"},
		{[]string{"argument"}, "unexpected argument argument"},
	} {
		var f flags[struct{}]
		var b strings.Builder
		err := parse(&f, "thing", "Does things.", test.args, &b)
		if (err == nil) != (test.want == "") || !strings.Contains(b.String(), test.want) || (err != nil) != strings.Contains(b.String(), "Usage: thing") {
			t.Errorf("%v: error %v, written %q", test.args, err, b.String())
		}
	}
}
