package events

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// The JSON event format of CloudEvents, 1.0.2. It is written out here, because
// the format's reader in the CloudEvents SDK panics on some input ("data_base64":
// 1), rewrites sources, cuts fractions off numbers and ignores what follows the
// object. The tests hold the two against each other where they should agree.

// EncodeStructured writes an event as one JSON object. Data of a JSON content
// type is embedded byte for byte, without white space around it; all other data,
// what only claims to be JSON, and data without a content type is written in
// base64. Extensions are written as strings. Its errors wrap [ErrEvent]: it
// writes valid events only.
func EncodeStructured(subject string, e Event) (Message, error) {
	if err := e.Validate(); err != nil {
		return Message{}, err
	}
	body := make([]byte, 0, 512+len(e.Data)+len(e.Data)/2)
	body = append(body, `{"specversion":"`+SpecVersion+`"`...)
	for i := range attributes {
		if value := attributes[i].get(&e); value != "" {
			body = appendMember(body, attributes[i].name, value)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.Extensions)) {
		body = appendMember(body, name, e.Extensions[name])
	}
	switch {
	case len(e.Data) == 0:
	case isJSON(e.DataContentType) && CheckJSON(e.Data) == nil:
		body = append(body, `,"data":`...)
		body = append(body, bytes.TrimSpace(e.Data)...)
	default:
		body = append(body, `,"data_base64":"`...)
		body = base64.StdEncoding.AppendEncode(body, e.Data)
		body = append(body, '"')
	}
	body = append(body, '}')
	return Message{Subject: subject, Header: Header{HeaderContentType: {structuredJSON}}, Data: body}, nil
}

// appendMember writes a member of a JSON object that is not its first.
func appendMember(body []byte, name, value string) []byte {
	body = append(body, `,"`+name+`":`...)
	body, _ = jsontext.AppendQuote(body, value) // unreachable: a valid event is valid UTF-8
	return body
}

func decodeStructured(contentType string, body []byte) (Event, error) {
	if mediaType(contentType) != structuredJSON {
		return Event{}, fmt.Errorf("%w: content type %.80q: only %s can be read", ErrEvent, contentType, structuredJSON)
	}
	var v envelope
	if err := v.read(body); err != nil {
		return Event{}, fmt.Errorf("%w: %w", ErrEvent, err)
	}
	data, err := v.payload()
	if err != nil {
		return Event{}, fmt.Errorf("%w: %w", ErrEvent, err)
	}
	return newEvent(v.values, data)
}

// envelope is a JSON object taken apart.
type envelope struct {
	values map[string]string // the attributes
	data   jsontext.Value    // nil if absent
	base64 jsontext.Value    // nil if absent
}

func (v *envelope) read(body []byte) error {
	v.values = make(map[string]string, len(attributes)+1)
	d := jsontext.NewDecoder(bytes.NewBuffer(body)) // refuses a member that stands twice
	if kind := d.PeekKind(); kind != '{' && kind != jsontext.KindInvalid {
		return errors.New("an event is a JSON object")
	}
	if _, err := d.ReadToken(); err != nil {
		return notJSON(err)
	}
	for d.PeekKind() != '}' {
		token, err := d.ReadToken()
		if err != nil {
			return notJSON(err)
		}
		name := token.String()
		value, err := d.ReadValue()
		if err != nil {
			return notJSON(err)
		}
		if err := v.add(name, value); err != nil {
			return err
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return notJSON(err) // unreachable: the token is "}"
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the JSON object")
	}
	return nil
}

func (v *envelope) add(name string, value jsontext.Value) error {
	switch name {
	case "data":
		v.data = value.Clone()
	case "data_base64":
		v.base64 = value.Clone()
	default:
		s, set, err := attributeValue(name, value)
		if err != nil {
			return fmt.Errorf("attribute %.40q: %w", name, err)
		}
		if set {
			v.values[name] = s
		}
	}
	return nil
}

// attributeValue returns the canonical text of an attribute's value; null is
// the same as leaving the attribute out.
func attributeValue(name string, value jsontext.Value) (text string, set bool, err error) {
	kind := value.Kind()
	if kind != '"' && kind != 'n' && (name == "specversion" || attributeNamed(name) != nil) {
		return "", false, errors.New("the value must be a string")
	}
	switch kind {
	case 'n':
		return "", false, nil
	case '"':
		b, err := jsontext.AppendUnquote(nil, value)
		return string(b), true, err
	case 't', 'f':
		return string(value), true, nil
	case '0':
		n, err := strconv.ParseInt(string(value), 10, 32)
		if err != nil {
			return "", false, errors.New("a number must be an integer of 32 bits")
		}
		return strconv.FormatInt(n, 10), true, nil
	default:
		return "", false, errors.New("the value must be a string, a boolean or an integer")
	}
}

// payload returns the data, and makes the content type explicit where leaving it
// out means JSON.
func (v *envelope) payload() ([]byte, error) {
	contentType := v.values["datacontenttype"]
	switch {
	case v.data != nil && v.base64 != nil:
		return nil, errors.New("members data and data_base64 exclude each other")
	case v.base64 != nil:
		return decodeBase64(v.base64)
	case v.data == nil:
		return nil, nil
	case contentType == "":
		v.values["datacontenttype"] = JSON
		return v.data, nil
	case isJSON(contentType): // a string too is JSON then, quotes and all
		return v.data, nil
	case v.data.Kind() == 'n':
		return nil, nil
	case v.data.Kind() != '"':
		return nil, fmt.Errorf("member data must be a string for content type %.80q", contentType)
	default:
		return jsontext.AppendUnquote(nil, v.data)
	}
}

func decodeBase64(value jsontext.Value) ([]byte, error) {
	if value.Kind() == 'n' {
		return nil, nil
	}
	if value.Kind() == '"' {
		s, err := jsontext.AppendUnquote(nil, value)
		if err != nil {
			return nil, err // unreachable: the decoder has read it
		}
		if data, err := base64.StdEncoding.AppendDecode(nil, s); err == nil {
			return data, nil
		}
	}
	return nil, errors.New("member data_base64 is not a string in base64")
}

// mediaType returns a content type without its parameters, in lower case.
func mediaType(contentType string) string {
	t, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(t))
}

// isJSON says whether a content type declares JSON.
func isJSON(contentType string) bool {
	t := mediaType(contentType)
	return strings.HasSuffix(t, "/json") || strings.HasSuffix(t, "+json")
}
