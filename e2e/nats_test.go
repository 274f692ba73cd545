//go:build unix

package e2e

import (
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"segue/events"
)

// cli is the nats CLI, connected to a broker.
type cli struct {
	t   *testing.T
	job job
}

func newCLI(t *testing.T, url string) cli {
	return cli{t, job{dir: t.TempDir(), env: []string{"NATS_URL=" + url, "HOME=" + t.TempDir()}}}
}

func (c cli) run(args ...string) result {
	c.t.Helper()
	return c.job.run(c.t, natsCLI(c.t), args...).want(c.t, 0)
}

// example returns the file URL of an example.
func example(name string) string {
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(filepath.Join(root, "examples", name))}).String()
}

// startExamples starts "segue up" with leave to read the examples.
func startExamples(t *testing.T) (*up, *broker, cli) {
	t.Helper()
	natsCLI(t) // skips before anything is built
	u := startUp(t, t.TempDir(), "--allow-files", filepath.Join(root, "examples"))
	return u, client(t, u.url), newCLI(t, u.url)
}

// shown matches the line before each message that nats sub shows.
var shown = regexp.MustCompile(`(?m)^\[#\d+\] Received JetStream message: .* subject: (\S+) `)

// whole is what a run of saga ingest looks like, without its beginning saga.run.<pp>.<run>.
var whole = []string{
	"started",
	"command.catalog.look.1", "outcome.catalog.look.1",
	"command.fetcher.fetch.1", "outcome.fetcher.fetch.1",
	"command.validator.validate.1", "outcome.validator.validate.1",
	"command.parser.parse.1", "outcome.parser.parse.1",
	"command.saver.save.1", "outcome.saver.save.1",
	"ended",
}

// TestNATS speaks to segue with the nats CLI alone.
func TestNATS(t *testing.T) {
	t.Parallel()
	u, b, nc := startExamples(t)
	body := `{"url":"` + example("todos.json") + `"}`

	// Bare JSON. Nothing else has run yet, so the journal is this run.
	nc.run("pub", "saga.start.ingest", body)
	bare, err := events.DecodeStart(events.Message{Subject: "saga.start.ingest", Data: []byte(body)})
	if err != nil {
		t.Fatal(err)
	}
	run := events.RunID(bare.Source, bare.ID)
	b.has(run, events.KindEnded)
	out := nc.run("sub", "--stream", "SAGA_RUNS", "--all", "--terminate-at-end", "saga.run.>").stdout
	var subjects []string
	for _, m := range shown.FindAllStringSubmatch(out, -1) {
		subjects = append(subjects, strings.Join(strings.Split(m[1], ".")[4:], "."))
	}
	if d := cmp.Diff(whole, subjects); d != "" {
		t.Errorf("nats sub shows other messages than those of a whole run (-want +got):\n%s\n%s", d, out)
	}
	for _, text := range []string{"ce-specversion: 1.0", "ce-type: segue.run.completed.v1", `"collection":"todos"`, `"total":200`} {
		if !strings.Contains(out, text) {
			t.Errorf("nats sub does not show %s:\n%s", text, out)
		}
	}
	u.segue("show", run).want(t, 0, "completed", "save")

	// A CloudEvent in binary mode, with a correlation of the caller's.
	nc.run("pub", "saga.start.ingest", body, "-H", "ce-specversion:1.0", "-H", "ce-id:order-4711", "-H", "ce-source:/shop",
		"-H", "ce-type:com.example.uploaded", "-H", "ce-correlationid:order%204711")
	b.completed(events.RunID("/shop", "order-4711"), "order 4711")

	// One in structured mode.
	structured, err := json.Marshal(map[string]any{
		"specversion": "1.0", "id": "order-4712", "source": "/shop", "type": "com.example.uploaded",
		"correlationid": "order 4712", "data": json.RawMessage(body),
	})
	if err != nil {
		t.Fatal(err)
	}
	nc.run("pub", "saga.start.ingest", string(structured), "-H", "Content-Type:application/cloudevents+json; charset=UTF-8")
	b.completed(events.RunID("/shop", "order-4712"), "order 4712")

	if n := query(t, u.database(), "SELECT count(*) FROM records"); n[0] != "200" {
		t.Errorf("%s records after the same document three times, want 200", n[0])
	}
	b.drained(patience)
}

// completed waits for the end of a run and checks that it completed under a
// correlation, and that each of its events names the one that caused it.
func (b *broker) completed(run, correlation string) {
	b.t.Helper()
	b.has(run, events.KindEnded)
	all := b.run(run)
	ids := make(map[string]bool)
	for i, e := range all {
		if e.Event.CorrelationID != correlation {
			b.t.Errorf("%s has correlation %q, want %q", e.Subject, e.Event.CorrelationID, correlation)
		}
		if i > 0 && !ids[e.Event.CausationID] {
			b.t.Errorf("%s was caused by %q, which is not an earlier event of its run", e.Subject, e.Event.CausationID)
		}
		ids[e.Event.ID] = true
	}
	want := len(whole)
	for _, e := range all {
		if e.Event.Type == events.TypeStepSkipped {
			want-- // nobody answers
		}
	}
	if last := all[len(all)-1]; last.Event.Type != events.TypeRunCompleted || len(all) != want {
		b.t.Errorf("run %s ended as %s after %d messages, want completed after %d", run, last.Event.Type, len(all), want)
	}
}

// TestSameStart publishes the same event a hundred times, in three ways that the
// broker's own memory for duplicates does not cover, and finds one run of each.
func TestSameStart(t *testing.T) {
	t.Parallel()
	_, b, nc := startExamples(t)
	body := `{"url":"` + example("airports.csv") + `"}`

	nc.run("pub", "--count", "100", "saga.start.ingest", body) // known by its bytes
	nc.run("pub", "--count", "100", "saga.start.ingest", body,
		"-H", "ce-specversion:1.0", "-H", "ce-id:1", "-H", "ce-source:/cli", "-H", "ce-type:com.example.uploaded")
	var publishers sync.WaitGroup
	for range 100 {
		publishers.Go(func() {
			m := events.Encode("saga.start.ingest", events.Event{ID: "1", Source: "/go", Type: "com.example.uploaded", Data: []byte(body)})
			if _, err := b.js.PublishMsg(t.Context(), &nats.Msg{Subject: m.Subject, Header: nats.Header(m.Header), Data: m.Data}); err != nil {
				t.Error(err)
			}
		})
	}
	publishers.Wait()
	for _, source := range []string{"/cli", "/go"} {
		b.has(events.RunID(source, "1"), events.KindEnded)
	}
	b.drained(patience)
	eventually(t, patience, func() error {
		if n := len(b.messages("SAGA_RUNS", events.AllEnds)); n != 3 {
			return fmt.Errorf("%d runs have ended, want 3", n)
		}
		return nil
	})
	for _, what := range []string{"started", "command.saver.save.1", "outcome.saver.save.1"} {
		if n := len(b.messages("SAGA_RUNS", "saga.run.*.*."+what)); n != 3 {
			t.Errorf("the journal holds %d of %s, want 3", n, what)
		}
	}
	if n := len(b.messages("SAGA_RUNS", events.AllRuns)); n > 3*len(whole) {
		t.Errorf("the journal holds %d messages, want at most %d", n, 3*len(whole))
	}
}

// TestRejected publishes what cannot become a run, and finds each with its reason.
func TestRejected(t *testing.T) {
	t.Parallel()
	u, b, nc := startExamples(t)
	for _, start := range []struct{ subject, body, reason string }{
		{"saga.start.ingets", `{"url":"https://example.org/a.json"}`, `no saga is named "ingets"; there are: ingest`},
		{"saga.start.ingest", `{"uri":"https://example.org/a.json"}`, "url"},
		{"saga.start.ingest", `{"url":`, "is no CloudEvent and"},
	} {
		nc.run("pub", start.subject, start.body)
		eventually(t, patience, func() error {
			if r := u.segue("ls", "--rejected"); !strings.Contains(r.stdout, start.reason) {
				return fmt.Errorf("segue ls --rejected does not say %q but %s%s", start.reason, r.stdout, r.stderr)
			}
			return nil
		})
	}
	if r := u.segue("ls", "--rejected"); strings.Count(r.stdout, "\n    ") != 3 {
		t.Errorf("it lists more or less than three:\n%s", r.stdout)
	}
	if n := len(b.messages("SAGA_RUNS", events.AllRuns)); n != 0 {
		t.Errorf("%d messages are in the journal, want none", n)
	}
	b.drained(patience)
	for line := range strings.Lines(u.segue("ls", "--rejected", "--json").stdout) {
		var rejected struct {
			At     time.Time
			Reason string
			Data   []byte
		}
		if err := json.Unmarshal([]byte(line), &rejected); err != nil || rejected.Reason == "" || len(rejected.Data) == 0 || rejected.At.IsZero() {
			t.Errorf("%v in %s", err, line)
		}
	}
}
