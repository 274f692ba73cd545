package participant

import (
	"log/slog"
	"time"

	"segue/events"
)

// attemptLog is the log for lines about one attempt. What each line says of it is
// put together when there is one to write: for most attempts that are not logged
// it would cost more than the handler.
type attemptLog struct {
	base  *slog.Logger
	entry events.Entry
	trace string // id of its trace; "" if nobody wants any
	about *slog.Logger
}

// line returns the logger of a line.
func (l *attemptLog) line() *slog.Logger {
	if l.about == nil {
		e := l.entry
		l.about = l.base.With("run", e.Subject.Run, "step", e.Subject.Step, "attempt", e.Subject.Attempt.String(),
			"correlation_id", e.Event.CorrelationID)
		if l.trace != "" {
			l.about = l.about.With("trace_id", l.trace)
		}
	}
	return l.about
}

// ending returns the logger of the line that tells the outcome.
func (l *attemptLog) ending(outcome events.Entry, took time.Duration) *slog.Logger {
	return l.line().With("outcome", outcome.Event.Type, "took", took.Round(time.Millisecond).String())
}
