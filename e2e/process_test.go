//go:build unix

package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a condition is waited for that should come soon. The
// machine may be busy with other tests.
const patience = 60 * time.Second

// poll is the pause between two looks at a condition.
const poll = 20 * time.Millisecond

// eventually waits until a condition holds; its error says what is still amiss.
func eventually(t *testing.T, within time.Duration, condition func() error) {
	t.Helper()
	if err := await(within, condition); err != nil {
		t.Fatal(err)
	}
}

// await is eventually for goroutines, which must not end the test.
func await(within time.Duration, condition func() error) error {
	deadline := time.Now().Add(within)
	for {
		err := condition()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("still not after %v: %w", within, err)
		}
		time.Sleep(poll)
	}
}

// process is a program that runs.
type process struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd
	out  output
	done chan struct{} // closed when it has ended
}

// output collects what a process writes.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// job is a command to run.
type job struct {
	dir   string
	env   []string
	stdin string
}

func (j job) command(path string, args ...string) *exec.Cmd {
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Env, cmd.Stdin = j.dir, append(os.Environ(), j.env...), strings.NewReader(j.stdin)
	// A group of its own, so that a shell is killed with its children.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// start starts a program; it is killed when the test ends.
func (j job) start(t *testing.T, path string, args ...string) *process {
	t.Helper()
	p := &process{t: t, name: path[strings.LastIndex(path, "/")+1:], cmd: j.command(path, args...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", p.name, err)
	}
	go func() {
		_ = p.cmd.Wait() // the state is looked at
		close(p.done)
	}()
	t.Cleanup(func() {
		p.kill()
		for _, bad := range []string{"DATA RACE", "panic: ", "handler panicked"} {
			if strings.Contains(p.out.String(), bad) {
				t.Errorf("%s wrote %q", p.name, bad)
			}
		}
		if t.Failed() {
			t.Logf("%s wrote:\n%s", p.name, tail(p.out.String()))
		}
	})
	return p
}

// tail returns the last part of a long text.
func tail(s string) string {
	const most = 16 << 10
	if len(s) > most {
		return "..." + s[len(s)-most:]
	}
	return s
}

// kill ends the process and its children at once and waits until they are gone.
func (p *process) kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // gone already is as good
	<-p.done
}

// terminate asks the process to stop.
func (p *process) terminate() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatalf("stop %s: %v", p.name, err)
	}
}

func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// ended waits for the end of the process and returns its exit status.
func (p *process) ended() int {
	p.t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		p.t.Fatalf("%s has not ended after %v", p.name, patience)
		return -1
	}
}

// logged waits for a line of the process's log and returns its attributes.
func (p *process) logged(message string) map[string]any {
	p.t.Helper()
	var found map[string]any
	eventually(p.t, patience, func() error {
		for line := range strings.Lines(p.out.String()) {
			var attributes map[string]any
			if json.Unmarshal([]byte(line), &attributes) == nil && attributes["msg"] == message {
				found = attributes
				return nil
			}
		}
		if !p.running() {
			p.t.Fatalf("%s has ended and not logged %q", p.name, message)
		}
		return fmt.Errorf("%s has not logged %q", p.name, message)
	})
	return found
}

// result is what came of a command.
type result struct {
	status         int
	stdout, stderr string
	usage          syscall.Rusage
}

// commandTimeout is how long a command may take: the longest ingests a million records.
const commandTimeout = 3 * time.Minute

// run runs a command to its end.
func (j job) run(t *testing.T, path string, args ...string) result {
	t.Helper()
	r, err := j.try(path, args...)
	if err != nil {
		t.Fatalf("%s %s: %v", path, strings.Join(args, " "), err)
	}
	return r
}

func (j job) try(path string, args ...string) (result, error) {
	cmd := j.command(path, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		return result{}, err
	}
	timer := time.AfterFunc(commandTimeout, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	defer timer.Stop()
	err := cmd.Wait()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		return result{}, err
	}
	r := result{status: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String()}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		r.usage = *usage
	}
	return r, nil
}

// want fails the test unless the command ended with a status and wrote what was
// expected of it, on either output.
func (r result) want(t *testing.T, status int, texts ...string) result {
	t.Helper()
	all := r.stdout + r.stderr
	if r.status != status {
		t.Errorf("exit status %d, want %d; it wrote:\n%s", r.status, status, tail(all))
	}
	for _, text := range texts {
		if !strings.Contains(all, text) {
			t.Errorf("it did not write %q but:\n%s", text, tail(all))
		}
	}
	return r
}
