package jetstream_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	driver "github.com/nats-io/nats.go/jetstream"

	"segue/events"
	"segue/journal"
	"segue/journal/jetstream"
)

// breakage is one thing that is wrong.
type breakage struct {
	name  string
	wrong func(*patient)
	look  jetstream.Examination
	want  []string // "severity subject: part of what", all that is bad
}

var breakages = []breakage{
	{"written twice", func(p *patient) {
		p.edit(jetstream.RunsStream, func(c *driver.StreamConfig) { c.MaxMsgsPerSubject = 5 })
	}, jetstream.Examination{}, []string{"alarm stream SAGA_RUNS: MaxMsgsPerSubject is 5", "warning stream SAGA_RUNS: not as declared: MaxMsgsPerSubject"}},
	{"the old makes room", func(p *patient) {
		p.edit(jetstream.RejectedStream, func(c *driver.StreamConfig) { c.DiscardNewPerSubject, c.Discard = false, driver.DiscardOld })
	}, jetstream.Examination{}, []string{"alarm stream SAGA_REJECTED: Discard is old", "warning stream SAGA_REJECTED: not as declared"}},
	{"messages expire", func(p *patient) {
		p.edit(jetstream.RunsStream, func(c *driver.StreamConfig) { c.MaxAge = time.Hour })
	}, jetstream.Examination{}, []string{"alarm stream SAGA_RUNS: MaxAge is 1h"}},
	{"messages may ask to expire", func(p *patient) {
		p.edit(jetstream.RunsStream, func(c *driver.StreamConfig) { c.AllowMsgTTL = true })
	}, jetstream.Examination{}, []string{"alarm stream SAGA_RUNS: AllowMsgTTL is on"}},
	{"replaced by a rollup", func(p *patient) {
		p.edit(jetstream.RejectedStream, func(c *driver.StreamConfig) { c.AllowRollup = true })
	}, jetstream.Examination{}, []string{"alarm stream SAGA_REJECTED: AllowRollup is on", "warning stream SAGA_REJECTED: not as declared: AllowRollup"}},
	{"no batches", func(p *patient) {
		p.edit(jetstream.RunsStream, func(c *driver.StreamConfig) { c.AllowAtomicPublish = false })
	}, jetstream.Examination{}, []string{"warning stream SAGA_RUNS: AllowAtomicPublish is false"}},
	{"counted", func(p *patient) {
		p.edit(jetstream.RunsStream, func(c *driver.StreamConfig) { c.MaxMsgs = 1000 })
	}, jetstream.Examination{}, []string{"warning stream SAGA_RUNS: 1000 messages at most"}},
	{"a stream is missing", func(p *patient) {
		p.must(p.js.DeleteStream(p.t.Context(), jetstream.RejectedStream))
	}, jetstream.Examination{}, []string{"alarm stream SAGA_REJECTED: missing"}},
	{"the partition count is lost", func(p *patient) {
		p.edit(jetstream.RunsStream, func(c *driver.StreamConfig) { delete(c.Metadata, jetstream.MetaPartitions) })
	}, jetstream.Examination{}, []string{"alarm stream SAGA_RUNS: segue.partitions"}},
	{"nearly full", func(p *patient) {
		p.edit(jetstream.RunsStream, func(c *driver.StreamConfig) { c.MaxBytes = 2000 })
		s := events.RunSubject(events.KindStarted, "a", 16)
		p.must(p.j.Append(p.t.Context(), events.Message{Subject: s.String(), Data: make([]byte, 1700)}))
	}, jetstream.Examination{}, []string{"warning stream SAGA_RUNS: nearly full"}},
	{"a queue is missing", func(p *patient) {
		p.work.Close()
		p.must(p.js.DeleteConsumer(p.t.Context(), jetstream.RunsStream, "svc"))
	}, jetstream.Examination{Services: []string{"svc"}}, []string{"alarm service svc: consumer svc of SAGA_RUNS, is missing"}},
	{"commands are given up", func(p *patient) {
		p.consumer("svc", func(c *driver.ConsumerConfig) { c.MaxDeliver = 3 })
	}, jetstream.Examination{}, []string{"alarm service svc: MaxDeliver is 3"}},
	{"a queue is paused", func(p *patient) {
		_, err := p.js.PauseConsumer(p.t.Context(), jetstream.RunsStream, "svc", time.Now().Add(time.Hour))
		p.must(err)
	}, jetstream.Examination{}, []string{"alarm service svc: paused"}},
	{"no worker, nothing to do", func(p *patient) { p.work.Close() },
		jetstream.Examination{}, []string{"warning service svc: no worker is there; nothing waits"}},
	{"no worker, commands wait", func(p *patient) { p.work.Close(); p.commands(3) },
		jetstream.Examination{}, []string{"alarm service svc: no worker is there: 3 commands wait, 0 are under way"}},
	{"commands come again and again", func(p *patient) {
		p.work.Close()
		work, err := p.j.Consume(p.t.Context(), journal.Commands("svc", 16))
		p.must(err)
		p.t.Cleanup(work.Close)
		p.commands(12)
		for again := 0; again < 12; { // each is given back once
			d, err := work.Next(p.t.Context())
			p.must(err)
			if d.Count() > 1 {
				again++
				continue
			}
			p.must(d.Nak(0))
		}
	}, jetstream.Examination{}, []string{"warning service svc: 12 of them delivered more than once"}},
	{"no orchestrator", func(p *patient) { p.leave(); p.gone() },
		jetstream.Examination{}, []string{"alarm orchestrators: none is alive"}},
	{"no orchestrator, starts wait", func(p *patient) {
		p.leave()
		p.gone()
		p.must(p.j.Append(p.t.Context(), events.Message{Subject: "saga.start.a", Data: []byte("{}")}))
	}, jetstream.Examination{}, []string{"alarm orchestrators: none is alive", "alarm starts: 1 wait and no orchestrator"}},
	{"the clock is wrong", func(*patient) {},
		jetstream.Examination{Now: func() time.Time { return time.Now().Add(-time.Hour) }}, []string{"warning clock: ahead of the local one"}},
	{"nothing was ever declared", func(p *patient) {
		p.dismiss()
		streams := p.js.StreamNames(p.t.Context())
		for name := range streams.Name() {
			p.must(p.js.DeleteStream(p.t.Context(), name))
		}
	}, jetstream.Examination{}, []string{
		"alarm stream SAGA_STARTS: missing", "alarm stream SAGA_REJECTED: missing", "alarm stream SAGA_HISTORY: missing",
		"alarm stream SAGA_DEFINITIONS: missing", "alarm stream SAGA_SCHEDULES: missing", "alarm stream KV_SAGA_ORCHESTRATORS: missing", "alarm stream KV_SAGA_HOSTS: missing", "alarm stream OBJ_SAGA_DATA: missing",
		"alarm stream OBJ_SAGA_DOCUMENTS: missing", "alarm stream OBJ_SAGA_SCHEMAS: missing", "alarm stream SAGA_RUNS: missing",
	}},
}

// TestBroken breaks one thing at a time and wants to be told, and to be told
// nothing else.
func TestBroken(t *testing.T) {
	t.Parallel()
	for _, test := range breakages {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := newPatient(t)
			test.wrong(p)
			found := p.examine(test.look)
			wrong := bad(found.Findings)
			for _, f := range wrong {
				if f.Do == "" {
					t.Errorf("of %q it is not said what to do", f.What)
				}
			}
			for _, want := range test.want {
				head, part, _ := strings.Cut(want, ": ")
				i := slices.IndexFunc(wrong, func(f jetstream.Finding) bool {
					return fmt.Sprintf("%s %s", f.Severity, f.Subject) == head && strings.Contains(f.What, part)
				})
				if i < 0 {
					t.Errorf("not found: %s; but\n%s", want, list(found.Findings))
					continue
				}
				wrong = slices.Delete(wrong, i, i+1)
			}
			if len(wrong) > 0 {
				t.Errorf("found as well:\n%s", list(wrong))
			}
		})
	}
}

// gone waits until the orchestrator has left.
func (p *patient) gone() {
	for range p.members {
	}
}

// consumer changes the queue of a service behind Segue's back.
func (p *patient) consumer(name string, change func(*driver.ConsumerConfig)) {
	p.t.Helper()
	c, err := p.js.Consumer(p.t.Context(), jetstream.RunsStream, name)
	if err == nil {
		config := c.CachedInfo().Config
		change(&config)
		_, err = p.js.UpdateConsumer(p.t.Context(), jetstream.RunsStream, config)
	}
	p.must(err)
}
