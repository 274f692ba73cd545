package tableschema

import (
	"fmt"
	"strings"
	"time"
)

// instant is the types date, time and datetime. Its values are ISO 8601, which
// text compares rightly when all are in one zone.
func (k kind) instant(format string) (kind, error) {
	layouts := map[string][]string{
		"date":     {time.DateOnly},
		"time":     {time.TimeOnly},
		"datetime": {time.RFC3339Nano, "2006-01-02T15:04:05.999999999"},
	}[k.name]
	out := layouts[len(layouts)-1]
	k.compare = compareInstants
	if strings.Contains(format, "%") {
		layout, zone, err := layoutOf(format)
		if err != nil {
			return k, err
		}
		if zone {
			out = time.RFC3339Nano
		}
		k.parse = func(text string) (Value, string) {
			t, err := time.Parse(layout, text)
			if err != nil {
				return Value{}, quoteText(text) + " is no " + k.name + " of the form " + clip(format)
			}
			return Value{String, t.Format(out)}, ""
		}
		return k, nil
	}
	if format != "default" {
		return k, fmt.Errorf("the type %s has no format %q: say its form, such as %%d.%%m.%%Y", k.name, clip(format))
	}
	k.parse = func(text string) (Value, string) {
		for _, layout := range layouts {
			if _, err := time.Parse(layout, text); err == nil && !strings.Contains(text, ",") {
				return Value{String, text}, ""
			}
		}
		return Value{}, quoteText(text) + " is no " + k.name + ", such as " + example[k.name]
	}
	return k, nil
}

var example = map[string]string{"date": "2026-01-31", "time": "23:59:30", "datetime": "2026-01-31T23:59:30Z"}

// compareInstants compares two instants, and those without a zone as if in UTC.
func compareInstants(a, b Value) int {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", time.DateOnly, time.TimeOnly} {
		x, errA := time.Parse(layout, a.Text)
		y, errB := time.Parse(layout, b.Text)
		if errA == nil && errB == nil {
			return x.Compare(y)
		}
	}
	return strings.Compare(a.Text, b.Text)
}

// layoutOf makes a layout of package time from a form of strptime. Text between
// the directives must not be one that package time takes for something.
func layoutOf(format string) (layout string, zone bool, err error) {
	directives := map[byte]string{
		'Y': "2006", 'y': "06", 'm': "01", 'd': "02", 'H': "15", 'I': "03", 'M': "04", 'S': "05", 'f': "000000", 'p': "PM",
		'b': "Jan", 'B': "January", 'a': "Mon", 'A': "Monday", 'j': "002", 'z': "-0700",
	}
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		c := format[i]
		switch {
		case c != '%' && strings.IndexByte("-/.,:; T", c) >= 0:
			b.WriteByte(c)
		case c != '%' || i+1 == len(format) || directives[format[i+1]] == "":
			return "", false, fmt.Errorf("format %q: %q cannot be read; %%Y %%y %%m %%d %%H %%I %%M %%S %%f %%p %%b %%B %%a %%A %%j %%z and the characters -/.,:; T can", clip(format), clip(format[i:]))
		default:
			i++
			b.WriteString(directives[format[i]])
			zone = zone || format[i] == 'z'
		}
	}
	if strings.Contains(format, "%f") && !strings.Contains(format, "%S.%f") && !strings.Contains(format, "%S,%f") {
		return "", false, fmt.Errorf("format %q: %%f can only be read behind %%S and a point", clip(format))
	}
	return b.String(), zone, nil
}
