package saga

import (
	"testing"
	"time"

	"segue/events"
)

// TestTried follows a run through a failure, a retry, a timeout and an undo, and
// holds what its trace shows: each attempt at the place that its command named.
func TestTried(t *testing.T) {
	t.Parallel()
	d, err := Load("saga.yaml", []byte(`
saga: order
deadline: 10m
steps:
  fetch: {service: fetcher, timeout: 60s, retry: {attempts: 3, backoff: 1s, max: 4s}, undo: true}
  check: {service: checker, needs: [fetch], with: {doc: "${steps.fetch.doc}"}, timeout: 30s, retry: {attempts: 1}, undo: false}
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, origin := range []string{"", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"} {
		s := &script{definition: d, began: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
		s.now = s.began
		s.started = NewStarted(d, events.Event{ID: "order-1", Source: "/shop", Data: []byte("{}"), TraceParent: origin}, 16, s.now)
		s.started.Stored, s.started.Sequence = s.now, 1
		s.stored = []events.Entry{s.started}
		if s.run, err = Begin(d, s.started); err != nil {
			t.Fatal(err)
		}
		if o, ok := s.run.Origin(); ok != (origin != "") || ok && o.String() != origin {
			t.Errorf("the origin is %s, %v, want %q", o, ok, origin)
		}
		at := func(seconds int) { s.now = s.began.Add(time.Duration(seconds) * time.Second) }
		s.decide(true)
		at(1)
		s.answer(t, "fetch.1", "failed", `{"message":"busy","code":"http_503","retryable":true}`)
		at(10)
		s.decide(true)
		at(12)
		s.answer(t, "fetch.2", "completed", `{"doc":1}`)
		s.decide(true)
		at(60)
		s.decide(true) // check times out
		s.decide(true)
		at(61)
		s.answer(t, "fetch.u1", "completed", "")
		s.decide(true)
		if s.run.Status() != StatusCompensated {
			t.Fatalf("the run is %s", s.run.Status())
		}
		want := []struct {
			step, attempt  string
			asked, settled int
			code           string
		}{{"fetch", "1", 0, 1, "http_503"}, {"fetch", "2", 10, 12, ""}, {"fetch", "u1", 60, 61, ""}, {"check", "1", 12, 60, CodeTimedOut}}
		tried := s.run.Tried()
		if len(tried) != len(want) {
			t.Fatalf("%d attempts were made, want %d: %+v", len(tried), len(want), tried)
		}
		for i, w := range want {
			a, code := tried[i], ""
			if a.Failure != nil {
				code = a.Failure.Code
			}
			if a.Step != w.step || a.Attempt.String() != w.attempt || code != w.code ||
				!a.Asked.Equal(s.began.Add(time.Duration(w.asked)*time.Second)) || !a.Settled.Equal(s.began.Add(time.Duration(w.settled)*time.Second)) {
				t.Errorf("attempt %d is %+v, want %+v", i, a, w)
			}
			s.wantPlace(t, a)
		}
	}
}

// wantPlace holds an attempt's place in the trace against what its messages say.
func (s *script) wantPlace(t *testing.T, a Tried) {
	t.Helper()
	if a.Trace.ID != s.run.Trace().ID || a.Trace.Flags != s.run.Trace().Flags || a.Trace.Span == s.run.Trace().Span {
		t.Errorf("attempt %s.%s is at %s in a run at %s", a.Step, a.Attempt, a.Trace, s.run.Trace())
	}
	for _, e := range s.stored {
		if e.Subject.Step != a.Step || e.Subject.Attempt != a.Attempt || e.Event.Source != events.Orchestrator {
			continue // answers are the test's own
		}
		if e.Event.TraceParent != a.Trace.String() {
			t.Errorf("%s carries %q, want %s", e.Subject, e.Event.TraceParent, a.Trace)
		}
	}
}
