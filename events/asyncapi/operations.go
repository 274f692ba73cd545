package main

import (
	"fmt"
	"strings"

	"segue/events"
	"segue/journal/jetstream"
)

// operation is what a role does on a channel.
type operation struct {
	Action    string    `yaml:"action"`
	Channel   ref       `yaml:"channel"`
	Title     string    `yaml:"title"`
	Summary   string    `yaml:"summary"`
	Tags      []tag     `yaml:"tags"`
	Bindings  *bindings `yaml:"bindings,omitempty"`
	Messages  []ref     `yaml:"messages"`
	Reply     *reply    `yaml:"reply,omitempty"`
	JetStream *consumes `yaml:"x-jetstream,omitempty"`
}

type bindings struct {
	NATS natsBinding `yaml:"nats"`
}

// natsBinding says who shares the messages among them. With JetStream that is a
// durable consumer of the name, see x-jetstream, not a queue group.
type natsBinding struct {
	Queue   string `yaml:"queue"`
	Version string `yaml:"bindingVersion"`
}

// consumes names the durable consumer that messages are pulled from.
type consumes struct {
	Stream   string `yaml:"stream"`
	Consumer string `yaml:"consumer"`
}

// reply is the outcome of a command: on the subject that ce-replyto names.
type reply struct {
	Channel  ref   `yaml:"channel"`
	Messages []ref `yaml:"messages"`
}

// The roles.
const (
	caller       = "caller"
	orchestrator = "orchestrator"
	service      = "service"
	operator     = "operator"
	observer     = "observer"
)

var roles = []tag{
	{caller, "Starts runs."},
	{orchestrator, "Takes starts and drives runs to their end. Any number may run side by side."},
	{service, "Does, and undoes, the steps that name it. Any number of workers share its commands."},
	{operator, "Cancels and retries runs and applies definitions."},
	{observer, "Looks at what happens."},
}

const (
	send    = "send"
	receive = "receive"
)

// deed is what tells one operation from another.
type deed struct {
	role     string
	action   string
	row      string
	summary  string
	types    []string // of the row's; none is all
	consumer string   // durable consumer it pulls from
	answer   string   // row of the reply
}

var deeds = []deed{
	{role: caller, action: send, row: "start", summary: "Starts a run."},

	{role: orchestrator, action: receive, row: "start", summary: "Takes up a start, once; acks when the run or its rejection is stored.", consumer: jetstream.IntakeConsumer},
	{role: orchestrator, action: send, row: "rejected", summary: "Says why a start became no run."},
	{role: orchestrator, action: send, row: "started", summary: "Makes the run."},
	{role: orchestrator, action: send, row: "command", summary: "Asks a service for a step, or says that it will not.", answer: "outcome"},
	{role: orchestrator, action: send, row: "undo", summary: "Asks a service to undo a step.", answer: "undone"},
	{role: orchestrator, action: receive, row: "outcome", summary: "Learns what came of an attempt."},
	{role: orchestrator, action: receive, row: "undone", summary: "Learns what came of an attempt to undo."},
	{role: orchestrator, action: send, row: "outcome", summary: "Ends an attempt whose time is up or whose input cannot be made.", types: []string{events.TypeStepTimedOut, events.TypeStepFailed}},
	{role: orchestrator, action: send, row: "undone", summary: "Ends an attempt to undo whose time is up.", types: []string{events.TypeUndoTimedOut}},
	{role: orchestrator, action: receive, row: "signal", summary: "Obeys operators."},
	{role: orchestrator, action: send, row: "signal", summary: "Turns a run back whose time is up.", types: []string{events.TypeDeadline}},
	{role: orchestrator, action: send, row: "ended", summary: "Ends the run."},
	{role: orchestrator, action: send, row: "history", summary: "Keeps what is needed of a run that leaves the journal."},
	{role: orchestrator, action: receive, row: "definition", summary: "Learns what new runs are to follow."},
	{role: orchestrator, action: receive, row: "schedule", summary: "Learns when runs are to start."},
	{role: orchestrator, action: send, row: "start", summary: "Starts a run whose time has come, once, whoever else does."},

	{role: service, action: receive, row: "command", summary: "Pulls commands of its name, as many as it has room for.", consumer: anyService, answer: "outcome"},
	{role: service, action: receive, row: "undo", summary: "Pulls commands to undo with the others.", consumer: anyService, answer: "undone"},
	{role: service, action: send, row: "outcome", summary: "Answers on the subject in ce-replyto; a refused message means that the attempt is over.", types: []string{events.TypeStepCompleted, events.TypeStepFailed}},
	{role: service, action: send, row: "undone", summary: "Answers on the subject in ce-replyto.", types: []string{events.TypeUndoCompleted, events.TypeUndoFailed}},

	{role: operator, action: send, row: "signal", summary: "Cancels a run, or gives a stuck one another round of attempts.", types: []string{events.TypeCancel, events.TypeRetry}},
	{role: operator, action: send, row: "definition", summary: "Applies a definition."},
	{role: operator, action: send, row: "schedule", summary: "Sets a schedule in place of what it was, or removes it."},
	{role: operator, action: send, row: "start", summary: "Publishes a rejected start again, once its cause is mended."},
	{role: operator, action: send, row: "rejected", summary: "Keeps a copy of a rejection while its start is on its way again."},

	{role: observer, action: receive, row: "rejected", summary: "Reads starts that became no run."},
	{role: observer, action: receive, row: "started", summary: "Sees runs begin."},
	{role: observer, action: receive, row: "command", summary: "Sees what is asked for."},
	{role: observer, action: receive, row: "undo", summary: "Sees what is to be undone."},
	{role: observer, action: receive, row: "outcome", summary: "Sees what came of it."},
	{role: observer, action: receive, row: "undone", summary: "Sees what came of undoing."},
	{role: observer, action: receive, row: "signal", summary: "Sees what operators do."},
	{role: observer, action: receive, row: "ended", summary: "Sees runs end."},
	{role: observer, action: receive, row: "history", summary: "Reads how runs ended."},
}

// name returns the key of the operation, such as serviceReceivesCommand.
func (d deed) name() string {
	return d.role + capital(d.action) + "s" + capital(d.row)
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func (d deed) operation(js jetStream) (operation, error) {
	o := operation{
		Action: d.action, Channel: to("channels", d.row),
		Title: capital(d.role) + " " + d.action + "s " + d.row, Summary: d.summary,
		Tags:     []tag{{Name: d.role}},
		Messages: rowNamed(d.row).refs(d.types),
	}
	if d.consumer != "" {
		stream, err := js.streamOf(rowNamed(d.row).address())
		if err != nil {
			return o, err
		}
		if js.Streams[stream].Consumers[d.consumer] == nil {
			return o, fmt.Errorf("operation %s: stream %s has no consumer %s", d.name(), stream, d.consumer)
		}
		o.Bindings = &bindings{natsBinding{d.consumer, "0.1.0"}}
		o.JetStream = &consumes{stream, d.consumer}
	}
	if d.answer != "" {
		o.Reply = &reply{to("channels", d.answer), rowNamed(d.answer).refs(nil)}
	}
	return o, nil
}

// refs returns the messages of a channel with the given types, all if there are none.
func (r row) refs(types []string) []ref {
	if types == nil {
		types = r.types
	}
	refs := make([]ref, len(types))
	for i, t := range types {
		refs[i] = to("channels", r.name, "messages", t)
	}
	return refs
}
