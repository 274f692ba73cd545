package saga

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"segue/events"
)

const forEver = `
saga: order
steps:
  pay:  {service: bank, pivot: true, retry: {attempts: unlimited, backoff: 1ms, max: 1s}}
  ship: {service: depot, needs: [pay], retry: {attempts: unlimited, backoff: 1ms, max: 1s}}
`

// tries stores commands for a step, from one attempt to another, and answers each.
func tries(r *Run, step, from, to int, answer events.Event) {
	for n := from; n <= to; n++ {
		s := r.subject(events.KindCommand, &r.Definition.Steps[step], events.Attempt{N: n})
		stored := time.Unix(int64(n), 0)
		r.Apply(events.Entry{Subject: s, Event: events.Event{ID: "c", Type: events.TypeStepRequested}, Stored: stored, Sequence: uint64(2*n + 10)})
		r.Apply(events.Entry{Subject: s.With(events.KindOutcome), Event: answer, Stored: stored, Sequence: uint64(2*n + 11)})
	}
}

var (
	answerCompleted = events.Event{ID: "o", Type: events.TypeStepCompleted}
	answerRefused   = events.Event{ID: "o", Type: events.TypeStepFailed, Data: events.MarshalData(events.Failed{Message: "no"})}
	answerUnknown   = events.Event{ID: "o", Type: events.TypeStepTimedOut, Data: events.MarshalData(events.TimedOut{AfterMS: 1})}
)

// TestUnlimitedForgets holds that a step which is tried again for ever takes no more
// memory for it, and that nothing else comes of what is forgotten.
func TestUnlimitedForgets(t *testing.T) {
	t.Parallel()
	const attempts = 20_000
	run, _ := begin(t, mustLoad(t, forEver), `null`)
	tries(run, 0, 1, 1, answerUnknown)
	tries(run, 0, 2, attempts, answerRefused)
	if n := len(run.steps[0].do); n > remembered+2 {
		t.Errorf("%d attempts are kept after %d", n, attempts)
	}
	s := run.Do(0)
	if s.Phase != PhaseWaiting || s.Next != attempts+1 || !s.Unknown || !run.Committed() || run.Status() != StatusRunning {
		t.Errorf("standing %+v, committed %t, status %s", s, run.Committed(), run.Status())
	}
	if wait := s.due.Sub(time.Unix(attempts, 0)); wait < time.Second/2 || wait > time.Second {
		t.Errorf("the next attempt is due after %s, want the longest pause, less its jitter", wait)
	}
	if v := run.View().Steps[0]; v.Attempts != attempts || !v.Started.Equal(time.Unix(1, 0)) || v.State != StateRetrying {
		t.Errorf("it shows as %+v", v)
	}
	essence := run.Essence()
	again, err := Begin(run.Definition, essence[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range essence[1:] {
		again.Apply(e)
	}
	if !reflect.DeepEqual(again, run) {
		t.Errorf("the essence makes another run:\n%+v\nwant\n%+v", again, run)
	}
	tries(run, 0, attempts+1, attempts+1, answerCompleted)
	if run.Do(0).Phase != PhaseDone || run.Decide(time.Unix(attempts, 0)).Append[0].Subject.Step != "ship" {
		t.Error("the run does not go on when the step completes")
	}
}

// TestUnlimitedOrder holds that also a run that forgets comes to the same in any order
// of its messages, each of which comes twice.
func TestUnlimitedOrder(t *testing.T) {
	t.Parallel()
	const seed, attempts = 5, 40
	t.Log("seed", seed)
	d := mustLoad(t, forEver)
	run, started := begin(t, d, `null`)
	var messages []events.Entry
	for step, answers := range [][]events.Event{{answerUnknown, answerRefused}, {answerRefused, answerUnknown}} {
		for n := 1; n <= attempts; n++ {
			answer := answers[min(1, n/20)] // the first kind, and the other from 20 on
			if n == attempts && step == 0 {
				answer = answerCompleted
			}
			s := run.subject(events.KindCommand, &d.Steps[step], events.Attempt{N: n})
			at := uint64(1000*step + 2*n)
			messages = append(messages,
				events.Entry{Subject: s, Event: events.Event{ID: "c", Type: events.TypeStepRequested}, Stored: time.Unix(int64(at), 0), Sequence: at},
				events.Entry{Subject: s.With(events.KindOutcome), Event: answer, Stored: time.Unix(int64(at+1), 0), Sequence: at + 1})
		}
	}
	for _, m := range messages {
		run.Apply(m)
	}
	want, now := run.View(), time.Unix(5000, 0)
	if want.Steps[1].State != StateRetrying || want.Steps[1].Attempts != attempts {
		t.Fatalf("the run is %+v", want)
	}
	random := rand.New(rand.NewPCG(seed, 1))
	for range 200 {
		other, err := Begin(d, started)
		if err != nil {
			t.Fatal(err)
		}
		twice := slices.Concat(messages, messages)
		random.Shuffle(len(twice), func(i, j int) { twice[i], twice[j] = twice[j], twice[i] })
		for _, m := range twice {
			other.Apply(m)
		}
		if got := other.View(); !reflect.DeepEqual(got, want) {
			t.Fatalf("the run is\n%+v\nand in order\n%+v", got, want)
		}
		if got := other.Decide(now); !reflect.DeepEqual(got, run.Decide(now)) {
			t.Fatalf("decided\n%+v\nand in order\n%+v", got, run.Decide(now))
		}
	}
}

// TestUnlimitedEnds holds that a step which has come to the last number that a
// subject can hold is stuck for everyone to see, and not silent.
func TestUnlimitedEnds(t *testing.T) {
	t.Parallel()
	run, _ := begin(t, mustLoad(t, forEver), `null`)
	tries(run, 0, 1, 1, answerCompleted)
	tries(run, 1, events.MaxAttempt-1, events.MaxAttempt-1, answerRefused)
	if s := run.Do(1); s.Phase != PhaseWaiting || s.Next != events.MaxAttempt {
		t.Errorf("before the last attempt: %+v", s)
	}
	tries(run, 1, events.MaxAttempt, events.MaxAttempt, answerRefused)
	if run.Status() != StatusStuck || run.Do(1).Phase != PhaseExhausted {
		t.Errorf("after the last attempt the run is %s: %+v", run.Status(), run.Do(1))
	}
	if d := run.Decide(time.Unix(1<<40, 0)); len(d.Append) != 0 {
		t.Errorf("decided %v", d.Append)
	}
}

// TestClaims holds that an answer to an attempt nobody asked for is not taken for
// one: it does not commit the run, lends no output and takes the room of one message.
func TestClaims(t *testing.T) {
	t.Parallel()
	run, started := begin(t, mustLoad(t, forEver), `null`)
	claim := started.Subject.With(events.KindOutcome)
	claim.Service, claim.Step, claim.Attempt = "bank", "pay", events.Attempt{N: events.MaxAttempt}
	run.Apply(events.Entry{Subject: claim, Event: answerCompleted, Sequence: 5})
	if run.Committed() || run.Do(0).Phase != PhaseIdle || len(run.steps[0].do) != 1 {
		t.Errorf("committed %t, %+v, %d attempts", run.Committed(), run.Do(0), len(run.steps[0].do))
	}
	real := answerCompleted
	real.Data = []byte(`"real"`)
	tries(run, 0, 1, 1, real)
	claim.Attempt.N = 7
	run.Apply(events.Entry{Subject: claim, Event: answerCompleted, Sequence: 99})
	if run.outputs["pay"] != "real" {
		t.Errorf("output %v, want that of the attempt that was asked for", run.outputs["pay"])
	}
}

// TestClone holds that a clone shares nothing that changes.
func TestClone(t *testing.T) {
	t.Parallel()
	run, started := begin(t, mustLoad(t, forEver), `null`)
	tries(run, 0, 1, 1, answerUnknown)
	before := *run.Clone()
	clone := run.Clone()
	tries(clone, 0, 2, 2, answerCompleted)
	clone.Apply(NewSignal(events.RetrySignal(1), started, "", time.Unix(0, 0)))
	if !reflect.DeepEqual(*run, before) {
		t.Errorf("the run was\n%+v and is now\n%+v", before, *run)
	}
	if clone.Do(0).Phase != PhaseDone || run.Do(0).Phase == PhaseDone {
		t.Error("the clone does not go its own way")
	}
}
