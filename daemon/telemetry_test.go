package daemon

import (
	"context"
	"log/slog"
	"math"
	"strings"
	"testing"

	"github.com/google/uuid"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"segue/events"
	"segue/tracing"
)

// TestTracesWanted holds what the environment may ask for. Nothing is sent: there
// is nothing to send.
func TestTracesWanted(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	for name, test := range map[string]struct {
		env  map[string]string
		want string // in the error; "on" and "off" if there is none
	}{
		"nothing":      {nil, "off"},
		"endpoint":     {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, "on"},
		"for traces":   {map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://127.0.0.1:1/v1/traces"}, "on"},
		"disabled":     {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"}, "off"},
		"none":         {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"}, "off"},
		"otlp":         {map[string]string{"OTEL_TRACES_EXPORTER": "otlp"}, "on"},
		"zipkin":       {map[string]string{"OTEL_TRACES_EXPORTER": "zipkin"}, `OTEL_TRACES_EXPORTER is "zipkin": otlp and none`},
		"grpc":         {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http/protobuf only"},
		"no URL":       {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"}, "OTEL_EXPORTER_OTLP_ENDPOINT is no URL"},
		"no sampler":   {map[string]string{"OTEL_TRACES_EXPORTER": "otlp", "OTEL_TRACES_SAMPLER": "jaeger_remote"}, `OTEL_TRACES_SAMPLER is "jaeger_remote"`},
		"no ratio":     {map[string]string{"OTEL_TRACES_EXPORTER": "otlp", "OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "NaN"}, "from 0 to 1"},
		"no attribute": {map[string]string{"OTEL_TRACES_EXPORTER": "otlp", "OTEL_RESOURCE_ATTRIBUTES": "team"}, "OTEL_RESOURCE_ATTRIBUTES"},
	} {
		t.Run(name, func(t *testing.T) {
			for variable, value := range test.env {
				t.Setenv(variable, value)
			}
			provider, flush, err := Traces(t.Context(), "segue-test", log)
			switch {
			case err != nil && !strings.Contains(err.Error(), test.want):
				t.Errorf("error %v, want %q in it", err, test.want)
			case err == nil && (provider != nil) != (test.want == "on") || err == nil && test.want != "on" && test.want != "off":
				t.Errorf("there is a provider: %v; want %q", provider != nil, test.want)
			}
			if flush != nil {
				flush()
			}
		})
	}
}

// TestSampler holds that a share of the runs is recorded, the same by whoever
// begins their traces and by the services, which are told that it is recorded; and
// that the decision of a caller stands.
func TestSampler(t *testing.T) {
	t.Setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
	t.Setenv("OTEL_TRACES_SAMPLER_ARG", "0.25")
	s, err := sampler()
	if err != nil {
		t.Fatal(err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithSampler(s), sdktrace.WithIDGenerator(tracing.IDs{}))
	const runs = 4000
	recorded := 0
	for range runs {
		run := uuid.NewSHA1(uuid.NameSpaceURL, []byte(events.NewStartID())).String()
		place := events.RunTrace(events.Event{ID: run, RunID: run})
		_, root := provider.Tracer("test").Start(tracing.At(context.Background(), place), "run")
		command := events.Entry{
			Subject: events.Subject{Kind: events.KindCommand, Run: run, Service: "s", Step: "s", Attempt: events.Attempt{N: 1}},
			Event:   events.Event{ID: events.NewStartID(), TraceParent: place.String()},
		}
		ctx, process := tracing.Process(context.Background(), provider, command, 1)
		_, own := provider.Tracer("test").Start(ctx, "own")
		if process.IsRecording() != root.IsRecording() || own.IsRecording() != root.IsRecording() {
			t.Fatalf("the run is recorded: %v, its service: %v, what that does: %v", root.IsRecording(), process.IsRecording(), own.IsRecording())
		}
		if root.IsRecording() {
			recorded++
		}
	}
	if share := float64(recorded) / runs; math.Abs(share-0.25) > 0.04 { // six standard deviations
		t.Errorf("%v of the runs are recorded, want 0.25", share)
	}
	for _, flags := range []byte{0, 1} {
		theirs := events.Trace{ID: [16]byte{15: 0xff, 9: 0xff}, Span: [8]byte{1}, Flags: flags} // not in the share
		ctx := trace.ContextWithRemoteSpanContext(context.Background(), tracing.Place(theirs))
		if _, span := provider.Tracer("test").Start(ctx, "run"); span.IsRecording() != (flags == 1) {
			t.Errorf("a caller's trace with flags %d is recorded: %v", flags, span.IsRecording())
		}
	}
}
