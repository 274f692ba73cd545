//go:build unix

package fleet

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func shell(t *testing.T, script string) *Process {
	t.Helper()
	dir := t.TempDir()
	p, err := Job{Name: "sh", Path: "/bin/sh", Args: []string{"-c", script}, Env: []string{"GREETING=hello"}, Dir: dir, Log: filepath.Join(dir, "log")}.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

func TestProcess(t *testing.T) {
	t.Parallel()
	p := shell(t, `echo '{"msg":"up","who":"'$GREETING'"}'; sleep 60`)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if line, err := p.Logged(ctx, "up"); err != nil || line["who"] != "hello" {
		t.Errorf("it logged %v, %v", line, err)
	}
	if cpu := p.CPU(); cpu < 0 || cpu > time.Minute {
		t.Errorf("it has used %v of processor time", cpu)
	}
	if now, most := p.Memory(); now <= 0 || most < now {
		t.Errorf("it has %d bytes in memory, %d at most", now, most)
	}
	if !p.Running() || p.State() != "running" {
		t.Errorf("it is %s, want running", p.State())
	}
	p.Kill()
	if p.Running() || !strings.Contains(p.State(), "killed") {
		t.Errorf("it is %s, want killed", p.State())
	}
}

func TestLoggedTellsOfAnEnd(t *testing.T) {
	t.Parallel()
	p := shell(t, "exit 3")
	<-p.Done()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := p.Logged(ctx, "up"); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("it says %v, want the exit status", err)
	}
}

// TestEnvironment holds that programs do not hear of the systems of whoever runs them.
func TestEnvironment(t *testing.T) {
	t.Setenv("NATS_URL", "nats://elsewhere")
	t.Setenv("SEGUE_DATABASE", "postgres://elsewhere")
	env := environment([]string{"NATS_URL=nats://here"})
	if slices.Contains(env, "NATS_URL=nats://elsewhere") || slices.Contains(env, "SEGUE_DATABASE=postgres://elsewhere") || !slices.Contains(env, "NATS_URL=nats://here") {
		t.Errorf("the environment is %v", env)
	}
}
