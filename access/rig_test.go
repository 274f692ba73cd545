package access

import (
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"segue/journal/jetstream"
)

var update = flag.Bool("update", false, "write docs/permissions.md and deploy/nats-users.conf anew")

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server.(*Server).Start"))
}

// patience is how long a busy machine may take for one thing.
const patience = 30 * time.Second

// rig is a broker with the accounts and keys of segue keys init, and a folder
// with them.
type rig struct {
	dir        string
	server     *server.Server
	url        string
	identities []Identity
}

// own is a service of the user's own that is always there, and sees no documents.
var own = Services{"stock": NoDocuments}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{dir: t.TempDir()}
	w, err := Init(Setup{Dir: r.dir, Services: own})
	if err != nil {
		t.Fatal(err)
	}
	r.identities = w.Identities
	r.server = serve(t, r.dir, fmt.Sprintf("jetstream {store_dir: %q}", t.TempDir()))
	r.url = r.server.ClientURL()
	nc := r.connect(t, "orchestrator")
	j, err := jetstream.Open(t.Context(), nc, jetstream.Options{
		Services: []string{"fetcher", "validator", "parser", "saver", catalog, "stock"},
		Fatal:    func(err error) { t.Errorf("orchestrator: %v", err) },
	})
	if err != nil {
		t.Fatalf("declare as orchestrator: %v", err)
	}
	t.Cleanup(j.Close)
	return r
}

// serve runs a broker with the files in dir.
func serve(t *testing.T, dir, more string) *server.Server {
	t.Helper()
	file := filepath.Join(dir, "nats.conf")
	text := fmt.Sprintf("listen: \"127.0.0.1:-1\"\n%s\ninclude broker/%s\ninclude broker/%s\n", more, AuthFile, tlsFile)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := server.ProcessConfigFile(file)
	if err != nil {
		t.Fatal(err)
	}
	o.NoLog, o.NoSigs = true, true
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(patience) {
		t.Fatal("the broker does not start")
	}
	return s
}

// connect connects as an identity, until the test ends.
func (r *rig) connect(t *testing.T, name string) *nats.Conn {
	t.Helper()
	nc, err := jetstream.Connect(t.Context(), jetstream.ConnectOptions{
		URL: r.url, NKey: filepath.Join(r.dir, name, SeedFile), InboxPrefix: "_INBOX_" + name, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatalf("connect as %s: %v", name, err)
	}
	t.Cleanup(nc.Close)
	return nc
}
