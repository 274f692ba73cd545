package schedule_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"segue/events"
	"segue/schedule"
)

var nightly = events.ScheduleSubject("ingest", "nightly")

// at reads a time.
func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

// set returns a schedule that was set at a time.
func set(t interface {
	Helper()
	Fatal(...any)
}, data events.ScheduleSet, when time.Time) *schedule.Schedule {
	t.Helper()
	s, err := schedule.New(nightly, data, when)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// following returns the next so many times, as text.
func following(s *schedule.Schedule, after time.Time, n int) string {
	var all []string
	for range n {
		if after = s.Next(after); after.IsZero() {
			return strings.Join(append(all, "never"), " ")
		}
		all = append(all, after.Format(time.RFC3339))
	}
	return strings.Join(all, " ")
}

func TestNext(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		data  events.ScheduleSet
		after string
		want  string
	}{
		"every quarter of an hour": {events.ScheduleSet{Every: "15m"}, "2026-03-01T10:07:03.5Z", "2026-03-01T10:15:00Z 2026-03-01T10:30:00Z"},
		"every, on the dot":        {events.ScheduleSet{Every: "1h"}, "2026-03-01T10:00:00Z", "2026-03-01T11:00:00Z 2026-03-01T12:00:00Z"},
		"once":                     {events.ScheduleSet{At: at("2026-03-01T12:00:00.7+02:00")}, "2026-03-01T09:00:00Z", "2026-03-01T10:00:00Z never"},
		"cron in UTC":              {events.ScheduleSet{Cron: "30 3 * * MON-FRI"}, "2026-03-06T12:00:00Z", "2026-03-09T03:30:00Z 2026-03-10T03:30:00Z"},
		"a nickname":               {events.ScheduleSet{Cron: "@weekly"}, "2026-03-06T12:00:00Z", "2026-03-08T00:00:00Z 2026-03-15T00:00:00Z"},
		"the last day":             {events.ScheduleSet{Cron: "0 0 L * *"}, "2026-02-01T00:00:00Z", "2026-02-28T00:00:00Z 2026-03-31T00:00:00Z"},
		"a rare day":               {events.ScheduleSet{Cron: "0 0 29 2 *"}, "2026-03-06T12:00:00Z", "2028-02-29T00:00:00Z 2032-02-29T00:00:00Z"},
		"either day":               {events.ScheduleSet{Cron: "0 0 13 * FRI"}, "2026-04-09T12:00:00Z", "2026-04-10T00:00:00Z 2026-04-13T00:00:00Z"},
		"a zone":                   {events.ScheduleSet{Cron: "0 8 * * *", Zone: "Asia/Kolkata"}, "2026-03-06T12:00:00Z", "2026-03-07T02:30:00Z 2026-03-08T02:30:00Z"},
		"an hour is left out": {
			events.ScheduleSet{Cron: "30 2 * * *", Zone: "Europe/Zurich"}, "2026-03-28T12:00:00Z",
			"2026-03-29T01:00:00Z 2026-03-30T00:30:00Z",
		},
		"several in an hour that is left out are one": {
			events.ScheduleSet{Cron: "*/20 1-3 * * *", Zone: "Europe/Zurich"}, "2026-03-29T00:30:00Z",
			"2026-03-29T00:40:00Z 2026-03-29T01:00:00Z 2026-03-29T01:20:00Z 2026-03-29T01:40:00Z 2026-03-29T23:00:00Z",
		},
		"an hour comes twice": {
			events.ScheduleSet{Cron: "30 2 * * *", Zone: "Europe/Zurich"}, "2026-10-24T12:00:00Z",
			"2026-10-25T00:30:00Z 2026-10-26T01:30:00Z",
		},
		"in the hour's second coming": {
			events.ScheduleSet{Cron: "*/20 * * * *", Zone: "Europe/Zurich"}, "2026-10-25T01:05:00Z",
			"2026-10-25T02:00:00Z 2026-10-25T02:20:00Z",
		},
		"half an hour is left out": {
			events.ScheduleSet{Cron: "15 2 * * *", Zone: "Australia/Lord_Howe"}, "2026-10-03T10:00:00Z",
			"2026-10-03T15:30:00Z 2026-10-04T15:15:00Z",
		},
		"a day is left out": { // Samoa went from 29 to 31 December
			events.ScheduleSet{Cron: "0 */6 * * *", Zone: "Pacific/Apia"}, "2011-12-30T03:00:00Z",
			"2011-12-30T04:00:00Z 2011-12-30T10:00:00Z 2011-12-30T16:00:00Z",
		},
	} {
		s := set(t, c.data, at(c.after))
		if got := following(s, at(c.after), strings.Count(c.want, " ")+1); got != c.want {
			t.Errorf("%s: after %s come\n\t%s, want\n\t%s", name, c.after, got, c.want)
		}
	}
}

// TestNextBefore holds that nothing before a schedule was set is one of its times.
func TestNextBefore(t *testing.T) {
	t.Parallel()
	s := set(t, events.ScheduleSet{Every: "1h"}, at("2026-03-01T10:00:00Z"))
	if got := following(s, time.Time{}, 1); got != "2026-03-01T11:00:00Z" {
		t.Errorf("the first time is %s", got)
	}
	if got := s.Due(time.Time{}, at("2026-03-01T10:30:00Z")); !got.IsZero() {
		t.Errorf("due is %v", got)
	}
}

func TestDue(t *testing.T) {
	t.Parallel()
	const day = "2026-03-05T"
	for name, c := range map[string]struct {
		data       events.ScheduleSet
		after, now string
		want       string
	}{
		"not yet":                      {events.ScheduleSet{Every: "1h"}, day + "10:00:00Z", day + "10:59:59Z", ""},
		"now":                          {events.ScheduleSet{Every: "1h"}, day + "10:00:00Z", day + "11:00:00Z", day + "11:00:00Z"},
		"done":                         {events.ScheduleSet{Every: "1h"}, day + "11:00:00Z", day + "11:00:01Z", ""},
		"of those missed the last":     {events.ScheduleSet{Every: "1m"}, day + "02:00:00Z", day + "11:00:30Z", day + "11:00:00Z"},
		"made up for":                  {events.ScheduleSet{Cron: "0 3 * * *"}, day + "02:00:00Z", day + "23:00:00Z", day + "03:00:00Z"},
		"too late by default":          {events.ScheduleSet{Cron: "0 3 * * THU"}, day + "02:00:00Z", "2026-03-06T03:00:01Z", ""},
		"just in time by default":      {events.ScheduleSet{Cron: "0 3 * * THU"}, day + "02:00:00Z", "2026-03-06T03:00:00Z", day + "03:00:00Z"},
		"too late":                     {events.ScheduleSet{Cron: "0 3 * * *", CatchUp: "1h"}, day + "02:00:00Z", day + "04:00:01Z", ""},
		"as late as it may be":         {events.ScheduleSet{Cron: "0 3 * * *", CatchUp: "1h"}, day + "02:00:00Z", day + "04:00:00Z", day + "03:00:00Z"},
		"nobody was there for a month": {events.ScheduleSet{Cron: "0 3 * * *"}, "2026-02-05T02:00:00Z", day + "04:00:00Z", day + "03:00:00Z"},
	} {
		got := set(t, c.data, at("2026-01-01T00:00:00Z")).Due(at(c.after), at(c.now))
		if got.IsZero() && c.want == "" {
			continue
		}
		if got.Format(time.RFC3339) != c.want {
			t.Errorf("%s: due is %s, want %q", name, got.Format(time.RFC3339), c.want)
		}
	}
}

func TestInvalid(t *testing.T) {
	t.Parallel()
	when := at("2026-03-05T00:00:00Z")
	for want, data := range map[string]events.ScheduleSet{
		"want one of cron, every and at, not 0":                {},
		"want one of cron, every and at, not 2":                {Every: "1h", Cron: "@daily"},
		`every: "often" is not a duration`:                     {Every: "often"},
		"every: 500ms is not whole seconds from 1s to":         {Every: "500ms"},
		"every: 1500ms is not whole seconds":                   {Every: "1500ms"},
		"every: -1h is not whole seconds":                      {Every: "-1h"},
		"every: 100000h is not whole seconds from 1s to 8784h": {Every: "100000h"},
		"catch_up: 1s is not whole seconds from 1m0s to 168h":  {Every: "1h", CatchUp: "1s"},
		`zone: "Zurich" is not known`:                          {Every: "1h", Zone: "Zurich"},
		`not "Local"`:                                          {Every: "1h", Zone: "Local"},
		`zone: "../../etc/passwd" is not known`:                {Every: "1h", Zone: "../../etc/passwd"},
		`cron: want five fields (minute, hour, day of month, month, day of week), "0 3 * *" has 4`: {Cron: "0 3 * *"},
		`"0 0 3 * * *" has 6`:                                 {Cron: "0 0 3 * * *"},
		"minute cannot be 60":                                 {Cron: "60 3 * * *"},
		"hour cannot be 25":                                   {Cron: "0 25 * * *"},
		"day of month cannot be x":                            {Cron: "0 0 x * *"},
		"day of week cannot be 1-":                            {Cron: "0 0 * * 1-"},
		"minute cannot be */0":                                {Cron: "*/0 * * * *"},
		`"@often" is not known: want @hourly`:                 {Cron: "@often"},
		`"@everysecond" is not known`:                         {Cron: "@everysecond"},
		`cron: "0 0 30 2 *" never comes`:                      {Cron: "0 0 30 2 *"},
		"longer than 256 bytes":                               {Cron: strings.Repeat("1,", 200) + "1 * * * *"},
		"at: 2026-03-04T00:00:00Z had passed when it was set": {At: at("2026-03-04T00:00:00Z")},
		"input: ": {Every: "1h", Input: []byte("{")},
		"input: ${day}: want ${time} or ${date}; $${ stands for ${": {Every: "1h", Input: []byte(`{"a":"${date}/${day}"}`)},
	} {
		s, err := schedule.New(nightly, data, when)
		if !errors.Is(err, schedule.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, %v, want %q", data, s, err, want)
		} else if !strings.HasPrefix(err.Error(), "invalid schedule ingest/nightly: ") {
			t.Errorf("the schedule is not named: %v", err)
		}
	}
}

func TestStart(t *testing.T) {
	t.Parallel()
	s := set(t, events.ScheduleSet{
		Cron: "0 1 * * *", Zone: "Asia/Tokyo", Input: []byte(`{"url":"https://example.org/${date}/$${x}","since":"${time}"}`),
	}, at("2026-01-01T00:00:00Z"))
	when := s.Next(at("2026-03-05T00:00:00Z"))
	e := s.Start(when)
	if err := e.Validate(); err != nil {
		t.Fatal(err)
	}
	if e.ID != "2026-03-05T16:00:00Z" || e.Source != "/segue/schedules/ingest/nightly" || e.Type != events.TypeRunRequested ||
		e.CorrelationID != "schedule/ingest/nightly" || !e.Time.Equal(when) {
		t.Errorf("the start is %+v", e)
	}
	if want := `{"url":"https://example.org/2026-03-06/${x}","since":"2026-03-05T16:00:00Z"}`; string(e.Data) != want {
		t.Errorf("the input is %s, want %s", e.Data, want)
	}
	if got, want := s.Run(when), events.RunID(e.Source, e.ID); got != want {
		t.Errorf("the run is %s, want that of the start, %s", got, want)
	}
	if e := set(t, events.ScheduleSet{Every: "1h"}, when).Start(when); string(e.Data) != "{}" {
		t.Errorf("without an input it is %s", e.Data)
	}
}

// field draws a field of cron and what fits it.
func field(t *rapid.T, name string, least, most int) (text string, fits func(int) bool) {
	n := rapid.IntRange(least, most)
	a, b := n.Draw(t, name), n.Draw(t, name)
	switch rapid.IntRange(0, 4).Draw(t, name+" form") {
	case 0:
		return strconv.Itoa(a), func(v int) bool { return v == a }
	case 1:
		a, b = min(a, b), max(a, b)
		return fmt.Sprintf("%d-%d", a, b), func(v int) bool { return a <= v && v <= b }
	case 2:
		return fmt.Sprintf("%d,%d", a, b), func(v int) bool { return v == a || v == b }
	case 3:
		step := max(a, 1)
		return fmt.Sprintf("*/%d", step), func(v int) bool { return (v-least)%step == 0 }
	}
	return "*", func(int) bool { return true }
}

// TestCronIsCrontab compares with what crontab(5) says, read minute by minute.
func TestCronIsCrontab(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		minute, fitsMinute := field(t, "minute", 0, 59)
		hour, fitsHour := field(t, "hour", 0, 23)
		day, fitsDay := field(t, "day", 1, 28)
		month, fitsMonth := field(t, "month", 1, 12)
		weekday, fitsWeekday := field(t, "weekday", 0, 6)
		either := day[0] != '*' && weekday[0] != '*'
		begin := at("2026-01-01T00:00:00Z").Add(time.Duration(rapid.IntRange(0, 4*366*24*60).Draw(t, "begin")) * time.Minute)
		s := set(t, events.ScheduleSet{Cron: strings.Join([]string{minute, hour, day, month, weekday}, " ")}, begin)
		want := begin
		for range 60 * 24 * 366 * 2 {
			want = want.Add(time.Minute)
			d, w := fitsDay(want.Day()), fitsWeekday(int(want.Weekday()))
			days := d && w || either && (d || w)
			if !days || !fitsMonth(int(want.Month())) {
				want = want.Truncate(24 * time.Hour).Add(24*time.Hour - time.Minute)
				continue
			}
			if fitsHour(want.Hour()) && fitsMinute(want.Minute()) {
				break
			}
		}
		if got := s.Next(begin); !got.Equal(want) {
			t.Fatalf("after %v comes %v, want %v", begin, got, want)
		}
	})
}

// TestTimesAreOneSequence holds for all schedules and zones that time only goes on,
// that asking from anywhere gives the same times, and that Due and Last find the last.
func TestTimesAreOneSequence(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		data := events.ScheduleSet{Every: fmt.Sprint(rapid.IntRange(1, 100_000).Draw(t, "every"), "s")}
		if rapid.Bool().Draw(t, "cron") {
			data = events.ScheduleSet{
				Cron: rapid.SampledFrom([]string{"*/7 * * * *", "30 2 * * *", "15 1-3 * * *", "0 0 * * SUN", "59 23 L * *"}).Draw(t, "expression"),
				Zone: rapid.SampledFrom([]string{"", "Europe/Zurich", "America/St_Johns", "Australia/Lord_Howe", "Africa/Casablanca", "America/Nuuk"}).Draw(t, "zone"),
			}
		}
		begin := at("2026-01-01T00:00:00Z").Add(time.Duration(rapid.IntRange(0, 366*24*3600).Draw(t, "begin")) * time.Second)
		s := set(t, data, begin)
		times := []time.Time{begin}
		for range 50 {
			next := s.Next(times[len(times)-1])
			if !next.After(times[len(times)-1]) {
				t.Fatalf("after %v comes %v", times[len(times)-1], next)
			}
			times = append(times, next)
		}
		last := times[len(times)-1]
		now := begin.Add(time.Duration(rapid.Int64Range(0, int64(last.Sub(begin))-1).Draw(t, "now")))
		i, found := slices.BinarySearchFunc(times, now, time.Time.Compare)
		if !found {
			i--
		}
		if got := s.Next(now); !got.Equal(times[i+1]) {
			t.Errorf("after %v comes %v, want %v", now, got, times[i+1])
		}
		if got := s.Last(now); i > 0 && !got.Equal(times[i]) || i == 0 && !got.IsZero() {
			t.Errorf("the last up to %v is %v, want %v", now, got, times[i])
		}
		got := s.Due(begin, now)
		if late := now.Sub(times[i]) > schedule.DefaultCatchUp; i == 0 || late {
			if !got.IsZero() {
				t.Errorf("at %v is due %v, want nothing", now, got)
			}
		} else if !got.Equal(times[i]) {
			t.Errorf("at %v is due %v, want %v", now, got, times[i])
		}
	})
}

// FuzzNew looks for expressions that are taken and then do not move on.
func FuzzNew(f *testing.F) {
	for _, e := range []string{"* * * * *", "@daily", "0 0 L * *", "0 0 15W * *", "0 0 * * 5#3", "*/5 1-3,7 * JAN-MAR MON", "0 0 30 2 *"} {
		f.Add(e, "Europe/Zurich", "1h", `{"a":"${date}"}`)
	}
	begin := at("2026-01-01T00:00:00Z")
	f.Fuzz(func(t *testing.T, cron, zone, catchUp, input string) {
		s, err := schedule.New(nightly, events.ScheduleSet{Cron: cron, Zone: zone, CatchUp: catchUp, Input: []byte(input)}, begin)
		if err != nil {
			if !errors.Is(err, schedule.ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		when := begin
		for range 3 {
			next := s.Next(when)
			if next.IsZero() {
				break
			}
			if !next.After(when) {
				t.Fatalf("%q: after %v comes %v", cron, when, next)
			}
			when = next
		}
		if e := s.Start(when); events.CheckJSON(e.Data) != nil {
			t.Fatalf("the input is %q", e.Data)
		}
	})
}
