package participant_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"segue/document"
	"segue/events"
	"segue/journal/memory"
	"segue/participant"
)

// What a service cannot read is answered at once, and its handler not called.
func TestBadCommands(t *testing.T) {
	for name, spoil := range map[string]func(*events.Message){
		"no-event":   func(m *events.Message) { m.Header = nil },
		"no-json":    func(m *events.Message) { m.Data = []byte(`{"n":`) },
		"no-data":    func(m *events.Message) { m.Data = nil },
		"wrong-type": func(m *events.Message) { m.Data = []byte(`{"n":"1"}`) },
		"lost-data": func(m *events.Message) {
			m.Data = nil
			m.Header.Set("ce-dataref", document.Ref{Bucket: document.DataBucket, Name: "x", SHA256: strings.Repeat("0", 64), Size: 1}.URI())
		},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, memory.Config{}, func(b *bench) {
				b.run("w", nil, doing(func(context.Context, participant.Command[in]) error {
					t.Error("the handler was called")
					return nil
				}))
				m := command("r", first, `{}`).Message()
				spoil(&m)
				if err := b.broker.Append(b.ctx, m); err != nil {
					t.Fatal(err)
				}
				passes(time.Second)
				if f := b.failed("r", first); f.Code != participant.CodeBadInput || f.Retryable || f.Unknown {
					t.Errorf("the outcome says %+v, want bad_input, for good, nothing done", f)
				}
				if e := b.outcome("r", first); e.RunID != "r" {
					t.Errorf("the outcome names run %q", e.RunID)
				}
				b.drained()
			})
		})
	}
}

// Commands that ask for nothing are let go without an outcome.
func TestLeftAlone(t *testing.T) {
	for name, spoil := range map[string]func(*events.Entry){
		"withheld": func(e *events.Entry) { e.Event.Type = events.TypeStepWithheld },
		"skipped":  func(e *events.Entry) { e.Event.Type = events.TypeStepSkipped },
		"unknown":  func(e *events.Entry) { e.Event.Type = "segue.step.requested.v9" },
		"expired":  func(e *events.Entry) { e.Event.Expiry = time.Now().Add(-time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, memory.Config{}, func(b *bench) {
				b.run("w", nil, doing(func(context.Context, participant.Command[in]) error {
					t.Error("the handler was called")
					return nil
				}))
				c := command("r", first, `{}`)
				spoil(&c)
				b.send(c)
				passes(time.Second)
				b.none("r")
				if n := b.logged("unknown type"); (n > 0) != (name == "unknown") {
					t.Errorf("the log tells of %d unknown types", n)
				}
				b.drained()
			})
		})
	}
}

// Large data travels by reference, both ways.
func TestClaimCheck(t *testing.T) {
	onBench(t, memory.Config{}, func(b *bench) {
		const size = 500 << 10
		b.run("w", nil, participant.New("svc", func(_ context.Context, c participant.Command[in]) (in, error) {
			return in{N: len(c.Input.Text), Text: c.Input.Text}, nil
		}, nil))
		c := command("r", first, `{"text":"`+strings.Repeat("x", size)+`"}`)
		var err error
		if c.Event, err = document.CheckIn(b.ctx, b.data, c.Event); err != nil || c.Event.DataRef == "" {
			t.Fatalf("check in: %v", err)
		}
		b.send(c)
		passes(time.Second)
		var got in
		if err := json.Unmarshal(b.outcome("r", first).Data, &got); err != nil || got.N != size || len(got.Text) != size {
			t.Errorf("of %d bytes %d arrived and %d came back (%v)", size, got.N, len(got.Text), err)
		}
	})
}
