package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/textproto"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"segue/events"
)

// Messages on the subjects of starts and schedules that have no type of their own.
const (
	anyStart     = "start"
	bareStart    = "start.bare"
	bareSchedule = "schedule.bare"
)

// cloudEvent names the trait that all messages but bare starts have.
const cloudEvent = "cloudEvent"

// message is an event type.
type message struct {
	Name        string    `yaml:"name"`
	Title       string    `yaml:"title"`
	Summary     string    `yaml:"summary"`
	ContentType string    `yaml:"contentType,omitempty"`
	Headers     *headers  `yaml:"headers,omitempty"`
	Payload     any       `yaml:"payload,omitempty"`
	Traits      []ref     `yaml:"traits,omitempty"`
	Examples    []example `yaml:"examples,omitempty"`
}

type trait struct {
	Headers       headers       `yaml:"headers"`
	CorrelationID correlationID `yaml:"correlationId"`
}

type correlationID struct {
	Description string `yaml:"description"`
	Location    string `yaml:"location"`
}

type headers struct {
	Type       string            `yaml:"type"`
	Properties map[string]header `yaml:"properties"`
	Required   []string          `yaml:"required,omitempty"`
}

type header struct {
	Type        string `yaml:"type,omitempty"`
	Const       string `yaml:"const,omitempty"`
	Format      string `yaml:"format,omitempty"`
	Description string `yaml:"description,omitempty"`
}

type example struct {
	Name    string            `yaml:"name"`
	Headers map[string]string `yaml:"headers,omitempty"`
	Payload any               `yaml:"payload,omitempty"`
}

// contents returns the schema of each event type and the messages.
func contents(golden string) (map[string]any, map[string]message, error) {
	schemas, messages := make(map[string]any), make(map[string]message)
	for _, t := range events.Types() {
		schema, title, summary, err := schemaOf(t)
		if err != nil {
			return nil, nil, err
		}
		e, err := goldenMessage(filepath.Join(golden, t+".binary.txt"))
		if err != nil {
			return nil, nil, err
		}
		e.Name = t
		schemas[t] = schema
		messages[t] = message{
			Name: t, Title: title, Summary: summary,
			Headers:  headersOf(t),
			Payload:  to("components", "schemas", t),
			Traits:   []ref{to("components", "messageTraits", cloudEvent)},
			Examples: []example{e},
		}
	}
	messages[anyStart] = message{
		Name: anyStart, Title: "Start event of any type",
		Summary: "A CloudEvent of the caller's own type, with JSON data: the input of the saga.",
		Traits:  []ref{to("components", "messageTraits", cloudEvent)},
	}
	messages[bareStart] = message{
		Name: bareStart, Title: "Bare JSON",
		Summary:     "The input of the saga without any header, as typed into nats pub. Subject and bytes, or the header Nats-Msg-Id, identify it.",
		ContentType: events.JSON,
		Examples:    []example{{Name: bareStart, Payload: map[string]string{"url": "https://example.com/a.json"}}},
	}
	messages[bareSchedule] = message{
		Name: bareSchedule, Title: "Bare JSON",
		Summary:     "What " + events.TypeScheduleSet + " carries, without any header, as typed into nats pub.",
		ContentType: events.JSON,
		Payload:     to("components", "schemas", events.TypeScheduleSet),
		Examples:    []example{{Name: bareSchedule, Payload: map[string]string{"cron": "0 3 * * *"}}},
	}
	return schemas, messages, nil
}

// ofNoRun are the types of events that belong to no run.
var ofNoRun = []string{events.TypeRunRequested, events.TypeDefinitionApplied, events.TypeScheduleSet, events.TypeScheduleRemoved}

// headersOf returns what the headers of a type have beyond those of all events.
func headersOf(eventType string) *headers {
	h := &headers{Type: "object", Properties: map[string]header{"ce-type": {Const: eventType}}}
	switch {
	case eventType == events.TypeStepRequested || eventType == events.TypeUndoRequested:
		h.Required = []string{"ce-correlationid", "ce-expirytime", "ce-replyto", "ce-runid"}
	case !slices.Contains(ofNoRun, eventType):
		h.Required = []string{"ce-runid"}
	}
	return h
}

// schemaOf returns the schema of a type for a document in which it stands among
// others: its own $id and dialect do not belong there.
func schemaOf(eventType string) (schema yaml.MapSlice, title, description string, err error) {
	text, _ := events.Schema(eventType)
	value, err := ordered(text)
	if err != nil {
		return nil, "", "", fmt.Errorf("read schema of %s: %w", eventType, err)
	}
	members, _ := value.(yaml.MapSlice)
	for _, m := range members {
		switch m.Key {
		case "title":
			title, _ = m.Value.(string)
		case "description":
			description, _ = m.Value.(string)
		}
	}
	schema = slices.DeleteFunc(members, func(m yaml.MapItem) bool { return m.Key == "$schema" || m.Key == "$id" })
	return schema, title, description, nil
}

// ordered reads JSON and keeps the order of members.
func ordered(text []byte) (value any, err error) {
	err = yaml.UnmarshalWithOptions(text, &value, yaml.UseOrderedMap())
	return value, err
}

// goldenMessage reads a message as package events keeps it: a line a header, an
// empty line, the payload.
func goldenMessage(file string) (example, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return example{}, fmt.Errorf("read golden message: %w", err)
	}
	head, payload, found := bytes.Cut(text, []byte("\n\n"))
	if !found {
		return example{}, fmt.Errorf("read golden message: %s has no empty line", file)
	}
	e := example{Headers: make(map[string]string)}
	for line := range strings.Lines(string(head)) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		if name != "subject" {
			e.Headers[name] = textproto.TrimString(value)
		}
	}
	if payload = bytes.TrimSpace(payload); len(payload) > 0 {
		if !json.Valid(payload) {
			return example{}, fmt.Errorf("read golden message: the payload of %s is not JSON", file)
		}
		if e.Payload, err = ordered(payload); err != nil {
			return example{}, fmt.Errorf("read golden message: %s: %w", file, err)
		}
	}
	return e, nil
}

// attributes describes the attributes of an event, which are headers in binary mode.
var attributes = map[string]string{
	"specversion":     "The version of CloudEvents.",
	"id":              "Identifies the event together with its source. Inside a run it is derived from what the message is about.",
	"source":          "Who made the event, a URI reference: " + events.Orchestrator + ", " + events.ServiceSource("NAME") + ", " + events.Client + ", or the caller's.",
	"type":            "The type of the event; it names the schema of the data.",
	"subject":         "The step that the message is about. Absent where it is about the run.",
	"time":            "When the event was made, by the clock of who made it. Nothing is decided by it.",
	"datacontenttype": "The media type of the payload; all that Segue writes is " + events.JSON + ".",
	"dataschema":      "A schema of the data. Segue sends none, since the type names it.",
	"correlationid":   "The caller's correlation id, else the run.",
	"causationid":     "The id of the event that caused this one.",
	"expirytime":      "When the attempt times out.",
	"dataref":         "Where the data is if it is not in the payload, with its digest and size: nats-object://SAGA_DATA/NAME?sha256=HEX&size=BYTES.",
	"traceparent":     "The trace that began the run, as W3C Trace Context has it.",
	"tracestate":      "Goes with traceparent.",
	"runid":           "The run.",
	"replyto":         "The subject that takes the outcome of a command.",
}

// instants are the attributes that are times.
var instants = []string{"time", "expirytime"}

func cloudEventTrait() trait {
	h := headers{Type: "object", Properties: make(map[string]header), Required: []string{"ce-id", "ce-source", "ce-specversion", "ce-type"}}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		described := header{Type: "string", Description: attributes[name]}
		if slices.Contains(instants, name) {
			described.Format = "date-time"
		}
		h.Properties["ce-"+name] = described
	}
	version := h.Properties["ce-specversion"]
	version.Const = events.SpecVersion
	h.Properties["ce-specversion"] = version
	return trait{h, correlationID{"The caller's, else the run.", "$message.header#/ce-correlationid"}}
}
