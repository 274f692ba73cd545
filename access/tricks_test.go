package access

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"segue/journal/jetstream"
)

// contents lists the subjects of all messages that are kept.
func contents(t *testing.T, admin natsjs.JetStream) (all []string) {
	t.Helper()
	for _, name := range declared {
		s, err := admin.Stream(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		info, err := s.Info(t.Context(), natsjs.WithSubjectFilter(">"))
		if err != nil {
			t.Fatal(err)
		}
		for subject, n := range info.State.Subjects {
			all = append(all, fmt.Sprintf("%s %d", subject, n))
		}
	}
	slices.Sort(all)
	return all
}

func client(t *testing.T, nc *nats.Conn) natsjs.JetStream {
	t.Helper()
	js, err := natsjs.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// publish stores a message, as somebody who may.
func publish(t *testing.T, js natsjs.JetStream, subject, data string) {
	t.Helper()
	if _, err := js.Publish(t.Context(), subject, []byte(data)); err != nil {
		t.Fatalf("publish %s: %v", subject, err)
	}
}

// forged is a subject that answers are sent to by who may not publish there.
const forged = "saga.run.00.FORGED.ended"

// TestAnswersAreNoMessages sends every request that a client may make with an
// answer to a subject of the journal. The broker does not ask whether that is
// allowed; but in the clients' account it is of no use. Beforehand the same is done
// inside the streams' account, where it works, so that the test can fail.
func TestAnswersAreNoMessages(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	nc := r.connect(t, "admin")
	admin := client(t, nc)
	publish(t, admin, "saga.run.00.REAL.command.fetcher.fetch.1", "{}")
	trick := "saga.run.00.INSIDE.ended"
	request(t, nc, "saga.start.ingest", trick, `{}`)
	settle(t, admin)
	if !slices.Contains(contents(t, admin), trick+" 1") {
		t.Fatalf("an answer inside the streams' account is no message: this test shows nothing: %v", contents(t, admin))
	}
	before := contents(t, admin)

	for _, i := range r.identities {
		if i.Inside {
			continue
		}
		nc := r.connect(t, i.Name)
		for _, g := range i.Grants {
			for _, subject := range g.Subjects {
				for _, payload := range []string{``, `{"batch":1}`, `{"last_by_subj":"saga.run.00.REAL.command.fetcher.fetch.1"}`, `{"seq":1}`} {
					request(t, nc, concrete(subject), forged, payload)
				}
			}
		}
	}
	settle(t, admin)
	after := contents(t, admin)
	for _, subject := range after {
		if strings.HasPrefix(subject, forged) {
			t.Errorf("an answer became the message %s", subject)
		}
	}
	if len(after) <= len(before) { // clients did publish what they may
		t.Errorf("nothing was stored by %d requests: they did not arrive", len(after))
	}
}

// request asks for an answer somewhere else.
func request(t *testing.T, nc *nats.Conn, subject, answer, payload string) {
	t.Helper()
	if err := nc.PublishRequest(subject, answer, []byte(payload)); err != nil {
		t.Fatal(err)
	}
	if err := nc.FlushTimeout(patience); err != nil {
		t.Fatal(err)
	}
}

// concrete puts names in the place of wildcards.
func concrete(subject string) string {
	return strings.ReplaceAll(strings.ReplaceAll(subject, "*", "FORGED"), ">", "a.b.1")
}

// settle waits until the broker has done what was asked of it before: streams
// answer in order, and an answer that is stored comes before the next message.
func settle(t *testing.T, admin natsjs.JetStream) {
	t.Helper()
	for range 20 {
		for _, subject := range []string{"saga.start.settle", "saga.rejected.settle.a", "saga.definition.settle", "$KV.SAGA_HOSTS.settle"} {
			_, _ = admin.Publish(t.Context(), subject, nil) // stored or refused, it is answered
		}
	}
}

// TestPushConsumers holds that a consumer which pushes cannot be pointed at a
// subject of the journal by those who read: a consumer pushes where somebody
// listens, and inside the streams' account nobody may, but for answers to himself.
func TestPushConsumers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	admin := client(t, r.connect(t, "admin"))
	publish(t, admin, "saga.history.ingest.completed.RUN", "{}")
	var made []string
	for _, name := range []string{"operator", "observer"} {
		nc := r.connect(t, name)
		if _, err := nc.Subscribe(nc.NewInbox(), func(*nats.Msg) {}); err != nil {
			t.Fatal(err)
		}
		for n, target := range []string{forged, "saga.start.forged", "$JS.API.STREAM.PURGE.SAGA_HISTORY", "_INBOX_orchestrator.forged"} {
			consumer := fmt.Sprintf("%s-%d", name, n)
			text := fmt.Sprintf(`{"stream_name":"SAGA_HISTORY","config":{"name":%q,"deliver_subject":%q,"deliver_policy":"all","ack_policy":"none"}}`, consumer, target)
			answer, err := nc.Request("$JS.API.CONSUMER.CREATE.SAGA_HISTORY."+consumer, []byte(text), patience)
			if err != nil || !strings.Contains(string(answer.Data), `"created"`) {
				t.Fatalf("%s to %s: %s, error %v: this test shows nothing", name, target, answer.Data, err)
			}
			made = append(made, consumer)
		}
	}
	settle(t, admin)
	for _, consumer := range made {
		c, err := admin.PushConsumer(t.Context(), jetstream.HistoryStream, consumer)
		if err == nil && c.CachedInfo().Delivered.Consumer > 0 {
			t.Errorf("consumer %s has pushed", consumer)
		}
	}
	all := contents(t, admin)
	if slices.ContainsFunc(all, func(s string) bool {
		return strings.HasPrefix(s, forged) || strings.HasPrefix(s, "saga.start.forged")
	}) {
		t.Errorf("a pushed message was stored: %v", all)
	}
	if !slices.Contains(all, "saga.history.ingest.completed.RUN 1") {
		t.Errorf("the history is gone: %v", all)
	}
}

// TestHeaders holds that headers by which a publisher tells the broker what to do
// harm nothing that is there already.
func TestHeaders(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	admin := client(t, r.connect(t, "admin"))
	publish(t, admin, "saga.start.ingest", "first")
	publish(t, admin, "saga.run.00.RUN.outcome.stock.step.1", "first")
	publish(t, admin, "saga.run.00.RUN.ended", "first")
	for _, attack := range []struct{ as, subject string }{{"caller", "saga.start.ingest"}, {"stock", "saga.run.00.RUN.outcome.stock.step.1"}} {
		nc := r.connect(t, attack.as)
		for _, header := range []nats.Header{
			{"Nats-Rollup": {"all"}}, {"Nats-Rollup": {"sub"}}, {"Nats-TTL": {"1s"}}, {"Nats-Msg-Id": {"x"}},
			{"Nats-Expected-Last-Sequence": {"1"}}, {"Nats-Expected-Last-Subject-Sequence": {"1"}}, {"Nats-Expected-Last-Subject-Sequence": {"1"}, "Nats-Expected-Last-Subject-Sequence-Subject": {"saga.run.00.RUN.ended"}},
			{"Nats-Schedule": {"@every 1s"}, "Nats-Schedule-Target": {"saga.run.00.FORGED.ended"}}, {"Nats-Schedule-Next": {"purge"}, "Nats-Scheduler": {"saga.run.00.RUN.ended"}},
			{"Nats-Incr": {"+1"}}, {"Nats-Marker-Reason": {"Purge"}}, {"KV-Operation": {"PURGE"}}, {"Nats-Batch-Id": {"b"}, "Nats-Batch-Sequence": {"1"}, "Nats-Batch-Commit": {"1"}},
			{"Nats-Request-Info": {`{"acc":"SEGUE","user":"admin"}`}},
		} {
			m := &nats.Msg{Subject: attack.subject, Header: header, Data: []byte("second")}
			answer, err := nc.RequestMsg(m, patience)
			if err != nil {
				t.Fatalf("%s with %v: %v", attack.as, header, err)
			}
			t.Logf("%s with %v: %s", attack.as, header, answer.Data)
		}
	}
	for stream, subjects := range map[string][]string{
		jetstream.StartsStream: {"saga.start.ingest"}, jetstream.RunsStream: {"saga.run.00.RUN.outcome.stock.step.1", "saga.run.00.RUN.ended"},
	} {
		s, err := admin.Stream(t.Context(), stream)
		if err != nil {
			t.Fatal(err)
		}
		for _, subject := range subjects {
			m, err := s.GetMsg(t.Context(), 1, natsjs.WithGetMsgSubject(subject))
			if err != nil || string(m.Data) != "first" {
				t.Errorf("%s: %v, error %v, want the first message", subject, m, err)
			}
		}
		if info, err := s.Info(t.Context()); err != nil || stream == jetstream.RunsStream && info.State.Msgs != 2 {
			t.Errorf("%s holds %d messages, error %v, want 2", stream, info.State.Msgs, err)
		}
	}
}

// TestForeignAcks holds that no service can settle another's command, with the
// longer form of acknowledgements neither.
func TestForeignAcks(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	admin := client(t, r.connect(t, "admin"))
	publish(t, admin, "saga.run.00.RUN.command.saver.save.1", "{}")
	saver, err := admin.Consumer(t.Context(), jetstream.RunsStream, "saver")
	if err != nil {
		t.Fatal(err)
	}
	message, err := saver.Next(natsjs.FetchMaxWait(patience))
	if err != nil {
		t.Fatal(err)
	}
	reply := message.Reply() // $JS.ACK.SAGA_RUNS.saver.1.1.1.TIME.0
	tail := strings.TrimPrefix(reply, "$JS.ACK.SAGA_RUNS.saver.")
	nc := r.connect(t, "fetcher")
	for _, subject := range []string{
		reply,
		"$JS.ACK.SAGA_RUNS.saver.SAGA_RUNS.fetcher.1.1.0", // five tokens in the place of the numbers
		"$JS.ACK.SAGA_RUNS.saver.SAGA_RUNS.fetcher." + tail,
		"$JS.ACK._.HASH.SAGA_RUNS.saver." + tail,
		"$JS.ACK.SAGA_RUNS.fetcher." + tail,
	} {
		for _, what := range []string{"+ACK", "+TERM", "-NAK"} {
			request(t, nc, subject, nc.NewInbox(), what)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	info, err := saver.Info(ctx)
	if err != nil || info.NumAckPending != 1 || info.NumRedelivered != 0 {
		t.Errorf("the command is settled by a stranger: %+v, error %v", info, err)
	}
	if err := message.DoubleAck(ctx); err != nil {
		t.Errorf("the command cannot be settled by its own worker: %v", err)
	}
}
