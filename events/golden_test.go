package events_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"segue/events"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// The golden files are the contract in bytes. A change of one is a change of
// what every participant in every language reads: it needs a new version of the
// type unless it only adds.

// sample is a known event of one type. All samples belong to the one run of the
// start event in the first.
type sample struct {
	subject events.Subject
	event   events.Event
}

// samples has one event of each type with every attribute and every field of
// its data in use.
func samples() []sample {
	const (
		partitions = 16
		dataRef    = "nats-object://documents/9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08?sha256=9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08&size=4"
	)
	at := time.Date(2026, 3, 14, 15, 9, 26, 535897932, time.UTC)
	start := events.Event{
		ID: "0195a5c4-8f2e-7cc3-98c4-dc0c0c07398f", Source: events.Client, Type: events.TypeRunRequested,
		Time: at, DataContentType: events.JSON, CorrelationID: "order 4711 (Zürich)",
		TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", TraceState: "vendor=t61rcWkgMzE",
		Extensions: map[string]string{"tenant": "a & b", "priority": "7"},
		Data:       []byte(`{"url":"https://example.com/a.json?x=1&y=<2>"}`),
	}
	run := events.RunID(start.Source, start.ID)
	inRun := events.RunSubject(events.KindStarted, run, partitions)
	step := func(kind events.Kind, n int, undo bool) events.Subject {
		s := inRun.With(kind)
		s.Service, s.Step, s.Attempt = "fetcher", "fetch", events.Attempt{N: n, Undo: undo}
		return s
	}
	signal := func(name string) events.Subject {
		s := inRun.With(events.KindSignal)
		s.Signal = name
		return s
	}
	var list []sample
	add := func(s events.Subject, source, eventType string, data []byte, more ...func(*events.Event)) {
		e := events.Event{
			ID: events.DeriveID(s, source, eventType), Source: source, Type: eventType,
			Subject: s.Step, Time: at, DataContentType: events.JSON, RunID: run, Data: data,
		}.Caused(start)
		e.RunID = run
		if s.Kind == events.KindCommand || s.Kind == events.KindOutcome {
			e.TraceParent = traceOf(start, inRun, s)
		}
		for _, f := range more {
			f(&e)
		}
		list = append(list, sample{s, e})
	}
	command := func(reply events.Subject) func(*events.Event) {
		return func(e *events.Event) {
			e.Expiry, e.ReplyTo = at.Add(time.Minute), reply.String()
		}
	}
	service := events.ServiceSource("fetcher")
	list = append(list, sample{events.StartSubject("ingest"), start})
	add(events.Subject{Kind: events.KindRejected, Definition: "ingest", Start: "0195a5c4"}, events.Orchestrator, events.TypeStartRejected,
		events.MarshalData(events.StartRejected{
			Reason: "input: url is missing", Subject: "saga.start.ingest",
			Headers: map[string][]string{"Nats-Msg-Id": {"4711"}, "Content-Type": {"text/plain"}}, Data: []byte("hello"),
			DataRef: dataRef,
		}))
	add(inRun, events.Orchestrator, events.TypeRunStarted,
		events.MarshalData(events.RunStarted{Saga: "ingest", Digest: strings.Repeat("0123456789abcdef", 4), Input: start.Data}))
	add(inRun.With(events.KindEnded), events.Orchestrator, events.TypeRunCompleted,
		events.MarshalData(events.RunCompleted{Output: []byte(`{"records":200}`)}))
	add(inRun.With(events.KindEnded), events.Orchestrator, events.TypeRunCompensated,
		events.MarshalData(events.RunCompensated{
			Reason: events.Reason{Kind: events.ReasonFailed, Step: "save", Message: "disk is full", Code: "no_space"},
			Undone: []string{"parse", "fetch"},
		}))
	add(events.HistorySubject("ingest", "compensated", run), events.Orchestrator, events.TypeRunArchived,
		events.MarshalData(events.RunArchived{
			Run: run, Saga: "ingest", Digest: strings.Repeat("0123456789abcdef", 4), Correlation: start.CorrelationID, Status: "compensated",
			Started: at, Deadline: at.Add(time.Hour), Ended: at.Add(time.Minute),
			Reason: &events.Reason{Kind: events.ReasonFailed, Step: "save", Message: "disk is full", Code: "no_space"},
			Undone: []string{"parse", "fetch"}, Input: start.Data, Output: []byte(`null`),
			Steps: []events.ArchivedStep{{
				Step: "save", Service: "saver", State: "failed", Attempts: 3, Undos: 1,
				Started: at, Settled: at.Add(time.Minute), Failure: "disk is full", Code: "no_space",
			}},
		}))
	add(events.DefinitionSubject("ingest"), events.Client, events.TypeDefinitionApplied,
		events.MarshalData(events.DefinitionApplied{Digest: strings.Repeat("0123456789abcdef", 4), Text: []byte(`{"saga":"ingest"}`)}))
	schedule := events.ScheduleSubject("ingest", "nightly")
	add(schedule, events.Client, events.TypeScheduleSet, events.MarshalData(events.ScheduleSet{
		Cron: "30 3 * * *", Zone: "Europe/Zurich", CatchUp: "6h", Input: []byte(`{"url":"https://example.com/${date}.json"}`),
	}))
	add(schedule, events.Client, events.TypeScheduleRemoved, nil)
	add(step(events.KindCommand, 2, false), events.Orchestrator, events.TypeStepRequested,
		[]byte(`{"url":"https://example.com/a.json"}`), command(step(events.KindOutcome, 2, false)))
	notTried := func(e *events.Event) { e.TraceParent = start.TraceParent }
	add(step(events.KindCommand, 3, false), events.Orchestrator, events.TypeStepWithheld, nil, notTried)
	add(step(events.KindCommand, 1, false), events.Orchestrator, events.TypeStepSkipped, nil, notTried)
	add(step(events.KindOutcome, 2, false), service, events.TypeStepCompleted, nil,
		func(e *events.Event) { e.DataRef = dataRef })
	add(step(events.KindOutcome, 1, false), service, events.TypeStepFailed,
		events.MarshalData(events.Failed{
			Message: "https://example.com/a.json?x=1&y=2 answered 503", Code: "http_503", Retryable: true, Unknown: true,
			RetryAfterMS: 1500, Details: []byte(`[{"line":1}]`),
		}))
	add(step(events.KindOutcome, 1, false), events.Orchestrator, events.TypeStepTimedOut,
		events.MarshalData(events.TimedOut{AfterMS: 60_000}))
	add(step(events.KindCommand, 1, true), events.Orchestrator, events.TypeUndoRequested,
		events.MarshalData(events.UndoRequested{
			Input: []byte(`{"url":"https://example.com/a.json"}`), Output: []byte(`null`), Attempts: 2,
		}), command(step(events.KindOutcome, 1, true)))
	add(step(events.KindOutcome, 1, true), service, events.TypeUndoCompleted, nil)
	add(step(events.KindOutcome, 2, true), service, events.TypeUndoFailed,
		events.MarshalData(events.Failed{Message: "busy"}))
	add(step(events.KindOutcome, 2, true), events.Orchestrator, events.TypeUndoTimedOut,
		events.MarshalData(events.TimedOut{AfterMS: 5_000}))
	add(signal(events.SignalCancel), events.Client, events.TypeCancel, events.MarshalData(events.Signal{Note: "wrong file"}))
	add(signal(events.RetrySignal(1)), events.Client, events.TypeRetry, events.MarshalData(events.Signal{}))
	add(signal(events.SignalDeadline), events.Orchestrator, events.TypeDeadline,
		events.MarshalData(events.Signal{Note: "deadline of 10m0s has passed"}))
	return list
}

// traceOf returns the traceparent of what is about an attempt in a run.
func traceOf(start events.Event, started, attempt events.Subject) string {
	root := events.Event{TraceParent: start.TraceParent, RunID: started.Run, ID: events.DeriveID(started, events.Orchestrator, events.TypeRunStarted)}
	kind := events.TypeStepRequested
	if attempt.Attempt.Undo {
		kind = events.TypeUndoRequested
	}
	return events.RunTrace(root).At(events.DeriveID(attempt.With(events.KindCommand), events.Orchestrator, kind)).String()
}

func TestGolden(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, s := range samples() {
		seen[s.event.Type] = true
		if err := s.subject.Validate(); err != nil {
			t.Errorf("%s: %v", s.event.Type, err)
		}
		structured, err := events.EncodeStructured(s.subject.String(), s.event)
		if err != nil {
			t.Errorf("%s: %v", s.event.Type, err)
		}
		golden(t, s, "binary", events.Encode(s.subject.String(), s.event))
		golden(t, s, "structured", structured)
	}
	for name, eventType := range typeConstants(t) {
		if !seen[eventType] {
			t.Errorf("%s has no golden bytes: add it to samples", name)
		}
	}
	files, err := filepath.Glob("testdata/golden/*.txt")
	if err != nil || len(files) != 2*len(seen) {
		t.Errorf("%d golden files for %d types in two modes (%v)", len(files), len(seen), err)
	}
}

func golden(t *testing.T, s sample, mode string, got events.Message) {
	t.Helper()
	file := filepath.Join("testdata", "golden", s.event.Type+"."+mode+".txt")
	text := formatMessage(got)
	if *update {
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("read golden bytes (-update writes them): %v", err)
	}
	if diff := cmp.Diff(string(want), string(text)); diff != "" {
		t.Errorf("%s: bytes have changed (-golden +now):\n%s", file, diff)
	}
	m := parseMessage(t, want)
	entry, err := events.DecodeEntry(m, s.event.Time, 1)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if diff := cmp.Diff(sample{s.subject, s.event}, sample{entry.Subject, entry.Event}, cmp.AllowUnexported(sample{})); diff != "" {
		t.Errorf("%s: decoded event differs (-want +got):\n%s", file, diff)
	}
}

// TestBroken decodes messages that break the contract and compares the errors,
// word for word: they are what an operator reads in a rejection.
func TestBroken(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/broken/*.txt")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d broken messages found (%v)", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			comment, rest, _ := bytes.Cut(text, []byte("\n"))
			expect, body, _ := bytes.Cut(rest, []byte("\n"))
			function, want, found := strings.Cut(strings.TrimPrefix(string(expect), "# "), ": ")
			if !bytes.HasPrefix(comment, []byte("# ")) || !found {
				t.Fatal("a broken message begins with two comments: what is wrong, and <function>: <error>")
			}
			got := decodeError(t, function, parseMessage(t, body))
			if got == nil {
				t.Fatalf("%s accepts it: %s", function, comment)
			}
			if *update {
				text := fmt.Sprintf("%s\n# %s: %s\n%s", comment, function, got, body)
				if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got.Error() != want {
				t.Errorf("error differs\n got: %s\nwant: %s", got, want)
			}
		})
	}
}

func decodeError(t *testing.T, function string, m events.Message) error {
	t.Helper()
	var e events.Event
	var err error
	switch function {
	case "Decode":
		e, err = events.Decode(m)
	case "DecodeStart":
		e, err = events.DecodeStart(m)
	case "DecodeEntry":
		var entry events.Entry
		entry, err = events.DecodeEntry(m, time.Time{}, 1)
		e = entry.Event
	default:
		t.Fatalf("no function %q", function)
	}
	if err != nil && !cmp.Equal(e, events.Event{}) {
		t.Errorf("an event comes with the error: %+v", e)
	}
	return err
}

// formatMessage writes a message for people to read: its subject and headers,
// sorted, a line each, an empty line, and the payload as it is. One line feed
// is added at the end.
func formatMessage(m events.Message) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "subject: %s\n", m.Subject)
	for _, name := range slices.Sorted(maps.Keys(m.Header)) {
		for _, value := range m.Header[name] {
			fmt.Fprintf(&b, "%s: %s\n", name, value)
		}
	}
	fmt.Fprintf(&b, "\n%s\n", m.Data)
	return b.Bytes()
}

// parseMessage is the inverse of formatMessage.
func parseMessage(t *testing.T, text []byte) events.Message {
	t.Helper()
	m := events.Message{Header: events.Header{}}
	head, data, found := bytes.Cut(text, []byte("\n\n"))
	if !found {
		t.Fatal("no empty line behind the headers")
	}
	m.Data = bytes.TrimSuffix(data, []byte("\n"))
	for line := range strings.Lines(string(head)) {
		name, value, found := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch {
		case !found:
			t.Fatalf("no header: %q", line)
		case name == "subject":
			m.Subject = value
		default:
			m.Header[name] = append(m.Header[name], value)
		}
	}
	return m
}

// TestGoldenData reads the data of each golden event into its struct and writes
// it again: nothing may be lost.
func TestGoldenData(t *testing.T) {
	t.Parallel()
	for _, s := range samples() {
		into := newData(s.event.Type)
		if into == nil || s.event.Data == nil {
			continue
		}
		if err := events.ReadData(s.event, into); err != nil {
			t.Errorf("%s: %v", s.event.Type, err)
		}
		if got := events.MarshalData(into); !bytes.Equal(got, s.event.Data) {
			t.Errorf("%s: data %s is written again as %s", s.event.Type, s.event.Data, got)
		}
		if !json.Valid(s.event.Data) {
			t.Errorf("%s: data %s is not JSON", s.event.Type, s.event.Data)
		}
	}
}
