package saga

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"segue/events"
)

const twoSteps = `
saga: greet
steps:
  ask:   {service: people, with: {who: "${input.name}"}}
  greet: {service: people, needs: [ask], with: {text: "Hello ${steps.ask.title} ${input.name}"}}
output: {said: "${steps.greet}"}
`

func mustLoad(t *testing.T, text string) *Definition {
	t.Helper()
	d, err := Load("saga.yaml", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// begin returns a run of a definition and its started message.
func begin(t testing.TB, d *Definition, input string) (*Run, events.Entry) {
	t.Helper()
	started := NewStarted(d, events.Event{ID: "1", Source: "/t", Data: []byte(input)}, 16, time.Unix(0, 0))
	started.Sequence, started.Stored = 1, time.Unix(0, 0)
	run, err := Begin(d, started)
	if err != nil {
		t.Fatal(err)
	}
	return run, started
}

func TestBeginRefuses(t *testing.T) {
	t.Parallel()
	d := mustLoad(t, twoSteps)
	_, good := begin(t, d, `{"name":"Ada"}`)
	for name, spoil := range map[string]func(*events.Entry){
		"another kind":       func(e *events.Entry) { e.Subject.Kind = events.KindEnded },
		"another type":       func(e *events.Entry) { e.Event.Type = events.TypeRunCompleted },
		"no data":            func(e *events.Entry) { e.Event.Data = nil },
		"another definition": func(e *events.Entry) { e.Event.Data = []byte(`{"saga":"greet","digest":"0","input":{}}`) },
	} {
		bad := good
		spoil(&bad)
		if _, err := Begin(d, bad); !errors.Is(err, ErrNotStarted) {
			t.Errorf("%s: %v, want ErrNotStarted", name, err)
		}
	}
}

// TestApplyIgnores holds that what is not about the run, or about no step it
// has, changes nothing and takes no memory.
func TestApplyIgnores(t *testing.T) {
	t.Parallel()
	d := mustLoad(t, twoSteps)
	run, started := begin(t, d, `{"name":"Ada"}`)
	outcome := started.Subject.With(events.KindOutcome)
	outcome.Service, outcome.Step, outcome.Attempt = "people", "ask", events.Attempt{N: 1}
	for name, change := range map[string]func(*events.Subject){
		"another run":     func(s *events.Subject) { s.Run = "other" },
		"another step":    func(s *events.Subject) { s.Step = "nosuch" },
		"another service": func(s *events.Subject) { s.Service = "impostor" },
		"a huge attempt":  func(s *events.Subject) { s.Attempt.N = events.MaxAttempt },
		"a later attempt": func(s *events.Subject) { s.Attempt.N = 2 },
	} {
		s := outcome
		change(&s)
		run.Apply(events.Entry{Subject: s, Sequence: 9, Event: events.Event{ID: "x", Type: events.TypeStepCompleted}})
		d := run.Decide(time.Unix(1, 0))
		if len(d.Append) != 1 || d.Append[0].Subject.Step != "ask" || d.Append[0].Subject.Attempt.N != 1 {
			t.Errorf("%s: decided %v, want the first attempt at ask", name, d.Append)
		}
		if n := len(run.steps[run.Definition.Step("ask")].do); n > 2 {
			t.Errorf("%s: %d attempts are kept", name, n)
		}
	}
}

// TestDecideIsPure holds that deciding changes nothing: the second decision is
// the first, and the view is as it was.
func TestDecideIsPure(t *testing.T) {
	t.Parallel()
	run, _ := begin(t, mustLoad(t, twoSteps), `{"name":"Ada"}`)
	before := fmt.Sprint(run.View())
	first := fmt.Sprint(run.Decide(time.Unix(5, 0)))
	if second := fmt.Sprint(run.Decide(time.Unix(5, 0))); first != second {
		t.Errorf("decided %s, then %s", first, second)
	}
	if after := fmt.Sprint(run.View()); before != after {
		t.Errorf("the run was %s, then %s", before, after)
	}
}

// A run from its started message to its end.
func ExampleRun() {
	definition, err := Load("greet.yaml", []byte(twoSteps), nil)
	if err != nil {
		panic(err)
	}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	started := NewStarted(definition, events.Event{ID: "1", Source: "/door", Data: []byte(`{"name":"Ada"}`)}, 16, now)
	started.Sequence, started.Stored = 1, now
	run, err := Begin(definition, started)
	if err != nil {
		panic(err)
	}
	answers := map[string]string{"ask": `{"title":"Countess"}`, "greet": `"done"`}
	for sequence := uint64(2); !run.Ended(); sequence += 2 {
		decided := run.Decide(now).Append[0]
		fmt.Println(decided.Event.Type, string(decided.Event.Data))
		decided.Sequence, decided.Stored = sequence, now // as the journal stores it
		run.Apply(decided)
		if decided.Subject.Kind == events.KindCommand { // as the service answers
			run.Apply(events.Entry{
				Subject:  decided.Subject.With(events.KindOutcome),
				Event:    events.Event{Type: events.TypeStepCompleted, Data: []byte(answers[decided.Subject.Step])},
				Sequence: sequence + 1,
			})
		}
	}
	fmt.Println(run.Status())
	// Output:
	// segue.step.requested.v1 {"who":"Ada"}
	// segue.step.requested.v1 {"text":"Hello Countess Ada"}
	// segue.run.completed.v1 {"output":{"said":"done"}}
	// completed
}

// twoStepsRun returns the messages of a run of two steps, in order, started first.
func twoStepsRun(b *testing.B) (*Definition, []events.Entry) {
	b.Helper()
	d, err := Load("greet.yaml", []byte(twoSteps), nil)
	if err != nil {
		b.Fatal(err)
	}
	run, started := begin(b, d, `{"name":"Ada"}`)
	entries := []events.Entry{started}
	apply := func(e events.Entry) {
		e.Sequence, e.Stored = uint64(len(entries)+1), time.Unix(0, 0)
		entries = append(entries, e)
		run.Apply(e)
	}
	for !run.Ended() {
		e := run.Decide(time.Unix(0, 0)).Append[0]
		apply(e)
		if e.Subject.Kind == events.KindCommand {
			apply(events.Entry{
				Subject: e.Subject.With(events.KindOutcome),
				Event:   events.Event{Type: events.TypeStepCompleted, Data: []byte(`{"title":"Dr"}`)},
			})
		}
	}
	return d, entries
}

// replay returns the run that messages make.
func replay(b *testing.B, d *Definition, entries []events.Entry) *Run {
	b.Helper()
	run, err := Begin(d, entries[0])
	if err != nil {
		b.Fatal(err)
	}
	for _, e := range entries[1:] {
		run.Apply(e)
	}
	return run
}

// BenchmarkApply reads a run of six messages, as a replay does.
func BenchmarkApply(b *testing.B) {
	d, entries := twoStepsRun(b)
	b.ReportAllocs()
	for b.Loop() {
		if !replay(b, d, entries).Ended() {
			b.Fatal("the run has not ended")
		}
	}
}

// BenchmarkDecide decides once in each state of a run of six messages.
func BenchmarkDecide(b *testing.B) {
	d, entries := twoStepsRun(b)
	var states []*Run
	for n := 1; n < len(entries); n++ {
		states = append(states, replay(b, d, entries[:n]))
	}
	now := time.Unix(0, 0)
	b.ReportAllocs()
	for b.Loop() {
		for _, run := range states {
			run.Decide(now)
		}
	}
}

// BenchmarkRun is the core's work for one run of two steps: six messages applied, each
// followed by a decision.
func BenchmarkRun(b *testing.B) {
	d, entries := twoStepsRun(b)
	now := time.Unix(0, 0)
	b.ReportAllocs()
	for b.Loop() {
		run := replay(b, d, entries[:1])
		for _, e := range entries[1:] {
			run.Decide(now)
			run.Apply(e)
		}
	}
}
