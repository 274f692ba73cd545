//go:build unix

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

// get returns the answer of an operations endpoint.
func get(p *process, path string) (status int, body string, err error) {
	address := p.logged("operations endpoints")["address"].(string)
	r, err := (&http.Client{Timeout: 10 * time.Second}).Get("http://" + address + path)
	if err != nil {
		return 0, "", err
	}
	defer r.Body.Close()
	text, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	return r.StatusCode, string(text), err
}

// ready waits until a program says that it is.
func (p *process) ready() {
	p.t.Helper()
	eventually(p.t, patience, func() error {
		if !p.running() {
			p.t.Fatalf("%s has ended", p.name)
		}
		status, body, err := get(p, "/readyz")
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("%s is not ready: %s", p.name, strings.TrimSpace(body))
		}
		return err
	})
}

// TestOperations asks "segue up" how it is and what it has done.
func TestOperations(t *testing.T) {
	t.Parallel()
	u := startUp(t, t.TempDir(), "--http", "127.0.0.1:0", "--allow-files", filepath.Join(root, "examples"))
	u.ready()
	u.answers("/healthz", http.StatusOK, "ok\n")
	u.segue("ingest", filepath.Join(root, "examples", "todos.json")).want(t, 0)
	u.segue("ingest", filepath.Join(root, "examples", "broken.json")).want(t, 1)
	u.answers("/metrics", http.StatusOK,
		`segue_starts_total{result="accepted"} 2`,
		`segue_runs_started_total{saga="ingest"} 2`,
		`segue_runs_ended_total{saga="ingest",status="completed"} 1`,
		`segue_runs_ended_total{saga="ingest",status="compensated"} 1`,
		`segue_outcomes_total{outcome="completed",saga="ingest",step="fetch"} 2`,
		`segue_outcomes_total{outcome="undone",saga="ingest",step="fetch"} 1`,
		`segue_attempts_total{outcome="failed",service="validator"} 1`,
		`segue_failures_total{code="not_well_formed",service="validator"} 1`,
		`segue_runs_stuck 0`, `segue_runs_orphaned_total 0`)
	_, body, err := get(u.process, "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	lintMetrics(t, body)
}

// lintMetrics holds names, units and texts to what "promtool check metrics" holds
// them to, and labels to those whose values are few: none has an id in it.
func lintMetrics(t *testing.T, body string) {
	t.Helper()
	problems, err := promlint.New(strings.NewReader(body)).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("the linter minds %v, %v", problems, err)
	}
	few := []string{"saga", "status", "step", "outcome", "partition", "result", "service", "code", "limit", "mode", "change", "op", "le"}
	seen := make(map[string]bool)
	for line := range strings.Lines(body) {
		name, labels, ok := strings.Cut(line, "{")
		if !ok || !strings.HasPrefix(name, "segue_") {
			continue
		}
		for _, label := range regexp.MustCompile(`(\w+)="`).FindAllStringSubmatch(labels, -1) {
			seen[label[1]] = true
			if !slices.Contains(few, label[1]) {
				t.Errorf("%s has a label %s", name, label[1])
			}
		}
	}
	if !seen["saga"] || !seen["le"] {
		t.Errorf("the labels %v were seen: those cannot be all", seen)
	}
}

// answers waits until an endpoint answers as wanted: what is counted is counted
// after it has happened.
func (p *process) answers(path string, want int, texts ...string) {
	p.t.Helper()
	eventually(p.t, patience, func() error {
		status, body, err := get(p, path)
		if err != nil || status != want {
			return fmt.Errorf("%s: %s says %d %.200q, %w", p.name, path, status, body, err)
		}
		for _, text := range texts {
			if !strings.Contains(body, text) {
				return fmt.Errorf("%s: %s does not say %s", p.name, path, text)
			}
		}
		return nil
	})
}

// TestOperationsOfEach asks each program how it is: while it waits for its
// broker, with it, after losing it and with it again; then it stops them.
func TestOperationsOfEach(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	c.ready()
	for _, p := range c.all() {
		p.answers("/healthz", http.StatusOK, "ok\n")
		p.answers("/metrics", http.StatusOK, "go_goroutines", "process_open_fds")
	}
	c.broker.kill()
	var looks sync.WaitGroup
	for _, p := range c.all() {
		looks.Go(func() {
			err := await(patience, func() error {
				status, body, err := get(p, "/readyz")
				if status != http.StatusServiceUnavailable || body == "" {
					return fmt.Errorf("%s: /readyz says %d %q without a broker, %w", p.name, status, body, err)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	looks.Wait()
	for _, p := range c.all() {
		p.answers("/healthz", http.StatusOK)
	}
	c.startBroker()
	c.ready()
	for _, p := range c.all() {
		p.terminate()
	}
	for _, p := range c.all() {
		if status := p.ended(); status != 0 {
			t.Errorf("%s: exit status %d after SIGTERM, want 0", p.name, status)
		}
	}
}
