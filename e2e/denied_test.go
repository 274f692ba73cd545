//go:build unix

package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDenied runs a program with the key of another: it ends, and says what was denied
// to whom and what to grant.
func TestDenied(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	job{dir: dir}.run(t, program(t, "segue"), "keys", "init", "keys").want(t, 0)
	address := closedPort(t)
	_, port, _ := net.SplitHostPort(address)
	conf := fmt.Sprintf("listen: 127.0.0.1:%s\njetstream {\n  store_dir: %q\n}\ninclude keys/broker/auth.conf\n", port, filepath.Join(dir, "nats"))
	if err := os.WriteFile(filepath.Join(dir, "nats.conf"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	job{dir: dir}.start(t, program(t, "nats-server"), "-c", filepath.Join(dir, "nats.conf"))
	as := func(name, key string) *process {
		env := []string{"NATS_URL=nats://" + address, "NATS_NKEY=" + filepath.Join(dir, "keys", key, "user.nk"), "NATS_INBOX_PREFIX=_INBOX_" + key}
		return job{dir: dir, env: env}.start(t, program(t, name), "--http", "127.0.0.1:0")
	}
	as("orchestrator", "orchestrator").ready()
	as("parser", "parser").ready()

	p := as("validator", "parser")
	if status := p.ended(); status != 1 {
		t.Errorf("exit status %d, want 1", status)
	}
	permissions, err := os.ReadFile(filepath.Join(dir, "keys", "broker", "auth.conf"))
	if err != nil {
		t.Fatal(err)
	}
	line := p.logged("program ends")
	said := fmt.Sprint(line["error"])
	for _, text := range []string{"the broker denies permission", "SAGA_RUNS.validator", "add the subject to what this user may publish", "segue keys init"} {
		if !strings.Contains(said, text) {
			t.Errorf("it does not say %q: %s", text, said)
		}
	}
	_, user, _ := strings.Cut(said, "the user with public key ")
	if user, _, _ = strings.Cut(user, ":"); user == "" || !strings.Contains(string(permissions), user) {
		t.Errorf("it does not say to whom: %s", said)
	}
}
