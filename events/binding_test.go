package events_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	sdk "github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"

	"segue/events"
)

// minimal returns an event that has what CloudEvents requires.
func minimal(change func(*events.Event)) events.Event {
	e := events.Event{ID: "1", Source: "/s", Type: "t"}
	if change != nil {
		change(&e)
	}
	return e
}

var minimalHeader = events.Header{"ce-specversion": {"1.0"}, "ce-id": {"1"}, "ce-source": {"/s"}, "ce-type": {"t"}}

// with returns the header of a minimal event and more, given as name, value ...
func with(more ...string) events.Header {
	h := events.Header{}
	for name, values := range minimalHeader {
		h[name] = values
	}
	for i := 0; i < len(more); i += 2 {
		h[more[i]] = append(h[more[i]], more[i+1])
	}
	return h
}

func TestDecodeBinary(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		header events.Header
		data   string
		want   events.Event
	}{
		"least": {with(), "", minimal(nil)},
		"case of names": {
			events.Header{"CE-SpecVersion": {"1.0"}, "Ce-Id": {"1"}, "ce-SOURCE": {"/s"}, "CE-TYPE": {"t"}, "Ce-RunId": {"r"}, "cE-Tenant": {"x"}}, "",
			minimal(func(e *events.Event) { e.RunID = "r"; e.Extensions = map[string]string{"tenant": "x"} }),
		},
		"same value twice": {with("CE-ID", "%31", "ce-id", "1"), "", minimal(nil)},
		"foreign headers":  {with("Nats-Msg-Id", "9", "traceparent", "x", "cee-id", "2", "ce", "3"), "", minimal(nil)},
		"content type is not the data's": {
			with("Content-Type", "text/plain", "ce-datacontenttype", "application/json; charset=utf-8"), "{}",
			minimal(func(e *events.Event) { e.DataContentType = "application/json; charset=utf-8"; e.Data = []byte("{}") }),
		},
		"percent":          {with("ce-subject", "a%20b%25%22%e2%82%ac%F0%9F%9A%80%41"), "", minimal(func(e *events.Event) { e.Subject = "a b%\"€🚀A" })},
		"decoded once":     {with("ce-subject", "%2541"), "", minimal(func(e *events.Event) { e.Subject = "%41" })},
		"quoted":           {with("ce-subject", `"a \"b\" \\ %e2%82%AC €"`), "", minimal(func(e *events.Event) { e.Subject = `a "b" \ € €` })},
		"quote inside":     {with("ce-subject", `a"b"`), "", minimal(func(e *events.Event) { e.Subject = `a"b"` })},
		"raw UTF-8":        {with("ce-subject", "Zürich"), "", minimal(func(e *events.Event) { e.Subject = "Zürich" })},
		"empty optional":   {with("ce-subject", "", "ce-datacontenttype", `""`), "", minimal(nil)},
		"empty extension":  {with("ce-x", ""), "", minimal(func(e *events.Event) { e.Extensions = map[string]string{"x": ""} })},
		"zone":             {with("ce-time", "2026-03-14T16:09:26.5+01:00"), "", minimal(func(e *events.Event) { e.Time = time.Date(2026, 3, 14, 15, 9, 26, 5e8, time.UTC) })},
		"null is data":     {with("ce-datacontenttype", "application/json"), "null", minimal(func(e *events.Event) { e.DataContentType = events.JSON; e.Data = []byte("null") })},
		"any bytes":        {with(), "\x00\xff", minimal(func(e *events.Event) { e.Data = []byte("\x00\xff") })},
		"a header's limit": {with("ce-subject", strings.Repeat("%41", events.MaxAttributeBytes)), "", minimal(func(e *events.Event) { e.Subject = strings.Repeat("A", events.MaxAttributeBytes) })},
	} {
		got, err := events.Decode(events.Message{Header: c.header, Data: []byte(c.data)})
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got)\n%s", name, err, diff)
		}
	}
}

func TestDecodeStructured(t *testing.T) {
	t.Parallel()
	const head = `{"specversion":"1.0","id":"1","source":"/s","type":"t"`
	data := func(contentType, data string) events.Event {
		return minimal(func(e *events.Event) { e.DataContentType = contentType; e.Data = []byte(data) })
	}
	for rest, want := range map[string]events.Event{
		`}`: minimal(nil),
		`,"subject":null,"time":null,"unset":null}`: minimal(nil),
		`,"data":null}`:            data(events.JSON, "null"),
		`,"data":"I am a string"}`: data(events.JSON, `"I am a string"`),
		`,"datacontenttype":"application/json","data":"\u0041"}`:      data(events.JSON, `"\u0041"`),
		`,"data": { "a" : [1 , 2.50] } }`:                             data(events.JSON, `{ "a" : [1 , 2.50] }`),
		`,"data":1,"datacontenttype":"Application/Vnd.X+JSON ; q=1"}`: data("Application/Vnd.X+JSON ; q=1", "1"),
		`,"datacontenttype":"text/plain","data":"a\nb €\u20ac"}`:      data("text/plain", "a\nb €€"),
		`,"datacontenttype":"text/plain","data":null}`:                minimal(func(e *events.Event) { e.DataContentType = "text/plain" }),
		`,"datacontenttype":"application/json","data_base64":"e30="}`: data(events.JSON, "{}"),
		`,"data_base64":"AP8="}`:                                      data("", "\x00\xff"),
		`,"data_base64":"\u0041P8="}`:                                 data("", "\x00\xff"),
		`,"data_base64":""}`:                                          minimal(nil),
		`,"data_base64":null}`:                                        minimal(nil),
		`,"a":true,"b":false,"c":-7,"d":"\u0041","e":2147483647}`: minimal(func(e *events.Event) {
			e.Extensions = map[string]string{"a": "true", "b": "false", "c": "-7", "d": "A", "e": "2147483647"}
		}),
		`,"expirytime":"2026-03-14T15:09:26Z"}`: minimal(func(e *events.Event) { e.Expiry = time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC) }),
		`,"subject":"%41"}`:                     minimal(func(e *events.Event) { e.Subject = "%41" }),
	} {
		for _, contentType := range []string{"application/cloudevents+json", "Application/CloudEvents+JSON; charset=UTF-8", "application/cloudevents+json;x=1"} {
			// Headers of binary mode count for nothing in structured mode.
			got, err := events.Decode(events.Message{
				Header: events.Header{"content-TYPE": {contentType}, "ce-id": {"2"}},
				Data:   []byte(head + rest),
			})
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%s: %v (-want +got)\n%s", rest, err, diff)
			}
		}
	}
}

func TestStructuredData(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ contentType, data, want string }{
		{"application/json", `{"a":"<&>"}`, `"data":{"a":"<&>"}`},
		{"application/json; charset=utf-8", " [1]\n", `"data":[1]`},
		{"application/json", `"text"`, `"data":"text"`},
		{"application/json", `null`, `"data":null`},
		{"application/vnd.x+json", `1.50`, `"data":1.50`},
		{"application/json", `1,"id":"2"`, `"data_base64":"MSwiaWQiOiIyIg=="`}, // must not get out of its place
		{"application/json", `{"a":1,"a":2}`, `"data_base64":"eyJhIjoxLCJhIjoyfQ=="`},
		{"text/plain", `{}`, `"data_base64":"e30="`},
		{"", `{}`, `"data_base64":"e30="`},
	} {
		e := minimal(func(e *events.Event) { e.DataContentType = c.contentType; e.Data = []byte(c.data) })
		m, err := events.EncodeStructured("x", e)
		if err != nil || !strings.Contains(string(m.Data), ","+c.want+"}") {
			t.Errorf("%s %q is written as %s (%v)", c.contentType, c.data, m.Data, err)
		}
		got, err := events.Decode(m)
		e.Data = bytes.TrimSpace(e.Data)
		if diff := cmp.Diff(e, got); err != nil || diff != "" {
			t.Errorf("%s %q: %v (-want +got)\n%s", c.contentType, c.data, err, diff)
		}
	}
}

func TestInvalidEvents(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*events.Event){
		"no id":              func(e *events.Event) { e.ID = "" },
		"not UTF-8":          func(e *events.Event) { e.Subject = "\xff" },
		"header injection":   func(e *events.Event) { e.Extensions = map[string]string{"x\r\nNats-Rollup": "all"} },
		"upper case":         func(e *events.Event) { e.Extensions = map[string]string{"Tenant": "x"} },
		"extension id":       func(e *events.Event) { e.Extensions = map[string]string{"id": "2"} },
		"extension runid":    func(e *events.Event) { e.Extensions = map[string]string{"runid": "2"} },
		"extension version":  func(e *events.Event) { e.Extensions = map[string]string{"specversion": "0.3"} },
		"extension data":     func(e *events.Event) { e.Extensions = map[string]string{"data": "x"} },
		"extension value":    func(e *events.Event) { e.Extensions = map[string]string{"tenant": "a\x7f"} },
		"year":               func(e *events.Event) { e.Time = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"year before year 0": func(e *events.Event) { e.Expiry = time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC) },
		"too much data":      func(e *events.Event) { e.Data = make([]byte, events.MaxDataBytes+1) },
		"too long a value":   func(e *events.Event) { e.TraceState = strings.Repeat("x", events.MaxAttributeBytes+1) },
		"too many attributes": func(e *events.Event) {
			e.Extensions = map[string]string{}
			for i := range events.MaxAttributes - 3 {
				e.Extensions[fmt.Sprintf("x%d", i)] = ""
			}
		},
	} {
		e := minimal(change)
		if err := e.Validate(); !errors.Is(err, events.ErrEvent) {
			t.Errorf("%s: Validate returns %v", name, err)
		}
		if _, err := events.EncodeStructured("x", e); !errors.Is(err, events.ErrEvent) {
			t.Errorf("%s: EncodeStructured returns %v", name, err)
		}
	}
}

// TestErrorsAreSteady decodes a message with many faults: the one reported must
// not depend on the order of a map.
func TestErrorsAreSteady(t *testing.T) {
	t.Parallel()
	header := with("ce-a_", "x", "ce-b_", "x", "ce-c_", "x", "ce-x", "%", "ce-y", "%", "ce-z", "%")
	escapes := with("ce-a_", "x", "ce-b_", "x", "ce-c_", "x", "ce-d_", "\n")
	for want, h := range map[string]events.Header{
		`bad CloudEvent: header "ce-x": the escape at byte 0 is cut off`:          header,
		`bad CloudEvent: attribute "a_": names are lower-case letters and digits`: escapes,
	} {
		for range 50 {
			if _, err := events.Decode(events.Message{Header: h}); err == nil || err.Error() != want {
				t.Fatalf("error is %v, want %s", err, want)
			}
		}
	}
}

func TestHeaderGet(t *testing.T) {
	t.Parallel()
	h := events.Header{"b-x": {"exact"}, "B-X": {"upper"}, "B-x": {"mixed"}, "a": {}}
	for name, want := range map[string]string{"b-x": "exact", "b-X": "upper", "A": "", "none": ""} {
		for range 20 {
			if got := h.Get(name); got != want {
				t.Errorf("Get(%q) = %q, want %q", name, got, want)
			}
		}
	}
	if got := events.Header(nil).Get("x"); got != "" {
		t.Errorf("nil header has %q", got)
	}
}

// TestAgainstSDK reads with the CloudEvents SDK what is written here, and the
// other way round.
func TestAgainstSDK(t *testing.T) {
	t.Parallel()
	for _, s := range samples() {
		ours, err := events.EncodeStructured("x", s.event)
		if err != nil {
			t.Fatal(err)
		}
		var theirs sdk.Event
		if err := theirs.UnmarshalJSON(ours.Data); err != nil {
			t.Errorf("%s: the SDK cannot read it: %v", s.event.Type, err)
			continue
		}
		if err := theirs.Validate(); err != nil {
			t.Errorf("%s: the SDK finds it invalid: %v", s.event.Type, err)
		}
		if theirs.ID() != s.event.ID || theirs.Subject() != s.event.Subject || !theirs.Time().Equal(s.event.Time) || !bytes.Equal(theirs.Data(), s.event.Data) {
			t.Errorf("%s: the SDK reads %v", s.event.Type, theirs)
		}
		back, err := theirs.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		got, err := events.Decode(events.Message{Header: ours.Header, Data: back})
		if diff := cmp.Diff(s.event, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got)\n%s", s.event.Type, err, diff)
		}
	}
}
