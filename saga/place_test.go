package saga

import (
	"reflect"
	"testing"
	"time"

	"segue/events"
)

// TestFirstMessageStays: the first message in a place is the one that counts. The
// journal keeps no second one; a run that is told of one all the same, by a
// journal that was tampered with, stays what it was.
func TestFirstMessageStays(t *testing.T) {
	t.Parallel()
	run, started := begin(t, mustLoad(t, twoSteps), `{"name":"Ada"}`)
	now := time.Unix(1, 0)
	sequence := uint64(1)
	apply := func(e events.Entry) {
		sequence++
		e.Sequence, e.Stored = sequence, now
		run.Apply(e)
	}
	command := run.Decide(now).Append[0]
	outcome := events.Entry{
		Subject: command.Subject.With(events.KindOutcome),
		Event:   events.Event{ID: "first", Type: events.TypeStepCompleted, Data: []byte(`{"title":"Countess"}`)},
	}
	apply(command)
	apply(outcome)
	before := run.Clone()
	for _, second := range []events.Event{
		{ID: "second", Type: events.TypeStepCompleted, Data: []byte(`{"title":"Duchess"}`)},
		{ID: "second", Type: events.TypeStepFailed, Data: []byte(`{"message":"no"}`)},
		{ID: "second", Type: events.TypeStepTimedOut},
		{},
	} {
		outcome.Event = second
		apply(outcome)
		if !reflect.DeepEqual(run, before) {
			t.Fatalf("a second outcome %q has changed the run", second.Type)
		}
	}
	command.Event.ID, command.Event.Type = "second", events.TypeStepWithheld
	apply(command)
	if !reflect.DeepEqual(run, before) {
		t.Error("a second command has changed the run")
	}
	for _, kind := range []string{events.TypeRunCompleted, events.TypeRunCompensated} {
		apply(events.Entry{Subject: started.Subject.With(events.KindEnded), Event: events.Event{ID: kind, Type: kind}})
	}
	if run.Status() != StatusCompleted {
		t.Errorf("the run is %s; it ended completed", run.Status())
	}
}
