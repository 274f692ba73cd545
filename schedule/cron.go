package schedule

import (
	"errors"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // zones are known in a container that holds nothing but the program

	"github.com/adhocore/gronx"
)

// cron happens when the clock of a zone shows what an expression says.
type cron struct {
	expression string
	zone       *time.Location
}

func readCron(expression string, zone *time.Location) (cron, error) {
	expression = strings.TrimSpace(expression)
	if len(expression) > maxExpression {
		return cron{}, fmt.Errorf("cron: the expression is longer than %d bytes", maxExpression)
	}
	c := cron{expression, zone}
	if name, is := strings.CutPrefix(expression, "@"); is {
		fields, known := nicknames[name]
		if !known {
			return c, fmt.Errorf("cron: %q is not known: want @hourly, @daily, @weekly, @monthly or @yearly", expression)
		}
		c.expression = fields
		return c, nil
	}
	if n := len(strings.Fields(expression)); n != 5 {
		return c, fmt.Errorf("cron: want five fields (minute, hour, day of month, month, day of week), %q has %d", expression, n)
	}
	if !gronx.IsValid(expression) {
		return c, fmt.Errorf("cron: %q: %w", expression, whyInvalid(expression))
	}
	return c, nil
}

// maxExpression is longer than any that people write, in bytes.
const maxExpression = 256

var nicknames = map[string]string{
	"hourly": "0 * * * *", "daily": "0 0 * * *", "midnight": "0 0 * * *", "weekly": "0 0 * * 0", "monthly": "0 0 1 * *",
	"yearly": "0 0 1 1 *", "annually": "0 0 1 1 *",
}

// whyInvalid says what is wrong with an expression of five fields.
func whyInvalid(expression string) error {
	fields := strings.Fields(expression)
	for i, name := range []string{"minute", "hour", "day of month", "month", "day of week"} {
		alone := []string{"*", "*", "*", "*", "*"}
		alone[i] = fields[i]
		if !gronx.IsValid(strings.Join(alone, " ")) {
			return fmt.Errorf("%s cannot be %s", name, fields[i])
		}
	}
	return errors.New("the fields do not go together")
}

// next goes by what the clock of the zone shows, as if it were UTC, where no hour is left
// out or comes twice, and asks when that is.
func (c cron) next(after time.Time) time.Time {
	shown := face(after.In(c.zone))
	for range maxFolded {
		var err error
		if shown, err = gronx.NextTickAfter(c.expression, shown, false); err != nil {
			return time.Time{} // there is none
		}
		if at := when(shown, c.zone); at.After(after) {
			return at
		}
	}
	return time.Time{}
}

func (c cron) String() string { return c.expression + " " + c.zone.String() }

// maxFolded is how many times of a clock may be at or before one that they follow: the
// minutes of a day, which a zone has left out or had twice when it crossed the date line,
// and some.
const maxFolded = 2 * 24 * 60

// face returns what a clock shows at a time of a zone, as a time in UTC.
func face(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
}

// when returns the first time at which the clock of a zone shows something, or jumps over
// it.
func when(shown time.Time, zone *time.Location) time.Time {
	at := time.Date(shown.Year(), shown.Month(), shown.Day(), shown.Hour(), shown.Minute(), shown.Second(), 0, zone)
	begin, end := at.ZoneBounds()
	switch f := face(at); {
	case f.After(shown): // jumped over, and we are behind
		return begin
	case f.Before(shown): // and we are before
		return end
	}
	if begin.IsZero() {
		return at
	}
	_, offset := begin.Add(-time.Second).Zone()
	if earlier := shown.Add(-time.Duration(offset) * time.Second); earlier.Before(begin) {
		return earlier.In(zone)
	}
	return at
}
