package deploy_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// people runs the segue command and the nats CLI as some user of a broker.
type people struct {
	site
	segue string
}

// environment names the broker and the user by the variables that the programs read.
func (p people) environment(user string) []string {
	c := p.login(user)
	return append(os.Environ(), "NATS_URL="+c.Server, "NATS_NKEY="+c.NKey, "NATS_CA="+c.CA, "NATS_CERT="+c.Cert, "NATS_KEY="+c.Key,
		"NATS_INBOX_PREFIX="+c.InboxPrefix, "SEGUE_DATA_DIR="+filepath.Join(os.TempDir(), "segue-deploy-test-nothing"))
}

// run runs a program and returns what it wrote, and its exit status.
func (p people) run(t *testing.T, user, program string, args ...string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c := exec.CommandContext(ctx, program, args...)
	c.Env = p.environment(user)
	out, err := c.CombinedOutput()
	failed := new(exec.ExitError)
	if err != nil && !errors.As(err, &failed) {
		t.Fatalf("%s %v: %v", program, args, err)
	}
	return strings.TrimSpace(string(out)), c.ProcessState.ExitCode()
}

// does runs segue as a user who may.
func (p people) does(t *testing.T, user string, args ...string) string {
	t.Helper()
	out, status := p.run(t, user, p.segue, args...)
	if status != 0 {
		t.Errorf("segue %s as %s: status %d: %s", strings.Join(args, " "), user, status, out)
	}
	return out
}

// mayNot runs a program as a user who may not, and wants to read what to grant.
func (p people) mayNot(t *testing.T, user, subject, program string, args ...string) {
	t.Helper()
	out, status := p.run(t, user, filepath.Join(filepath.Dir(p.segue), program), args...)
	public := "the user with public key U"
	if status != 1 || !strings.Contains(out, "the broker denies permission") || !strings.Contains(out, subject) || !strings.Contains(out, public) {
		t.Errorf("%s %s as %s: status %d, want 1 and a word that %s may not use %s: %s", program, strings.Join(args, " "), user, status, public, subject, out)
	}
}

// TestPeople uses a system of programs with keys and TLS through the segue command
// and the nats CLI, as operator, observer and caller.
func TestPeople(t *testing.T) {
	s := withKeys(t)
	folder := runEverything(t, s)
	bin := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", bin, "../cmd/segue", "../saga/orchestrator", "../services/validator").CombinedOutput(); err != nil {
		t.Fatalf("build programs: %v: %s", err, out)
	}
	p := people{s, filepath.Join(bin, "segue")}
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	input := `{"url":"file://` + write("good.json", `[{"id":1}]`) + `"}`

	t.Run("operator", func(t *testing.T) {
		p.does(t, "operator", "start", "--wait", "ingest", input)
		p.does(t, "operator", "start", "ingest", `{"url":"file:///`+strings.Repeat("a", 20<<10)+`"}`) // put aside
		p.does(t, "operator", "start", "nonsense")
		awaitLine(t, p, "operator", "nonsense", "rejected", "ls")
		p.does(t, "operator", "rejected", "retry", "--all")
		awaitLine(t, p, "operator", "nonsense", "rejected", "ls")
		definition := write("slow.yaml", "saga: slow\ndeadline: 1h\nsteps:\n  ask:\n    service: other\n    timeout: 1h\n    undo: false\n")
		p.does(t, "operator", "apply", definition)
		run := p.does(t, "operator", "start", "slow")
		awaitLine(t, p, "operator", "running", "show", run)
		p.does(t, "operator", "cancel", run)
		p.does(t, "operator", "schema", "put", "thing", write("thing.json", `{"type":"object"}`))
		if out := p.does(t, "operator", "schema", "ls"); !strings.Contains(out, "thing") {
			t.Errorf("schemas are %s", out)
		}
	})
	t.Run("observer", func(t *testing.T) {
		runs := p.does(t, "observer", "ls", "--json", "--status", "completed")
		_, rest, _ := strings.Cut(runs, `"run":"`)
		run, _, found := strings.Cut(rest, `"`)
		if !found {
			t.Fatalf("runs are %s", runs)
		}
		for _, args := range [][]string{{"show", "--events", run}, {"watch", run}, {"ls", "--saga", "ingest"}, {"rejected", "ls"}} {
			if out := p.does(t, "observer", args...); out == "" {
				t.Errorf("segue %v shows nothing", args)
			}
		}
		p.mayNot(t, "observer", "saga.start.ingest", "segue", "start", "ingest", input)
		p.mayNot(t, "observer", ".signal.cancel", "segue", "cancel", p.does(t, "operator", "start", "slow"))
		p.mayNot(t, "observer", "saga.rejected.", "segue", "rejected", "retry", "--all")
		p.mayNot(t, "observer", "saga.definition.slow", "segue", "apply", filepath.Join(folder, "slow.yaml"))
	})
	t.Run("caller", func(t *testing.T) {
		p.mayNot(t, "caller", "$JS.API.STREAM.INFO.SAGA_RUNS", "segue", "ls")
	})
	t.Run("programs", func(t *testing.T) {
		p.mayNot(t, "observer", "$JS.API.STREAM.INFO.SAGA_STARTS", "orchestrator")
		p.mayNot(t, "parser", "$JS.API.CONSUMER.INFO.SAGA_RUNS.validator", "validator")
		p.mayNot(t, "parser", "_INBOX_validator.", "validator", "--inbox-prefix=") // its own, if none is given
	})
	t.Run("wrong inbox", func(t *testing.T) {
		out, status := p.run(t, "operator", p.segue, "--inbox-prefix", "_INBOX", "ls")
		if status != 1 || !strings.Contains(out, "--inbox-prefix (NATS_INBOX_PREFIX)") {
			t.Errorf("status %d: %s", status, out)
		}
	})
	t.Run("nats", func(t *testing.T) { p.useNATS(t, input) })
}

// useNATS does with the nats CLI what callers and observers do.
func (p people) useNATS(t *testing.T, input string) {
	nats, err := exec.LookPath("nats")
	if err != nil {
		t.Skip("SKIPPED: the nats CLI is not installed: go install github.com/nats-io/natscli/nats@v0.5.1")
	}
	as := func(user string, args ...string) string {
		t.Helper()
		args = append([]string{"--inbox-prefix", "_INBOX_" + user, "--no-context"}, args...)
		out, status := p.run(t, user, nats, args...)
		if status != 0 {
			t.Errorf("nats %s: status %d: %s", strings.Join(args, " "), status, out)
		}
		return out
	}
	if out := as("caller", "pub", "--jetstream", "saga.start.ingest", input); !strings.Contains(out, "SAGA_STARTS") {
		t.Errorf("a start was published: %s", out)
	}
	if out := as("observer", "sub", "--stream", "SAGA_RUNS", "--all", "--count", "3", "saga.run.>"); strings.Count(out, "saga.run.") < 3 {
		t.Errorf("the journal reads: %s", out)
	}
}

// awaitLine runs segue until it writes something.
func awaitLine(t *testing.T, p people, user, want string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for ctx.Err() == nil {
		if out, _ := p.run(t, user, p.segue, args...); strings.Contains(out, want) {
			return
		}
	}
	t.Fatalf("segue %s never shows %q", strings.Join(args, " "), want)
}
