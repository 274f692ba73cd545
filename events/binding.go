package events

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	ce "github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"
)

// The two content modes of the NATS protocol binding for CloudEvents, 1.0.3:
// structured if Content-Type begins with "application/cloudevents", binary
// otherwise. There is no batch mode. Unlike with HTTP, Content-Type is never
// the type of the data; that is the header ce-datacontenttype.

const (
	headerPrefix   = "ce-"
	structuredType = "application/cloudevents"
	structuredJSON = structuredType + "+json"
)

// Errors of [Decode].
var (
	// ErrNotEvent is returned for a message in neither mode: no CloudEvents
	// content type and no ce-specversion header.
	ErrNotEvent = errors.New("not a CloudEvent")
	// ErrEvent is returned for a message that claims to be a CloudEvent and breaks
	// the specification. Every error but ErrNotEvent wraps it.
	ErrEvent = errors.New("bad CloudEvent")
)

// Limits of [Decode], far above what CloudEvents asks of an intermediary (64 KiB).
const (
	// MaxAttributes is the largest number of attributes of an event.
	MaxAttributes = 64
	// MaxAttributeBytes is the largest size of an attribute's value, decoded.
	MaxAttributeBytes = 8 << 10
)

// Encode writes an event in binary mode. The event is taken to be valid: what
// Decode would refuse is written all the same.
func Encode(subject string, e Event) Message {
	h := make(Header, 12)
	h.Set(headerPrefix+"specversion", SpecVersion)
	for name, value := range e.attributes() {
		h.Set(headerPrefix+name, percentEncode(value))
	}
	return Message{Subject: subject, Header: h, Data: e.Data}
}

// EncodeStructured writes an event as one JSON object. Data of a JSON content
// type is embedded as it is, all other in base64. Its errors wrap ErrEvent.
func EncodeStructured(subject string, e Event) (Message, error) {
	out := ce.New(SpecVersion)
	for name, value := range e.attributes() {
		if err := setSDK(&out, name, value); err != nil {
			return Message{}, fmt.Errorf("%w: attribute %s: %w", ErrEvent, name, err)
		}
	}
	if e.Data != nil {
		out.DataEncoded = e.Data
		out.DataBase64 = !isJSON(e.DataContentType)
	}
	body, err := out.MarshalJSON()
	if err != nil {
		return Message{}, fmt.Errorf("%w: %w", ErrEvent, err)
	}
	h := Header{HeaderContentType: {structuredJSON}}
	return Message{Subject: subject, Header: h, Data: body}, nil
}

// Decode reads an event in either mode.
func Decode(m Message) (Event, error) {
	contentType := strings.ToLower(m.Header.Get(HeaderContentType))
	if strings.HasPrefix(contentType, structuredType) {
		return decodeStructured(contentType, m.Data)
	}
	if m.Header.Get(headerPrefix+"specversion") == "" {
		return Event{}, ErrNotEvent
	}
	return decodeBinary(m)
}

func decodeStructured(contentType string, body []byte) (Event, error) {
	if mediaType, _, _ := strings.Cut(contentType, ";"); strings.TrimSpace(mediaType) != structuredJSON {
		return Event{}, fmt.Errorf("%w: content type %q: only %s can be read", ErrEvent, contentType, structuredJSON)
	}
	var in ce.Event
	if err := in.UnmarshalJSON(body); err != nil {
		return Event{}, fmt.Errorf("%w: %w", ErrEvent, err)
	}
	e := Event{Data: in.Data()}
	values := map[string]string{
		"specversion":     in.SpecVersion(),
		"id":              in.ID(),
		"source":          in.Source(),
		"type":            in.Type(),
		"subject":         in.Subject(),
		"datacontenttype": in.DataContentType(),
		"dataschema":      in.DataSchema(),
	}
	if t := in.Time(); !t.IsZero() {
		values["time"] = types.FormatTime(t)
	}
	for name, v := range in.Extensions() {
		s, err := types.Format(v)
		if err != nil {
			return Event{}, fmt.Errorf("%w: attribute %s: %w", ErrEvent, name, err)
		}
		values[name] = s
	}
	return e.withAttributes(values)
}

func decodeBinary(m Message) (Event, error) {
	values := make(map[string]string, len(m.Header))
	for _, header := range slices.Sorted(maps.Keys(m.Header)) {
		name := strings.ToLower(header)
		if !strings.HasPrefix(name, headerPrefix) || len(m.Header[header]) == 0 {
			continue
		}
		name = name[len(headerPrefix):]
		value, err := percentDecode(m.Header[header][0])
		if err != nil {
			return Event{}, fmt.Errorf("%w: header %s: %w", ErrEvent, header, err)
		}
		if earlier, twice := values[name]; twice && earlier != value {
			return Event{}, fmt.Errorf("%w: header %s stands twice with different values", ErrEvent, header)
		}
		values[name] = value
	}
	return Event{Data: m.Data}.withAttributes(values)
}

// withAttributes sets decoded attribute values and validates the event.
func (e Event) withAttributes(values map[string]string) (Event, error) {
	if len(values) > MaxAttributes {
		return Event{}, fmt.Errorf("%w: %d attributes, at most %d are read", ErrEvent, len(values), MaxAttributes)
	}
	if v := values["specversion"]; v != SpecVersion {
		return Event{}, fmt.Errorf("%w: specversion %q, only %s can be read", ErrEvent, v, SpecVersion)
	}
	delete(values, "specversion")
	for _, required := range []string{"id", "source", "type"} {
		if values[required] == "" {
			return Event{}, fmt.Errorf("%w: attribute %s is missing or empty", ErrEvent, required)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if err := e.set(name, values[name]); err != nil {
			return Event{}, fmt.Errorf("%w: attribute %s: %w", ErrEvent, name, err)
		}
	}
	return e, nil
}

func (e *Event) set(name, value string) error {
	if len(value) > MaxAttributeBytes {
		return fmt.Errorf("%d bytes, at most %d are read", len(value), MaxAttributeBytes)
	}
	if name == "data" || !ce.IsExtensionNameValid(name) { // holds for all context attributes
		return errors.New("names are lower-case letters and digits")
	}
	for _, a := range e.strings() {
		if a.name == name {
			*a.value = value
			return nil
		}
	}
	for _, a := range e.times() {
		if a.name == name {
			t, err := types.ParseTime(value)
			*a.value = t.UTC()
			return err
		}
	}
	if e.Extensions == nil {
		e.Extensions = make(map[string]string)
	}
	e.Extensions[name] = value
	return nil
}

// attributes yields every attribute that is set, as text and in a fixed order.
func (e Event) attributes() func(yield func(name, value string) bool) {
	return func(yield func(string, string) bool) {
		for _, a := range e.strings() {
			if *a.value != "" && !yield(a.name, *a.value) {
				return
			}
		}
		for _, a := range e.times() {
			if !a.value.IsZero() && !yield(a.name, a.value.UTC().Format(time.RFC3339Nano)) {
				return
			}
		}
		for _, name := range slices.Sorted(maps.Keys(e.Extensions)) {
			if !yield(name, e.Extensions[name]) {
				return
			}
		}
	}
}

func setSDK(out *ce.Event, name, value string) error {
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

func isJSON(contentType string) bool {
	mediaType, _, _ := strings.Cut(strings.ToLower(contentType), ";")
	mediaType = strings.TrimSpace(mediaType)
	return mediaType == "" || mediaType == "text/json" || strings.HasSuffix(mediaType, "/json") || strings.HasSuffix(mediaType, "+json")
}
