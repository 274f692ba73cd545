//go:build unix

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"segue/events"
)

// TestLogs holds that every line of every program is JSON, and that each one in which
// a run occurs, one that goes well or one that turns back, says which it is and what
// it belongs to.
func TestLogs(t *testing.T) {
	t.Parallel()
	documents := newSite(t, func(w http.ResponseWriter, path string, nth int) {
		if nth == 1 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		fmt.Fprint(w, map[string]string{"/good.json": `[{"id":1}]`, "/bad.json": `[{"id":1`}[path])
	})
	c := startCluster(t, "SEGUE_LOG_LEVEL=debug")
	c.ready()
	conn, err := nats.Connect(c.url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	runs := make(map[string]string) // each with its correlation id
	for _, name := range []string{"good", "bad"} {
		start := nats.NewMsg("saga.start.ingest")
		for attribute, value := range map[string]string{"specversion": "1.0", "id": name, "source": "/shop", "type": "shop.order.placed", "correlationid": "order-" + name} {
			start.Header.Set("ce-"+attribute, value)
		}
		start.Data = fmt.Appendf(nil, `{"url":"%s/%s.json"}`, documents.URL, name)
		if _, err := conn.RequestMsg(start, patience); err != nil {
			t.Fatal(err)
		}
		runs[events.RunID("/shop", name)] = "order-" + name
	}
	ended := func(line map[string]any) bool {
		return slices.Contains([]any{"run completed", "run compensated"}, line["msg"])
	}
	eventually(t, patience, func() error {
		count := 0
		for _, member := range []string{"orchestrator-1", "orchestrator-2"} {
			for _, line := range c.programs[member].lines() {
				if ended(line) {
					count++
				}
			}
		}
		if count != len(runs) {
			return fmt.Errorf("%d runs have ended, want %d", count, len(runs))
		}
		return nil
	})
	for _, p := range c.all() {
		p.terminate()
	}
	about := make(map[any]int) // lines about runs, by program
	for _, p := range c.all() {
		p.ended()
		for _, line := range p.lines() {
			for _, key := range []string{"time", "level", "msg", "program"} {
				if text, _ := line[key].(string); text == "" {
					t.Errorf("%s: a line without %s: %v", p.name, key, line)
				}
			}
			for run, correlation := range runs {
				if !strings.Contains(fmt.Sprint(line), run) {
					continue
				}
				about[line["program"]]++
				if line["run"] != run || line["correlation_id"] != correlation {
					t.Errorf("%s: a line about run %s of %s says neither: %v", p.name, run, correlation, line)
				}
			}
		}
	}
	for _, program := range []string{"orchestrator", "fetcher", "validator", "parser", "saver"} {
		if about[program] == 0 {
			t.Errorf("%s has no line about a run: %v", program, about)
		}
	}
}

// lines are what a program has logged. A line that is no JSON fails the test; the
// last one may not be whole yet.
func (p *process) lines() (lines []map[string]any) {
	p.t.Helper()
	for text := range strings.Lines(p.out.String()) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err == nil {
			lines = append(lines, line)
		} else if strings.HasSuffix(text, "\n") {
			p.t.Errorf("%s logs no JSON: %v: %s", p.name, err, text)
		}
	}
	return lines
}
