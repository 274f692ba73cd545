// Package cloudevents converts between Segue's events and those of the
// CloudEvents SDK for Go, for programs that make or read events with the SDK.
//
//	events.Event                         <=> event.Event
//	CorrelationID, Expiry, DataRef, ...  <=> the extension attributes of the same meaning
//
// It is a package of its own so that package events, and with it every
// participant, depends on nothing of the SDK.
package cloudevents

import (
	"fmt"

	sdk "github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"

	"segue/events"
)

// To returns an event as the SDK has it. Its errors wrap [events.ErrEvent]: only
// valid events are converted.
func To(e events.Event) (sdk.Event, error) {
	if err := e.Validate(); err != nil {
		return sdk.Event{}, err
	}
	out := sdk.New(events.SpecVersion)
	for name, value := range e.Attributes() {
		if err := set(&out, name, value); err != nil {
			return sdk.Event{}, fmt.Errorf("%w: attribute %s: %w", events.ErrEvent, name, err)
		}
	}
	out.DataEncoded = e.Data
	return out, nil
}

// From is the inverse of [To]. An event of an earlier version of the
// specification is read as one of version 1.0.
func From(in sdk.Event) (events.Event, error) {
	c := in.Context.AsV1()
	values := map[string]string{
		"id":              c.GetID(),
		"source":          c.GetSource(),
		"type":            c.GetType(),
		"subject":         c.GetSubject(),
		"datacontenttype": c.GetDataContentType(),
		"dataschema":      c.GetDataSchema(),
	}
	if t := c.GetTime(); !t.IsZero() {
		values["time"] = types.FormatTime(t)
	}
	for name, value := range values {
		if value == "" {
			delete(values, name)
		}
	}
	for name, value := range c.GetExtensions() {
		text, err := types.Format(value)
		if err != nil {
			return events.Event{}, fmt.Errorf("%w: attribute %s: %w", events.ErrEvent, name, err)
		}
		values[name] = text
	}
	return events.FromAttributes(values, in.Data())
}

func set(out *sdk.Event, name, value string) error {
	switch name {
	case "id":
		return out.Context.SetID(value)
	case "source":
		return out.Context.SetSource(value)
	case "type":
		return out.Context.SetType(value)
	case "subject":
		return out.Context.SetSubject(value)
	case "datacontenttype":
		return out.Context.SetDataContentType(value)
	case "dataschema":
		return out.Context.SetDataSchema(value)
	case "time":
		t, err := types.ParseTime(value)
		if err != nil {
			return err
		}
		return out.Context.SetTime(t)
	default:
		return out.Context.SetExtension(name, value)
	}
}
