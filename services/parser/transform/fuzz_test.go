package transform

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

// FuzzRun runs anything over anything. A program must be refused, fail, or put out
// JSON, in less time than it may have several times over, and must do the same
// when it is run again.
func FuzzRun(f *testing.F) {
	for _, program := range []string{
		".", ".a[1:]? // 1", "[..|numbers] | add", `to_entries | map("\(.key)=\(.value)") | join(",")`, "del(.a[0]) | .b |= (.//0) + 1",
		"reduce range(99) as $i ([]; [., .]) | tojson", `"x" * 1e9`, `gsub("(?<a>.)"; "\(.a)\(.a)")`, "def f: f, f; f", "path(..)", "limit(3; repeat(.))", "try error(.) catch .",
	} {
		for _, record := range []string{`{"a":[1,2.50,null],"b":"x","c":{"d":1e400}}`, `"text"`, `[[1],[2,[3]]]`} {
			f.Add(program, record)
		}
	}
	small := Limits{Time: time.Minute, Work: 50_000, Results: 100, MaxResult: 10_000}
	f.Fuzz(func(t *testing.T, program, record string) {
		if !json.Valid([]byte(record)) {
			return
		}
		start := time.Now()
		out, err := run(t, program, record, small)
		if took := time.Since(start); took > 30*time.Second {
			t.Errorf("%q of %q took %v", program, record, took)
		}
		again, err2 := run(t, program, record, small)
		if out != again || (err == nil) != (err2 == nil) {
			t.Errorf("%q of %q: %q (%v), and then %q (%v)", program, record, out, err, again, err2)
		}
		var e *Error
		if errors.As(err, &e) && len(e.Reason) > 1000 {
			t.Errorf("%q: a message of %d bytes", program, len(e.Reason))
		}
		for line := range strings.Lines(out) {
			if err == nil && !json.Valid([]byte(line)) {
				t.Errorf("%q of %q: %q", program, record, line)
			}
		}
	})
}
