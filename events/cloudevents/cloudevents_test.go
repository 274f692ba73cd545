package cloudevents_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	sdk "github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"

	"segue/events"
	"segue/events/cloudevents"
)

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	want := events.Event{
		ID: "order-7", Source: "/shop", Type: "shop.order.placed.v1", Subject: "7",
		Time: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC), DataContentType: "application/json", DataSchema: "urn:order",
		CorrelationID: "cart-9", CausationID: "click-1", Expiry: time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC),
		DataRef: "nats-object://B/n", TraceParent: "00-1-2-01", TraceState: "a=b", RunID: "r", ReplyTo: "saga.x",
		Extensions: map[string]string{"tenant": "Zürich 1"},
		Data:       []byte(`{"n":1}`),
	}
	converted, err := cloudevents.To(want)
	if err != nil {
		t.Fatal(err)
	}
	if err := converted.Validate(); err != nil {
		t.Errorf("the SDK refuses the event: %v", err)
	}
	got, err := cloudevents.From(converted)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestToRefuses(t *testing.T) {
	t.Parallel()
	if _, err := cloudevents.To(events.Event{ID: "1", Type: "t"}); !errors.Is(err, events.ErrEvent) {
		t.Errorf("an event without source: %v, want ErrEvent", err)
	}
}

func TestFromRefuses(t *testing.T) {
	t.Parallel()
	in := sdk.New()
	in.SetType("t")
	if _, err := cloudevents.From(in); !errors.Is(err, events.ErrEvent) {
		t.Errorf("an event without id: %v, want ErrEvent", err)
	}
}

// A program that makes its events with the SDK starts a run.
func ExampleFrom() {
	order := sdk.New()
	order.SetID("order-7")
	order.SetSource("/shop")
	order.SetType("shop.order.placed.v1")
	if err := order.SetData("application/json", map[string]string{"url": "https://example.org/orders.csv"}); err != nil {
		panic(err)
	}
	event, err := cloudevents.From(order)
	if err != nil {
		panic(err)
	}
	message := events.Encode(events.StartSubject("ingest").String(), event)
	fmt.Println(message.Subject, string(message.Data))
	fmt.Println("run", events.RunID(event.Source, event.ID))
	// Output:
	// saga.start.ingest {"url":"https://example.org/orders.csv"}
	// run abe0a03a-17bc-5771-8585-b0d182b2fef2
}
