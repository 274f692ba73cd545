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

// cluster is every program as a process of its own, round one nats-server.
type cluster struct {
	t        *testing.T
	dir      string
	url      string
	env      []string // of all programs
	broker   *process
	programs map[string]*process // by member
	args     map[string][]string // by member: the program and its arguments
}

// members are the processes of a cluster beside its broker.
var members = []string{"orchestrator-1", "orchestrator-2", "fetcher", "validator", "parser", "saver"}

// startCluster starts all programs, the broker last: they are to wait for it.
// Env is what their environment has beside this one's.
func startCluster(t *testing.T, env ...string) *cluster {
	t.Helper()
	c := &cluster{t: t, dir: t.TempDir(), programs: make(map[string]*process), args: make(map[string][]string)}
	address := closedPort(t)
	c.url = "nats://" + address
	c.env = append(env, "NATS_URL="+c.url)
	_, port, _ := net.SplitHostPort(address)
	conf := fmt.Sprintf("listen: 127.0.0.1:%s\njetstream {\n  store_dir: %q\n  sync_interval: always\n}\n", port, filepath.Join(c.dir, "nats"))
	if err := os.WriteFile(filepath.Join(c.dir, "nats.conf"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, member := range members {
		c.args[member] = []string{strings.TrimRight(member, "-12")}
	}
	c.args["fetcher"] = append(c.args["fetcher"], "--allow-net", "127.0.0.0/8")
	c.args["saver"] = append(c.args["saver"], "--database", "sqlite:"+filepath.Join(c.dir, "segue.db"))
	for _, member := range members {
		c.start(member)
	}
	c.startBroker()
	return c
}

func (c *cluster) start(member string) {
	c.t.Helper()
	args := append(c.args[member][1:len(c.args[member]):len(c.args[member])], "--http", "127.0.0.1:0")
	c.programs[member] = job{dir: c.dir, env: c.env}.start(c.t, program(c.t, c.args[member][0]), args...)
}

func (c *cluster) startBroker() {
	c.t.Helper()
	c.broker = job{dir: c.dir}.start(c.t, program(c.t, "nats-server"), "-c", filepath.Join(c.dir, "nats.conf"))
}

// all returns the processes beside the broker, in a fixed order.
func (c *cluster) all() []*process {
	var all []*process
	for _, member := range members {
		all = append(all, c.programs[member])
	}
	return all
}

// ready waits until every program is.
func (c *cluster) ready() {
	c.t.Helper()
	for _, p := range c.all() {
		p.ready()
	}
}
