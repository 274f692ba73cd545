package events

import (
	"errors"
	"fmt"
)

// ErrSchedule is returned by [DecodeSchedule] for a message that neither sets nor
// removes a schedule.
var ErrSchedule = errors.New("not a schedule")

// ScheduleSource returns the source of the starts that a schedule makes. The id of
// each is its time.
func ScheduleSource(s Subject) string {
	return "/segue/schedules/" + s.Definition + "/" + s.Schedule
}

// DecodeSchedule reads a message on a subject of kind [KindSchedule]: an event that
// [Decode] reads, of type [TypeScheduleSet] or [TypeScheduleRemoved], or the data of
// the former as bare JSON, as typed into "nats pub". The data is not looked into.
//
// All errors wrap [ErrSchedule]. The event shares the memory of the message's data.
func DecodeSchedule(m Message) (Event, error) {
	e, err := Decode(m)
	switch {
	case errors.Is(err, ErrNotEvent):
		if err := CheckJSON(m.Data); err != nil {
			return Event{}, fmt.Errorf("%w: the message is no CloudEvent and %w", ErrSchedule, err)
		}
		return Event{Type: TypeScheduleSet, DataContentType: JSON, Data: m.Data}, nil
	case err != nil:
		return Event{}, fmt.Errorf("%w: %w", ErrSchedule, err)
	case e.Type != TypeScheduleSet && e.Type != TypeScheduleRemoved:
		return Event{}, fmt.Errorf("%w: its type is %s, want %s or %s", ErrSchedule, e.Type, TypeScheduleSet, TypeScheduleRemoved)
	}
	return e, nil
}
