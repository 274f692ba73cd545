package tracing

import (
	"cmp"
	"context"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"segue/events"
)

// Process begins the span of one delivery of a command, below the attempt that
// the command names, and returns it with a context for the handler. Delivery
// counts from 1; a later one is linked to the one before it. The caller ends it.
func Process(ctx context.Context, provider trace.TracerProvider, command events.Entry, delivery int) (context.Context, trace.Span) {
	options := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindConsumer)}
	if asked, ok := events.ParseTrace(command.Event.TraceParent); ok {
		if asked.ID == events.RunTrace(events.Event{RunID: command.Subject.Run}).ID {
			ctx = context.WithValue(ctx, undecidedKey{}, true)
		}
		ctx = At(trace.ContextWithRemoteSpanContext(ctx, Place(asked)), delivered(asked, command, delivery))
		if delivery > 1 {
			options = append(options, trace.WithLinks(trace.Link{
				SpanContext: Place(delivered(asked, command, delivery-1)),
				Attributes:  []attribute.KeyValue{attribute.String("segue.link", "redelivery")},
			}))
		}
	}
	ctx, span := provider.Tracer(Scope).Start(ctx, "process "+command.Subject.Service+" "+command.Subject.Step, options...)
	if span.IsRecording() { // else to put together what describes it is a waste, and most are not
		span.SetAttributes(Destination(command.Subject.Service, command.Subject.Step, command.Subject.Attempt)...)
		span.SetAttributes(
			attribute.String("segue.run.id", command.Subject.Run), attribute.Int("segue.delivery", delivery),
			attribute.String("messaging.operation.name", "process"), attribute.String("messaging.operation.type", "process"),
			attribute.String("messaging.destination.name", command.Subject.String()),
			attribute.String("messaging.message.id", command.Event.ID),
			attribute.String("messaging.message.conversation_id", command.Event.CorrelationID),
			attribute.String("cloudevents.event_id", command.Event.ID), attribute.String("cloudevents.event_type", command.Event.Type),
			attribute.String("cloudevents.event_source", command.Event.Source))
	}
	return context.WithValue(ctx, placeKey{}, nil), span // those of the handler are its own
}

// delivered is the place of a delivery's span.
func delivered(asked events.Trace, command events.Entry, delivery int) events.Trace {
	return asked.At(command.Event.ID + " delivery " + strconv.Itoa(delivery))
}

// Destination says where the command of an attempt goes, in a form that many
// have in common.
func Destination(service, step string, n events.Attempt) []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String("segue.step", step), attribute.String("segue.attempt", n.String()),
		attribute.String("messaging.system", "nats"), attribute.String("messaging.consumer.group.name", service),
		attribute.String("messaging.destination.template", "saga.run.{partition}.{run}.command."+service+"."+step+".{attempt}"),
	}
}

// maxMessage is how much of a failure's message a span has, in bytes.
const maxMessage = 1 << 10

// Failed has a span say that what it shows has failed. The code may be empty.
func Failed(span trace.Span, code, message string) {
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage], "") + " …"
	}
	span.SetAttributes(attribute.String("error.type", cmp.Or(code, "failed")))
	span.SetStatus(codes.Error, message)
}
