package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"segue/access"
)

type keysCommand struct {
	Init keysInitCommand `cmd:"" help:"Make a key for each program and each kind of people, and the broker's configuration."`
}

type keysInitCommand struct {
	Dir      string            `arg:"" type:"path" help:"Folder to write to; keys that are there stay."`
	Service  map[string]string `help:"A service of your own, and what it does with documents: NAME=none, NAME=read or NAME=write. May be given more than once." placeholder:"NAME=DOCUMENTS"`
	Rotate   []string          `help:"Who gets a new key in the place of the old one. May be given more than once." placeholder:"IDENTITY"`
	Owner    string            `help:"Whose the folders of all but the broker are to be, by number. Needs root." placeholder:"UID:GID"`
	TLS      string            `name:"tls" help:"Certificates: off, server (the broker shows one), mutual (clients, too). Stays as it was if not given; at first off." enum:",off,server,mutual" default:"" placeholder:"MODE"`
	Postgres string            `help:"PostgreSQL that the saver shares a password with, which is made: DIR/postgres/password, DIR/saver/pgpass." placeholder:"HOST:PORT/DATABASE"`
	Host     []string          `help:"What the broker is called by, with --tls. Defaults to nats, localhost, 127.0.0.1 and ::1." placeholder:"NAME"`
}

// Help teaches the rest.
func (keysInitCommand) Help() string {
	return `In DIR each identity (orchestrator, fetcher, validator, parser, saver, caller,
operator, observer, admin) gets a folder with its key, user.nk. The folder broker has
what nats-server needs, and no key of theirs: "include broker/auth.conf" and
"include broker/tls.conf" in its configuration. Called again, it adds what is missing.

Examples:
  segue keys init keys --service stock=none --tls server --host nats.example.org
  NATS_URL=nats://nats:4222 NATS_NKEY=keys/fetcher/user.nk fetcher
  segue --nkey keys/operator/user.nk --inbox-prefix _INBOX_operator ls
  nats --nkey keys/observer/user.nk --inbox-prefix _INBOX_observer sub --stream SAGA_RUNS --all 'saga.run.>'

docs/permissions.md shows who may do what.`
}

func (c *keysInitCommand) Run(g *globals) error {
	setup := access.Setup{Dir: c.Dir, Rotate: c.Rotate, Services: access.Services{}}
	for name, documents := range c.Service {
		setup.Services[name] = access.Documents(documents)
	}
	if c.TLS != "" {
		setup.TLS = &access.TLS{Mode: access.TLSMode(c.TLS), Hosts: c.Host}
	} else if len(c.Host) > 0 {
		return errors.New("--host goes with --tls server or --tls mutual")
	}
	if c.Postgres != "" {
		p, err := access.ParsePostgres(c.Postgres)
		if err != nil {
			return fmt.Errorf("--postgres is %w", err)
		}
		setup.Postgres = &p
	}
	if c.Owner != "" {
		owner, err := parseOwner(c.Owner)
		if err != nil {
			return err
		}
		setup.Owner = &owner
	}
	w, err := access.Init(setup)
	if err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	return c.say(g, w)
}

func (c *keysInitCommand) say(g *globals, w access.Written) error {
	if g.JSON {
		return json.NewEncoder(os.Stdout).Encode(map[string]any{"made": append([]string{}, w.Made...), "certified": w.Certified})
	}
	if len(w.Made) == 0 && !w.Certified && !w.Shared {
		fmt.Println("all keys are there already")
		return nil
	}
	dir := relative(c.Dir)
	for _, name := range w.Made {
		fmt.Printf("%-14s %s\n", name, filepath.Join(dir, name, access.SeedFile))
	}
	if w.Shared {
		fmt.Printf("%-14s %s\n", "postgres", filepath.Join(dir, "postgres", "password"))
	}
	if w.Certified {
		fmt.Printf("%-14s %s\n", "certificates", "made anew: broker and programs have to be started again")
	}
	fmt.Printf("%-14s %s: include it in nats-server's configuration, or send SIGHUP where it is\n", "permissions", filepath.Join(dir, "broker", access.AuthFile))
	return nil
}

// parseOwner reads UID:GID.
func parseOwner(text string) (access.Owner, error) {
	uid, gid, found := strings.Cut(text, ":")
	u, err1 := strconv.ParseUint(uid, 10, 31)
	g, err2 := strconv.ParseUint(gid, 10, 31)
	if !found || err1 != nil || err2 != nil {
		return access.Owner{}, fmt.Errorf("--owner is %q, want two numbers such as 65532:65532", text)
	}
	return access.Owner{UID: int(u), GID: int(g)}, nil
}
