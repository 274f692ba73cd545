package jetstream_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	driver "github.com/nats-io/nats.go/jetstream"

	"segue/broker"
	"segue/events"
	"segue/journal"
	"segue/journal/jetstream"
)

// patient is a system in which all is well: an orchestrator and a worker of the
// service "svc" live on it.
type patient struct {
	t       *testing.T
	r       *rig
	j       *jetstream.Journal
	js      driver.JetStream
	leave   context.CancelFunc // ends the orchestrator
	members <-chan []journal.Member
	work    journal.Work
}

func newPatient(t *testing.T) *patient {
	t.Helper()
	r := newRig(t, broker.Config{})
	// Leases are as usual, so that the queues are as declared.
	j, nc := r.open(t, jetstream.Options{Services: []string{"svc"}, Lease: journal.Lease})
	js, err := driver.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	p := &patient{t: t, r: r, j: j, js: js}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	p.leave = cancel
	if p.members, err = j.Members(ctx, "one", nil); err != nil {
		t.Fatal(err)
	}
	<-p.members // is announced
	if p.work, err = j.Consume(t.Context(), journal.Commands("svc", 4)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.work.Close)
	return p
}

func (p *patient) examine(e jetstream.Examination) jetstream.Examined {
	p.t.Helper()
	nc := p.r.connect(p.t, jetstream.ConnectOptions{})
	found, err := jetstream.Examine(within(p.t, time.Minute), nc, e)
	if err != nil {
		p.t.Fatal(err)
	}
	return found
}

// edit changes a stream behind Segue's back.
func (p *patient) edit(name string, change func(*driver.StreamConfig)) {
	p.t.Helper()
	s, err := p.js.Stream(p.t.Context(), name)
	if err == nil {
		c := s.CachedInfo().Config
		change(&c)
		_, err = p.js.UpdateStream(p.t.Context(), c)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *patient) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// dismiss ends the workers and the orchestrator, and waits until they are gone.
func (p *patient) dismiss() {
	p.work.Close()
	p.leave()
	for range p.members {
	}
}

// commands appends commands for the service.
func (p *patient) commands(n int) {
	var messages []events.Message
	for i := range n {
		s := events.Subject{Kind: events.KindCommand, Run: fmt.Sprintf("run-%d", i), Service: "svc", Step: "s", Attempt: events.Attempt{N: 1}}
		messages = append(messages, events.Message{Subject: s.String(), Data: []byte("{}")})
	}
	p.must(p.j.Append(p.t.Context(), messages...))
}

func list(found []jetstream.Finding) string {
	var b strings.Builder
	for _, f := range found {
		fmt.Fprintf(&b, "%s  %s: %s (%s)\n", f.Severity, f.Subject, f.What, f.Do)
	}
	return b.String()
}

func bad(found []jetstream.Finding) []jetstream.Finding {
	return slices.DeleteFunc(slices.Clone(found), func(f jetstream.Finding) bool { return !f.Severity.Bad() })
}

// TestHealthy holds that the doctor finds nothing wrong where nothing is, and
// changes nothing.
func TestHealthy(t *testing.T) {
	t.Parallel()
	p := newPatient(t)
	before := p.states()
	found := p.examine(jetstream.Examination{Services: []string{"svc"}})
	if wrong := bad(found.Findings); len(wrong) > 0 {
		t.Errorf("something is wrong where all is well:\n%s", list(wrong))
	}
	if found.Orchestrators != 1 || !found.Ready || found.Starts != 0 || !slices.Equal(found.Services, []string{"svc"}) {
		t.Errorf("found %+v", found)
	}
	if after := p.states(); after != before {
		t.Errorf("the examination left traces: before\n%safter\n%s", before, after)
	}
}

// states describes every stream but that of the members, who give signs of life.
func (p *patient) states() string {
	p.t.Helper()
	var b strings.Builder
	streams := p.js.ListStreams(p.t.Context())
	for s := range streams.Info() {
		if s.Config.Name != "KV_"+jetstream.MembersBucket {
			fmt.Fprintf(&b, "%s last %d, %d messages, %d deleted, %d consumers, %+v\n", s.Config.Name, s.State.LastSeq, s.State.Msgs, s.State.NumDeleted, s.State.Consumers, s.Config)
		}
	}
	p.must(streams.Err())
	return b.String()
}

// TestExamineDenied holds that what a user may not do is found, quickly, and that
// what he may not see does not stop the rest.
func TestExamineDenied(t *testing.T) {
	t.Parallel()
	starter := &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: []string{"saga.start.*", "$JS.API.STREAM.INFO.*"}},
		Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX.>"}},
	}
	r := newRig(t, broker.Config{Customize: func(o *server.Options) {
		o.Users = []*server.User{{Username: "admin", Password: "pw"}, {Username: "starter", Password: "pw", Permissions: starter}}
	}})
	admin := r.connect(t, jetstream.ConnectOptions{Options: []nats.Option{nats.UserInfo("admin", "pw")}})
	j, err := jetstream.Open(t.Context(), admin, jetstream.Options{Services: []string{"svc"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(j.Close)
	nc := r.connect(t, jetstream.ConnectOptions{Options: []nats.Option{nats.UserInfo("starter", "pw")}})
	begin := time.Now()
	found, err := jetstream.Examine(t.Context(), nc, jetstream.Examination{Services: []string{"svc"}})
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > 4*time.Second {
		t.Errorf("took %v: denied requests were waited for", took)
	}
	text := list(found.Findings)
	for _, want := range []string{
		"ok  stream SAGA_RUNS: as declared",
		"warning  services: it could not be looked at: the broker denies permission",
		"warning  service svc: it could not be looked at",
		"note  permissions: this user may not cancel and retry runs (publish saga.run.",
		"nor retry rejected starts (publish $JS.API.STREAM.PURGE.SAGA_REJECTED)",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("not found: %s; but\n%s", want, text)
		}
	}
	if strings.Contains(text, "may not start runs") {
		t.Errorf("the user may start runs:\n%s", text)
	}
}
