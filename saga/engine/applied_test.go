package engine_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"segue/document"
	"segue/events"
	"segue/journal/memory"
	"segue/saga"
	"segue/saga/engine"
)

// oneNewer is saga one with another name for its step.
var oneNewer = strings.Replace(strings.ReplaceAll(one, "work:", "newer:"), "steps.work", "steps.newer", 1)

// apply publishes a definition as segue apply does.
func (s *stage) apply(d *saga.Definition, edit func(*events.Entry)) {
	s.t.Helper()
	entry := saga.NewApplied(d, events.NewStartID(), time.Now())
	if edit != nil {
		edit(&entry)
	}
	event, err := document.CheckIn(s.ctx, s.data, entry.Event)
	if err != nil {
		s.t.Fatal(err)
	}
	entry.Event = event
	s.publish(entry.Message())
}

// startedWith returns the digest that a run was started with.
func (s *stage) startedWith(id string) string {
	s.t.Helper()
	data, err := saga.ReadStarted(s.await(run(id), events.TypeRunStarted, 5*time.Second))
	if err != nil {
		s.t.Fatal(err)
	}
	return data.Digest
}

// TestApplied holds that new starts get the definition that was applied last, in
// place of the one the engine was given, also after a restart, and that a run under
// way keeps its own.
func TestApplied(t *testing.T) {
	onStage(t, memory.Config{}, func(s *stage) {
		given, newer := load(t, one), load(t, oneNewer)
		first := s.engine("a", nil, given)
		s.start("one", "before", `{"n":1}`)
		if got := s.startedWith("before"); got != given.Digest {
			t.Errorf("a start before has digest %.8s, want the given one", got)
		}
		s.apply(newer, nil)
		passes(time.Second)
		s.start("one", "behind", `{"n":1}`)
		if got := s.startedWith("behind"); got != newer.Digest {
			t.Errorf("a start behind has digest %.8s, want the applied one", got)
		}
		if err := first.stop(); err != nil {
			t.Fatal(err)
		}
		s.engine("b", nil, given)
		s.start("one", "again", `{"n":1}`)
		if got := s.startedWith("again"); got != newer.Digest {
			t.Errorf("a start after the restart has digest %.8s, want the applied one", got)
		}
		s.serve(func(events.Entry) answer { return completed })
		for _, id := range []string{"before", "behind", "again"} {
			s.await(run(id), events.TypeRunCompleted, time.Minute)
		}
		wantText(t, s.told(run("before")), `
started run.started
command work.1 step.requested
outcome work.1 step.completed
ended run.completed`)
		s.apply(given, nil) // back to the older one
		passes(time.Second)
		s.start("one", "back", `{"n":1}`)
		if got := s.startedWith("back"); got != given.Digest {
			t.Errorf("a start after the way back has digest %.8s, want the older one", got)
		}
	})
}

// TestAppliedNew holds that a saga nobody was given can be applied, large or small,
// and that the queues of its services are declared first.
func TestAppliedNew(t *testing.T) {
	onStage(t, memory.Config{}, func(s *stage) {
		var mu sync.Mutex
		var declared []string
		s.engine("a", func(c *engine.Config) {
			c.DeclareQueues = func(_ context.Context, services []string) error {
				mu.Lock()
				defer mu.Unlock()
				declared = append(declared, services...)
				return nil
			}
		})
		large := strings.Replace(one, "steps:", "output: {text: "+strings.Repeat("x", document.InlineLimit)+"}\nsteps:", 1)
		large = strings.Replace(large, "\noutput: ${steps.work}", "", 1)
		s.apply(load(t, large), nil)
		passes(time.Second)
		s.serve(func(events.Entry) answer { return completed })
		s.start("one", "x", `{"n":1}`)
		s.await(run("x"), events.TypeRunCompleted, time.Minute)
		mu.Lock()
		defer mu.Unlock()
		if !slices.Equal(declared, []string{"worker"}) {
			t.Errorf("queues declared: %v", declared)
		}
	})
}

// TestAppliedRefused holds that what check refuses, and what is no definition at
// all, is logged and changes nothing, live or at the start of an engine.
func TestAppliedRefused(t *testing.T) {
	onStage(t, memory.Config{}, func(s *stage) {
		given, good := load(t, one), load(t, oneNewer)
		first := s.engine("a", nil, given)
		s.apply(good, nil)
		bad := load(t, "saga: one\nsteps: {a: {service: worker}}")
		for _, edit := range []func(*events.Entry){
			nil, // forgets its undo
			func(e *events.Entry) { e.Event.Data = []byte(`{}`) },
			func(e *events.Entry) { e.Event.Data = []byte(`nothing`) },
			func(e *events.Entry) { e.Event.Type = events.TypeRunStarted },
			func(e *events.Entry) {
				e.Event.Data = events.MarshalData(events.DefinitionApplied{Digest: "0", Text: given.Text})
			},
			func(e *events.Entry) {
				d := load(t, two)
				e.Event.Data = events.MarshalData(events.DefinitionApplied{Digest: d.Digest, Text: d.Text})
			},
		} {
			s.apply(bad, edit)
		}
		s.publish(events.Message{Subject: events.DefinitionSubject("one").String(), Data: []byte("hello")})
		passes(time.Second)
		if n := s.logs.count("applied definition is refused"); n != 7 {
			t.Errorf("%d refusals are logged, want 7\n%s", n, s.logs.text.String())
		}
		if s.logs.count("refused", "step a forgets its undo", "write undo: true") != 1 {
			t.Errorf("the reason is not logged\n%s", s.logs.text.String())
		}
		s.start("one", "x", `{"n":1}`)
		if got := s.startedWith("x"); got != good.Digest {
			t.Errorf("digest %.8s, want that of the last good one", got)
		}
		if err := first.stop(); err != nil {
			t.Fatal(err)
		}
		s.engine("b", nil, given)
		s.start("one", "y", `{"n":1}`)
		if got := s.startedWith("y"); got != good.Digest {
			t.Errorf("after a restart digest %.8s, want that of the last good one", got)
		}
	})
}
