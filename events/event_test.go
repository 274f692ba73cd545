package events_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"segue/events"
)

// TestDerivedIDs pins ids that must never change: a journal written by an older
// release holds them. They are v5 UUIDs in the namespace
// uuid5(NAMESPACE_URL, "segue:events:v1"), as any language computes them.
func TestDerivedIDs(t *testing.T) {
	t.Parallel()
	if got, want := events.RunID(events.Client, "0195a5c4-8f2e-7cc3-98c4-dc0c0c07398f"), "36028a85-7f25-5b4d-99e7-a5f972e7d113"; got != want {
		t.Errorf("RunID is %s, want %s", got, want)
	}
	subject := events.Subject{Kind: events.KindCommand, Partition: 3, Run: "r", Service: "fetcher", Step: "fetch", Attempt: events.Attempt{N: 1}}
	if got, want := events.DeriveID(subject, events.Orchestrator, events.TypeStepRequested), "7def6a87-ce51-5611-8d38-a603519226dc"; got != want {
		t.Errorf("DeriveID is %s, want %s", got, want)
	}
}

// TestRivalIDs shows that what competes for one subject has different ids.
func TestRivalIDs(t *testing.T) {
	t.Parallel()
	s := events.Subject{Kind: events.KindOutcome, Run: "r", Service: "a", Step: "b", Attempt: events.Attempt{N: 1}}
	undo := s
	undo.Attempt.Undo = true
	ids := map[string]bool{
		events.DeriveID(s, events.ServiceSource("a"), events.TypeStepCompleted):    true,
		events.DeriveID(s, events.ServiceSource("a"), events.TypeStepFailed):       true,
		events.DeriveID(s, events.Orchestrator, events.TypeStepTimedOut):           true,
		events.DeriveID(undo, events.ServiceSource("a"), events.TypeStepCompleted): true,
	}
	if len(ids) != 4 {
		t.Errorf("only %d of 4 ids differ", len(ids))
	}
}

func TestNewStartID(t *testing.T) {
	t.Parallel()
	a, b := uuid.MustParse(events.NewStartID()), uuid.MustParse(events.NewStartID())
	if a.Version() != 7 || a == b || a.String() > b.String() {
		t.Errorf("ids %s, %s are not version 7, in order", a, b)
	}
}

func TestCaused(t *testing.T) {
	t.Parallel()
	by := events.Event{ID: "1", Source: "/s", Type: "t", CorrelationID: "c", TraceParent: "p", TraceState: "s", RunID: "r", CausationID: "0"}
	want := events.Event{ID: "2", CausationID: "1", CorrelationID: "c", TraceParent: "p", TraceState: "s", RunID: "r"}
	if diff := cmp.Diff(want, events.Event{ID: "2"}.Caused(by)); diff != "" {
		t.Error(diff)
	}
}

// TestNullAndAbsent keeps an answer of null and no answer apart, which decides
// what an undo knows.
func TestNullAndAbsent(t *testing.T) {
	t.Parallel()
	for data, output := range map[string]json.RawMessage{
		`{"input":1,"attempts":2}`:               nil,
		`{"input":1,"output":null,"attempts":2}`: json.RawMessage("null"),
	} {
		want := events.UndoRequested{Input: json.RawMessage("1"), Output: output, Attempts: 2}
		if got := string(events.MarshalData(want)); got != data {
			t.Errorf("marshals as %s, want %s", got, data)
		}
		var got events.UndoRequested
		if err := events.ReadData(events.Event{Data: []byte(data)}, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", data, diff)
		}
	}
}

func TestMarshalData(t *testing.T) {
	t.Parallel()
	for want, v := range map[string]any{
		`{"reason":{"kind":"canceled"},"undone":[]}`:                    events.RunCompensated{Reason: events.Reason{Kind: events.ReasonCanceled}},
		`{"reason":{"kind":"failed","message":"a<b&c"},"undone":["x"]}`: &events.RunCompensated{Reason: events.Reason{Kind: events.ReasonFailed, Message: "a<b&c"}, Undone: []string{"x"}},
		`{"saga":"a","digest":"","input":{"url":"x?a=1&b=2"}}`:          events.RunStarted{Saga: "a", Input: json.RawMessage(`{"url": "x?a=1&b=2"}`)},
		`{"saga":"a","digest":"","input":null}`:                         events.RunStarted{Saga: "a"},
		`{}`:                                                            events.Signal{},
	} {
		if got := string(events.MarshalData(v)); got != want {
			t.Errorf("marshals as %s, want %s", got, want)
		}
	}
}

func TestReadDataErrors(t *testing.T) {
	t.Parallel()
	for _, data := range []string{"", "{", `[]`, `{"after_ms":"1"}`} {
		var into events.TimedOut
		if err := events.ReadData(events.Event{Data: []byte(data)}, &into); !errors.Is(err, events.ErrData) {
			t.Errorf("%q: %v", data, err)
		}
	}
}
