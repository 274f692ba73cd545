package events

import (
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
)

// Kind says which row of the subject table a [Subject] is.
type Kind string

// The kinds of subjects.
const (
	KindStart      Kind = "start"
	KindStarted    Kind = "started"
	KindCommand    Kind = "command"
	KindOutcome    Kind = "outcome"
	KindSignal     Kind = "signal"
	KindEnded      Kind = "ended"
	KindRejected   Kind = "rejected"
	KindHistory    Kind = "history"
	KindDefinition Kind = "definition"
	KindSchedule   Kind = "schedule"
)

// Limits of the subject table.
const (
	// MaxPartitions is the largest partition count a journal may have.
	MaxPartitions = 1000
	// MaxToken is the longest name, in bytes, that a subject may hold.
	MaxToken = 64
	// MaxAttempt is the highest attempt number a subject may hold.
	MaxAttempt = 1_000_000
	// maxTokens is how many tokens the longest subject of the table has.
	maxTokens = 8
	// MaxSubject is more than the longest subject of the table has, in bytes.
	MaxSubject = 256
)

// ErrSubject is returned by [ParseSubject] and [Subject.Validate] for a subject
// that is not in the table of the package documentation.
var ErrSubject = errors.New("not a saga subject")

// Subject is a parsed subject. Which fields are set depends on Kind:
//
//	start       Definition
//	started     Partition, Run
//	command     Partition, Run, Service, Step, Attempt
//	outcome     Partition, Run, Service, Step, Attempt
//	signal      Partition, Run, Signal
//	ended       Partition, Run
//	rejected    Definition, Start
//	history     Definition, Status, Run
//	definition  Definition
//	schedule    Definition, Schedule
//
// Subjects are comparable and usable as map keys.
type Subject struct {
	Kind       Kind
	Definition string
	Start      string // id of the rejected start
	Partition  int
	Run        string
	Service    string
	Step       string
	Attempt    Attempt
	Signal     string
	Status     string // completed or compensated
	Schedule   string
}

// Attempt numbers one try at a step, or at undoing it. Counting starts at 1.
type Attempt struct {
	N    int
	Undo bool
}

// String returns the attempt as the last token of a subject: "3", or "u3" for
// an undo.
func (a Attempt) String() string {
	if a.Undo {
		return "u" + strconv.Itoa(a.N)
	}
	return strconv.Itoa(a.N)
}

// ParseAttempt is the inverse of [Attempt.String]. It accepts the canonical
// form only, so that one attempt has one subject.
func ParseAttempt(s string) (Attempt, error) {
	digits, undo := strings.CutPrefix(s, "u")
	n, err := strconv.Atoi(digits)
	a := Attempt{N: n, Undo: undo}
	if err != nil || n < 1 || n > MaxAttempt || a.String() != s {
		return Attempt{}, fmt.Errorf("%w: attempt %q is not 1..%d or u1..u%[3]d", ErrSubject, s, MaxAttempt)
	}
	return a, nil
}

// PartitionOf returns the partition of a run: the 32-bit FNV-1a hash of the run
// id's bytes modulo the partition count of the journal, which is 1 to
// [MaxPartitions]. Programs in other languages compute the same:
//
//	run                                     of 16   of 1000
//	"a"                                        12       220
//	"order-4711"                               13       725
//	"2f4c6f86-6e4a-5c3c-9d5e-0d9f6a3b7c21"     15       271
func PartitionOf(run string, partitions int) int {
	h := fnv.New32a()
	h.Write([]byte(run)) //nolint:errcheck // never fails
	return int(h.Sum32() % uint32(partitions))
}

// HistorySubject returns the subject of what is kept of a run that has ended.
func HistorySubject(definition, status, run string) Subject {
	return Subject{Kind: KindHistory, Definition: definition, Status: status, Run: run}
}

// DefinitionSubject returns the subject on which definitions of a name are applied.
func DefinitionSubject(definition string) Subject {
	return Subject{Kind: KindDefinition, Definition: definition}
}

// ScheduleSubject returns the subject on which a schedule of starts of a definition is
// set and removed. The name tells it from other schedules of that definition.
func ScheduleSubject(definition, name string) Subject {
	return Subject{Kind: KindSchedule, Definition: definition, Schedule: name}
}

// StartSubject returns the subject on which starts of a definition are published.
func StartSubject(definition string) Subject {
	return Subject{Kind: KindStart, Definition: definition}
}

// RunSubject returns a subject of a run with the given kind; the caller fills
// in what else the kind needs.
func RunSubject(kind Kind, run string, partitions int) Subject {
	return Subject{Kind: kind, Run: run, Partition: PartitionOf(run, partitions)}
}

// With returns the subject of another kind in the same run. It keeps service,
// step and attempt between command and outcome and drops what the kind does not
// carry; what it carries and s lacks, the caller fills in.
func (s Subject) With(kind Kind) Subject {
	other := Subject{Kind: kind, Partition: s.Partition, Run: s.Run}
	switch kind {
	case KindCommand, KindOutcome:
		other.Service, other.Step, other.Attempt = s.Service, s.Step, s.Attempt
	case KindSignal:
		other.Signal = s.Signal
	}
	return other
}

// Filters for subscribing. A "*" matches one token, a ">" the rest.
const (
	// AllRuns matches every message of every run.
	AllRuns = "saga.run.>"
	// AllEnds matches the last message of every run that has ended.
	AllEnds = "saga.run.*.*.ended"
	// AllStarts matches every start event.
	AllStarts = "saga.start.*"
	// AllRejected matches every start that could not become a run.
	AllRejected = "saga.rejected.>"
	// AllHistory matches all that is kept of runs that have ended.
	AllHistory = "saga.history.>"
	// AllDefinitions matches every definition that was applied.
	AllDefinitions = "saga.definition.*"
	// AllSchedules matches every schedule.
	AllSchedules = "saga.schedule.*.*"
)

// PartitionFilter matches every message of the runs in a partition.
func PartitionFilter(partition int) string {
	return "saga.run." + partitionToken(partition) + ".>"
}

// RunFilter matches every message of one run, whatever its partition.
func RunFilter(run string) string { return "saga.run.*." + run + ".>" }

// HistoryFilter matches what is kept of a run that has ended, whatever its
// definition and status.
func HistoryFilter(run string) string { return "saga.history.*.*." + run }

// ScheduleFilter matches every schedule of a definition.
func ScheduleFilter(definition string) string { return "saga.schedule." + definition + ".*" }

// CommandFilter matches every command for a service.
func CommandFilter(service string) string {
	return "saga.run.*.*.command." + service + ".>"
}

// String returns the subject as published. It does not validate.
func (s Subject) String() string {
	b := make([]byte, 0, MaxSubject) // on the stack
	switch s.Kind {
	case KindStart, KindDefinition:
		b = appendTokens(b, "saga", string(s.Kind), s.Definition)
	case KindRejected:
		b = appendTokens(b, "saga.rejected", s.Definition, s.Start)
	case KindSchedule:
		b = appendTokens(b, "saga.schedule", s.Definition, s.Schedule)
	case KindHistory:
		b = appendTokens(b, "saga.history", s.Definition, s.Status, s.Run)
	case KindStarted, KindEnded:
		b = appendTokens(b, "saga.run", partitionToken(s.Partition), s.Run, string(s.Kind))
	case KindSignal:
		b = appendTokens(b, "saga.run", partitionToken(s.Partition), s.Run, "signal", s.Signal)
	case KindCommand, KindOutcome:
		b = appendTokens(b, "saga.run", partitionToken(s.Partition), s.Run, string(s.Kind), s.Service, s.Step, s.Attempt.String())
	}
	return string(b)
}

// appendTokens appends the tokens of a subject.
func appendTokens(b []byte, tokens ...string) []byte {
	for i, token := range tokens {
		if i > 0 {
			b = append(b, '.')
		}
		b = append(b, token...)
	}
	return b
}

// partitionToken returns a partition as a token of a subject, at least two digits.
func partitionToken(n int) string {
	if 0 <= n && n < 10 {
		return "00010203040506070809"[2*n : 2*n+2]
	}
	return strconv.Itoa(n) // below 100 without an allocation
}

// Validate returns an error that wraps [ErrSubject] unless every token the kind
// needs is a legal name (see [ValidName]).
func (s Subject) Validate() error {
	parsed, err := ParseSubject(s.String())
	if err != nil {
		return err
	}
	if parsed != s {
		return fmt.Errorf("%w: %q has fields its kind does not carry", ErrSubject, s)
	}
	return nil
}

// ParseSubject reads a subject of the table. It accepts exactly the strings
// that [Subject.String] makes of valid subjects.
func ParseSubject(subject string) (Subject, error) {
	if len(subject) > MaxSubject {
		return Subject{}, fmt.Errorf("%w: it is %d bytes long, at most %d are", ErrSubject, len(subject), MaxSubject)
	}
	var room [maxTokens + 1]string
	t := room[:0]
	for token := range strings.SplitSeq(subject, ".") {
		if len(t) == cap(t) {
			break // more than any subject has
		}
		t = append(t, token)
	}
	if len(t) < 3 || t[0] != "saga" {
		return Subject{}, fmt.Errorf("%w: %q", ErrSubject, subject)
	}
	var s Subject
	var err error
	switch t[1] {
	case "start":
		s, err = parseStart(t[2:])
	case "rejected":
		s, err = parseRejected(t[2:])
	case "history":
		s, err = parseHistory(t[2:])
	case "definition":
		s, err = parseDefinition(t[2:])
	case "schedule":
		s, err = parseSchedule(t[2:])
	case "run":
		s, err = parseRun(t[2:])
	default:
		err = ErrSubject
	}
	if err != nil {
		return Subject{}, fmt.Errorf("%w: %q", err, subject)
	}
	return s, nil
}

func parseStart(t []string) (Subject, error) {
	if len(t) != 1 {
		return Subject{}, ErrSubject
	}
	return Subject{Kind: KindStart, Definition: t[0]}, validNames(t...)
}

func parseDefinition(t []string) (Subject, error) {
	if len(t) != 1 {
		return Subject{}, ErrSubject
	}
	return Subject{Kind: KindDefinition, Definition: t[0]}, validNames(t...)
}

func parseHistory(t []string) (Subject, error) {
	if len(t) != 3 {
		return Subject{}, ErrSubject
	}
	return Subject{Kind: KindHistory, Definition: t[0], Status: t[1], Run: t[2]}, validNames(t...)
}

func parseRejected(t []string) (Subject, error) {
	if len(t) != 2 {
		return Subject{}, ErrSubject
	}
	return Subject{Kind: KindRejected, Definition: t[0], Start: t[1]}, validNames(t...)
}

func parseSchedule(t []string) (Subject, error) {
	if len(t) != 2 {
		return Subject{}, ErrSubject
	}
	return Subject{Kind: KindSchedule, Definition: t[0], Schedule: t[1]}, validNames(t...)
}

func parseRun(t []string) (Subject, error) {
	if len(t) < 3 {
		return Subject{}, ErrSubject
	}
	partition, err := strconv.Atoi(t[0])
	if err != nil || partition < 0 || partition >= MaxPartitions || partitionToken(partition) != t[0] {
		return Subject{}, fmt.Errorf("%w: partition %q", ErrSubject, t[0])
	}
	s := Subject{Kind: Kind(t[2]), Partition: partition, Run: t[1]}
	rest := t[3:]
	switch {
	case (s.Kind == KindStarted || s.Kind == KindEnded) && len(rest) == 0:
		return s, validNames(s.Run)
	case s.Kind == KindSignal && len(rest) == 1:
		s.Signal = rest[0]
		return s, validNames(s.Run, s.Signal)
	case (s.Kind == KindCommand || s.Kind == KindOutcome) && len(rest) == 3:
		s.Service, s.Step = rest[0], rest[1]
		if s.Attempt, err = ParseAttempt(rest[2]); err != nil {
			return Subject{}, err
		}
		return s, validNames(s.Run, s.Service, s.Step)
	}
	return Subject{}, ErrSubject
}

func validNames(names ...string) error {
	for _, n := range names {
		if !ValidName(n) {
			return fmt.Errorf("%w: name %q", ErrSubject, n)
		}
	}
	return nil
}

// ValidName reports whether a string may be a token of a subject: 1 to
// [MaxToken] bytes of ASCII letters, digits, "-" and "_".
func ValidName(s string) bool {
	if len(s) == 0 || len(s) > MaxToken {
		return false
	}
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}
