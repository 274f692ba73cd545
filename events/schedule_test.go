package events_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segue/events"
)

func TestDecodeSchedule(t *testing.T) {
	t.Parallel()
	subject := events.ScheduleSubject("ingest", "nightly").String()
	set := minimal(func(e *events.Event) {
		e.Type, e.DataContentType, e.Data = events.TypeScheduleSet, events.JSON, []byte(`{"every":"1h"}`)
	})
	removed := minimal(func(e *events.Event) { e.Type = events.TypeScheduleRemoved })
	for name, c := range map[string]struct {
		message events.Message
		want    events.Event
	}{
		"bare":    {events.Message{Data: set.Data}, events.Event{Type: events.TypeScheduleSet, DataContentType: events.JSON, Data: set.Data}},
		"binary":  {events.Encode(subject, set), set},
		"removed": {events.Encode(subject, removed), removed},
	} {
		c.message.Subject = subject
		got, err := events.DecodeSchedule(c.message)
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got)\n%s", name, err, diff)
		}
	}
	for name, m := range map[string]events.Message{
		"nothing":      {},
		"no JSON":      {Data: []byte("hourly")},
		"another type": events.Encode(subject, minimal(nil)),
		"broken event": {Header: events.Header{"Content-Type": {"application/cloudevents+json"}}, Data: []byte(`{}`)},
	} {
		if e, err := events.DecodeSchedule(m); !errors.Is(err, events.ErrSchedule) {
			t.Errorf("%s: %+v, %v, want ErrSchedule", name, e, err)
		}
	}
	if got, want := events.ScheduleSource(events.ScheduleSubject("ingest", "nightly")), "/segue/schedules/ingest/nightly"; got != want {
		t.Errorf("the source is %q, want %q", got, want)
	}
}
