package save

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// kind is the type of a column.
type kind string

const (
	kindText      kind = "text"
	kindInteger   kind = "integer"
	kindNumber    kind = "number"
	kindDecimal   kind = "decimal"
	kindBoolean   kind = "boolean"
	kindTimestamp kind = "timestamp"
	kindDate      kind = "date"
	kindJSON      kind = "json"
)

// kinds says what a value of each has to be. Both databases can make the column's
// type of every value that is one, and lose nothing of it.
var kinds = map[kind]string{
	kindText:      "a string",
	kindInteger:   "an integer from -9223372036854775808 to 9223372036854775807, without fraction and exponent",
	kindNumber:    "a number that a float64 can come close to",
	kindDecimal:   "a number",
	kindBoolean:   "true or false",
	kindTimestamp: `a string like "2006-01-02T15:04:05.999999+01:00": years 1 to 9999, offsets up to 14:59, no finer than microseconds`,
	kindDate:      `a string like "2006-01-02", years 1 to 9999`,
	kindJSON:      "anything",
}

// fits reports whether a valid JSON value is of a type. Null is of each.
func (k kind) fits(v jsontext.Value) bool {
	switch token := v.Kind(); {
	case k == kindJSON || token == 'n':
		return true
	case k == kindBoolean:
		return token == 't' || token == 'f'
	case token == '0':
		return k == kindDecimal || k == kindNumber && isFloat(string(v)) || k == kindInteger && isInteger(string(v))
	case token == '"':
		return k == kindText || k == kindTimestamp && isTimestamp(string(plain(v))) || k == kindDate && isDate(string(plain(v)))
	}
	return false
}

func isInteger(text string) bool {
	_, err := strconv.ParseInt(text, 10, 64)
	return err == nil
}

// isFloat reports whether a number neither is too large for a float64 nor becomes 0.
func isFloat(text string) bool {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) {
		return false
	}
	mantissa, _, _ := strings.Cut(strings.ToLower(text), "e")
	return f != 0 || !strings.ContainsAny(mantissa, "123456789")
}

// The bounds of timestamps: PostgreSQL and SQLite both read what is inside of them.
const (
	maxOffset = 15 * time.Hour // exclusive
	minYear   = 1
	maxYear   = 9999
	// maxFraction is the largest number of digits behind the seconds; those beyond
	// microseconds have to be 0.
	maxFraction = 9
)

func isTimestamp(text string) bool {
	const seconds = "2006-01-02T15:04:05"
	if len(text) < len(seconds) || !shaped(text[:len(seconds)], seconds) {
		return false // package time takes more than RFC 3339
	}
	zone := text[len(seconds):]
	if strings.HasPrefix(zone, ".") {
		zone = strings.TrimLeft(zone[1:], "0123456789")
		if n := len(text) - len(seconds) - 1 - len(zone); n == 0 || n > maxFraction {
			return false
		}
	}
	if zone != "Z" && !shaped(zone, "+00:00") && !shaped(zone, "-00:00") {
		return false
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || t.Nanosecond()%int(time.Microsecond) != 0 {
		return false
	}
	_, offset := t.Zone()
	utc := t.UTC().Year()
	return (time.Duration(offset)*time.Second).Abs() < maxOffset && t.Year() >= minYear && utc >= minYear && utc <= maxYear
}

// shaped reports whether a text has digits where a model has some, and else what the
// model has.
func shaped(text, model string) bool {
	if len(text) != len(model) {
		return false
	}
	for i := range len(text) {
		if isDigit(model[i]) != isDigit(text[i]) || !isDigit(text[i]) && text[i] != model[i] {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isDate(text string) bool {
	t, err := time.Parse(time.DateOnly, text)
	return err == nil && shaped(text, time.DateOnly) && t.Year() >= minYear
}

// fitting checks records against columns.
type fitting struct {
	columns []column
	*seeker
}

func newFitting(columns []column) fitting {
	pointers := make([]pointer, len(columns))
	for i, c := range columns {
		pointers[i] = c.path
	}
	return fitting{columns, newSeeker(pointers...)}
}

// check returns what does not fit in a record.
func (f fitting) check(data []byte) error {
	if err := f.seek(data); err != nil {
		return err // unreachable: it is in the database
	}
	return misfit(f.columns, f.found)
}

// misfit returns an error for the first of the columns that its value does not fit.
func misfit(columns []column, values []jsontext.Value) error {
	for i, c := range columns {
		if v := values[i]; v != nil && !c.kind.fits(v) {
			return fmt.Errorf("has %s at %q, column %q is %s: want %s", excerpt(v), c.path.text, c.name, c.kind, kinds[c.kind])
		}
	}
	return nil
}

// maxExcerpt is how much of a value an error shows, in bytes.
const maxExcerpt = 100

func excerpt(v jsontext.Value) string {
	if len(v) <= maxExcerpt {
		return string(v)
	}
	return strings.ToValidUTF8(string(v[:maxExcerpt]), "") + "..."
}
