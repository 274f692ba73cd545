package daemon

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"segue/tracing"
)

// flushTimeout is how long a program that stops waits for its last spans to be sent.
const flushTimeout = 5 * time.Second

// Traces sets up where spans go, as the OTEL_ variables say. It returns nil if
// they say nothing: then there is no exporter, no goroutine, and nothing is
// recorded. Flush sends what is left and ends it; it takes 5 s at most.
//
//	OTEL_EXPORTER_OTLP_ENDPOINT, ..._TRACES_ENDPOINT  => where to, and that there are any
//	OTEL_TRACES_EXPORTER                              => otlp, or none
//	OTEL_SDK_DISABLED                                 => true: none
//	OTEL_EXPORTER_OTLP_PROTOCOL                       => http/protobuf, and nothing else
//	OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES       => who sends them; segue-<program> if not said
//	OTEL_TRACES_SAMPLER, ..._ARG                      => which runs
//
// and what the OTLP exporter and the batches read besides: headers, certificates,
// timeouts, sizes. Spans wait in a queue of 2048 unless OTEL_BSP_MAX_QUEUE_SIZE
// says otherwise; beyond it they are dropped, never waited for.
func Traces(ctx context.Context, program string, log *slog.Logger) (provider trace.TracerProvider, flush func(), err error) {
	wanted, err := tracesWanted()
	if err != nil || !wanted {
		return nil, func() {}, err
	}
	sampler, err := sampler()
	if err != nil {
		return nil, nil, err
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("export traces: %w", err)
	}
	about, err := resource.New(ctx, resource.WithAttributes(
		attribute.String("service.name", program), attribute.String("service.version", Version())),
		resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, nil, fmt.Errorf("read OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("traces", "error", err) }))
	sdk := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about),
		sdktrace.WithSampler(sampler), sdktrace.WithIDGenerator(tracing.IDs{}))
	otel.SetTracerProvider(sdk) // for what users' services do themselves
	otel.SetTextMapPropagator(propagation.TraceContext{})
	return sdk, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
		defer cancel()
		if err := sdk.Shutdown(ctx); err != nil {
			log.Warn("the last traces could not be sent", "error", err)
		}
	}, nil
}

// env is a variable without what people leave round it.
func env(name string) string { return strings.TrimSpace(os.Getenv(name)) }

// tracesWanted says whether the environment asks for traces, and refuses what it
// asks for in vain: the exporter would go to a default instead.
func tracesWanted() (bool, error) {
	if disabled, _ := strconv.ParseBool(env("OTEL_SDK_DISABLED")); disabled {
		return false, nil
	}
	const traces, all = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"
	endpoint, exporter := cmp.Or(env(traces), env(all)), env("OTEL_TRACES_EXPORTER")
	switch {
	case exporter == "none" || exporter == "" && endpoint == "":
		return false, nil
	case exporter != "" && exporter != "otlp":
		return false, fmt.Errorf("OTEL_TRACES_EXPORTER is %q: otlp and none are understood", exporter)
	}
	if protocol := cmp.Or(env("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"), env("OTEL_EXPORTER_OTLP_PROTOCOL"), "http/protobuf"); protocol != "http/protobuf" {
		return false, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL is %q: traces are sent as http/protobuf only, which collectors take on port 4318", protocol)
	}
	for _, name := range []string{traces, all} {
		if u, err := url.Parse(env(name)); env(name) != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
			return false, fmt.Errorf("%s is no URL such as http://collector:4318", name)
		}
	}
	return true, nil
}

// sampler returns the sampler that OTEL_TRACES_SAMPLER names.
func sampler() (sdktrace.Sampler, error) {
	share, argument := 1.0, env("OTEL_TRACES_SAMPLER_ARG")
	name := cmp.Or(env("OTEL_TRACES_SAMPLER"), "parentbased_always_on")
	if strings.HasSuffix(name, "traceidratio") && argument != "" {
		var err error
		if share, err = strconv.ParseFloat(argument, 64); err != nil || !(share >= 0 && share <= 1) {
			return nil, errors.New("OTEL_TRACES_SAMPLER_ARG is no number from 0 to 1")
		}
	}
	switch name {
	case "always_on":
		return sdktrace.AlwaysSample(), nil
	case "always_off":
		return sdktrace.NeverSample(), nil
	case "traceidratio":
		return ratio(share), nil
	case "parentbased_always_on":
		return sdktrace.ParentBased(sdktrace.AlwaysSample()), nil
	case "parentbased_always_off":
		return parentBased{sdktrace.NeverSample()}, nil
	case "parentbased_traceidratio":
		return parentBased{ratio(share)}, nil
	}
	return nil, fmt.Errorf("OTEL_TRACES_SAMPLER is %q: always_on, always_off, traceidratio and those with parentbased_ before them are understood", name)
}

// ratio records a share of all traces, by their ids, so that all programs record
// the same. It looks at the last 56 bits, which are random in any id; the SDK's own
// looks at 64, and in the id of a run, a UUID, two of those are not.
type ratio float64

// ShouldSample decides by the trace id.
func (r ratio) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	const bits = 56
	random := binary.BigEndian.Uint64(p.TraceID[8:]) & (1<<bits - 1)
	result := sdktrace.SamplingResult{Tracestate: trace.SpanContextFromContext(p.ParentContext).TraceState()}
	if random < uint64(float64(r)*(1<<bits)) {
		result.Decision = sdktrace.RecordAndSample
	}
	return result
}

// Description names the sampler.
func (r ratio) Description() string { return fmt.Sprintf("ratio{%g}", float64(r)) }

// parentBased follows the parent. Where there is none, and for what a service does
// in a trace that is the run's own, it decides like root: the command says that
// such a trace is recorded, since nobody has decided.
type parentBased struct{ root sdktrace.Sampler }

// ShouldSample decides as the parent or like root.
func (b parentBased) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	if trace.SpanContextFromContext(p.ParentContext).IsRemote() && tracing.Undecided(p.ParentContext) {
		return b.root.ShouldSample(p)
	}
	return sdktrace.ParentBased(b.root).ShouldSample(p)
}

// Description names the sampler.
func (b parentBased) Description() string { return "parentBased{" + b.root.Description() + "}" }
