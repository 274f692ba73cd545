package events

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// ErrEvent is returned for what claims to be a CloudEvent and breaks the
// specification or a limit of this package.
var ErrEvent = errors.New("bad CloudEvent")

// Limits of an event, far above what CloudEvents asks of an intermediary (64 KiB).
const (
	// MaxAttributes is the largest number of attributes of an event.
	MaxAttributes = 64
	// MaxAttributeBytes is the largest size of an attribute's value, decoded.
	MaxAttributeBytes = 8 << 10
	// MaxDataBytes is the largest size of an event's data. It is what a broker
	// takes by default; larger things travel by reference (DataRef).
	MaxDataBytes = 1 << 20
)

// attribute is one that [Event] has a field for. All others are extensions.
type attribute struct {
	name   string
	header string // its name in binary mode
}

// attributes is in the order in which they are written. It has no specversion,
// which is always [SpecVersion].
var attributes = [...]attribute{
	named("id"), named("source"), named("type"), named("subject"), named("time"), named("datacontenttype"), named("dataschema"),
	named("correlationid"), named("causationid"), named("expirytime"), named("dataref"), named("traceparent"), named("tracestate"),
	named("runid"), named("replyto"),
}

func named(name string) attribute { return attribute{name: name, header: headerPrefix + name} }

// text returns the field of an attribute; nil for one that is an instant. No event
// has to be on the heap for it, as it would for a function in the table: there are
// two for each message that passes.
func (e *Event) text(name string) *string {
	switch name {
	case "id":
		return &e.ID
	case "source":
		return &e.Source
	case "type":
		return &e.Type
	case "subject":
		return &e.Subject
	case "datacontenttype":
		return &e.DataContentType
	case "dataschema":
		return &e.DataSchema
	case "correlationid":
		return &e.CorrelationID
	case "causationid":
		return &e.CausationID
	case "dataref":
		return &e.DataRef
	case "traceparent":
		return &e.TraceParent
	case "tracestate":
		return &e.TraceState
	case "runid":
		return &e.RunID
	case "replyto":
		return &e.ReplyTo
	}
	return nil
}

// instant returns the field of an attribute that is one; nil for others.
func (e *Event) instant(name string) *time.Time {
	switch name {
	case "time":
		return &e.Time
	case "expirytime":
		return &e.Expiry
	}
	return nil
}

// get returns an attribute as it is written; "" if it is absent.
func (a *attribute) get(e *Event) string {
	if text := e.text(a.name); text != nil {
		return *text
	}
	if t := e.instant(a.name); !t.IsZero() {
		return t.UTC().Format(time.RFC3339Nano)
	}
	return ""
}

// set reads an attribute.
func (a *attribute) set(e *Event, value string) error {
	if text := e.text(a.name); text != nil {
		*text = value
		return nil
	}
	t, err := parseTime(value)
	if err == nil {
		*e.instant(a.name) = t
	}
	return err
}

var errTime = errors.New("not a time of RFC 3339")

// parseTime reads a time of RFC 3339. time.Parse also takes an hour of one digit,
// a comma before the fraction and offsets of a day and more (go.dev/issue/54580).
func parseTime(value string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, value)
	if err != nil || value[len("2006-01-02T15")] != ':' || strings.Contains(value, ",") {
		return time.Time{}, errTime
	}
	if n := len(value); value[n-1] != 'Z' && (value[n-5:n-3] > "23" || value[n-2:] > "59") {
		return time.Time{}, errTime
	}
	return t.UTC(), nil
}

// attributeNamed returns the attribute of a name, or nil for an extension.
func attributeNamed(name string) *attribute {
	for i := range attributes {
		if attributes[i].name == name {
			return &attributes[i]
		}
	}
	return nil
}

// newEvent makes an event of decoded attribute values, which it takes over, and
// data. Its errors wrap [ErrEvent].
func newEvent(values map[string]string, data []byte) (Event, error) {
	if v := values["specversion"]; v != SpecVersion {
		return Event{}, fmt.Errorf("%w: specversion is %.20q, only %q can be read", ErrEvent, v, SpecVersion)
	}
	delete(values, "specversion")
	var e Event
	for i := range attributes {
		a := &attributes[i]
		value, found := values[a.name]
		if !found {
			continue
		}
		delete(values, a.name)
		if err := a.set(&e, value); err != nil {
			return Event{}, fmt.Errorf("%w: attribute %s: %w", ErrEvent, a.name, err)
		}
	}
	if len(values) > 0 {
		e.Extensions = values
	}
	if len(data) > 0 { // no payload and an empty one are the same message
		e.Data = data
	}
	if err := e.Validate(); err != nil {
		return Event{}, err
	}
	return e, nil
}

// Validate returns an error that wraps [ErrEvent] unless the event is one that
// [Decode] could return. Events that hold a stranger's values are validated
// before they are encoded. It does not look into the data, and it takes any
// text for a URI, since all that Segue does with a source is to compare it.
func (e Event) Validate() error {
	count := 1 // specversion
	for i := range attributes {
		name, value := attributes[i].name, attributes[i].get(&e)
		if value == "" {
			if name == "id" || name == "source" || name == "type" {
				return fmt.Errorf("%w: attribute %s is missing or empty", ErrEvent, name)
			}
			continue
		}
		count++
		if err := checkValue(value); err != nil {
			return fmt.Errorf("%w: attribute %s: %w", ErrEvent, name, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.Extensions)) {
		if err := checkExtension(name); err != nil {
			return fmt.Errorf("%w: attribute %.40q: %w", ErrEvent, name, err)
		}
		if err := checkValue(e.Extensions[name]); err != nil {
			return fmt.Errorf("%w: attribute %.40s: %w", ErrEvent, name, err)
		}
	}
	if count += len(e.Extensions); count > MaxAttributes {
		return fmt.Errorf("%w: %d attributes, at most %d are read", ErrEvent, count, MaxAttributes)
	}
	return e.checkBounds()
}

// checkBounds looks at what is no text.
func (e *Event) checkBounds() error {
	for _, t := range [...]time.Time{e.Time, e.Expiry} {
		if year := t.UTC().Year(); year < 0 || year > 9999 {
			return fmt.Errorf("%w: a time in the year %d cannot be written", ErrEvent, year)
		}
	}
	if len(e.Data) > MaxDataBytes {
		return fmt.Errorf("%w: %d bytes of data, at most %d are read", ErrEvent, len(e.Data), MaxDataBytes)
	}
	return nil
}

var (
	errName     = errors.New("names are lower-case letters and digits")
	errReserved = errors.New("the name is taken and cannot be an extension's")
)

// checkExtension says whether a name is legal and free. "data" is no attribute
// by the specification; it would become a member of its own in structured mode.
func checkExtension(name string) error {
	if name == "" || len(name) > MaxAttributeBytes {
		return errName
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return errName
		}
	}
	if name == "data" || name == "specversion" || attributeNamed(name) != nil {
		return errReserved
	}
	return nil
}

// checkValue takes what CloudEvents calls a String: Unicode without control
// characters and noncharacters. Refusing them also keeps ids made of several
// values unambiguous, see [RunID], and logs and terminals safe.
func checkValue(s string) error {
	if len(s) > MaxAttributeBytes {
		return fmt.Errorf("%d bytes, at most %d are read", len(s), MaxAttributeBytes)
	}
	if !utf8.ValidString(s) {
		return errNotUTF8
	}
	for i, r := range s {
		switch {
		case r < 0x20, 0x7f <= r && r <= 0x9f, 0xfdd0 <= r && r <= 0xfdef, r&0xfffe == 0xfffe:
			return fmt.Errorf("character %U at byte %d is not allowed", r, i)
		}
	}
	return nil
}

// Attributes returns every attribute that is set but specversion, by name, as
// text: times in RFC 3339. The map is the caller's.
func (e Event) Attributes() map[string]string {
	values := maps.Clone(e.Extensions)
	if values == nil {
		values = make(map[string]string, len(attributes))
	}
	for i := range attributes {
		if value := attributes[i].get(&e); value != "" {
			values[attributes[i].name] = value
		}
	}
	return values
}

// FromAttributes is the inverse of [Event.Attributes]. Its errors wrap [ErrEvent].
func FromAttributes(values map[string]string, data []byte) (Event, error) {
	values = maps.Clone(values)
	values["specversion"] = SpecVersion
	return newEvent(values, data)
}
