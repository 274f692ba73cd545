package main

import (
	"bytes"
	"strings"
	"testing"

	"segue/document"
	"segue/events"
)

// TestStartAgain holds that a start that is published again is the same start to
// the orchestrator, and another message to the broker, which would drop it
// otherwise.
func TestStartAgain(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	large := []byte(`{"a":"` + strings.Repeat("x", 20_000) + `"}`)
	for name, start := range map[string]events.Message{
		"bare":                {Data: []byte(`{"a":1}`)},
		"bare, with an id":    {Header: events.Header{"Nats-Msg-Id": {"order-1"}}, Data: []byte(`{"a":1}`)},
		"bare, id in capital": {Header: events.Header{"NATS-MSG-ID": {"order-1"}}, Data: []byte(`{"a":1}`)},
		"binary mode": {Header: events.Header{
			"ce-specversion": {"1.0"}, "ce-id": {"a"}, "ce-source": {"/b"}, "ce-type": {"c"}, "ce-correlationid": {"d"}, "Nats-Msg-Id": {"e"}, "Other": {"f"},
		}, Data: []byte(`{"a":1}`)},
		"structured mode": {Header: events.Header{"Content-Type": {"application/cloudevents+json"}}, Data: []byte(`{"specversion":"1.0","id":"a","source":"/b","type":"c","data":{}}`)},
		"large":           {Data: large},
	} {
		start.Subject = "saga.start.one"
		r := refused{Start: "x", Headers: start.Header, Data: start.Data, subject: start.Subject, entry: events.Entry{Sequence: 7}}
		if len(start.Data) > 8192 {
			ref, err := document.PutData(t.Context(), w.bus.Data, start.Data)
			if err != nil {
				t.Fatal(err)
			}
			r.Data, r.DataRef = nil, ref.URI()
		}
		again, err := r.message(t.Context(), w.bus)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want, err := events.DecodeStart(start)
		if err != nil {
			t.Fatal(err)
		}
		got, err := events.DecodeStart(again)
		if err != nil || got.ID != want.ID || got.Source != want.Source || got.CorrelationID != want.CorrelationID || !bytes.Equal(got.Data, want.Data) {
			t.Errorf("%s: published again it is %+v, error %v; want %+v", name, got, err, want)
		}
		if id := again.Header[events.HeaderMsgID]; len(id) != 1 || id[0] != "x-7" || again.Subject != start.Subject {
			t.Errorf("%s: its Nats-Msg-Id is %q on %s", name, id, again.Subject)
		}
		if again.Header.Get("Other") != start.Header.Get("Other") {
			t.Errorf("%s: a header is lost", name)
		}
	}

	// What cannot be read is passed on to the byte.
	broken := refused{Start: "x", Headers: events.Header{"Nats-Msg-Id": {"a"}}, Data: []byte("no"), subject: "saga.start.one"}
	if m, err := broken.message(t.Context(), w.bus); err != nil || string(m.Data) != "no" || m.Header.Get(events.HeaderMsgID) != "a" || len(m.Header) != 1 {
		t.Errorf("a start that cannot be read becomes %+v, error %v", m, err)
	}
	if _, err := (refused{Reason: "it cannot be read"}).message(t.Context(), w.bus); err == nil {
		t.Error("a rejection without its start makes a message")
	}
	lost := refused{Start: "x", DataRef: "nats-object://SAGA_DATA/none?size=1", subject: "saga.start.one"}
	if _, err := lost.message(t.Context(), w.bus); err == nil {
		t.Error("a start whose data is gone makes a message")
	}
}

// TestLeftOver holds that a retry that broke off half-way is finished by the next.
func TestLeftOver(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	s := events.Subject{Kind: events.KindRejected, Definition: "one", Start: "x" + secondCopy}
	w.append(events.Entry{Subject: s, Event: events.Event{
		ID: "x", Source: events.Orchestrator, Type: events.TypeStartRejected, DataContentType: events.JSON,
		Data: events.MarshalData(events.StartRejected{Reason: "r", Subject: "saga.start.one", Data: []byte("{}")}),
	}})
	err := eachRejected(t.Context(), w.bus, func(r refused) error { return r.retry(t.Context(), w.bus) })
	if err != nil {
		t.Fatal(err)
	}
	left, err := w.bus.Journal.Load(t.Context(), events.AllRejected)
	if err != nil || len(left) > 0 {
		t.Errorf("%d rejections are left, error %v", len(left), err)
	}
}
