//go:build unix

package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// poll is the pause between two looks at a condition.
const poll = 10 * time.Millisecond

// Await looks at a condition until it holds. Its error says what is still amiss
// when ctx is done.
func Await(ctx context.Context, condition func() error) error {
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		err := condition()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-tick.C:
		}
	}
}

// Within is Await with a limit of its own.
func Within(ctx context.Context, limit time.Duration, condition func() error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("still not after %v", limit))
	defer cancel()
	return Await(ctx, condition)
}

// Job is a program to run.
type Job struct {
	Name string // for people, and of the log
	Path string
	Args []string
	Env  []string // besides the environment, without what is meant for other systems
	Dir  string   // where it runs
	Log  string   // the file that takes what it writes; appended to
}

// Process is a program that runs, or has run.
type Process struct {
	Job
	Started time.Time

	cmd  *exec.Cmd
	from int64 // where its part of the log begins
	done chan struct{}
}

// Start starts the program in a process group of its own. It dies with this process.
func (j Job) Start() (*Process, error) {
	log, err := os.OpenFile(j.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", j.Name, err)
	}
	defer log.Close() // the process has its own
	p := &Process{Job: j, cmd: exec.Command(j.Path, j.Args...), done: make(chan struct{})}
	if at, err := log.Stat(); err == nil {
		p.from = at.Size()
	}
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = j.Dir, environment(j.Env), log, log
	p.cmd.SysProcAttr = attributes()
	p.Started = time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", j.Name, err)
	}
	go func() {
		_ = p.cmd.Wait() // the state is looked at
		close(p.done)
	}()
	return p, nil
}

// Kill ends the process and its children at once and waits until they are gone.
func (p *Process) Kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
}

// Pause stops the process where it is; Resume lets it go on.
func (p *Process) Pause() { p.signal(syscall.SIGSTOP) }

// Resume lets a paused process go on.
func (p *Process) Resume() { p.signal(syscall.SIGCONT) }

// Terminate asks the process to stop.
func (p *Process) Terminate() { p.signal(syscall.SIGTERM) }

func (p *Process) signal(s syscall.Signal) {
	if p.Running() {
		_ = syscall.Kill(-p.cmd.Process.Pid, s) // gone already is as good
	}
}

// Running says whether the process has not ended.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// State says how the process ended.
func (p *Process) State() string {
	if p.Running() {
		return "running"
	}
	return p.cmd.ProcessState.String()
}

// Text returns what the process has written.
func (p *Process) Text() string {
	all, err := os.ReadFile(p.Log)
	if err != nil || int64(len(all)) < p.from {
		return ""
	}
	return string(all[p.from:])
}

// Lines returns the lines of the process's log that have a message.
func (p *Process) Lines(message string) []map[string]any {
	var found []map[string]any
	for line := range strings.Lines(p.Text()) {
		var attributes map[string]any
		if strings.Contains(line, message) && json.Unmarshal([]byte(line), &attributes) == nil && attributes["msg"] == message {
			found = append(found, attributes)
		}
	}
	return found
}

// Logged waits for a line of the process's log and returns its attributes.
func (p *Process) Logged(ctx context.Context, message string) (attributes map[string]any, err error) {
	err = Await(ctx, func() error {
		if lines := p.Lines(message); len(lines) > 0 {
			attributes = lines[0]
			return nil
		}
		if !p.Running() {
			return fmt.Errorf("%s has ended (%s) and not logged %q", p.Name, p.State(), message)
		}
		return fmt.Errorf("%s has not logged %q", p.Name, message)
	})
	return attributes, err
}

// Memory returns what the process has in memory now, and the most it has had, in
// bytes; zero where the system does not say.
func (p *Process) Memory() (now, most int64) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, 0
	}
	return statusField(text, "VmRSS:"), statusField(text, "VmHWM:")
}

// CPU returns the processor time that the process has used; zero where the
// system does not say.
func (p *Process) CPU() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(text, []byte(") ")) // behind the name, which may hold anything
	fields := bytes.Fields(rest)
	const user, system, tick = 11, 12, 10 * time.Millisecond
	if len(fields) <= system {
		return 0
	}
	var sum time.Duration
	for _, field := range [][]byte{fields[user], fields[system]} {
		ticks, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return 0
		}
		sum += time.Duration(ticks) * tick
	}
	return sum
}

func statusField(text []byte, name string) int64 {
	_, rest, found := bytes.Cut(text, []byte(name))
	fields := bytes.Fields(rest)
	if !found || len(fields) == 0 {
		return 0
	}
	kib, err := strconv.ParseInt(string(fields[0]), 10, 64)
	if err != nil {
		return 0
	}
	return kib << 10
}

// Tail returns the last part of a long text.
func Tail(s string, most int) string {
	if len(s) > most {
		return "..." + s[len(s)-most:]
	}
	return s
}
