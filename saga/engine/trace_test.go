package engine_test

import (
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"segue/events"
	"segue/journal/memory"
	"segue/saga/engine"
	"segue/tracing"
)

// traced starts an engine whose spans are recorded.
func (s *stage) traced(id string, options ...sdktrace.TracerProviderOption) *tracetest.SpanRecorder {
	s.t.Helper()
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(append(options, sdktrace.WithIDGenerator(tracing.IDs{}), sdktrace.WithSpanProcessor(recorder))...)
	s.engine(id, func(c *engine.Config) { c.Traces = provider }, load(s.t, two))
	return recorder
}

// TestTrace follows two runs into their traces: one with a caller's trace, a retry
// and an undo, and one that is a trace of its own.
func TestTrace(t *testing.T) {
	onStage(t, memory.Config{}, func(s *stage) {
		recorder := s.traced("a")
		s.serve(func(e events.Entry) answer {
			switch {
			case e.Subject.Attempt.Undo:
				return answer{events.TypeUndoCompleted, nil}
			case e.Event.TraceParent == "":
				t.Errorf("%s names no place in a trace", e.Subject)
			case e.Subject.Step == "first" && e.Subject.Attempt.N == 1:
				return answer{events.TypeStepFailed, events.Failed{Message: "busy", Code: "http_503", Retryable: true}}
			case e.Subject.Step == "second" && e.Event.CorrelationID == "theirs":
				return answer{events.TypeStepFailed, events.Failed{Message: strings.Repeat("no ", 1000), Code: "no_seat"}}
			}
			return completed
		})
		theirs := event("theirs", "{}")
		theirs.CorrelationID, theirs.TraceParent = "theirs", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
		s.publish(events.Encode("saga.start.two", theirs), events.Encode("saga.start.two", event("own", "{}")))
		s.await(run("theirs"), events.TypeRunCompensated, time.Minute)
		s.await(run("own"), events.TypeRunCompleted, time.Minute)
		passes(time.Second)
		s.wantTrace(recorder, "theirs", "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "failed",
			"request worker first 1 http_503", "request worker first 2", "request worker second 1 no_seat", "undo worker first u1")
		s.wantTrace(recorder, "own", strings.ReplaceAll(run("own"), "-", ""), "0000000000000000", "",
			"request worker first 1 http_503", "request worker first 2", "request worker second 1")
	})
}

// wantTrace holds the spans of a run against its messages. Each attempt is a word
// for its name, the attempt and the code of its failure.
func (s *stage) wantTrace(recorder *tracetest.SpanRecorder, start, trace, parent, reason string, attempts ...string) {
	s.t.Helper()
	begun, spans := make(map[string]events.Entry), make(map[string]sdktrace.ReadOnlySpan)
	var root sdktrace.ReadOnlySpan
	for _, span := range recorder.Ended() {
		attributes := attribute.NewSet(span.Attributes()...)
		if value(attributes, "segue.run.id") != run(start) {
			continue
		}
		if span.SpanContext().TraceID().String() != trace {
			s.t.Errorf("%s is in trace %s, want %s", span.Name(), span.SpanContext().TraceID(), trace)
		}
		if span.Name() == "run two" {
			root = span
			continue
		}
		name := strings.TrimSpace(span.Name() + " " + value(attributes, "segue.attempt") + " " + value(attributes, "error.type"))
		spans[name] = span
	}
	for _, e := range s.journal(run(start)) {
		begun[e.Event.TraceParent] = e // of command and outcome the latter
	}
	if root == nil || len(spans) != len(attempts) {
		s.t.Fatalf("run %s has the root %v and %d attempts, want %d: %v", start, root, len(spans), len(attempts), spans)
	}
	if p := root.Parent().SpanID().String(); p != parent {
		s.t.Errorf("the parent of run %s is %s, want %s", start, p, parent)
	}
	attributes := attribute.NewSet(root.Attributes()...)
	if got := value(attributes, "segue.reason"); got != reason || (reason == "") != (root.Status().Description == "") {
		s.t.Errorf("run %s turned back for %q (%+v), want %q", start, got, root.Status(), reason)
	}
	for _, name := range attempts {
		span := spans[name]
		if span == nil {
			s.t.Fatalf("run %s has no span %q: %v", start, name, spans)
		}
		if span.Parent().SpanID() != root.SpanContext().SpanID() {
			s.t.Errorf("the parent of %q is %s, want the run", name, span.Parent().SpanID())
		}
		place := "00-" + trace + "-" + span.SpanContext().SpanID().String() + "-01"
		e, there := begun[place]
		if !there || !span.EndTime().Equal(e.Stored) || span.EndTime().Before(span.StartTime()) || span.StartTime().Before(root.StartTime()) {
			s.t.Errorf("%q, from %v to %v at %s, is not where and when its outcome %s (%v) is", name, span.StartTime(), span.EndTime(), place, e.Subject, e.Stored)
		}
		retry := strings.Contains(name, "first 2")
		if retry != (len(span.Links()) == 1) || retry && span.Links()[0].SpanContext.SpanID() != spans[attempts[0]].SpanContext().SpanID() {
			s.t.Errorf("%q has the links %v", name, span.Links())
		}
		if len(span.Status().Description) > 1100 {
			s.t.Errorf("the status of %q has %d bytes", name, len(span.Status().Description))
		}
	}
}

func value(attributes attribute.Set, key attribute.Key) string {
	v, _ := attributes.Value(key)
	return v.String()
}

// TestTraceNotRecorded holds that a run whose caller does not record its trace is
// not recorded here.
func TestTraceNotRecorded(t *testing.T) {
	onStage(t, memory.Config{}, func(s *stage) {
		recorder := s.traced("a")
		s.serve(func(events.Entry) answer { return completed })
		start := event("x", "{}")
		start.TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
		s.publish(events.Encode("saga.start.two", start))
		s.await(run("x"), events.TypeRunCompleted, time.Minute)
		passes(time.Second)
		if n := len(recorder.Started()); n != 0 {
			t.Errorf("%d spans were recorded", n)
		}
	})
}
