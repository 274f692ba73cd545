package participant_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"segue/document"
	"segue/events"
	"segue/journal/memory"
	"segue/participant"
)

type in struct {
	N    int    `json:"n"`
	Text string `json:"text"`
}

type out struct {
	Sum int `json:"sum"`
}

// doing returns a service whose handler is only about its error.
func doing(do func(ctx context.Context, c participant.Command[in]) error) participant.Service {
	return participant.New("svc", func(ctx context.Context, c participant.Command[in]) (out, error) {
		return out{c.Input.N}, do(ctx, c)
	}, nil)
}

func TestTypedHandlers(t *testing.T) {
	onBench(t, memory.Config{}, func(b *bench) {
		var commands []participant.Command[in]
		var undos []participant.Undo[in, out]
		b.run("w", func(c *participant.Config) { c.Concurrency = 1 }, participant.New("svc",
			func(_ context.Context, c participant.Command[in]) (out, error) {
				commands = append(commands, c)
				return out{c.Input.N + 1}, nil
			},
			func(_ context.Context, u participant.Undo[in, out]) error {
				undos = append(undos, u)
				return nil
			}))
		b.send(command("r", events.Attempt{N: 3}, `{"n":41,"text":"a","unknown":true}`))
		passes(time.Second)
		b.send(command("r", events.Attempt{N: 2, Undo: true}, `{"input":{"n":41},"output":{"sum":42},"attempts":3}`))
		passes(time.Second)
		b.send(command("r", events.Attempt{N: 4, Undo: true}, `{"input":{"n":41},"attempts":3}`))
		passes(time.Second)
		if diff := cmp.Diff([]participant.Command[in]{{Run: "r", Step: "step", Attempt: 3, Correlation: "order 7", Input: in{41, "a"}}}, commands); diff != "" {
			t.Errorf("the handler got (-want +got)\n%s", diff)
		}
		if diff := cmp.Diff([]participant.Undo[in, out]{
			{Run: "r", Step: "step", Attempt: 2, Correlation: "order 7", Input: in{N: 41}, Output: &out{42}, Attempts: 3},
			{Run: "r", Step: "step", Attempt: 4, Correlation: "order 7", Input: in{N: 41}, Attempts: 3},
		}, undos); diff != "" {
			t.Errorf("the undo handler got (-want +got)\n%s", diff)
		}
		subject := place("r", events.Attempt{N: 3}).With(events.KindOutcome)
		got := b.outcome("r", subject.Attempt)
		got.Time = time.Time{}
		if diff := cmp.Diff(events.Event{
			ID: events.DeriveID(subject, "/segue/services/svc", events.TypeStepCompleted), Source: "/segue/services/svc",
			Type: events.TypeStepCompleted, Subject: "step", CorrelationID: "order 7", CausationID: "command-r3",
			TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", RunID: "r",
			DataContentType: events.JSON, Data: []byte(`{"sum":42}`),
		}, got); diff != "" {
			t.Errorf("the outcome is (-want +got)\n%s", diff)
		}
		if e := b.outcome("r", events.Attempt{N: 2, Undo: true}); e.Type != events.TypeUndoCompleted || len(e.Data) > 0 {
			t.Errorf("the outcome of the undo is %s with data %s", e.Type, e.Data)
		}
		b.drained()
	})
}

// A handler's error decides what the outcome says.
func TestErrors(t *testing.T) {
	plain := errors.New("no luck")
	for name, test := range map[string]struct {
		err  error
		want events.Failed
	}{
		"plain":         {plain, events.Failed{Message: "no luck", Retryable: true}},
		"wrapped":       {fmt.Errorf("read file: %w", io.EOF), events.Failed{Message: "read file: EOF", Retryable: true}},
		"permanent":     {participant.Permanent("gone", plain), events.Failed{Message: "no luck", Code: "gone"}},
		"wrapped-perm":  {fmt.Errorf("fetch: %w", participant.Permanent("gone", plain)), events.Failed{Message: "fetch: no luck", Code: "gone"}},
		"unknown":       {&participant.Error{Err: plain, Unknown: true}, events.Failed{Message: "no luck", Retryable: true, Unknown: true}},
		"lost-for-good": {&participant.Error{Err: plain, Unknown: true, Permanent: true}, events.Failed{Message: "no luck", Unknown: true}},
		"retry-after":   {&participant.Error{Err: plain, Code: "busy", RetryAfter: 90 * time.Second}, events.Failed{Message: "no luck", Code: "busy", Retryable: true, RetryAfterMS: 90_000}},
		"details":       {&participant.Error{Err: plain, Details: []int{1, 2}}, events.Failed{Message: "no luck", Retryable: true, Details: json.RawMessage("[1,2]")}},
		"bad-details":   {&participant.Error{Err: plain, Details: func() {}}, events.Failed{Message: "no luck", Retryable: true}},
		"huge-details":  {&participant.Error{Err: plain, Details: strings.Repeat("x", 300<<10)}, events.Failed{Message: "no luck", Retryable: true}},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, memory.Config{}, func(b *bench) {
				b.run("w", nil, participant.New("svc",
					func(context.Context, participant.Command[in]) (out, error) { return out{}, test.err },
					func(context.Context, participant.Undo[in, out]) error { return test.err }))
				undo := events.Attempt{N: 1, Undo: true}
				b.send(command("r", first, `{}`), command("r", undo, `{"input":{}}`))
				passes(time.Second)
				for _, n := range []events.Attempt{first, undo} {
					if diff := cmp.Diff(test.want, b.failed("r", n)); diff != "" {
						t.Errorf("the outcome of %s says (-want +got)\n%s", n, diff)
					}
				}
				b.drained()
			})
		})
	}
}

// An error whose text is larger than any message may be is still told.
func TestLongMessage(t *testing.T) {
	onBench(t, memory.Config{}, func(b *bench) {
		b.run("w", nil, doing(func(context.Context, participant.Command[in]) error {
			return errors.New("it said: " + strings.Repeat("ä", 2<<20))
		}))
		b.send(command("r", first, `{}`))
		passes(time.Minute)
		if f := b.failed("r", first); !strings.HasPrefix(f.Message, "it said: ää") || len(f.Message) > 9<<10 {
			t.Errorf("the message has %d bytes and begins with %.20q", len(f.Message), f.Message)
		}
		b.drained()
	})
}

func TestPanic(t *testing.T) {
	onBench(t, memory.Config{}, func(b *bench) {
		w := b.run("w", func(c *participant.Config) { c.Concurrency = 1 }, doing(func(_ context.Context, c participant.Command[in]) error {
			if c.Run == "bad" {
				panic("index out of range")
			}
			return nil
		}))
		b.send(command("bad", first, `{}`), command("good", first, `{}`))
		passes(time.Second)
		want := events.Failed{Message: "handler panicked: index out of range", Code: participant.CodePanic, Retryable: true, Unknown: true}
		if diff := cmp.Diff(want, b.failed("bad", first)); diff != "" {
			t.Errorf("the outcome says (-want +got)\n%s", diff)
		}
		if e := b.outcome("good", first); e.Type != events.TypeStepCompleted {
			t.Errorf("the next command came to %s", e.Type)
		}
		if n := b.logged("handler_test.go"); n == 0 {
			t.Error("the log does not say where the panic was")
		}
		if n := w.sum(t, "segue_attempts_running"); n != 0 {
			t.Errorf("%v handlers are counted as running", n)
		}
	})
}

// A handler whose time is up: its error says nothing of what was done, unless it
// insists; its result still counts.
func TestDeadline(t *testing.T) {
	for name, test := range map[string]struct {
		end  func(ctx context.Context) error
		want events.Failed
	}{
		"error":     {func(ctx context.Context) error { return ctx.Err() }, events.Failed{Message: "context deadline exceeded", Code: participant.CodeDeadline, Retryable: true, Unknown: true}},
		"own-error": {func(context.Context) error { return &participant.Error{Err: io.EOF, Code: "read"} }, events.Failed{Message: "EOF", Code: "read", Retryable: true, Unknown: true}},
		"permanent": {func(context.Context) error { return participant.Permanent("gone", io.EOF) }, events.Failed{Message: "EOF", Code: "gone"}},
		"result":    {func(context.Context) error { return nil }, events.Failed{}},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, memory.Config{}, func(b *bench) {
				var took time.Duration
				b.run("w", nil, doing(func(ctx context.Context, _ participant.Command[in]) error {
					began := time.Now()
					<-ctx.Done()
					took = time.Since(began)
					return test.end(ctx)
				}))
				c := command("r", first, `{}`)
				c.Event.Expiry = time.Now().Add(50 * time.Second)
				b.send(c)
				passes(time.Minute)
				if took.Round(time.Second) != 50*time.Second {
					t.Errorf("the handler had %v, want 50s", took)
				}
				if e := b.outcome("r", first); test.want.Message == "" && e.Type == events.TypeStepCompleted {
					return
				}
				if diff := cmp.Diff(test.want, b.failed("r", first)); diff != "" {
					t.Errorf("the outcome says (-want +got)\n%s", diff)
				}
			})
		})
	}
}

func TestNoUndo(t *testing.T) {
	onBench(t, memory.Config{}, func(b *bench) {
		b.run("w", nil, doing(func(context.Context, participant.Command[in]) error { return nil }))
		undo := events.Attempt{N: 1, Undo: true}
		b.send(command("r", undo, `{"input":{}}`))
		passes(time.Second)
		if f := b.failed("r", undo); f.Code != participant.CodeNoUndo || f.Retryable {
			t.Errorf("the outcome says %+v, want no_undo, for good", f)
		}
	})
}

// A result that cannot be sent leaves unknown that it was done.
func TestBadOutput(t *testing.T) {
	for name, result := range map[string]any{
		"too-large": strings.Repeat("x", document.DataLimit),
		"no-json":   func() {},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, memory.Config{}, func(b *bench) {
				b.run("w", nil, participant.New("svc", func(context.Context, participant.Command[in]) (any, error) { return result, nil }, nil))
				b.send(command("r", first, `{}`))
				passes(time.Second)
				if f := b.failed("r", first); f.Code != participant.CodeBadOutput || f.Retryable || !f.Unknown {
					t.Errorf("the outcome says %+v, want bad_output, for good, unknown what was done", f)
				}
				b.drained()
			})
		})
	}
}
