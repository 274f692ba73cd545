package tabular

import (
	"fmt"
	"strconv"
)

// Error says where the input breaks a rule or a limit.
type Error struct {
	// Line is the line in the input, from 1. For a quote that is never closed it is
	// the line where the quote stands.
	Line int
	// Column is the byte in the line, from 1; 0 if the whole line is meant.
	Column int
	// Reason completes the sentence that begins with the place, as in "has 3
	// fields, the header has 4".
	Reason string
	// Limit says that the input may be well-formed but is over a limit of [Options].
	Limit bool
}

// Error returns the place and the reason: "line 7 has 3 fields, the header has 4".
func (e *Error) Error() string {
	if e.Column == 0 {
		return fmt.Sprintf("line %d %s", e.Line, e.Reason)
	}
	return fmt.Sprintf("line %d, column %d %s", e.Line, e.Column, e.Reason)
}

// count writes "1 field", "2 fields".
func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return strconv.Itoa(n) + " " + noun
}

// maxClip is the longest piece of the input that a message repeats, in bytes.
const maxClip = 64

// clip shortens text from the input for a message.
func clip(s string) string {
	if len(s) <= maxClip {
		return s
	}
	return s[:maxClip] + "..."
}
