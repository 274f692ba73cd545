package jetstream_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"segue/broker"
	"segue/document"
	"segue/document/objectstore"
	"segue/events"
	"segue/journal"
	"segue/journal/jetstream"
)

// servicePermissions is the list of the package documentation for service "svc".
func servicePermissions() *server.Permissions {
	publish := []string{
		"saga.run.*.*.outcome.svc.>",
		"$JS.API.STREAM.INFO.SAGA_RUNS",
		"$JS.API.CONSUMER.INFO.SAGA_RUNS.svc",
		"$JS.API.CONSUMER.MSG.NEXT.SAGA_RUNS.svc",
		"$JS.API.DIRECT.GET.SAGA_RUNS.saga.run.*.*.outcome.svc.>",
		"$JS.ACK.SAGA_RUNS.svc.>",
		"$JS.ACK.*.*.SAGA_RUNS.svc.>",
	}
	for _, bucket := range []string{document.DataBucket, document.DocumentsBucket} {
		publish = append(publish, "$JS.API.STREAM.INFO.OBJ_"+bucket, "$JS.API.STREAM.MSG.GET.OBJ_"+bucket,
			"$JS.API.DIRECT.GET.OBJ_"+bucket, "$JS.API.STREAM.PURGE.OBJ_"+bucket, "$O."+bucket+".>")
	}
	return &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: publish},
		Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX_svc.>"}},
	}
}

// guarded is a broker with an administrator and a service as users, and a journal
// that the administrator opened.
func guarded(t *testing.T) (r *rig, admin *jetstream.Journal) {
	t.Helper()
	r = newRig(t, broker.Config{Customize: func(o *server.Options) {
		o.Users = []*server.User{
			{Username: "admin", Password: "pw"},
			{Username: "svc", Password: "pw", Permissions: servicePermissions()},
		}
	}})
	nc := r.connect(t, jetstream.ConnectOptions{Options: []nats.Option{nats.UserInfo("admin", "pw")}})
	admin, err := jetstream.Open(t.Context(), nc, jetstream.Options{Lease: testLease, Services: []string{"svc", "other"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(admin.Close)
	return r, admin
}

// asService binds the journal as the service; what is fatal comes on the channel.
func asService(t *testing.T, r *rig) (*jetstream.Journal, *nats.Conn, chan error) {
	t.Helper()
	fatal := make(chan error, 10)
	nc := r.connect(t, jetstream.ConnectOptions{InboxPrefix: "_INBOX_svc", Options: []nats.Option{nats.UserInfo("svc", "pw")}})
	j, err := jetstream.Bind(t.Context(), nc, jetstream.Options{Fatal: func(err error) { fatal <- err }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(j.Close)
	return j, nc, fatal
}

// TestLeastPrivilege does all that a service does, with the permissions that the
// package documentation lists and no others.
func TestLeastPrivilege(t *testing.T) {
	t.Parallel()
	r, admin := guarded(t)
	j, nc, fatal := asService(t, r)
	if _, err := j.Info(t.Context()); err != nil {
		t.Fatal(err)
	}
	work, err := j.Consume(t.Context(), journal.Commands("svc", 4))
	if err != nil {
		t.Fatal(err)
	}
	if err := admin.Append(t.Context(), manyCommands(60)...); err != nil {
		t.Fatal(err)
	}
	var outcomes []events.Message
	for i := range 60 {
		d, err := work.Next(within(t, time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		s, err := events.ParseSubject(d.Message().Subject)
		if err != nil {
			t.Fatal(err)
		}
		outcomes = append(outcomes, events.Message{Subject: s.With(events.KindOutcome).String(), Data: []byte("done")})
		if i == 0 {
			if err := errors.Join(d.Extend(), d.Nak(0)); err != nil {
				t.Error(err)
			}
			if d, err = work.Next(within(t, time.Minute)); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(d.Extend(), d.DoubleAck(t.Context())); err != nil {
			t.Error(err)
		}
	}
	work.Close()
	if err := j.Append(t.Context(), outcomes[0]); err != nil {
		t.Errorf("append an outcome: %v", err)
	}
	if err := j.Append(t.Context(), outcomes[1:]...); err != nil {
		t.Errorf("append many outcomes: %v", err)
	}
	for i, m := range outcomes {
		if got, err := j.Load(t.Context(), m.Subject); err != nil || len(got) != 1 || string(got[0].Data) != "done" {
			t.Fatalf("load outcome %d: %v, %v", i, got, err)
		}
	}
	none := strings.Replace(outcomes[0].Subject, ".1", ".2", 1)
	if got, err := j.Load(t.Context(), none); err != nil || len(got) != 0 {
		t.Errorf("load an outcome that is not there: %v, %v", got, err)
	}
	for _, bucket := range []string{document.DataBucket, document.DocumentsBucket} {
		if err := useDocuments(t, nc, bucket); err != nil {
			t.Errorf("%s: %v", bucket, err)
		}
	}
	select {
	case err := <-fatal:
		t.Errorf("something was denied: %v", err)
	default:
	}
}

func useDocuments(t *testing.T, nc *nats.Conn, bucket string) error {
	s, err := objectstore.Open(t.Context(), nc, bucket)
	if err != nil {
		return err
	}
	data := bytes.Repeat([]byte("0123456789"), 100_000)
	for range 2 { // the second replaces the first
		ref, err := s.Put(t.Context(), "a/b/1", bytes.NewReader(data))
		if err != nil {
			return err
		}
		if got, err := document.ReadAll(t.Context(), s, ref); err != nil || !bytes.Equal(got, data) {
			return errors.Join(err, errors.New("other bytes were read"))
		}
	}
	return s.Delete(t.Context(), "a/b/1")
}

// TestDenied tries what a service must not do. Each must fail at once, and tell.
func TestDenied(t *testing.T) {
	t.Parallel()
	r, admin := guarded(t)
	outcome := func(service string) events.Message {
		s := events.RunSubject(events.KindOutcome, "a", journal.DefaultPartitions)
		s.Service, s.Step, s.Attempt = service, "step", events.Attempt{N: 1}
		return events.Message{Subject: s.String(), Data: []byte("forged")}
	}
	for name, try := range map[string]func(*jetstream.Journal) error{
		"saga.run": func(j *jetstream.Journal) error { return j.Append(t.Context(), outcome("other")) },
		"saga.start": func(j *jetstream.Journal) error {
			return j.Append(t.Context(), events.Message{Subject: "saga.start.x"})
		},
		"saga.rejected": func(j *jetstream.Journal) error {
			return j.Append(t.Context(), events.Message{Subject: "saga.rejected.x.y"})
		},
		"command": func(j *jetstream.Journal) error {
			return j.Append(t.Context(), manyCommands(50)...)
		},
		"CONSUMER.INFO.SAGA_RUNS.other": func(j *jetstream.Journal) error {
			_, err := j.Consume(t.Context(), journal.Commands("other", 1))
			return err
		},
		"DIRECT.GET.SAGA_RUNS.saga.run.03.a.outcome.other.step.1": func(j *jetstream.Journal) error {
			_, err := j.Load(t.Context(), "saga.run.03.a.outcome.other.step.1")
			return err
		},
		"DIRECT.GET.SAGA_RUNS": func(j *jetstream.Journal) error {
			_, err := j.Load(t.Context(), events.RunFilter("a"))
			return err
		},
		"DIRECT.GET.SAGA_HISTORY": func(j *jetstream.Journal) error {
			_, err := j.Load(t.Context(), events.HistoryFilter("a"))
			return err
		},
		"saga.history": func(j *jetstream.Journal) error {
			return j.Append(t.Context(), events.Message{Subject: "saga.history.d.completed.a"})
		},
		"saga.definition": func(j *jetstream.Journal) error {
			return j.Append(t.Context(), events.Message{Subject: "saga.definition.d"})
		},
		"STREAM.PURGE.SAGA_RUNS": func(j *jetstream.Journal) error {
			return j.Prune(t.Context(), 0, 2)
		},
		"CONSUMER.CREATE": func(j *jetstream.Journal) error {
			_, err := j.Follow(t.Context(), events.AllRuns, 0)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j, _, fatal := asService(t, r)
			begin := time.Now()
			err := try(j)
			if took := time.Since(begin); took > 3*time.Second {
				t.Errorf("it took %v to fail", took)
			}
			if !errors.Is(err, jetstream.ErrDenied) || !strings.Contains(err.Error(), name) {
				t.Errorf("error is %v, want ErrDenied that names %s", err, name)
			}
			select {
			case err := <-fatal:
				if !errors.Is(err, jetstream.ErrDenied) {
					t.Errorf("fatal: %v", err)
				}
			case <-within(t, 10*time.Second).Done():
				t.Error("Fatal was not called")
			}
			if _, err := j.Info(t.Context()); !errors.Is(err, jetstream.ErrDenied) {
				t.Errorf("afterwards info says %v, want ErrDenied", err)
			}
		})
	}
	t.Cleanup(func() {
		records, err := journal.Load(context.WithoutCancel(t.Context()), admin, events.AllRuns)
		if err != nil || len(records) != 0 {
			t.Errorf("the journal holds %d messages, %v", len(records), err)
		}
	})
}

// TestConsumerMustExist: without permission to create it a missing consumer is
// an error that says which.
func TestConsumerMustExist(t *testing.T) {
	t.Parallel()
	r := newRig(t, broker.Config{Customize: func(o *server.Options) {
		o.Users = []*server.User{{Username: "admin", Password: "pw"}, {Username: "svc", Password: "pw", Permissions: servicePermissions()}}
	}})
	nc := r.connect(t, jetstream.ConnectOptions{Options: []nats.Option{nats.UserInfo("admin", "pw")}})
	admin, err := jetstream.Open(t.Context(), nc, jetstream.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	j, _, _ := asService(t, r)
	if _, err := j.Consume(t.Context(), journal.Commands("svc", 1)); !errors.Is(err, jetstream.ErrDenied) || !strings.Contains(err.Error(), "CONSUMER.CREATE.SAGA_RUNS.svc") {
		t.Errorf("error is %v, want ErrDenied that names the consumer", err)
	}
}
