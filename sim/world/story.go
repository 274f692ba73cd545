package world

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"segue/events"
)

// Story tells the trace in words, a line for each thing that happened: when, by
// the world's time, what, and to what. Runs are named by the number of their start.
func (r Report) Story() []string {
	lines := make([]string, 0, len(r.Trace))
	for _, line := range r.Trace {
		fields := strings.Fields(line)
		ns, _ := strconv.ParseInt(fields[0], 10, 64) // our own format
		subject, n := fields[len(fields)-2], fields[len(fields)-1]
		what := strings.Join(fields[1:len(fields)-2], " ")
		told := fmt.Sprintf("%12.6fs  %-22s %s", time.Duration(ns).Seconds(), what, r.thing(subject))
		if about := r.About[subject]; about != "" && what == "stored" {
			told += ": " + about
		}
		if number, err := strconv.ParseUint(n, 10, 32); err == nil && number > 0 { // else it is a hash
			told += " (" + n + ")"
		}
		lines = append(lines, told)
	}
	return lines
}

// thing names what a line of the trace is about.
func (r Report) thing(subject string) string {
	if run, rest, found := strings.Cut(subject, "/"); found && r.Names[run] != "" {
		return r.Names[run] + ", " + rest
	}
	s, err := events.ParseSubject(subject)
	if err != nil || r.Names[s.Run] == "" {
		return subject
	}
	name := r.Names[s.Run] + ", "
	switch s.Kind {
	case events.KindCommand, events.KindOutcome:
		return fmt.Sprintf("%s%s of %s %s", name, s.Kind, s.Step, s.Attempt)
	case events.KindSignal:
		return name + "signal " + s.Signal
	default:
		return name + string(s.Kind)
	}
}

// about says in a few words what a message of the journal holds.
func about(e events.Entry) string {
	kind := strings.TrimSuffix(strings.TrimPrefix(e.Event.Type, "segue."), ".v1")
	var f events.Failed
	if e.Subject.Kind == events.KindOutcome && !succeeded(e) && events.ReadData(e.Event, &f) == nil && f.Message != "" {
		doubt := ""
		if f.Unknown {
			doubt = ", what was done is unknown"
		}
		return fmt.Sprintf("%s%s: %s %s", kind, doubt, f.Code, f.Message)
	}
	return kind
}
