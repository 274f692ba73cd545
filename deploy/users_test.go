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

	"segue/access"
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

// site is a broker that asks who one is, and the way in for each user.
type site struct {
	address string
	login   func(user string) daemon.Connection
}

// sites are the brokers of nats-users.conf and nats-keys.conf.
var sites = map[string]func(*testing.T) site{"passwords": withPasswords, "keys": withKeys}

func withPasswords(t *testing.T) site {
	t.Helper()
	for _, i := range access.Identities(nil) {
		t.Setenv("SEGUE_"+strings.ToUpper(i.Name)+"_PASSWORD", "of-"+i.Name)
	}
	address := serve(t, options(t, "nats-users.conf"))
	return site{address, func(user string) daemon.Connection {
		server := url.URL{Scheme: "nats", User: url.UserPassword(user, "of-"+user), Host: address}
		return daemon.Connection{Server: server.String(), InboxPrefix: "_INBOX_" + user}
	}}
}

// withKeys runs the broker of nats-keys.conf, with mutual TLS as well; its files lie
// to one another as in its container.
func withKeys(t *testing.T) site {
	t.Helper()
	root := t.TempDir()
	keys := filepath.Join(root, "keys")
	if _, err := access.Init(access.Setup{Dir: keys, TLS: &access.TLS{Mode: access.TLSMutual}}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("nats-keys.conf")
	if err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(root, "etc", "nats", "segue.conf")
	if err := errors.Join(os.MkdirAll(filepath.Dir(conf), 0o700), os.WriteFile(conf, text, 0o600)); err != nil {
		t.Fatal(err)
	}
	address := serve(t, options(t, conf))
	return site{address, func(user string) daemon.Connection {
		folder := filepath.Join(keys, user)
		return daemon.Connection{
			Server: "tls://" + address, InboxPrefix: "_INBOX_" + user, NKey: filepath.Join(folder, access.SeedFile),
			CA: filepath.Join(folder, "ca.crt"), Cert: filepath.Join(folder, "client.crt"), Key: filepath.Join(folder, "client.key"),
		}
	}}
}

// TestUsers runs a saga to its end and another one back, each program with
// nothing but its own permissions.
func TestUsers(t *testing.T) {
	for name, serve := range sites {
		t.Run(name, func(t *testing.T) { runAsUsers(t, serve(t)) })
	}
}

func runAsUsers(t *testing.T, s site) {
	folder := runEverything(t, s)
	nc := s.dial(t, "caller")
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
	ends := awaitEnds(t, operator(t, s), 2)
	if ends[events.TypeRunCompleted] != 1 || ends[events.TypeRunCompensated] != 1 {
		t.Errorf("runs ended as %v, want one completed and one compensated", ends)
	}
	checkUpkeep(t, s)
	checkForgery(t, s)
	if nc, err := nats.Connect("nats://"+s.address, nats.TLSHandshakeFirst()); err == nil {
		nc.Close()
		t.Error("connected without a name")
	}
}

// dial connects as a user, with nothing of Segue on the connection.
func (s site) dial(t *testing.T, user string) *nats.Conn {
	t.Helper()
	c := s.login(user)
	nc, err := jetstream.Connect(t.Context(), jetstream.ConnectOptions{
		URL: c.Server, NKey: c.NKey, CA: c.CA, Cert: c.Cert, Key: c.Key, InboxPrefix: c.InboxPrefix,
	})
	if err != nil {
		t.Fatalf("connect as %s: %v", user, err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// checkUpkeep does as an orchestrator what it does only after some time: runs leave,
// queues and replicas are declared, snapshots replaced.
func checkUpkeep(t *testing.T, s site) {
	t.Helper()
	bus := connect(t, s, "orchestrator", daemon.BusOptions{Declare: true, Services: []string{"fetcher", "other"}})
	info, err := bus.Journal.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	records, err := bus.Journal.Load(t.Context(), events.AllRuns)
	if err != nil || len(records) == 0 {
		t.Fatalf("%d messages in the journal, error %v", len(records), err)
	}
	subject, err := events.ParseSubject(records[0].Subject)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := bus.Data.Put(t.Context(), "snapshot/0", strings.NewReader(strings.Repeat("x", 1<<18))); err != nil {
			t.Error(err)
		}
	}
	if err := errors.Join(bus.Journal.DeclareQueues(t.Context(), []string{"another"}), bus.Journal.Purge(t.Context(), subject.Run),
		bus.Journal.Prune(t.Context(), subject.Partition, info.Last), bus.Data.Delete(t.Context(), "snapshot/0")); err != nil {
		t.Error(err)
	}
}

// checkForgery puts a snapshot as a service, whom no orchestrator is to believe.
func checkForgery(t *testing.T, s site) {
	t.Helper()
	denied := make(chan error, 1)
	bus, err := daemon.Connect(t.Context(), s.login("saver"), slog.New(slog.DiscardHandler), daemon.BusOptions{Fatal: func(err error) { denied <- err }})
	if err != nil {
		t.Fatal(err)
	}
	defer bus.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		_, err := bus.Data.Put(ctx, "snapshot/0", strings.NewReader("forged"))
		if err == nil {
			denied <- errors.New("it was stored")
		}
	}()
	if err := <-denied; !errors.Is(err, jetstream.ErrDenied) {
		t.Errorf("a snapshot by the saver: %v, want %v", err, jetstream.ErrDenied)
	}
}

// runEverything runs the orchestrator and the services, each on a connection of
// its own user, and returns the folder that documents may be read from.
func runEverything(t *testing.T, s site) string {
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
	bus := connect(t, s, "orchestrator", daemon.BusOptions{Declare: true, Services: saga.Services(definitions...)})
	e, err := engine.New(engine.Config{Journal: bus.Journal, Data: bus.Data, Sagas: definitions, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	programs := []func() error{func() error { return e.Run(ctx) }}
	for name, services := range parts(t, folder, db) {
		b := connect(t, s, name, daemon.BusOptions{})
		list, err := services(b)
		if err != nil {
			t.Fatal(err)
		}
		programs = append(programs, func() error {
			return participant.Run(ctx, participant.Config{Journal: b.Journal, Data: b.Data, Log: slog.New(slog.DiscardHandler)}, list...)
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

// parts makes the services of each program, as its main function does.
func parts(t *testing.T, folder string, db *save.DB) map[string]func(*daemon.Bus) ([]participant.Service, error) {
	one := func(s participant.Service, err error) ([]participant.Service, error) {
		return []participant.Service{s}, err
	}
	return map[string]func(*daemon.Bus) ([]participant.Service, error){
		"fetcher": func(b *daemon.Bus) ([]participant.Service, error) {
			if err := useTurns(t.Context(), b); err != nil {
				return nil, err
			}
			return one(fetch.New(fetch.Config{AllowFiles: []string{folder}}, b.Documents))
		},
		"validator": func(b *daemon.Bus) ([]participant.Service, error) {
			schemas, err := b.Schemas(t.Context())
			if err != nil {
				return nil, err
			}
			return one(validate.New(validate.Config{Schemas: schemas}, b.Documents))
		},
		"parser": func(b *daemon.Bus) ([]participant.Service, error) {
			schemas, err := b.Schemas(t.Context())
			if err != nil {
				return nil, err
			}
			return one(parse.New(parse.Config{Schemas: schemas}, b.Documents))
		},
		"saver": func(b *daemon.Bus) ([]participant.Service, error) {
			saver, err := save.New(save.Config{}, db, b.Documents)
			return []participant.Service{saver, save.NewCatalog(db)}, err
		},
	}
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
func connect(t *testing.T, s site, user string, o daemon.BusOptions) *daemon.Bus {
	t.Helper()
	o.Name, o.Fatal = user, func(err error) { t.Errorf("%s: %v", user, err) }
	bus, err := daemon.Connect(t.Context(), s.login(user), slog.New(slog.DiscardHandler), o)
	if err != nil {
		t.Fatalf("connect as %s: %v", user, err)
	}
	t.Cleanup(bus.Close)
	return bus
}

func operator(t *testing.T, s site) journal.Journal {
	t.Helper()
	return connect(t, s, "operator", daemon.BusOptions{}).Journal
}

// awaitEnds counts how runs end, by the type of their last message.
func awaitEnds(t *testing.T, j journal.Journal, n int) map[string]int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	feed, err := j.Follow(ctx, events.AllEnds, 0)
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
