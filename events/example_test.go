package events_test

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"segue/events"
)

// A command as "nats sub" shows it: the attributes are headers, the payload is
// the input of the service and nothing else.
func ExampleEncode() {
	run := events.RunID("/shop", "order-4711")
	subject := events.RunSubject(events.KindCommand, run, 16)
	subject.Service, subject.Step, subject.Attempt = "fetcher", "fetch", events.Attempt{N: 1}
	at := time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC)

	m := events.Encode(subject.String(), events.Event{
		ID:              events.DeriveID(subject, events.Orchestrator, events.TypeStepRequested),
		Source:          events.Orchestrator,
		Type:            events.TypeStepRequested,
		Subject:         subject.Step,
		Time:            at,
		DataContentType: events.JSON,
		CorrelationID:   "Jane's order",
		Expiry:          at.Add(time.Minute),
		RunID:           run,
		ReplyTo:         subject.With(events.KindOutcome).String(),
		Data:            []byte(`{"url":"https://example.com/a.json"}`),
	})

	fmt.Println(m.Subject)
	for _, name := range slices.Sorted(maps.Keys(m.Header)) {
		fmt.Printf("%s: %s\n", name, m.Header.Get(name))
	}
	fmt.Printf("\n%s\n", m.Data)
	// Output:
	// saga.run.01.cfb13c48-2971-526c-83fb-2e7a3b6f27c6.command.fetcher.fetch.1
	// ce-correlationid: Jane's%20order
	// ce-datacontenttype: application/json
	// ce-expirytime: 2026-03-14T15:10:26Z
	// ce-id: 79a39961-d090-50ab-9351-4d1a038f3580
	// ce-replyto: saga.run.01.cfb13c48-2971-526c-83fb-2e7a3b6f27c6.outcome.fetcher.fetch.1
	// ce-runid: cfb13c48-2971-526c-83fb-2e7a3b6f27c6
	// ce-source: /segue/orchestrator
	// ce-specversion: 1.0
	// ce-subject: fetch
	// ce-time: 2026-03-14T15:09:26Z
	// ce-type: segue.step.requested.v1
	//
	// {"url":"https://example.com/a.json"}
}

func ExampleDecode() {
	e, err := events.Decode(events.Message{
		Header: events.Header{
			"ce-specversion":     {"1.0"},
			"CE-Id":              {"4711"},
			"ce-source":          {"/shop"},
			"ce-type":            {"org.example.order.v1"},
			"ce-subject":         {"Z%C3%BCrich"},
			"ce-datacontenttype": {"application/json"},
			"ce-tenant":          {"acme"},
		},
		Data: []byte(`{"total":12}`),
	})
	fmt.Println(e.ID, e.Source, e.Type, e.Subject, e.Extensions["tenant"], string(e.Data), err)

	_, err = events.Decode(events.Message{Header: events.Header{"ce-specversion": {"1.0"}, "ce-id": {"4711"}}})
	fmt.Println(err)
	// Output:
	// 4711 /shop org.example.order.v1 Zürich acme {"total":12} <nil>
	// bad CloudEvent: attribute source is missing or empty
}

// The same order in structured mode.
func ExampleEncodeStructured() {
	m, err := events.EncodeStructured("saga.start.ship", events.Event{
		ID: "4711", Source: "/shop", Type: "org.example.order.v1",
		DataContentType: events.JSON, Data: []byte(`{"total":12}`),
	})
	fmt.Println(m.Header, err)
	fmt.Println(string(m.Data))
	// Output:
	// map[Content-Type:[application/cloudevents+json]] <nil>
	// {"specversion":"1.0","id":"4711","source":"/shop","type":"org.example.order.v1","datacontenttype":"application/json","data":{"total":12}}
}

// Bare JSON typed into "nats pub saga.start.ingest" is a start, too.
func ExampleDecodeStart() {
	e, err := events.DecodeStart(events.Message{
		Subject: "saga.start.ingest",
		Header:  events.Header{"Nats-Msg-Id": {"todos-2026-03-14"}},
		Data:    []byte(`{"url":"https://example.com/todos.json"}`),
	})
	fmt.Println(e.Type, e.Source, e.ID, err)
	fmt.Println("run", events.RunID(e.Source, e.ID))

	_, err = events.DecodeStart(events.Message{Subject: "saga.start.ingest", Data: []byte("todos.json")})
	fmt.Println(err)
	// Output:
	// segue.run.requested.v1 /segue/nats/saga.start.ingest todos-2026-03-14 <nil>
	// run c23dec15-b256-5d1f-9315-76391a80bff0
	// bad start: the message is no CloudEvent and not JSON: invalid character 'o' in literal true (expecting 'r') at byte 1: a start is JSON, such as {"url":"https://example.com/a.json"}, or a CloudEvent with JSON data
}

func ExampleSubject() {
	subject := events.RunSubject(events.KindCommand, "r-1", 16)
	subject.Service, subject.Step, subject.Attempt = "saver", "save", events.Attempt{N: 2, Undo: true}
	fmt.Println(subject)
	fmt.Println(subject.With(events.KindOutcome))
	fmt.Println(events.CommandFilter("saver"))

	parsed, err := events.ParseSubject("saga.run.13.order-4711.outcome.saver.save.u2")
	fmt.Println(parsed.Kind, parsed.Run, parsed.Step, parsed.Attempt, err)

	_, err = events.ParseSubject("saga.run.13.order-4711.outcome.saver.save.u0")
	fmt.Println(err)
	// Output:
	// saga.run.11.r-1.command.saver.save.u2
	// saga.run.11.r-1.outcome.saver.save.u2
	// saga.run.*.*.command.saver.>
	// outcome order-4711 save u2 <nil>
	// not a saga subject: attempt "u0" is not 1..1000000 or u1..u1000000: "saga.run.13.order-4711.outcome.saver.save.u0"
}

// Values for programs in other languages to test their own hash with.
func ExamplePartitionOf() {
	for _, run := range []string{"a", "order-4711", "2f4c6f86-6e4a-5c3c-9d5e-0d9f6a3b7c21"} {
		fmt.Println(events.PartitionOf(run, 16), events.PartitionOf(run, 1000), run)
	}
	// Output:
	// 12 220 a
	// 13 725 order-4711
	// 15 271 2f4c6f86-6e4a-5c3c-9d5e-0d9f6a3b7c21
}
