package deploy_test

import (
	"testing"
	"time"

	"segue/daemon"
	"segue/events"
	"segue/journal/jetstream"
)

// TestDoctor holds that the operator may see all that segue doctor looks at, and
// may take a rejection out of the list.
func TestDoctor(t *testing.T) {
	for name, serve := range sites {
		t.Run(name, func(t *testing.T) { examineAsOperator(t, serve(t)) })
	}
}

func examineAsOperator(t *testing.T, s site) {
	runEverything(t, s)
	for end := time.Now().Add(patience); ; {
		wrong := examine(t, s)
		if len(wrong) == 0 {
			break
		}
		if time.Now().After(end) { // until then the programs may still be starting
			t.Fatalf("the operator finds %q", wrong)
		}
	}

	bus := connect(t, s, "operator", daemon.BusOptions{})
	rejected := events.Subject{Kind: events.KindRejected, Definition: "a", Start: "b"}
	if err := bus.Journal.Append(t.Context(), events.Message{Subject: rejected.String()}); err != nil {
		t.Fatal(err)
	}
	if err := bus.Journal.Withdraw(t.Context(), rejected); err != nil {
		t.Fatal(err)
	}
	if left, err := bus.Journal.Load(t.Context(), events.AllRejected); err != nil || len(left) > 0 {
		t.Errorf("after it was withdrawn there are %d rejections, error %v", len(left), err)
	}
}

// examine returns what the operator finds wrong, and what he may not do.
func examine(t *testing.T, s site) (wrong []string) {
	t.Helper()
	found, bus, err := daemon.Examine(t.Context(), s.login("operator"), jetstream.Examination{})
	if err != nil {
		t.Fatal(err)
	}
	if bus == nil {
		wrong = append(wrong, "the runs cannot be looked at")
	} else {
		bus.Close()
	}
	for _, f := range found.Findings {
		if f.Severity.Bad() || f.Subject == "permissions" && f.Severity != jetstream.Fine {
			wrong = append(wrong, f.Subject+": "+f.What)
		}
	}
	return wrong
}
