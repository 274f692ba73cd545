// Package deploy_test holds that the broker configurations in this folder work.
package deploy_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"segue/daemon"
	"segue/events"
	"segue/journal"
	"segue/journal/jetstream"
	"segue/participant"
	"segue/saga"
	"segue/saga/engine"
	"segue/sagas"
	"segue/services/fetcher/fetch"
	"segue/services/fetcher/turns"
	"segue/services/parser/parse"
	"segue/services/saver/save"
	"segue/services/validator/validate"
)

// patience is how long a run may take on a busy machine.
const patience = time.Minute

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server.(*Server).Start"))
}

// options reads a configuration and puts the server where a test may have it.
func options(t *testing.T, file string) *server.Options {
	t.Helper()
	o, err := server.ProcessConfigFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !o.SyncAlways || o.StoreDir != "/data" || o.HTTPHost != "127.0.0.1" {
		t.Errorf("%s: sync_interval always %t, store_dir %s, http on %s", file, o.SyncAlways, o.StoreDir, o.HTTPHost)
	}
	o.Host, o.Port, o.HTTPPort, o.StoreDir = "127.0.0.1", server.RANDOM_PORT, 0, t.TempDir()
	o.NoLog, o.NoSigs = true, true
	return o
}

func serve(t *testing.T, o *server.Options) string {
	t.Helper()
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(patience) {
		t.Fatal("the server does not start")
	}
	return s.Addr().String()
}

// as returns the URL of the broker with the name and password of a user.
func as(address, user string) string {
	return (&url.URL{Scheme: "nats", User: url.UserPassword(user, "of-"+user), Host: address}).String()
}

// TestUsers runs a saga to its end and another one back, each program with
// nothing but its own permissions.
func TestUsers(t *testing.T) {
	for _, user := range []string{"orchestrator", "fetcher", "validator", "parser", "saver", "caller", "operator"} {
		t.Setenv("SEGUE_"+strings.ToUpper(user)+"_PASSWORD", "of-"+user)
	}
	address := serve(t, options(t, "nats-users.conf"))
	folder := runEverything(t, address)

	nc, err := nats.Connect(as(address, "caller"))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := natsjs.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"good.json": `[{"id":1},{"id":2}]`, "bad.json": `[{"id":1},`} {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := js.Publish(t.Context(), "saga.start.ingest", fmt.Appendf(nil, `{"url":"file://%s"}`, path)); err != nil {
			t.Fatalf("start as caller: %v", err)
		}
	}
	ends := awaitEnds(t, operator(t, address), 2)
	if ends[events.TypeRunCompleted] != 1 || ends[events.TypeRunCompensated] != 1 {
		t.Errorf("runs ended as %v, want one completed and one compensated", ends)
	}
	checkDenied(t, address)
}

// runEverything runs the orchestrator and the services, each on a connection of
// its own user, and returns the folder that documents may be read from.
func runEverything(t *testing.T, address string) string {
	t.Helper()
	folder := t.TempDir()
	definitions, err := sagas.All()
	if err != nil {
		t.Fatal(err)
	}
	db, err := save.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "segue.db"))
	if err != nil {
		t.Fatal(err)
	}
	bus := connect(t, address, "orchestrator", daemon.BusOptions{Declare: true, Services: saga.Services(definitions...)})
	e, err := engine.New(engine.Config{Journal: bus.Journal, Data: bus.Data, Sagas: definitions, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	programs := []func() error{func() error { return e.Run(ctx) }}
	for name, make := range map[string]func(*daemon.Bus) (participant.Service, error){
		"fetcher": func(b *daemon.Bus) (participant.Service, error) {
			if err := useTurns(t.Context(), b); err != nil {
				return participant.Service{}, err
			}
			return fetch.New(fetch.Config{AllowFiles: []string{folder}}, b.Documents)
		},
		"validator": func(b *daemon.Bus) (participant.Service, error) {
			schemas, err := b.Schemas(t.Context())
			if err != nil {
				return participant.Service{}, err
			}
			return validate.New(validate.Config{Schemas: schemas}, b.Documents)
		},
		"parser": func(b *daemon.Bus) (participant.Service, error) { return parse.New(parse.Config{}, b.Documents) },
		"saver":  func(b *daemon.Bus) (participant.Service, error) { return save.New(save.Config{}, db, b.Documents) },
	} {
		b := connect(t, address, name, daemon.BusOptions{})
		service, err := make(b)
		if err != nil {
			t.Fatal(err)
		}
		programs = append(programs, func() error {
			return participant.Run(ctx, participant.Config{Journal: b.Journal, Data: b.Data, Log: slog.New(slog.DiscardHandler)}, service)
		})
	}
	for _, run := range programs {
		go func() { ended <- run() }()
	}
	t.Cleanup(func() {
		stop()
		for range programs {
			if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("a program ended with: %v", err)
			}
		}
		db.Close()
	})
	return folder
}

// useTurns does with the limits of hosts what a fetcher does.
func useTurns(ctx context.Context, b *daemon.Bus) error {
	board, err := turns.Open(ctx, b.Conn)
	if err != nil {
		return err
	}
	for range 2 { // the second time there is something to replace
		_, err := board.Now(ctx)
		_, revision, readErr := board.Read(ctx, "example.org:443")
		if err := errors.Join(err, readErr, board.Write(ctx, "example.org:443", []byte("{}"), revision)); err != nil {
			return err
		}
	}
	return nil
}

// connect connects as a user. A denied request is fatal, and fails the test.
func connect(t *testing.T, address, user string, o daemon.BusOptions) *daemon.Bus {
	t.Helper()
	o.Name, o.Fatal = user, func(err error) { t.Errorf("%s: %v", user, err) }
	bus, err := daemon.Connect(t.Context(), daemon.Connection{Server: as(address, user)}, slog.New(slog.DiscardHandler), o)
	if err != nil {
		t.Fatalf("connect as %s: %v", user, err)
	}
	t.Cleanup(bus.Close)
	return bus
}

func operator(t *testing.T, address string) journal.Journal {
	t.Helper()
	return connect(t, address, "operator", daemon.BusOptions{}).Journal
}

// awaitEnds counts how runs end, by the type of their last message.
func awaitEnds(t *testing.T, j journal.Journal, n int) map[string]int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	feed, err := j.Follow(ctx, "saga.run.*.*.ended", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer feed.Close()
	ends := make(map[string]int)
	for n > 0 {
		record, err := feed.Next(ctx)
		if err != nil {
			t.Fatalf("wait for %d more runs to end: %v", n, err)
		}
		if record.Live {
			continue
		}
		entry, err := record.Entry()
		if err != nil {
			t.Fatal(err)
		}
		ends[entry.Event.Type]++
		n--
	}
	return ends
}

// checkDenied tries what users must not be able to do.
func checkDenied(t *testing.T, address string) {
	t.Helper()
	if nc, err := nats.Connect("nats://" + address); err == nil {
		nc.Close()
		t.Error("connected without a name")
	}
	for _, test := range []struct{ user, subject string }{
		{"validator", "saga.run.00.run.outcome.saver.save.1"},
		{"validator", "saga.run.00.run.command.saver.save.1"},
		{"validator", "saga.run.00.run.ended"},
		{"validator", "saga.start.ingest"},
		{"validator", "$O.SAGA_DOCUMENTS.C.x"},
		{"validator", "$O.SAGA_SCHEMAS.M.x"},
		{"fetcher", "$JS.API.DIRECT.GET.OBJ_SAGA_SCHEMAS"},
		{"validator", "$KV.SAGA_HOSTS.example.org/443"},
		{"validator", "saga.history.ingest.completed.a"},
		{"validator", "saga.definition.ingest"},
		{"validator", "$JS.API.DIRECT.GET.SAGA_RUNS"},
		{"validator", "$JS.API.DIRECT.GET.SAGA_RUNS.saga.run.00.run.outcome.saver.save.1"},
		{"validator", "$JS.API.DIRECT.GET.SAGA_HISTORY"},
		{"saver", "$JS.API.STREAM.PURGE.SAGA_RUNS"},
		{"saver", "$JS.API.STREAM.DELETE.SAGA_RUNS"},
		{"saver", "$JS.API.STREAM.MSG.DELETE.SAGA_RUNS"},
		{"operator", "$JS.API.STREAM.MSG.DELETE.SAGA_RUNS"},
		{"fetcher", "$JS.API.CONSUMER.MSG.NEXT.SAGA_RUNS.saver"},
		{"caller", "saga.run.00.run.signal.cancel"},
		{"caller", "$JS.API.STREAM.INFO.SAGA_RUNS"},
		{"caller", "saga.history.ingest.completed.a"},
		{"caller", "saga.definition.ingest"},
		{"operator", "saga.run.00.run.ended"},
		{"operator", "$JS.API.STREAM.PURGE.SAGA_RUNS"},
		{"operator", "$JS.API.STREAM.PURGE.SAGA_HISTORY"},
		{"operator", "saga.history.ingest.completed.a"},
	} {
		denied := make(chan error, 1)
		nc, err := nats.Connect(as(address, test.user), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { denied <- err }))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(nc.Publish(test.subject, nil), nc.Flush()); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-denied:
			if !errors.Is(err, nats.ErrPermissionViolation) {
				t.Errorf("%s on %s: %v", test.user, test.subject, err)
			}
		case <-time.After(5 * time.Second):
			t.Errorf("%s may publish on %s", test.user, test.subject)
		}
		nc.Close()
	}
}

// TestPlain holds that the broker of compose.yaml takes all that Segue declares.
func TestPlain(t *testing.T) {
	address := serve(t, options(t, "nats.conf"))
	nc, err := jetstream.Connect(t.Context(), jetstream.ConnectOptions{URL: "nats://" + address})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	j, err := jetstream.Open(t.Context(), nc, jetstream.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	info, err := j.Info(t.Context())
	if text, _ := json.Marshal(info); err != nil || info.Partitions != journal.DefaultPartitions {
		t.Errorf("%v: %s", err, text)
	}
}
