package events_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segue/events"
)

func FuzzParseSubject(f *testing.F) {
	for _, s := range samples() {
		f.Add(s.subject.String())
	}
	f.Add("saga.run.07.r.outcome.a.b.u0")
	f.Add("saga.start.*")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := events.ParseSubject(text)
		if err != nil {
			if !errors.Is(err, events.ErrSubject) || s != (events.Subject{}) {
				t.Fatalf("%+v, %v", s, err)
			}
			return
		}
		if s.String() != text {
			t.Fatalf("parsed %q is written as %q", text, s)
		}
		if err := s.Validate(); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzSubject goes the other way: what is valid is parsed as it was.
func FuzzSubject(f *testing.F) {
	for _, s := range samples() {
		f.Add(string(s.subject.Kind), s.subject.Definition, s.subject.Start, s.subject.Partition, s.subject.Run,
			s.subject.Service, s.subject.Step, s.subject.Attempt.N, s.subject.Attempt.Undo, s.subject.Signal)
	}
	f.Fuzz(func(t *testing.T, kind, definition, start string, partition int, run, service, step string, n int, undo bool, signal string) {
		s := events.Subject{
			Kind: events.Kind(kind), Definition: definition, Start: start, Partition: partition, Run: run,
			Service: service, Step: step, Attempt: events.Attempt{N: n, Undo: undo}, Signal: signal,
		}
		if s.Validate() != nil {
			return
		}
		if got, err := events.ParseSubject(s.String()); err != nil || got != s {
			t.Fatalf("%+v is parsed as %+v, %v", s, got, err)
		}
	})
}

func FuzzDecode(f *testing.F) {
	for _, s := range samples() {
		m, err := events.EncodeStructured("saga.start.a", s.event)
		if err != nil {
			f.Fatal(err)
		}
		f.Add("", "application/cloudevents+json", m.Data)
		f.Add(headerLines(events.Encode("saga.start.a", s.event).Header), "", s.event.Data)
	}
	f.Add("ce-specversion\n1.0\nce-id\n\"1\\\"\"\nce-source\n%2f\nce-type\nt\nce-time\n9999-12-31T23:59:59+00:01", "text/plain", []byte(" 1 "))
	f.Add("", "Application/CloudEvents+JSON; charset=utf-8", []byte(`{"specversion":"1.0","id":"1","source":"s","type":"t","x":-1,"data_base64":"AA=="}`))
	f.Add("Nats-Msg-Id\n1", "", []byte(`{"a":[1]}`))
	f.Fuzz(func(t *testing.T, headers, contentType string, data []byte) {
		h := events.Header{}
		lines := strings.Split(headers, "\n")
		for i := 0; i+1 < len(lines); i += 2 {
			h[lines[i]] = append(h[lines[i]], lines[i+1])
		}
		if contentType != "" {
			h.Set(events.HeaderContentType, contentType)
		}
		m := events.Message{Subject: "saga.start.a", Header: h, Data: data}
		if e, err := events.DecodeStart(m); err == nil {
			roundTrip(t, e)
		} else if !errors.Is(err, events.ErrStart) {
			t.Fatal(err)
		}
		if e, err := events.Decode(m); err == nil {
			roundTrip(t, e)
		} else if !errors.Is(err, events.ErrEvent) && !errors.Is(err, events.ErrNotEvent) {
			t.Fatal(err)
		}
	})
}

// roundTrip encodes what was decoded in both modes and decodes it again.
func roundTrip(t *testing.T, e events.Event) {
	t.Helper()
	if err := e.Validate(); err != nil {
		t.Fatalf("decoded event is invalid: %v", err)
	}
	binary := events.Encode("x", e)
	for name, values := range binary.Header {
		for _, c := range []byte(name + values[0]) {
			if c <= ' ' || c > '~' || c == '"' {
				t.Fatalf("header %q: %q holds %q", name, values[0], c)
			}
		}
	}
	got, err := events.Decode(binary)
	if diff := cmp.Diff(e, got); err != nil || diff != "" {
		t.Fatalf("binary mode: %v (-want +got)\n%s", err, diff)
	}
	structured, err := events.EncodeStructured("x", e)
	if err != nil {
		t.Fatal(err)
	}
	got, err = events.Decode(structured)
	if events.CheckJSON(e.Data) == nil { // white space around a JSON value does not travel
		e.Data, got.Data = bytes.TrimSpace(e.Data), bytes.TrimSpace(got.Data)
	}
	if diff := cmp.Diff(e, got); err != nil || diff != "" {
		t.Fatalf("structured mode: %v (-want +got)\n%s\n%s", err, diff, structured.Data)
	}
}

// headerLines writes headers as FuzzDecode reads them.
func headerLines(h events.Header) string {
	var lines []string
	for name, values := range h {
		lines = append(lines, name, values[0])
	}
	return strings.Join(lines, "\n")
}
