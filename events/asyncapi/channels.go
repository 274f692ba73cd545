package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"segue/events"
)

// channel is a row of the subject table.
type channel struct {
	Address     string         `yaml:"address"`
	Title       string         `yaml:"title"`
	Description string         `yaml:"description"`
	Messages    map[string]ref `yaml:"messages"`
	Parameters  map[string]ref `yaml:"parameters"`
	JetStream   held           `yaml:"x-jetstream"`
}

// held says which stream keeps the messages of a channel.
type held struct {
	Stream string `yaml:"stream"`
}

// parameter is a token of a subject. AsyncAPI has no patterns for them; the form
// stands in the description.
type parameter struct {
	Description string   `yaml:"description"`
	Enum        []string `yaml:"enum,omitempty"`
	Examples    []string `yaml:"examples,omitempty"`
}

// row is what tells one channel from another.
type row struct {
	name        string
	subject     events.Subject // with placeholders for names
	title       string
	description string
	types       []string // keys in components/messages
}

// Placeholders for the tokens that are numbers, where no run of the examples is.
const (
	anyPartition = events.MaxPartitions - 1
	anyAttempt   = events.MaxAttempt
)

func ofRun(s events.Subject) events.Subject {
	s.Run, s.Partition = "{run}", anyPartition
	return s
}

func ofAttempt(kind events.Kind, undo bool) events.Subject {
	return ofRun(events.Subject{Kind: kind, Service: "{service}", Step: "{step}", Attempt: events.Attempt{N: anyAttempt, Undo: undo}})
}

var rows = []row{
	{"start", events.StartSubject("{definition}"), "Start events",
		"Who publishes here starts a run of the definition. The same event, by source and id, is the same run, however often it comes.",
		[]string{events.TypeRunRequested, anyStart, bareStart}},
	{"rejected", events.Subject{Kind: events.KindRejected, Definition: "{definition}", Start: "{start}"}, "Rejected starts",
		"Starts that could not become runs, with the reason.",
		[]string{events.TypeStartRejected}},
	{"started", ofRun(events.Subject{Kind: events.KindStarted}), "Runs that have begun",
		"The first message of each run.",
		[]string{events.TypeRunStarted}},
	{"command", ofAttempt(events.KindCommand, false), "Commands",
		"What a service is asked to do, an attempt a subject. Instead of the command stands that it will not be asked for: withheld or skipped. A service acks those and does nothing.",
		[]string{events.TypeStepRequested, events.TypeStepWithheld, events.TypeStepSkipped}},
	{"undo", ofAttempt(events.KindCommand, true), "Commands to undo",
		"A step is to be undone. It may come before, during or after the step, and more than once.",
		[]string{events.TypeUndoRequested}},
	{"outcome", ofAttempt(events.KindOutcome, false), "Outcomes",
		"What came of an attempt. Service and orchestrator, whose timeout goes to the same subject, write here; the first message counts and the other is refused.",
		[]string{events.TypeStepCompleted, events.TypeStepFailed, events.TypeStepTimedOut}},
	{"undone", ofAttempt(events.KindOutcome, true), "Outcomes of undoing",
		"What came of an attempt to undo.",
		[]string{events.TypeUndoCompleted, events.TypeUndoFailed, events.TypeUndoTimedOut}},
	{"signal", ofRun(events.Subject{Kind: events.KindSignal, Signal: "{signal}"}), "Signals",
		"What turns a run back or drives it on from outside.",
		[]string{events.TypeCancel, events.TypeRetry, events.TypeDeadline}},
	{"ended", ofRun(events.Subject{Kind: events.KindEnded}), "Runs that have ended",
		"The last message of each run.",
		[]string{events.TypeRunCompleted, events.TypeRunCompensated}},
	{"history", events.HistorySubject("{definition}", "{status}", "{run}"), "History",
		"What is kept of runs whose messages have left the journal.",
		[]string{events.TypeRunArchived}},
	{"definition", events.DefinitionSubject("{definition}"), "Definitions",
		"Definitions as they were applied; the last of each name is in force for new runs.",
		[]string{events.TypeDefinitionApplied}},
	{"schedule", events.ScheduleSubject("{definition}", "{schedule}"), "Schedules",
		"When runs of the definition start by the clock; the last message of each schedule counts.",
		[]string{events.TypeScheduleSet, events.TypeScheduleRemoved, bareSchedule}},
}

// rowNamed returns a row; the name is one of the rows'.
func rowNamed(name string) row {
	return rows[slices.IndexFunc(rows, func(r row) bool { return r.name == name })]
}

// address returns the subject with parameters for tokens.
func (r row) address() string {
	tokens := strings.Split(r.subject.String(), ".")
	for i, token := range tokens {
		switch token {
		case strconv.Itoa(anyPartition):
			tokens[i] = "{partition}"
		case events.Attempt{N: anyAttempt}.String():
			tokens[i] = "{attempt}"
		case events.Attempt{N: anyAttempt, Undo: true}.String():
			tokens[i] = "u{attempt}"
		}
	}
	return strings.Join(tokens, ".")
}

func (r row) channel(js jetStream) (channel, error) {
	c := channel{
		Address: r.address(), Title: r.title, Description: r.description,
		Messages: make(map[string]ref), Parameters: make(map[string]ref),
	}
	for _, t := range r.types {
		c.Messages[t] = to("components", "messages", t)
	}
	for token := range strings.SplitSeq(c.Address, ".") {
		_, token, found := strings.Cut(token, "{")
		if !found {
			continue
		}
		name := strings.TrimSuffix(token, "}")
		if _, known := parameters[name]; !known {
			return c, fmt.Errorf("channel %s: parameter %s is not described", r.name, name)
		}
		c.Parameters[name] = to("components", "parameters", name)
	}
	stream, err := js.streamOf(c.Address)
	c.JetStream = held{stream}
	return c, err
}

const nameForm = "1 to 64 letters, digits, - and _"

var parameters = map[string]parameter{
	"attempt":    {Description: "Number of the attempt: 1, 2, and so on.", Examples: []string{"1"}},
	"definition": {Description: "Name of the saga's definition: " + nameForm + ".", Examples: []string{"ingest"}},
	"partition":  {Description: "The 32-bit FNV-1a hash of the run modulo the journal's partition count (metadata segue.partitions of SAGA_RUNS), in at least two digits. Who only reads may use *.", Examples: []string{"06"}},
	"run":        {Description: "The run: " + nameForm + ".", Examples: []string{"36028a85-7f25-5b4d-99e7-a5f972e7d113"}},
	"schedule":   {Description: "Name of the schedule, among those of the definition: " + nameForm + ".", Examples: []string{"nightly"}},
	"service":    {Description: "Name of the service: " + nameForm + ".", Examples: []string{"fetcher"}},
	"signal":     {Description: "What is signalled: cancel, deadline, or retry-K for the K-th further round of attempts.", Examples: []string{events.SignalCancel, events.SignalDeadline, events.RetrySignal(1)}},
	"start":      {Description: "Id of the start.", Examples: []string{"0195a5c4"}},
	"status":     {Description: "How the run ended.", Enum: []string{"completed", "compensated"}, Examples: []string{"completed"}},
	"step":       {Description: "Name of the step: " + nameForm + ".", Examples: []string{"fetch"}},
}
