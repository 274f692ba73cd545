package participant_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"segue/events"
	"segue/journal/memory"
	"segue/participant"
	"segue/tracing"
)

// TestTrace holds that each delivery has a span below the attempt that its command
// names, that the handler's own spans hang below it, and that a second delivery
// is linked to the first.
func TestTrace(t *testing.T) {
	onBench(t, memory.Config{}, func(b *bench) {
		recorder := tracetest.NewSpanRecorder()
		provider := sdktrace.NewTracerProvider(sdktrace.WithIDGenerator(tracing.IDs{}), sdktrace.WithSpanProcessor(recorder))
		edit := func(c *participant.Config) { c.Traces, c.Concurrency = provider, 1 }
		dies := b.run("dies", edit, doing(func(ctx context.Context, _ participant.Command[in]) error {
			<-ctx.Done()
			return ctx.Err()
		}))
		b.send(command("r", first, `{"n":1}`))
		passes(time.Second)
		dies.client.Kill()
		<-dies.ended
		b.run("w", edit, doing(func(ctx context.Context, c participant.Command[in]) error {
			_, span := provider.Tracer("test").Start(ctx, "own")
			span.End()
			if c.Run == "bad" {
				return participant.Permanent("no_seat", errors.New("no seat"))
			}
			return nil
		}))
		passes(2 * time.Minute)
		if b.outcome("r", first).Type != events.TypeStepCompleted {
			t.Fatal("the command was not done again")
		}
		b.send(command("bad", first, `{"n":1}`))
		passes(time.Second)
		var deliveries, own []sdktrace.ReadOnlySpan
		for _, s := range recorder.Started() {
			if s.Name() == "own" {
				own = append(own, s)
				continue
			}
			deliveries = append(deliveries, s)
			if s.Name() != "process svc step" || s.SpanKind() != trace.SpanKindConsumer || s.Parent().SpanID().String() != "b7ad6b7169203331" ||
				s.SpanContext().TraceID().String() != "0af7651916cd43dd8448eb211c80319c" {
				t.Errorf("span %q of kind %v is at %v below %v", s.Name(), s.SpanKind(), s.SpanContext(), s.Parent())
			}
		}
		if len(deliveries) != 3 || len(own) != 2 {
			t.Fatalf("%d spans of deliveries and %d of handlers, want 3 and 2", len(deliveries), len(own))
		}
		if links := deliveries[1].Links(); len(links) != 1 || links[0].SpanContext.SpanID() != deliveries[0].SpanContext().SpanID() || len(deliveries[0].Links()) > 0 {
			t.Errorf("the second delivery has the links %v, the first %v", links, deliveries[0].Links())
		}
		for i, s := range own {
			if s.Parent().SpanID() != deliveries[i+1].SpanContext().SpanID() || s.SpanContext().SpanID() == deliveries[i+1].SpanContext().SpanID() {
				t.Errorf("span %d of the handler is at %v, below %v", i, s.SpanContext(), s.Parent())
			}
		}
		if bad := deliveries[2]; bad.Status().Code != codes.Error || bad.Status().Description != "no seat" || deliveries[1].Status().Code == codes.Error {
			t.Errorf("the spans end with %+v and %+v", deliveries[1].Status(), bad.Status())
		}
		if n := b.logged("trace_id=0af7651916cd43dd8448eb211c80319c"); n != 3 {
			t.Errorf("%d lines of the log name the trace, want one for each delivery: 3", n)
		}
	})
}
