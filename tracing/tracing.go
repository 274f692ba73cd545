// Package tracing shows runs as OpenTelemetry traces.
//
//	run SAGA              => from started to ended, a child of the caller's span if the start named one
//	request SERVICE STEP  => an attempt, from its command stored to its outcome stored
//	undo SERVICE STEP     => an attempt at undoing the step
//	process SERVICE STEP  => one delivery of the command, round its handler
//
// The first three are made of the run when it has ended, by whoever saw it end;
// the last by the service. What is in the journal has the id that [events.Trace]
// says, so that services, which know nothing of the run but the traceparent of
// their command, hang their spans where they belong, and whoever makes a span
// twice makes the same one. All others have random ids.
//
// The package decides nothing about where spans go: see segue/daemon.
package tracing

import (
	"context"
	"crypto/rand"

	"go.opentelemetry.io/otel/trace"

	"segue/events"
)

// Scope names who makes the spans.
const Scope = "segue"

// Place returns a place in a trace as OpenTelemetry knows it: one that others
// made, in another process.
func Place(t events.Trace) trace.SpanContext {
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: t.ID, SpanID: t.Span, TraceFlags: trace.TraceFlags(t.Flags), Remote: true,
	})
}

// placeKey is the key of the place of the next span in a context.
type placeKey struct{}

// At has the next span begin at a place. Only providers that use [IDs] do so.
func At(ctx context.Context, t events.Trace) context.Context {
	return context.WithValue(ctx, placeKey{}, t)
}

// undecidedKey is the key of what [Undecided] says.
type undecidedKey struct{}

// Undecided says, for the sampler of a provider, of a context with a remote parent
// that nobody has decided yet whether its trace is recorded: the parent is in the
// trace that a run has of its own.
func Undecided(ctx context.Context) bool { return ctx.Value(undecidedKey{}) != nil }

// IDs makes the ids of spans: those of the places they begin at, else random
// ones. It is the sdktrace.IDGenerator of a provider.
type IDs struct{}

// NewIDs returns the ids of the first span of a trace.
func (IDs) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	if t, ok := ctx.Value(placeKey{}).(events.Trace); ok {
		return t.ID, t.Span
	}
	var id trace.TraceID
	rand.Read(id[:]) //nolint:errcheck // never fails
	return id, IDs{}.NewSpanID(ctx, id)
}

// NewSpanID returns the id of a span in a trace.
func (IDs) NewSpanID(ctx context.Context, _ trace.TraceID) (span trace.SpanID) {
	if t, ok := ctx.Value(placeKey{}).(events.Trace); ok {
		return t.Span
	}
	rand.Read(span[:]) //nolint:errcheck // never fails
	return span
}
