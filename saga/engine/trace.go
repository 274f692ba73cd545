package engine

import (
	"cmp"
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"segue/saga"
	"segue/tracing"
)

// trace makes the spans of a run that has ended. They wait for nobody: a provider
// drops what it has no room for.
func (e *Engine) trace(run *saga.Run) {
	if e.Traces == nil {
		return
	}
	tracer := e.Traces.Tracer(tracing.Scope)
	view := run.View()
	ctx := context.Background()
	if origin, ok := run.Origin(); ok {
		ctx = trace.ContextWithRemoteSpanContext(ctx, tracing.Place(origin))
	}
	about := []attribute.KeyValue{
		attribute.String("segue.run.id", view.Run), attribute.String("segue.saga", view.Saga),
		attribute.String("messaging.message.conversation_id", view.Correlation),
	}
	ctx, root := tracer.Start(tracing.At(ctx, run.Trace()), "run "+view.Saga, trace.WithTimestamp(view.Started),
		trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(about...), trace.WithAttributes(
			attribute.String("segue.status", string(view.Status)), attribute.String("segue.definition", view.Digest),
			attribute.String("messaging.system", "nats"), attribute.String("messaging.operation.name", "run"),
			attribute.String("messaging.operation.type", "process"), attribute.String("messaging.destination.name", "saga.start."+view.Saga)))
	if r := view.Reason; r != nil {
		root.SetAttributes(attribute.String("segue.reason", r.Kind), attribute.String("segue.reason.step", r.Step))
		tracing.Failed(root, cmp.Or(r.Code, r.Kind), cmp.Or(r.Message, r.Kind))
	}
	if root.IsRecording() {
		var before saga.Tried // at the same thing
		for _, a := range run.Tried() {
			if a.Step != before.Step || a.Attempt.Undo != before.Attempt.Undo {
				before = saga.Tried{}
			}
			traceAttempt(ctx, tracer, a, before, about)
			before = a
		}
	}
	root.End(trace.WithTimestamp(view.Ended))
}

// traceAttempt makes the span of an attempt, with a link to the one before it.
func traceAttempt(ctx context.Context, tracer trace.Tracer, a, before saga.Tried, about []attribute.KeyValue) {
	operation := "request"
	if a.Attempt.Undo {
		operation = "undo"
	}
	options := []trace.SpanStartOption{
		trace.WithTimestamp(a.Asked), trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(about...),
		trace.WithAttributes(tracing.Destination(a.Service, a.Step, a.Attempt)...), trace.WithAttributes(
			attribute.String("messaging.operation.name", operation), attribute.String("messaging.operation.type", "send")),
	}
	if before.Step != "" {
		options = append(options, trace.WithLinks(trace.Link{
			SpanContext: tracing.Place(before.Trace), Attributes: []attribute.KeyValue{attribute.String("segue.link", "retry")},
		}))
	}
	_, span := tracer.Start(tracing.At(ctx, a.Trace), operation+" "+a.Service+" "+a.Step, options...)
	if f := a.Failure; f != nil {
		span.SetAttributes(attribute.Bool("segue.failure.unknown", f.Unknown))
		tracing.Failed(span, f.Code, f.Message)
	}
	span.End(trace.WithTimestamp(a.Settled))
}
