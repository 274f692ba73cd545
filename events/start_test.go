package events_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segue/events"
)

func TestDecodeStart(t *testing.T) {
	t.Parallel()
	bare := func(id, data string) events.Event {
		return events.Event{ID: id, Source: "/segue/nats/saga.start.ingest", Type: events.TypeRunRequested, DataContentType: events.JSON, Data: []byte(data)}
	}
	event := func(contentType, data string) events.Event {
		return minimal(func(e *events.Event) { e.DataContentType, e.Data = contentType, []byte(data) })
	}
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	inTrace := func(e events.Event, parent, state string) events.Event {
		e.TraceParent, e.TraceState = parent, state
		return e
	}
	for name, c := range map[string]struct {
		header events.Header
		data   string
		want   events.Event
	}{
		"bare":                   {nil, `{"url":"a"}`, bare("aa809661-3f3e-5304-bb7b-da7236272db6", `{"url":"a"}`)},
		"bare, other bytes":      {nil, `{"url": "a"}`, bare("44511259-3261-5781-99fd-d016d8987941", `{"url": "a"}`)},
		"bare with id":           {events.Header{"Nats-Msg-Id": {"4711"}}, `[1]` + "\n", bare("4711", "[1]\n")},
		"bare, id in lower case": {events.Header{"nats-msg-id": {"4711"}, "Content-Type": {"text/plain"}}, `null`, bare("4711", "null")},
		"binary":                 {with("ce-datacontenttype", "application/json", "Nats-Msg-Id", "4711"), `{"a":1}`, event(events.JSON, `{"a":1}`)},
		"binary +json":           {with("ce-datacontenttype", "Application/X+JSON; v=1"), `1`, event("Application/X+JSON; v=1", `1`)},
		"binary without a type":  {with(), `{"a":1}`, event(events.JSON, `{"a":1}`)},
		"binary without data":    {with(), ``, event(events.JSON, `null`)},
		"binary by reference":    {with("ce-dataref", "x:1"), ``, minimal(func(e *events.Event) { e.DataRef, e.DataContentType = "x:1", events.JSON })},
		"in a trace": {
			events.Header{"Nats-Msg-Id": {"4711"}, "Traceparent": {trace}, "tracestate": {"a=1"}}, `1`,
			inTrace(bare("4711", "1"), trace, "a=1"),
		},
		"in a trace with a bad state": {
			events.Header{"Nats-Msg-Id": {"4711"}, "traceparent": {trace}, "tracestate": {"\x00"}}, `1`,
			inTrace(bare("4711", "1"), trace, ""),
		},
		"in no trace":         {events.Header{"Nats-Msg-Id": {"4711"}, "traceparent": {"00-x"}, "tracestate": {"a=1"}}, `1`, bare("4711", "1")},
		"binary, in a trace":  {with("traceparent", trace), `1`, inTrace(event(events.JSON, `1`), trace, "")},
		"binary, its own one": {with("traceparent", trace, "ce-traceparent", "mine"), `1`, inTrace(event(events.JSON, `1`), "mine", "")},
		"structured": {
			events.Header{"content-type": {"application/cloudevents+json"}},
			`{"specversion":"1.0","id":"1","source":"/s","type":"t","data":{"a":1}}`, event(events.JSON, `{"a":1}`),
		},
	} {
		got, err := events.DecodeStart(events.Message{Subject: "saga.start.ingest", Header: c.header, Data: []byte(c.data)})
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got)\n%s", name, err, diff)
		}
		if err := got.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestBareStartIdentity says what makes two bare starts the same.
func TestBareStartIdentity(t *testing.T) {
	t.Parallel()
	id := func(subject, data string) string {
		e, err := events.DecodeStart(events.Message{Subject: subject, Data: []byte(data)})
		if err != nil {
			t.Fatal(err)
		}
		return events.RunID(e.Source, e.ID)
	}
	first := id("saga.start.a", "1")
	if again := id("saga.start.a", "1"); again != first {
		t.Errorf("the same bytes on the same subject are two runs, %s and %s", first, again)
	}
	for _, other := range []string{id("saga.start.b", "1"), id("saga.start.a", "2"), id("saga.start.a1", "1"), id("saga.start.a", "11")} {
		if other == first {
			t.Error("two different starts are one run")
		}
	}
}

func TestBadStarts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		message events.Message
		isEvent bool // the error wraps ErrEvent too
	}{
		"no JSON":        {events.Message{Subject: "saga.start.a", Data: []byte("hello")}, false},
		"bad event":      {events.Message{Subject: "saga.start.a", Header: events.Header{"ce-id": {"1"}}, Data: []byte("{}")}, true},
		"hostile id":     {events.Message{Subject: "saga.start.a", Header: events.Header{"Nats-Msg-Id": {strings.Repeat("x", 1<<20)}}, Data: []byte("{}")}, true},
		"hostile source": {events.Message{Subject: "saga.start.\xff", Data: []byte("{}")}, true},
		"too large":      {events.Message{Subject: "saga.start.a", Data: []byte(`"` + strings.Repeat("x", events.MaxDataBytes) + `"`)}, true},
		"deep":           {events.Message{Subject: "saga.start.a", Data: []byte(strings.Repeat("[", 1<<20))}, false},
	} {
		e, err := events.DecodeStart(c.message)
		if !errors.Is(err, events.ErrStart) || errors.Is(err, events.ErrEvent) != c.isEvent || !cmp.Equal(e, events.Event{}) {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
		if err != nil && len(err.Error()) > 1000 {
			t.Errorf("%s: the error is %d bytes long", name, len(err.Error()))
		}
	}
}

func TestCheckJSON(t *testing.T) {
	t.Parallel()
	depth := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	for _, good := range []string{"null", " 1 ", `"a"`, "[]", "\t{}\r\n", `{"a":{"a":1},"b":[{"a":2}]}`, depth(events.MaxDepth)} {
		if err := events.CheckJSON([]byte(good)); err != nil {
			t.Errorf("%.40q: %v", good, err)
		}
	}
	for _, bad := range []string{"", " ", "nul", "1 2", "[1,]", `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `"\xff"`, "\"\xff\"", `"\ud800"`, "\ufeff1", "01", "[", "]", "1]", depth(events.MaxDepth + 1)} {
		if err := events.CheckJSON([]byte(bad)); !errors.Is(err, events.ErrJSON) {
			t.Errorf("%.40q: %v", bad, err)
		}
	}
}
