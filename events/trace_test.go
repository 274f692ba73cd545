package events_test

import (
	"strings"
	"testing"

	"segue/events"
)

// TestParseTrace holds what is a traceparent and what is not.
func TestParseTrace(t *testing.T) {
	t.Parallel()
	const id, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	for text, want := range map[string]string{
		"00-" + id + "-" + span + "-01":                        "00-" + id + "-" + span + "-01",
		"00-" + id + "-" + span + "-00":                        "00-" + id + "-" + span + "-00",
		"cc-" + id + "-" + span + "-03-what-the-future-brings": "00-" + id + "-" + span + "-03",
		"00-" + id + "-" + span + "-01-more":                   "",
		"cc-" + id + "-" + span + "-01.more":                   "",
		"ff-" + id + "-" + span + "-01":                        "",
		"00-" + strings.Repeat("0", 32) + "-" + span + "-01":   "",
		"00-" + id + "-" + strings.Repeat("0", 16) + "-01":     "",
		"00-" + strings.ToUpper(id) + "-" + span + "-01":       "",
		"00-" + id + "-" + span + "-0":                         "",
		"00-" + id + "-" + span + "-0x":                        "",
		"00_" + id + "-" + span + "-01":                        "",
		"":                                                     "",
		"p":                                                    "",
		strings.Repeat("-", 55):                                "",
		"00-" + id + "-" + span + "-01" + strings.Repeat("\x00", 1_000_000): "",
	} {
		got, ok := events.ParseTrace(text)
		if ok != (want != "") || ok && got.String() != want {
			t.Errorf("%.80q: %s, %v; want %q", text, got, ok, want)
		}
	}
}

// TestRunTrace holds where runs and attempts are in their traces.
func TestRunTrace(t *testing.T) {
	t.Parallel()
	const run, begin, command = "2f4c6f86-6e4a-5c3c-9d5e-0d9f6a3b7c21", "3214dfb3-86a5-5d2d-bc9f-c6685b0914d0", "1c0bede9-bffb-587a-b378-8eb432fc61c8"
	for name, test := range map[string]struct {
		started events.Event
		want    string
		attempt string
	}{
		"of its own": {events.Event{ID: begin, RunID: run},
			"00-2f4c6f866e4a5c3c9d5e0d9f6a3b7c21-3214dfb386a55d2d-01", "00-2f4c6f866e4a5c3c9d5e0d9f6a3b7c21-1c0bede9bffb587a-01"},
		"the start's": {events.Event{ID: begin, RunID: run, TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"},
			"00-0af7651916cd43dd8448eb211c80319c-3214dfb386a55d2d-00", "00-0af7651916cd43dd8448eb211c80319c-1c0bede9bffb587a-00"},
		"none that can be read": {events.Event{ID: begin, RunID: run, TraceParent: "00-1-2-01"},
			"00-2f4c6f866e4a5c3c9d5e0d9f6a3b7c21-3214dfb386a55d2d-01", "00-2f4c6f866e4a5c3c9d5e0d9f6a3b7c21-1c0bede9bffb587a-01"},
	} {
		trace := events.RunTrace(test.started)
		if trace.String() != test.want || trace.At(command).String() != test.attempt {
			t.Errorf("%s: the run is at %s, the attempt at %s; want %s, %s", name, trace, trace.At(command), test.want, test.attempt)
		}
	}
	// Ids that strangers chose make places as well, and none that is zero.
	seen := map[string]bool{}
	for _, id := range []string{"", "a", "b", "00000000-0000-0000-0000-000000000000", strings.Repeat("x", 1000)} {
		trace := events.RunTrace(events.Event{ID: id, RunID: id}).At(id)
		if _, ok := events.ParseTrace(trace.String()); !ok || seen[trace.String()] {
			t.Errorf("id %.20q makes the place %s: no place, or somebody else's", id, trace)
		}
		seen[trace.String()] = true
	}
}

func FuzzParseTrace(f *testing.F) {
	f.Add("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	f.Add("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x")
	f.Fuzz(func(t *testing.T, text string) {
		trace, ok := events.ParseTrace(text)
		if !ok {
			return
		}
		if again, ok := events.ParseTrace(trace.String()); !ok || again != trace || len(text) >= 55 && trace.String()[2:] != text[2:55] {
			t.Errorf("%q is read as %s", text, trace)
		}
	})
}
