package save

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// requirePostgres makes a missing PostgreSQL a failure in place of a skip.
const requirePostgres = "SEGUE_REQUIRE_POSTGRES"

// errNoPostgres is returned if the programs are not installed.
var errNoPostgres = errors.New("PostgreSQL is not installed")

// cluster is a PostgreSQL of the tests' own: in a temporary folder, reached by a
// Unix socket in it alone, without fsync.
type cluster struct {
	dir    string
	bin    string
	as     *syscall.Credential // nil: oneself
	schema atomic.Int64
}

var theCluster = sync.OnceValues(startCluster)

// clusterStarted keeps stopCluster from starting one.
var clusterStarted atomic.Pointer[cluster]

// postgresURL returns the URL of an empty schema, or skips the test.
func postgresURL(t testing.TB) string {
	t.Helper()
	c, err := theCluster()
	switch {
	case errors.Is(err, errNoPostgres) && os.Getenv(requirePostgres) == "":
		t.Skipf("NOT TESTED ON POSTGRESQL: %v. Install it (apt-get install postgresql), or set %s=1 to make this a failure.", err, requirePostgres)
	case err != nil:
		t.Fatal(err)
	}
	name := fmt.Sprintf("test_%d", c.schema.Add(1))
	admin, err := sql.Open("pgx", c.url("public"))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	if _, err := admin.ExecContext(t.Context(), "CREATE SCHEMA "+name); err != nil {
		t.Fatal(err)
	}
	return c.url(name) + "&pool_max_conns=10"
}

func (c *cluster) url(schema string) string {
	q := url.Values{"host": {c.dir}, "user": {"segue"}, "search_path": {schema}}
	return "postgres:///postgres?" + q.Encode()
}

func startCluster() (*cluster, error) {
	bin, err := postgresBin()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "segue-pg-") // short: a socket's path has at most 107 bytes
	if err != nil {
		return nil, err
	}
	c := &cluster{dir: dir, bin: bin}
	clusterStarted.Store(c)
	if os.Getuid() == 0 { // initdb refuses root
		if c.as, err = unprivileged(); err != nil {
			return nil, err
		}
		if err := os.Chown(dir, int(c.as.Uid), int(c.as.Gid)); err != nil {
			return nil, err
		}
	}
	data := filepath.Join(dir, "data")
	if err := c.run("initdb", "-D", data, "-U", "segue", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"); err != nil {
		return nil, err
	}
	options := "-c listen_addresses= -c fsync=off -c max_connections=200 -k " + dir
	return c, c.run("pg_ctl", "-D", data, "-l", filepath.Join(dir, "log"), "-o", options, "-w", "start")
}

// stopCluster stops the cluster if a test has started it.
func stopCluster() {
	c := clusterStarted.Load()
	if c == nil {
		return
	}
	if err := c.run("pg_ctl", "-D", filepath.Join(c.dir, "data"), "-m", "immediate", "-w", "stop"); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if err := os.RemoveAll(c.dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

func (c *cluster) run(program string, args ...string) error {
	cmd := exec.CommandContext(context.Background(), filepath.Join(c.bin, program), args...)
	cmd.Dir = c.dir
	if c.as != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.as}
	}
	// A file and not a pipe: the server keeps what pg_ctl hands down to it.
	log, err := os.OpenFile(filepath.Join(c.dir, program+".out"), os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		said, _ := os.ReadFile(log.Name())
		return fmt.Errorf("run %s: %w: %s", program, err, said)
	}
	return nil
}

func postgresBin() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path), nil
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", errNoPostgres
	}
	return filepath.Dir(found[len(found)-1]), nil
}

func unprivileged() (*syscall.Credential, error) {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
		if errUID == nil && errGID == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, errors.New("run PostgreSQL: there is no user postgres or nobody, and it refuses root")
}
