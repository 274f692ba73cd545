//go:build unix

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"segue/events"
	"segue/journal"
)

// greeting is "segue up" with the saga of examples/greet.
type greeting struct {
	*up
	b    *broker
	nats cli
	book string
}

// startGreeting starts "segue up" with the saga greet. Replace changes the
// definition, as strings.NewReplacer has it.
func startGreeting(t *testing.T, replace ...string) *greeting {
	t.Helper()
	natsCLI(t) // skips before anything is built
	text, err := os.ReadFile(filepath.Join(root, "examples", "greet", "greet.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.NewReplacer(replace...).Replace(string(text))
	if len(replace) > 0 && changed == string(text) {
		t.Fatalf("%q is not in greet.yaml", replace)
	}
	saga := filepath.Join(t.TempDir(), "greet.yaml")
	if err := os.WriteFile(saga, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	u := startUp(t, t.TempDir(), "--saga", saga)
	return &greeting{up: u, b: client(t, u.url), nats: newCLI(t, u.url), book: filepath.Join(t.TempDir(), "guest book")}
}

// greeter starts the participant: a shell script, and the nats CLI in its PATH.
func (g *greeting) greeter() {
	g.t.Helper()
	env := []string{"NATS_URL=" + g.url, "GUEST_BOOK=" + g.book, "HOME=" + g.t.TempDir(),
		"PATH=" + filepath.Dir(natsCLI(g.t)) + ":" + os.Getenv("PATH")}
	job{dir: g.t.TempDir(), env: env}.start(g.t, "/bin/sh", filepath.Join(root, "examples", "greet", "greeter.sh"))
}

// page returns what the guest book says of a run.
func (g *greeting) page(run string) string {
	g.t.Helper()
	text, err := os.ReadFile(filepath.Join(g.book, run))
	if err != nil {
		g.t.Error(err)
	}
	return string(text)
}

func (g *greeting) start(args ...string) (run string) {
	g.t.Helper()
	return strings.TrimSpace(g.segue(append([]string{"start", "greet"}, args...)...).want(g.t, 0).stdout)
}

// TestGreet runs a saga whose only participant is a shell script.
func TestGreet(t *testing.T) {
	t.Parallel()
	g := startGreeting(t)
	g.greeter()

	// Whatever stands in a value comes through: spaces, quotes, what a shell or the
	// nats CLI would take for its own.
	const name = `Ada \"Countess\" {{Count}} $HOME %20 \\ – Lovelace`
	const correlation = `order 4711 "{{ID}}" 100% ü`
	run := g.start(`{"name":"`+name+`"}`, "--correlation", correlation)
	g.b.has(run, events.KindEnded)
	all := g.b.run(run)
	if last := all[len(all)-1].Event; last.Type != events.TypeRunCompleted || !strings.Contains(string(last.Data), `"Hello, `+name+`!"`) {
		t.Errorf("the run ended as %s with %s", last.Type, last.Data)
	}
	if page := g.page(run); page != `{"greeting":"Hello, `+name+`!"}` {
		t.Errorf("the guest book says %s", page)
	}
	for _, e := range all {
		if e.Event.CorrelationID != correlation {
			t.Errorf("%s has correlation %q, want %q", e.Subject, e.Event.CorrelationID, correlation)
		}
		if e.Subject.Kind != events.KindOutcome {
			continue
		}
		if ev := e.Event; ev.Source != events.ServiceSource("greeter") || ev.DataContentType != events.JSON || ev.RunID != run || ev.Subject != e.Subject.Step {
			t.Errorf("outcome %s is %+v", e.Subject, ev)
		}
	}

	// The second step fails for good, so the first is undone.
	run = g.start(`{"name":"Nobody"}`)
	g.b.has(run, events.KindEnded)
	g.segue("show", run).want(t, 0, "compensated", "there is no seat for Nobody", "undone: greet")
	if page := g.page(run); page != "" {
		t.Errorf("the guest book says %s of a guest who was never greeted", page)
	}
	g.b.drained(patience)
}

// TestGreetCanceled cancels a run while its first step waits for the participant.
// The step is done all the same, for it may have been under way, and is undone.
func TestGreetCanceled(t *testing.T) {
	t.Parallel()
	g := startGreeting(t)
	run := g.start(`{"name":"Grace Hopper"}`)
	g.b.stored("saga.run.*." + run + ".command.greeter.greet.1")
	g.segue("cancel", run).want(t, 0)
	g.greeter()
	g.b.has(run, events.KindEnded)
	g.segue("show", run).want(t, 0, "compensated", "turned back  canceled", "undone: greet")
	if page := g.page(run); page != "" {
		t.Errorf("the guest book says %s after the undo", page)
	}
	for _, e := range g.b.run(run) { // the step that was given up is announced to its service, which leaves it alone
		if e.Subject.Step == "seat" && e.Subject.Kind == events.KindOutcome {
			t.Errorf("seat was answered: %s", e.Event.Data)
		}
	}
	g.b.drained(patience)
}

// TestGreetLost takes a command away, as a participant does that dies with it in
// its hands. The step times out, is asked for again and done.
func TestGreetLost(t *testing.T) {
	t.Parallel()
	g := startGreeting(t, "timeout: 20s # a greeter", "timeout: 2s # a greeter")
	run := g.start(`{"name":"Mary Somerville"}`)
	g.nats.run("consumer", "next", "SAGA_RUNS", "greeter", "--timeout", "30s").want(t, 0, "Acknowledged message")
	timedOut := events.RunSubject(events.KindOutcome, run, journal.DefaultPartitions)
	timedOut.Service, timedOut.Step, timedOut.Attempt = "greeter", "greet", events.Attempt{N: 1}
	g.b.stored(timedOut.String())
	g.greeter()
	g.b.has(run, events.KindEnded)
	g.segue("show", run).want(t, 0, "completed", "Hello, Mary Somerville!")
}

// TestGreetUndoFirst brings the undo of a step before the step itself: the late
// step is kept out.
func TestGreetUndoFirst(t *testing.T) {
	t.Parallel()
	g := startGreeting(t)
	g.greeter()
	const run = "late"
	subject := events.RunSubject(events.KindCommand, run, journal.DefaultPartitions)
	subject.Service, subject.Step = "greeter", "greet"
	for _, step := range []struct {
		attempt events.Attempt
		kind    string
		data    string
	}{
		{events.Attempt{N: 1, Undo: true}, events.TypeUndoRequested, `{"input":{"name":"Emmy Noether"},"attempts":1}`},
		{events.Attempt{N: 1}, events.TypeStepRequested, `{"name":"Emmy Noether"}`},
	} {
		subject.Attempt = step.attempt
		outcome := subject.With(events.KindOutcome).String()
		g.b.publish(events.Encode(subject.String(), events.Event{
			ID: subject.Attempt.String(), Source: source, Type: step.kind, Subject: "greet", RunID: run, CorrelationID: run,
			DataContentType: events.JSON, ReplyTo: outcome, Data: []byte(step.data),
		}))
		g.b.stored(outcome)
	}
	if last := g.b.run(run)[3]; last.Event.Type != events.TypeStepFailed || !strings.Contains(string(last.Event.Data), `"undone"`) {
		t.Errorf("the late step was answered with %s %s", last.Event.Type, last.Event.Data)
	}
	if page := g.page(run); page != "" {
		t.Errorf("the guest book says %s", page)
	}
}
