//go:build unix

package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"segue/events"
)

const people = `[{"id":1,"name":"Ada"},{"id":2,"name":"Grace"}]`

// heldSite serves one document, but not before it is released.
func heldSite(t *testing.T) (s *site, release func()) {
	gate := make(chan struct{})
	s = newSite(t, func(w http.ResponseWriter, _ string, _ int) {
		<-gate
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, people)
	})
	open := false
	release = func() {
		if !open {
			open = true
			close(gate)
		}
	}
	t.Cleanup(release) // before the site is closed, which waits for its handlers
	return s, release
}

// asked waits until a path was asked for.
func (s *site) awaitRequest(t *testing.T, path string) {
	t.Helper()
	eventually(t, patience, func() error {
		if s.requests(path) == 0 {
			return fmt.Errorf("nobody has asked for %s", path)
		}
		return nil
	})
}

// TestStopLosesNothing stops "segue up" while a handler is at work. The handler
// ends, its outcome counts, and the next "segue up" goes on behind it.
func TestStopLosesNothing(t *testing.T) {
	t.Parallel()
	s, release := heldSite(t)
	dir := t.TempDir()
	u := startUp(t, dir, "--allow-net", "127.0.0.0/8")
	run := strings.TrimSpace(u.segue("start", "ingest", `{"url":"`+s.URL+`/people.json"}`).want(t, 0).stdout)
	s.awaitRequest(t, "/people.json")
	u.terminate()
	u.logged("drained") // the idle services are: it has heard
	if !u.running() {
		t.Error("it ended while a handler was at work")
	}
	u.segue("ls").want(t, 0, "fetch running") // the broker stays for the handler's outcome
	release()
	if status := u.ended(); status != 0 {
		t.Errorf("exit status %d after SIGTERM, want 0", status)
	}

	u = startUp(t, dir, "--allow-net", "127.0.0.0/8")
	client(t, u.url).completed(run, run)
	if n := s.requests("/people.json"); n != 1 {
		t.Errorf("the document was fetched %d times, want once", n)
	}
	if n := query(t, u.database(), "SELECT count(*) FROM records"); n[0] != "2" {
		t.Errorf("%s records, want 2", n[0])
	}
	u.terminate()
	if status := u.ended(); status != 0 {
		t.Errorf("exit status %d of an idle segue up after SIGTERM, want 0", status)
	}
}

// TestKilledIngestIsFinished kills "segue ingest" in the middle. Nobody is left
// who waits for the run, and the next "segue up" finishes it all the same.
func TestKilledIngestIsFinished(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("the command that was out when its worker was killed comes back after a lease of 30 s: NOT tested with -short")
	}
	s, release := heldSite(t)
	dir := t.TempDir()
	p := job{dir: t.TempDir()}.start(t, program(t, "segue"), "ingest", "--data-dir", dir, "--allow-net", "127.0.0.0/8", s.URL+"/people.json")
	s.awaitRequest(t, "/people.json")
	p.kill()
	release()

	u := startUp(t, dir, "--allow-net", "127.0.0.0/8")
	b := client(t, u.url)
	started := entries(t, b.messages("SAGA_RUNS", "saga.run.*.*.started"))
	if len(started) != 1 {
		t.Fatalf("%d runs had begun, want 1", len(started))
	}
	run := started[0].Subject.Run
	b.completed(run, run)
	if n := query(t, u.database(), "SELECT count(*) FROM records"); n[0] != "2" {
		t.Errorf("%s records, want 2", n[0])
	}
	b.drained(patience)
}

// TestInterruptedIngest stops "segue ingest" politely.
func TestInterruptedIngest(t *testing.T) {
	t.Parallel()
	s, release := heldSite(t)
	dir := t.TempDir()
	p := job{dir: t.TempDir()}.start(t, program(t, "segue"), "ingest", "--data-dir", dir, "--allow-net", "127.0.0.0/8",
		"--log-level", "info", s.URL+"/people.json")
	s.awaitRequest(t, "/people.json")
	p.terminate()
	p.logged("drained") // the idle services are: it has heard
	release()
	if status := p.ended(); status != 1 || !strings.Contains(p.out.String(), "interrupted") {
		t.Errorf("exit status %d, want 1 with a word about it; it wrote:\n%s", status, p.out.String())
	}
	u := startUp(t, dir, "--allow-net", "127.0.0.0/8")
	started := entries(t, client(t, u.url).messages("SAGA_RUNS", "saga.run.*.*.started"))
	client(t, u.url).completed(started[0].Subject.Run, started[0].Subject.Run)
	if n := s.requests("/people.json"); n != 1 {
		t.Errorf("the document was fetched %d times, want once", n)
	}
}

// TestIngestBesideUp lets "segue ingest" and others find the "segue up" that has
// their data directory open.
func TestIngestBesideUp(t *testing.T) {
	t.Parallel()
	u := startUp(t, t.TempDir(), "--allow-files", filepath.Join(root, "examples"))
	u.segue("ingest", filepath.Join(root, "examples", "todos.json")).want(t, 0, "todos.json: completed", "200 records")
	if n := query(t, u.database(), "SELECT count(*) FROM records"); n[0] != "200" {
		t.Errorf("%s records, want 200", n[0])
	}
	u.segue("ls").want(t, 0, "completed")

	outside := filepath.Join(t.TempDir(), "outside.json")
	if err := os.WriteFile(outside, []byte(people), 0o600); err != nil {
		t.Fatal(err)
	}
	u.segue("ingest", outside).want(t, 1, "outside.json: compensated: fetch:", "--allow-files")

	second := job{dir: t.TempDir()}.run(t, program(t, "segue"), "up", "--listen", "127.0.0.1:0", "--data-dir", u.dir)
	second.want(t, 1, "in use by process", u.dir)
	u.segue("ls").want(t, 0) // which did not disturb the first
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := l.Addr().String()
	segue(t, t.TempDir(), "up", "--listen", taken).want(t, 1, taken)
	segue(t, t.TempDir(), "up", "--listen", "127.0.0.1:0", "--http", taken).want(t, 1, taken)
}

func TestNoBroker(t *testing.T) {
	t.Parallel()
	address := closedPort(t)
	begin := time.Now()
	for _, args := range [][]string{{"ls"}, {"ingest", filepath.Join(root, "examples", "todos.json")}, {"start", "ingest", "{}"}, {"watch"}} {
		j := job{dir: t.TempDir(), env: []string{"NATS_URL=nats://someone:secret@" + address}}
		r := j.run(t, program(t, "segue"), args...).want(t, 1, address, "NATS_URL")
		if strings.Contains(r.stderr+r.stdout, "secret") {
			t.Errorf("it shows the password: %s", r.stderr)
		}
	}
	if took := time.Since(begin); took > 15*time.Second {
		t.Errorf("four commands took %v to notice that there is no broker", took)
	}
}

// closedPort returns an address on which nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestSignals cancels a run at work, and finds what it did taken back.
func TestSignals(t *testing.T) {
	t.Parallel()
	s, release := heldSite(t)
	u := startUp(t, t.TempDir(), "--allow-net", "127.0.0.0/8")
	run := strings.TrimSpace(u.segue("start", "ingest", `{"url":"`+s.URL+`/people.json"}`).want(t, 0).stdout)
	s.awaitRequest(t, "/people.json")
	u.segue("retry", run).want(t, 1, "not stuck")
	u.segue("cancel", run[:12], "--note", "not today").want(t, 0, "cancel sent to run "+run)
	release()
	b := client(t, u.url)
	b.has(run, events.KindEnded)
	u.segue("show", run).want(t, 0, "compensated", "turned back  canceled", "undone: fetch")
	u.segue("cancel", run).want(t, 1, "has ended")
	nothingOf(t, u.database(), run)
}
