//go:build unix

package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"segue/faults/fleet"
)

// postgres is a PostgreSQL of our own: in a folder of its own, reached by a Unix
// socket in it, with all its defaults for durability.
type postgres struct {
	bin, dir string
	as       *syscall.Credential // nil: oneself
	cmd      *exec.Cmd
	done     chan struct{} // closed when it has ended
}

// postgresLimit is how long it may take to answer after a start.
const postgresLimit = 20 * time.Second

// startPostgres makes a database cluster and starts its server. It is gone with
// the bench.
func startPostgres(ctx context.Context, b *Bench) (*postgres, error) {
	bin, err := postgresBin()
	if err != nil {
		return nil, err
	}
	p := &postgres{bin: bin}
	if p.dir, err = os.MkdirTemp("", "segue-pg-"); err != nil { // short: a socket's path has at most 107 bytes
		return nil, err
	}
	b.Defer(func() { os.RemoveAll(p.dir) }) //nolint:errcheck // what is left is in the temporary folder
	if os.Getuid() == 0 {                   // initdb refuses root
		if p.as, err = unprivileged(); err != nil {
			return nil, err
		}
		if err := os.Chown(p.dir, int(p.as.Uid), int(p.as.Gid)); err != nil {
			return nil, err
		}
	}
	initdb := p.command(ctx, "initdb", "-D", p.data(), "-U", "segue", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	b.Defer(p.kill)
	return p, p.start(ctx)
}

func (p *postgres) data() string { return filepath.Join(p.dir, "data") }

// URL is what the saver is told.
func (p *postgres) URL() string {
	return "postgres:///postgres?" + url.Values{"host": {p.dir}, "user": {"segue"}}.Encode()
}

func (p *postgres) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(p.bin, name), args...)
	cmd.Dir, cmd.SysProcAttr = p.dir, &syscall.SysProcAttr{Credential: p.as}
	return cmd
}

// start starts the server and waits until it answers. What the one before it has
// left behind may make it end at once; then it is started again.
func (p *postgres) start(ctx context.Context) error {
	err := fleet.Within(ctx, postgresLimit, func() error {
		if !p.running() {
			if err := p.launch(ctx); err != nil {
				return err
			}
		}
		return p.command(ctx, "pg_isready", "-q", "-h", p.dir, "-U", "segue").Run()
	})
	if err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	return nil
}

func (p *postgres) launch(ctx context.Context) error {
	cmd := p.command(context.WithoutCancel(ctx), "postgres", "-D", p.data(), "-k", p.dir, "-c", "listen_addresses=")
	dieWithUs(cmd.SysProcAttr)
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait() // it is killed
		close(done)
	}()
	p.cmd, p.done = cmd, done
	return nil
}

func (p *postgres) running() bool {
	if p.cmd == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// kill kills the server's first process; the others see it and end.
func (p *postgres) kill() {
	if p.cmd != nil {
		_ = p.cmd.Process.Kill() // gone already is as good
		<-p.done
	}
}

func postgresBin() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path), nil
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", Cannot("PostgreSQL is not installed")
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
	return nil, Cannot("PostgreSQL refuses root, and there is no user postgres or nobody")
}
