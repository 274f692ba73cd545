//go:build unix

package e2e

import (
	"compress/gzip"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"segue/events"
)

// TestTraces follows a document through all programs as a collector of
// OpenTelemetry sees it: one trace, below the caller's span, with a link where
// an attempt was repeated.
func TestTraces(t *testing.T) {
	t.Parallel()
	to := newCollector(t)
	documents := newSite(t, func(w http.ResponseWriter, _ string, nth int) {
		if nth == 1 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		fmt.Fprint(w, `[{"id":1},{"id":2}]`)
	})
	c := startCluster(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+to.URL, "OTEL_BSP_SCHEDULE_DELAY=100")
	c.ready()

	conn, err := nats.Connect(c.url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	start := nats.NewMsg("saga.start.ingest")
	start.Header.Set("Nats-Msg-Id", "4711")
	start.Header.Set("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	start.Data = []byte(`{"url":"` + documents.URL + `/a.json"}`)
	if _, err := conn.RequestMsg(start, patience); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"segue-orchestrator: run ingest",
		"segue-orchestrator: request catalog look / segue-saver: process catalog look",
		"segue-orchestrator: request fetcher fetch unavailable / segue-fetcher: process fetcher fetch unavailable",
		"segue-orchestrator: request fetcher fetch again / segue-fetcher: process fetcher fetch",
		"segue-orchestrator: request validator validate / segue-validator: process validator validate",
		"segue-orchestrator: request parser parse / segue-parser: process parser parse",
		"segue-orchestrator: request saver save / segue-saver: process saver save",
	}
	slices.Sort(want)
	eventually(t, patience, func() error {
		if got := to.tree("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"); !slices.Equal(got, want) {
			return fmt.Errorf("the trace is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		return nil
	})
	if run := events.RunID(events.StartSource("saga.start.ingest"), "4711"); to.run() != run {
		t.Errorf("the spans are of run %s, want %s", to.run(), run)
	}
}

// collected is a span and who sent it.
type collected struct {
	*otlp.Span
	program string
}

// traceCollector takes spans as OTLP has them over HTTP.
type traceCollector struct {
	*httptest.Server
	mu    sync.Mutex
	spans map[string]collected // by span id
}

func newCollector(t *testing.T) *traceCollector {
	c := &traceCollector{spans: make(map[string]collected)}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := c.take(r); err != nil {
			t.Errorf("the collector cannot read what %s sends to %s: %v", r.UserAgent(), r.URL.Path, err)
		}
		w.Header().Set("Content-Type", "application/x-protobuf") // an empty message: all is taken
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *traceCollector) take(r *http.Request) error {
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(body)
		if err != nil {
			return err
		}
		body = unzipped
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	var sent collector.ExportTraceServiceRequest
	if err := proto.Unmarshal(text, &sent); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, of := range sent.ResourceSpans {
		program := ""
		for _, a := range of.Resource.Attributes {
			if a.Key == "service.name" {
				program = a.Value.GetStringValue()
			}
		}
		for _, scope := range of.ScopeSpans {
			for _, span := range scope.Spans {
				c.spans[hex.EncodeToString(span.SpanId)] = collected{span, program}
			}
		}
	}
	return nil
}

// value returns an attribute of a span.
func (s collected) value(key string) string {
	for _, a := range s.Attributes {
		if a.Key == key {
			return a.Value.GetStringValue()
		}
	}
	return ""
}

// name is that of a span, with how it failed and whether it repeats one that there is.
func (c *traceCollector) name(s collected) string {
	name := s.program + ": " + s.Name
	if code := s.value("error.type"); code != "" {
		name += " " + code
	}
	for _, link := range s.Links {
		if _, ok := c.spans[hex.EncodeToString(link.SpanId)]; ok {
			name += " again"
		}
	}
	return name
}

// tree lists the spans of a trace below one that others made, each behind the one
// that it is below, of those that have none below them; and the run's.
func (c *traceCollector) tree(trace, above string) (leaves []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	isAbove := make(map[string]bool)
	for _, s := range c.spans {
		isAbove[hex.EncodeToString(s.ParentSpanId)] = true
	}
	for id, s := range c.spans {
		parent := hex.EncodeToString(s.ParentSpanId)
		switch under, ok := c.spans[parent]; {
		case hex.EncodeToString(s.TraceId) != trace:
			leaves = append(leaves, c.name(s)+" in another trace")
		case parent == above: // the run
			leaves = append(leaves, c.name(s))
		case !ok:
			leaves = append(leaves, c.name(s)+" below a span that is not there")
		case !isAbove[id]:
			leaves = append(leaves, c.name(under)+" / "+c.name(s))
		}
	}
	slices.Sort(leaves)
	return leaves
}

// run returns the run that spans are of; what they do not agree on is joined.
func (c *traceCollector) run() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	runs := make(map[string]bool)
	for _, s := range c.spans {
		runs[s.value("segue.run.id")] = true
	}
	return strings.Join(slices.Sorted(maps.Keys(runs)), ", ")
}
