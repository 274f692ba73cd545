package engine_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"segue/document"
	"segue/events"
	"segue/journal"
	"segue/journal/memory"
	"segue/saga"
	"segue/saga/engine"
)

// What cannot be carried on is told, and holds nothing up.
func TestOrphans(t *testing.T) {
	onStage(t, memory.Config{}, func(s *stage) {
		d := load(t, one)
		now := time.Now()
		lost := saga.NewStarted(load(t, two), event("lost", `{}`), journal.DefaultPartitions, now)
		broken := saga.NewStarted(d, event("broken", `{"n":1}`), journal.DefaultPartitions, now)
		broken.Event.Data = []byte(`[]`)
		elsewhere := saga.NewStarted(d, event("elsewhere", `{"n":1}`), journal.DefaultPartitions, now)
		elsewhere.Subject.Partition = (elsewhere.Subject.Partition + 1) % journal.DefaultPartitions
		garbage := saga.NewStarted(d, event("garbage", `{"n":1}`), journal.DefaultPartitions, now).Subject.String()
		s.publish(lost.Message(), broken.Message(), elsewhere.Message(), events.Message{Subject: garbage, Data: []byte("?")})
		p := s.engine("a", nil, d)
		s.serve(func(events.Entry) answer { return completed })
		for i := range 50 { // in every partition
			s.start("one", fmt.Sprint(i), `{"n":1}`)
		}
		for i := range 50 {
			s.await(run(fmt.Sprint(i)), events.TypeRunCompleted, time.Minute)
		}
		if n := p.gauge(t, "segue_runs_orphaned_total"); n != 4 {
			t.Errorf("%v orphans are counted, want 4", n)
		}
		for _, id := range []string{"lost", "broken", "elsewhere", "garbage"} {
			if n := s.logs.count(`"level":"ERROR"`, "run cannot be carried on", run(id)); n != 1 {
				t.Errorf("run %s is reported %d times, want once", id, n)
			}
		}
	})
}

// A service, or whoever may write as one, stores what no engine can read: the
// run goes on with an unknown outcome, and the others are not held up.
func TestUnreadableOutcomes(t *testing.T) {
	for name, spoil := range map[string]func(*events.Message){
		"no-event":     func(m *events.Message) { m.Header = nil },
		"no-json":      func(m *events.Message) { m.Data = []byte("{") },
		"foreign-data": func(m *events.Message) { m.Data = nil; m.Header.Set("ce-dataref", "https://example.com/x") },
		"lost-data": func(m *events.Message) {
			m.Data = nil
			m.Header.Set("ce-dataref", document.Ref{Bucket: document.DataBucket, Name: "x", SHA256: strings.Repeat("0", 64), Size: 1}.URI())
		},
		"huge-data": func(m *events.Message) {
			m.Data = nil
			m.Header.Set("ce-dataref", document.Ref{Bucket: document.DataBucket, Name: "x", SHA256: strings.Repeat("0", 64), Size: 1 << 40}.URI())
		},
		"strange-type": func(m *events.Message) { m.Header.Set("ce-type", "segue.step.completed.v9") },
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, memory.Config{Partitions: 1}, func(s *stage) {
				s.engine("a", nil, load(t, one))
				var spoiled atomic.Bool
				work, err := s.broker.Consume(s.ctx, journal.Commands("worker", 10))
				if err != nil {
					t.Fatal(err)
				}
				s.all.Go(func() {
					for {
						d, err := work.Next(s.ctx)
						if err != nil {
							return
						}
						command, _ := events.DecodeEntry(d.Message(), d.Stored(), 0)
						m := reply(command, completed)
						if command.Subject.Run == run("bad") && spoiled.CompareAndSwap(false, true) {
							spoil(&m)
						}
						_ = s.broker.Append(s.ctx, m)
					}
				})
				s.start("one", "bad", `{"n":1}`)
				s.await(run("bad"), events.TypeStepRequested, time.Minute)
				s.start("one", "good", `{"n":1}`)
				s.await(run("good"), events.TypeRunCompleted, time.Minute)
				s.await(run("bad"), events.TypeRunCompleted, time.Minute)
				if n := strings.Count(s.toldRaw(run("bad")), "command"); n != 2 {
					t.Errorf("the step was asked for %d times, want again after the unreadable outcome: 2", n)
				}
			})
		})
	}
}

// toldRaw lists the subjects of a run, some of whose messages cannot be read.
func (s *stage) toldRaw(run string) string {
	records, err := journal.Load(s.ctx, s.broker, events.RunFilter(run))
	if err != nil {
		s.t.Fatal(err)
	}
	var subjects []string
	for _, r := range records {
		subjects = append(subjects, r.Subject)
	}
	return strings.Join(subjects, "\n")
}

// Outputs that together are too large for the next step, for an undo or for the
// end of a run hold nothing up.
func TestTooLarge(t *testing.T) {
	bulk := `"` + strings.Repeat("x", 700<<10) + `"`
	send := func(s *stage, c events.Entry) answer {
		switch {
		case c.Subject.Attempt.Undo:
			return undone
		case c.Subject.Step == "last":
			return refusing
		}
		e := events.Event{Data: []byte(bulk)}
		e, err := document.CheckIn(s.ctx, s.data, e)
		if err != nil {
			s.t.Errorf("check in: %v", err)
		}
		m := reply(c, answer{events.TypeStepCompleted, nil})
		m.Header.Set("ce-dataref", e.DataRef)
		s.publish(m)
		return answer{}
	}
	for name, test := range map[string]struct{ text, want string }{
		"command": {`
saga: big
steps:
  a: {service: worker, undo: true}
  b: {service: worker}
  c: {service: worker, needs: [a, b], with: {a: "${steps.a}", b: "${steps.b}"}}`, `
outcome c.1 step.failed
command a.u1 undo.requested
outcome a.u1 undo.completed
ended run.compensated`},
		"undo": {`
saga: big
steps:
  a:    {service: worker}
  b:    {service: worker, needs: [a], with: "${steps.a}", undo: true}
  last: {service: worker, needs: [b]}`, `
command last.1 step.requested
outcome last.1 step.failed
command b.u1 undo.requested
outcome b.u1 undo.completed
ended run.compensated`},
		"end": {`
saga: big
steps:
  a: {service: worker}
  b: {service: worker, needs: [a]}
output: {a: "${steps.a}", b: "${steps.b}"}`, `
outcome b.1 step.completed
ended run.completed`},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, memory.Config{Partitions: 1}, func(s *stage) {
				s.engine("a", func(c *engine.Config) { c.Window = 1 }, load(t, test.text), load(t, one))
				s.serve(func(c events.Entry) answer { return send(s, c) })
				s.start("big", "x", `{}`)
				passes(30 * time.Second)
				s.start("one", "small", `{"n":1}`)
				s.await(run("small"), events.TypeRunCompleted, time.Minute)
				if got := s.told(run("x")); !strings.HasSuffix(got, strings.TrimSpace(test.want)) {
					t.Errorf("the run is\n%s\nwant it to end with%s", got, test.want)
				}
				for _, e := range s.journal(run("x")) {
					e.Event, _ = document.CheckOut(s.ctx, s.data, e.Event)
					if len(e.Event.Data) > document.DataLimit || !json.Valid(append([]byte{}, or(e.Event.Data, "null")...)) {
						t.Errorf("%s has %d bytes of data", e.Subject, len(e.Event.Data))
					}
				}
			})
		})
	}
}

func or(data []byte, other string) []byte {
	if len(data) == 0 {
		return []byte(other)
	}
	return data
}
