//go:build unix

package fleet

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"segue/events"
	"segue/saga"
	"segue/sagas"
)

// history returns the messages of a run of ingest, as the core itself decides
// them; outcome says what a step answers, "" being that it completes.
func history(t *testing.T, task *Task, outcome map[string]string) []events.Entry {
	t.Helper()
	d, err := sagas.Ingest()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_700_000_000, 0)
	input := events.MarshalData(map[string]string{"url": "http://127.0.0.1/a.json"})
	started := saga.NewStarted(d, events.Event{ID: task.ID, Source: Source, Type: events.TypeRunRequested, DataContentType: events.JSON, Data: input}, 16, now)
	started.Sequence, started.Stored = 1, now
	run, err := saga.Begin(d, started)
	if err != nil {
		t.Fatal(err)
	}
	all := []events.Entry{started}
	store := func(e events.Entry) {
		e.Sequence, e.Stored = uint64(len(all)+1), now
		all = append(all, e)
		run.Apply(e)
	}
	for range 100 {
		if run.Ended() {
			return all
		}
		decision := run.Decide(now)
		for _, e := range decision.Append {
			store(e)
			if e.Subject.Kind == events.KindCommand && e.Event.Type != events.TypeStepWithheld {
				store(answer(e, outcome[e.Subject.Step]))
			}
		}
		if len(decision.Append) == 0 {
			now = decision.Next
		}
	}
	t.Fatalf("the run does not end:\n%s", Timeline(all))
	return nil
}

// answer is what a service answers to a command.
func answer(command events.Entry, kind string) events.Entry {
	data := `{"unchanged":false,"document":{"name":"x"},"format":"json","records":{"name":"y"}}`
	switch {
	case command.Subject.Attempt.Undo:
		kind, data = events.TypeUndoCompleted, ""
	case kind == "":
		kind = events.TypeStepCompleted
	case kind == "fails":
		kind, data = events.TypeStepFailed, `{"message":"told","retryable":false}`
	case kind == "unknown":
		kind, data = events.TypeStepFailed, `{"message":"told","retryable":false,"unknown":true}`
	}
	subject := command.Subject.With(events.KindOutcome)
	return events.Entry{Subject: subject, Event: events.Event{ID: "x", Source: "/x", Type: kind, DataContentType: events.JSON, Data: []byte(data)}}
}

func TestJudgeOfRuns(t *testing.T) {
	t.Parallel()
	good := &Task{ID: "good"}
	fails := &Task{ID: "fails", FailsAt: "save"}
	whole := history(t, good, nil)
	back := history(t, fails, map[string]string{"save": "fails"})
	unknown := history(t, fails, map[string]string{"save": "unknown"})
	without := func(all []events.Entry, drop func(events.Entry) bool) []events.Entry {
		var left []events.Entry
		for _, e := range all {
			if !drop(e) {
				left = append(left, e)
			}
		}
		return left
	}
	undoOf := func(step string) func(events.Entry) bool {
		return func(e events.Entry) bool { return e.Subject.Step == step && e.Subject.Attempt.Undo }
	}
	kind := func(k events.Kind) func(events.Entry) bool {
		return func(e events.Entry) bool { return e.Subject.Kind == k }
	}
	swapped := append([]events.Entry(nil), back...)
	for i, e := range swapped { // the undos of fetch and parse change places
		if e.Subject.Attempt.Undo {
			step := map[string]string{"fetch": "parse", "parse": "fetch"}[e.Subject.Step]
			swapped[i].Subject.Step = step
		}
	}
	for name, test := range map[string]struct {
		task *Task
		all  []events.Entry
		want string // part of the problem; empty: none
	}{
		"completed":             {good, whole, ""},
		"turned back":           {fails, back, ""},
		"unknown, turned back":  {fails, unknown, ""},
		"never started":         {good, nil, "has 0 ends"},
		"not ended":             {good, without(whole, kind(events.KindEnded)), "has 0 ends"},
		"ended twice":           {good, append(whole[:len(whole):len(whole)], whole[len(whole)-1]), "has 2 ends"},
		"went on after its end": {good, append(whole[:len(whole):len(whole)], whole[2]), "the last message is"},
		"ought to fail":         {fails, whole, "ought to fail"},
		"ought to complete":     {good, back, "turned back because"},
		"fails elsewhere":       {&Task{ID: "fails", FailsAt: "fetch"}, back, "turned back because"},
		"forgot an undo":        {fails, without(back, undoOf("parse")), "undid [fetch]"},
		"forgot an unknown one": {fails, without(unknown, undoOf("save")), "due was [save parse fetch]"},
		"undid too much":        {fails, without(unknown, func(e events.Entry) bool { return e.Subject.Step == "save" && !e.Subject.Attempt.Undo }), "undid [save parse fetch]"},
		"wrong order":           {fails, swapped, "undid [fetch parse]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := &Verdict{}
			v.run(test.task, test.all)
			err := v.Err()
			if test.want == "" && err != nil {
				t.Errorf("it finds fault with it: %v", err)
			}
			if test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("it says %v, want %q", err, test.want)
			}
		})
	}
}

func TestJudgeOfRows(t *testing.T) {
	t.Parallel()
	want := map[string]any{"c/1": map[string]any{"id": "1"}, "c/2": map[string]any{"id": "2"}}
	for name, test := range map[string]struct {
		change func(have map[string]any)
		want   string
	}{
		"equal":    {func(map[string]any) {}, ""},
		"missing":  {func(h map[string]any) { delete(h, "c/2") }, "record c/2 is missing"},
		"too much": {func(h map[string]any) { h["c/3"] = "x" }, "record c/3 ought not to be there"},
		"altered":  {func(h map[string]any) { h["c/1"] = map[string]any{"id": "one"} }, "record c/1 is map[id:one], want map[id:1]"},
	} {
		v, have := &Verdict{}, maps.Clone(want)
		test.change(have)
		compare(v, "record", want, have)
		if text := fmt.Sprint(v.Err()); test.want == "" && v.Err() != nil || !strings.Contains(text, test.want) {
			t.Errorf("%s: %v, want %q", name, v.Err(), test.want)
		}
	}
}

func TestJudgeOfStrangers(t *testing.T) {
	t.Parallel()
	task := &Task{ID: "known"}
	all := history(t, task, nil)
	v := &Verdict{}
	strangers(v, map[string][]events.Entry{all[0].Subject.Run: all}, []*Task{task})
	if err := v.Err(); err != nil {
		t.Errorf("a run that was asked for: %v", err)
	}
	strangers(v, map[string][]events.Entry{all[0].Subject.Run: all}, nil)
	if v.Err() == nil {
		t.Error("a run that nobody asked for is nobody's problem")
	}
}

// TestProblemsAreCounted holds that many problems stay readable and none gets lost.
func TestProblemsAreCounted(t *testing.T) {
	t.Parallel()
	v := &Verdict{}
	for i := range 3 * maxProblems {
		v.problem("problem %d", i)
	}
	if err := v.Err(); len(v.Problems) != maxProblems || err == nil || !strings.Contains(err.Error(), fmt.Sprint(3*maxProblems)) {
		t.Errorf("%d problems are told: %v", len(v.Problems), err)
	}
}
