package engine_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"segue/document"
	"segue/events"
	"segue/journal"
	"segue/journal/memory"
	"segue/saga/engine"
)

// witness is a journal that keeps what is appended below a prefix.
type witness struct {
	journal.Journal
	prefix string
	mu     sync.Mutex
	seen   []events.Message
}

func (w *witness) Append(ctx context.Context, messages ...events.Message) error {
	err := w.Journal.Append(ctx, messages...)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range messages {
		if err == nil && strings.HasPrefix(m.Subject, w.prefix) {
			w.seen = append(w.seen, m)
		}
	}
	return err
}

// rejections returns what was appended, by subject, with data brought back.
func (w *witness) rejections(s *stage) map[string]events.StartRejected {
	s.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	all := make(map[string]events.StartRejected)
	for _, m := range w.seen {
		e, err := events.Decode(m)
		if err == nil {
			e, err = document.CheckOut(s.ctx, s.data, e)
		}
		var r events.StartRejected
		if err == nil {
			err = events.ReadData(e, &r)
		}
		if err != nil || e.Type != events.TypeStartRejected {
			s.t.Fatalf("rejection %s cannot be read: %s, %v", m.Subject, e.Type, err)
		}
		all[m.Subject] = r
	}
	return all
}

// rejecting starts an engine for saga one and returns what it rejects.
func (s *stage) rejecting() *witness {
	w := &witness{prefix: "saga.rejected."}
	s.engine("a", func(c *engine.Config) { w.Journal, c.Journal = c.Journal, w }, load(s.t, one))
	return w
}

func TestStartForms(t *testing.T) {
	onStage(t, memory.Config{}, func(s *stage) {
		s.engine("a", nil, load(t, one))
		s.serve(func(events.Entry) answer { return completed })
		subject := events.StartSubject("one").String()
		structured, err := events.EncodeStructured(subject, event("structured", `{"n":2}`))
		if err != nil {
			t.Fatal(err)
		}
		binary := event("binary", `{"n":1}`)
		binary.CorrelationID, binary.TraceParent = "order 7", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
		s.publish(events.Encode(subject, binary), structured,
			events.Message{Subject: subject, Data: []byte(`{"n":3}`)},
			events.Message{Subject: subject, Data: []byte(`{"n":3}`), Header: events.Header{events.HeaderMsgID: {"mine"}}},
		)
		bare, err := events.DecodeStart(events.Message{Subject: subject, Data: []byte(`{"n":3}`)})
		if err != nil {
			t.Fatal(err)
		}
		for id, input := range map[string]string{
			run("binary"): `{"n":1}`, run("structured"): `{"n":2}`,
			events.RunID(bare.Source, bare.ID): `{"n":3}`, events.RunID(bare.Source, "mine"): `{"n":3}`,
		} {
			s.await(id, events.TypeRunCompleted, time.Minute)
			entries := s.journal(id)
			var started events.RunStarted
			if err := events.ReadData(entries[0].Event, &started); err != nil || string(started.Input) != input {
				t.Errorf("run %s started with %s (%v), want %s", id, started.Input, err, input)
			}
			wantText(t, s.told(id), "started run.started\ncommand work.1 step.requested\noutcome work.1 step.completed\nended run.completed")
			for _, e := range entries {
				trace, _ := events.ParseTrace(e.Event.TraceParent)
				if began, _ := events.ParseTrace(binary.TraceParent); id == run("binary") && (e.Event.CorrelationID != "order 7" || trace.ID != began.ID) {
					t.Errorf("%s has correlation %q and trace %q, not the start's", e.Subject, e.Event.CorrelationID, e.Event.TraceParent)
				}
				if id != run("binary") && e.Event.CorrelationID != id {
					t.Errorf("%s has correlation %q, want the run's id", e.Subject, e.Event.CorrelationID)
				}
			}
		}
	})
}

// The same event, however often and in whichever form, is one run, even when
// the broker has forgotten what it had.
func TestSameStartIsOneRun(t *testing.T) {
	onStage(t, memory.Config{}, func(s *stage) {
		a := s.engine("a", nil, load(t, one))
		s.engine("b", nil, load(t, one))
		s.serve(func(events.Entry) answer { return completed })
		for range 50 {
			s.start("one", "same", `{"n":1}`)
			structured, _ := events.EncodeStructured("saga.start.one", event("same", `{"n":1}`))
			s.publish(structured)
		}
		s.await(run("same"), events.TypeRunCompleted, time.Minute)
		s.start("one", "same", `{"n":1}`) // behind its end
		passes(time.Minute)
		records, err := journal.Load(s.ctx, s.broker, events.AllRuns)
		if err != nil || len(records) != 4 {
			t.Errorf("the journal holds %d messages (%v), want the 4 of one run", len(records), err)
		}
		if n := a.gauge(t, "segue_runs_started_total"); n > 1 {
			t.Errorf("engine a counts %v runs", n)
		}
	})
}

func TestRejections(t *testing.T) {
	large := `{"n":"` + strings.Repeat("x", 20<<10) + `"}`
	for name, test := range map[string]struct {
		subject string
		message events.Message
		filed   string // below saga.rejected
		reason  string
	}{
		"unknown-saga": {"saga.start.two", events.Encode("", event("x", `{"n":1}`)), "two." + run("x"), `no saga is named "two"; there are: one`},
		"bad-input":    {"saga.start.one", events.Encode("", event("x", `{"n":"1"}`)), "one." + run("x"), "/n"},
		"no-input":     {"saga.start.one", events.Encode("", event("x", ``)), "one." + run("x"), "does not fit"},
		"no-json":      {"saga.start.one", events.Message{Data: []byte(`{"n":`)}, "one.", "no CloudEvent"},
		"empty":        {"saga.start.one", events.Message{}, "one.", "no CloudEvent"},
		"bad-event":    {"saga.start.one", events.Message{Header: events.Header{"ce-id": {"1"}}, Data: []byte(`{"n":1}`)}, "one.", "specversion"},
		"bad-name":     {"saga.start.a=b", events.Encode("", event("x", `{"n":1}`)), "invalid." + run("x"), "not a saga subject"},
		"large":        {"saga.start.one", events.Encode("", event("x", large)), "one." + run("x"), "/n"},
		"oversized":    {"saga.start.one", events.Encode("", event("x", `"`+strings.Repeat("x", document.DataLimit-4000)+`"`)), "one." + run("x"), "pass a document by its URL"},
		"long-reason":  {"saga.start.one", events.Encode("", event("x", `{"n":1,"`+strings.Repeat("y", 900<<10)+`":1}`)), "one." + run("x"), "/y"},
		"large-headers": {"saga.start.one", events.Message{Data: []byte(`{"n":`), Header: events.Header{
			"a": {"kept"}, "z": {strings.Repeat("\x01", 900<<10)},
		}}, "one.", "no CloudEvent"},
		"foreign-data": {"saga.start.one", events.Encode("", func() events.Event {
			e := event("x", "")
			e.DataRef = "https://example.com/a.json"
			return e
		}()), "one." + run("x"), "not found"},
		"lost-data": {"saga.start.one", events.Encode("", func() events.Event {
			e := event("x", "")
			e.DataRef = document.Ref{Bucket: document.DataBucket, Name: "gone", SHA256: strings.Repeat("0", 64), Size: 9}.URI()
			return e
		}()), "one." + run("x"), "not found"},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, memory.Config{}, func(s *stage) {
				w := s.rejecting()
				test.message.Subject = test.subject
				s.publish(test.message, test.message)
				passes(time.Minute)
				all := w.rejections(s)
				if len(all) != 1 {
					t.Fatalf("there are %d rejections, want 1: %v", len(all), s.logs.text.String())
				}
				for subject, r := range all {
					if !strings.HasPrefix(subject, "saga.rejected."+test.filed) || !strings.Contains(r.Reason, test.reason) {
						t.Errorf("it is filed as %s for %.200q, want %s for %q", subject, r.Reason, test.filed, test.reason)
					}
					if len(r.Reason) > 10<<10 {
						t.Errorf("the reason has %d bytes", len(r.Reason))
					}
					payload := r.Data
					if r.DataRef != "" {
						ref, err := document.ParseURI(r.DataRef)
						if err != nil {
							t.Fatal(err)
						}
						if payload, err = document.ReadAll(s.ctx, s.data, ref); err != nil {
							t.Fatal(err)
						}
					}
					if string(payload) != string(test.message.Data) || r.Subject != test.subject {
						t.Errorf("the start is not kept whole: %d of %d bytes on %s", len(payload), len(test.message.Data), r.Subject)
					}
				}
				if records, err := journal.Load(s.ctx, s.broker, events.AllRuns); err != nil || len(records) != 0 {
					t.Errorf("a rejected start left %d messages of runs (%v)", len(records), err)
				}
				if n := s.logs.count("start is rejected"); n != 2 {
					t.Errorf("the log tells of %d rejections, want one each time: 2", n)
				}
			})
		})
	}
}

// Starts that wait for room wait in their queue, and get it.
func TestMaxRunning(t *testing.T) {
	onStage(t, memory.Config{}, func(s *stage) {
		const most, starts = 5, 40
		p := s.engine("a", func(c *engine.Config) { c.MaxRunning, c.Intake = most, 1 }, load(t, one))
		release := make(chan struct{})
		var mu sync.Mutex
		highest := 0
		s.serve(func(events.Entry) answer {
			mu.Lock()
			highest = max(highest, int(p.gauge(t, "segue_runs_running")))
			mu.Unlock()
			select {
			case <-release:
			case <-s.ctx.Done():
			}
			return completed
		})
		for i := range starts {
			s.start("one", fmt.Sprint(i), `{"n":1}`)
		}
		passes(5 * time.Second)
		// A run counts when it has come back from the journal, so one may slip through.
		if n := p.gauge(t, "segue_runs_running"); n < most || n > most+1 {
			t.Errorf("%v runs go on, want %d", n, most)
		}
		close(release)
		for i := range starts {
			s.await(run(fmt.Sprint(i)), events.TypeRunCompleted, time.Minute)
		}
		passes(time.Second)
		if highest > most+1 {
			t.Errorf("at some time %d runs went on", highest)
		}
	})
}

// deaf is a journal whose user hears of no start.
type deaf struct{ journal.Journal }

func (d deaf) Consume(ctx context.Context, _ journal.Queue) (journal.Work, error) {
	return d.Journal.Consume(ctx, journal.Commands("nobody", 1))
}

// Runs that another engine takes over make room for starts.
func TestRoomComesBack(t *testing.T) {
	onStage(t, memory.Config{}, func(s *stage) {
		const most = 8
		a := s.engine("a", func(c *engine.Config) { c.MaxRunning, c.Intake = most, 1 }, load(t, one))
		for i := range 100 {
			s.start("one", fmt.Sprint(i), `{"n":1}`)
		}
		passes(5 * time.Second)
		taken := a.gauge(t, "segue_starts_total")
		s.engine("b", func(c *engine.Config) { c.Journal = deaf{c.Journal} }, load(t, one))
		passes(2 * time.Second)
		if now := a.gauge(t, "segue_starts_total"); now <= taken {
			t.Errorf("engine a took %v starts and still has when others carry on some of its runs", now)
		}
	})
}

// mortal is a journal whose user dies as soon as it has appended something.
type mortal struct{ *memory.Client }

func (m mortal) Append(ctx context.Context, messages ...events.Message) error {
	err := m.Client.Append(ctx, messages...)
	m.Kill()
	return err
}

// An engine dies between storing a run and acking its start: the start comes
// again and finds its run.
func TestStartComesAgain(t *testing.T) {
	onStage(t, memory.Config{}, func(s *stage) {
		s.engine("a", func(c *engine.Config) { c.Journal = mortal{s.broker.Client("a")} }, load(t, one))
		s.start("one", "x", `{"n":1}`)
		passes(time.Second)
		if told := s.told(run("x")); !strings.HasPrefix(told, "started run.started") || strings.Contains(told, "outcome") {
			t.Fatalf("the run is\n%s\nwant it started and not further than its first command", told)
		}
		s.serve(func(events.Entry) answer { return completed })
		b := s.engine("b", nil, load(t, one))
		s.await(run("x"), events.TypeRunCompleted, journal.MemberTTL+time.Second)
		if n := b.gauge(t, "segue_starts_total"); n != 0 {
			t.Fatalf("the start was taken in %v times before its lease ran out", n)
		}
		passes(2 * journal.Lease)
		if n := b.gauge(t, "segue_starts_total"); n != 1 {
			t.Errorf("the start came %v times, want once again", n)
		}
		wantText(t, s.told(run("x")), "started run.started\ncommand work.1 step.requested\noutcome work.1 step.completed\nended run.completed")
	})
}
