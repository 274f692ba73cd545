package events

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The two content modes of the NATS protocol binding for CloudEvents, 1.0.3:
// structured if Content-Type begins with "application/cloudevents", binary
// otherwise. There is no batch mode. Unlike with HTTP, Content-Type is never
// the type of the data; that is the header ce-datacontenttype.

const (
	headerPrefix   = "ce-"
	structuredType = "application/cloudevents"
	structuredJSON = structuredType + "+json"
	versionHeader  = headerPrefix + "specversion"
)

// ErrNotEvent is returned by [Decode] for a message in neither mode: its content
// type is not one of CloudEvents and no header begins with "ce-".
var ErrNotEvent = errors.New("not a CloudEvent")

// Encode writes an event in binary mode. The event is taken to be valid, see
// [Event.Validate]: what Decode would refuse is written all the same. The
// message shares the memory of the event's data.
func Encode(subject string, e Event) Message {
	// Counted first: a map with room for all attributes costs twice one for those there are.
	var values [len(attributes)]string
	count := 1 + len(e.Extensions)
	for i := range attributes {
		if values[i] = attributes[i].get(&e); values[i] != "" {
			count++
		}
	}
	h := make(Header, count)
	all := make([]string, 0, count) // one allocation for all headers
	set := func(name, value string) {
		all = append(all, percentEncode(value))
		h[name] = all[len(all)-1 : len(all) : len(all)]
	}
	for name, value := range e.Extensions {
		set(headerPrefix+name, value)
	}
	set(versionHeader, SpecVersion)
	for i, value := range values {
		if value != "" {
			set(attributes[i].header, value)
		}
	}
	return Message{Subject: subject, Header: h, Data: e.Data}
}

// Decode reads an event in either mode. Its errors wrap [ErrNotEvent] or
// [ErrEvent]; with an error the event is the zero Event. In binary mode the
// event shares the memory of the message's data.
//
// An optional attribute that is empty counts as absent. Whether the data is what
// the attribute datacontenttype says is for its reader to find out.
func Decode(m Message) (Event, error) {
	if e, ok := decodeUsual(m); ok {
		return e, nil
	}
	contentType := strings.ToLower(m.Header.Get(HeaderContentType))
	if strings.HasPrefix(contentType, structuredType) {
		return decodeStructured(contentType, m.Data)
	}
	return decodeBinary(m)
}

func decodeBinary(m Message) (Event, error) {
	values := make(map[string]string, len(m.Header))
	// In order, so that of two faults the same one is always reported.
	headers := slices.AppendSeq(make([]string, 0, len(m.Header)), maps.Keys(m.Header))
	slices.Sort(headers)
	for _, header := range headers {
		name := strings.ToLower(header)
		if !strings.HasPrefix(name, headerPrefix) {
			continue
		}
		name = name[len(headerPrefix):]
		for _, encoded := range m.Header[header] {
			value, err := percentDecode(encoded)
			if err != nil {
				return Event{}, fmt.Errorf("%w: header %.40q: %w", ErrEvent, header, err)
			}
			if earlier, twice := values[name]; twice && earlier != value {
				return Event{}, fmt.Errorf("%w: header %.40q stands twice with different values", ErrEvent, header)
			}
			values[name] = value
		}
	}
	if len(values) == 0 {
		return Event{}, ErrNotEvent
	}
	return newEvent(values, m.Data)
}

// decodeUsual reads an event in binary mode whose headers are named as [Encode] names
// them, each once, without extensions of strangers. Nearly all are, and this way they cost a
// fraction. Of anything else, and of what is wrong, it says only that it is not
// for it.
func decodeUsual(m Message) (Event, bool) {
	var e Event
	left := 0 // headers that hold attributes and have not been read
	for name := range m.Header {
		switch {
		case len(name) >= len(headerPrefix) && strings.EqualFold(name[:len(headerPrefix)], headerPrefix):
			left++
		case strings.EqualFold(name, HeaderContentType):
			return e, false // the mode depends on it
		}
	}
	if version := m.Header[versionHeader]; len(version) != 1 || version[0] != SpecVersion {
		return e, false
	}
	left--
	for i := range attributes {
		values, found := m.Header[attributes[i].header]
		if !found {
			continue
		}
		left--
		if len(values) != 1 {
			return e, false
		}
		value := values[0]
		if !plainText(value) {
			var err error
			if value, err = percentDecode(value); err != nil || checkValue(value) != nil {
				return e, false
			}
		}
		if attributes[i].set(&e, value) != nil {
			return e, false
		}
	}
	if len(m.Data) > 0 {
		e.Data = m.Data
	}
	return e, left == 0 && e.ID != "" && e.Source != "" && e.Type != "" && e.checkBounds() == nil
}
