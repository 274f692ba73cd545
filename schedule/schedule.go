package schedule

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"segue/events"
)

// Limits and defaults of a schedule.
const (
	// MinEvery and MaxEvery bound the time between two starts.
	MinEvery = time.Second
	MaxEvery = 366 * 24 * time.Hour
	// DefaultCatchUp is how late a start may be that nobody was there to make.
	DefaultCatchUp = 24 * time.Hour
	// MinCatchUp is more than it takes another orchestrator to take over. MaxCatchUp is
	// less than a run is known for, or it would be started again.
	MinCatchUp = time.Minute
	MaxCatchUp = 7 * 24 * time.Hour
)

// ErrInvalid is returned by [New] for what is no schedule. The error says what would be.
var ErrInvalid = errors.New("invalid schedule")

// Schedule says when runs of a saga start. It is immutable and safe for concurrent use.
type Schedule struct {
	subject events.Subject
	set     time.Time
	times   times
	zone    *time.Location
	catchUp time.Duration
	input   input
}

// times is when something happens.
type times interface {
	// next returns the first time after another, in whole seconds; zero if there is none.
	next(after time.Time) time.Time
	fmt.Stringer
}

// New returns the schedule that was set at a time. It is an error that wraps
// [ErrInvalid] if it can be no schedule, or never comes to a start.
func New(subject events.Subject, data events.ScheduleSet, set time.Time) (*Schedule, error) {
	s, err := read(subject, data, set)
	if err != nil {
		return nil, fmt.Errorf("%w %s/%s: %w", ErrInvalid, subject.Definition, subject.Schedule, err)
	}
	return s, nil
}

func read(subject events.Subject, data events.ScheduleSet, set time.Time) (*Schedule, error) {
	s := &Schedule{subject: subject, set: set, catchUp: DefaultCatchUp}
	var err error
	if s.zone, err = readZone(data); err != nil {
		return nil, err
	}
	if s.times, err = readTimes(data, s.zone); err != nil {
		return nil, err
	}
	if s.input, err = readInput(data.Input); err != nil {
		return nil, err
	}
	if data.CatchUp != "" {
		if s.catchUp, err = readDuration("catch_up", data.CatchUp, MinCatchUp, MaxCatchUp); err != nil {
			return nil, err
		}
	}
	switch {
	case !s.Next(set).IsZero():
		return s, nil
	case data.At.IsZero():
		return nil, fmt.Errorf("cron: %q never comes", data.Cron)
	}
	return nil, fmt.Errorf("at: %s had passed when it was set", stamp(data.At))
}

func readTimes(data events.ScheduleSet, zone *time.Location) (times, error) {
	given := 0
	for _, is := range []bool{data.Cron != "", data.Every != "", !data.At.IsZero()} {
		if is {
			given++
		}
	}
	switch {
	case given != 1:
		return nil, fmt.Errorf("want one of cron, every and at, not %d", given)
	case data.Cron != "":
		return readCron(data.Cron, zone)
	case data.Every != "":
		d, err := readDuration("every", data.Every, MinEvery, MaxEvery)
		return every(d), err
	}
	return once(data.At.Truncate(time.Second)), nil
}

func readDuration(key, text string, least, most time.Duration) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%s: %q is not a duration like 90s, 15m or 1h30m", key, text)
	case d < least || d > most || d%time.Second != 0:
		return 0, fmt.Errorf("%s: %s is not whole seconds from %v to %v", key, text, least, most)
	}
	return d, nil
}

func readZone(data events.ScheduleSet) (*time.Location, error) {
	if data.Zone == "Local" { // differs from one machine to the next
		return nil, errors.New(`zone: want an IANA name like Europe/Zurich, not "Local"`)
	}
	zone, err := time.LoadLocation(cmp.Or(data.Zone, "UTC"))
	if err != nil {
		return nil, fmt.Errorf("zone: %q is not known: want an IANA name like Europe/Zurich", data.Zone)
	}
	return zone, nil
}

// once happens at one time.
type once time.Time

func (o once) next(after time.Time) time.Time {
	if at := time.Time(o); at.After(after) {
		return at
	}
	return time.Time{}
}

func (o once) String() string { return "at " + stamp(time.Time(o)) }

// every happens at the multiples of a duration since 1970.
type every time.Duration

func (e every) next(after time.Time) time.Time {
	period := int64(time.Duration(e) / time.Second)
	n := after.Unix() / period
	if after.Unix() < 0 && after.Unix()%period != 0 {
		n-- // division rounds towards zero
	}
	return time.Unix((n+1)*period, 0)
}

func (e every) String() string { return "every " + time.Duration(e).String() }

// String says when, such as "every 15m0s" or "30 3 * * * Europe/Zurich".
func (s *Schedule) String() string { return s.times.String() }

// Subject returns the subject of the schedule, which has its name and the saga's.
func (s *Schedule) Subject() events.Subject { return s.subject }

// Next returns the first time after another, and after the schedule was set, in UTC; the
// zero time if there is none.
func (s *Schedule) Next(after time.Time) time.Time {
	if after.Before(s.set) {
		after = s.set
	}
	next := s.times.next(after)
	if next.IsZero() {
		return next
	}
	return next.UTC()
}

// Due returns the last time up to now whose run is to be started unless it was, given
// that all up to another time were; the zero time if there is none. With what is
// missed it makes up for itself, see the package documentation.
func (s *Schedule) Due(after, now time.Time) time.Time {
	if oldest := now.Add(-s.catchUp - time.Nanosecond); after.Before(oldest) {
		after = oldest
	}
	return s.last(after, now)
}

// Last returns the last time up to now; the zero time if there is none since the
// schedule was set.
func (s *Schedule) Last(now time.Time) time.Time { return s.last(s.set, now) }

// last returns the last time after one and up to another. It looks at longer and longer
// spans before now, so that it goes through few times.
func (s *Schedule) last(after, now time.Time) (last time.Time) {
	for span := time.Hour; ; span *= 24 {
		from := now.Add(-span)
		if from.Before(after) {
			from = after
		}
		for at := s.Next(from); !at.IsZero() && !at.After(now); at = s.Next(at) {
			last = at
		}
		if !last.IsZero() || from.Equal(after) || span > longestPause {
			return last
		}
	}
}

// longestPause is more than lies between two times: from one 29 February to the next.
const longestPause = 10 * 366 * 24 * time.Hour
