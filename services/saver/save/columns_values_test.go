package save

import (
	"encoding/json"
	"errors"
	"math/big"
	"strconv"
	"strings"
	"time"

	"segue/participant"
)

func quoteJSON(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return string(quoted)
}

func asError(err error, e **participant.Error) bool { return errors.As(err, e) }

// wanted returns what says whether a value read from a column is the JSON value that
// was saved, as package encoding/json and the standard library understand it.
func wanted(k kind, value string) func(got any) bool {
	if value == "null" && k != kindJSON {
		return func(got any) bool { return got == nil }
	}
	var text string
	_ = json.Unmarshal([]byte(value), &text)
	switch k {
	case kindInteger:
		want, _ := strconv.ParseInt(value, 10, 64)
		return func(got any) bool { return got == want }
	case kindNumber:
		want, _ := strconv.ParseFloat(value, 64)
		return func(got any) bool { return got == want }
	case kindDecimal:
		want, _ := new(big.Rat).SetString(value)
		return func(got any) bool {
			text, isText := got.(string)
			r, ok := new(big.Rat).SetString(text)
			return isText && ok && r.Cmp(want) == 0
		}
	case kindBoolean:
		return func(got any) bool {
			return got == (value == "true") || got == map[string]int64{"true": 1, "false": 0}[value]
		}
	case kindTimestamp:
		want, _ := time.Parse(time.RFC3339, text)
		return func(got any) bool {
			if text, isText := got.(string); isText {
				at, err := time.Parse(sqliteTime, text)
				return err == nil && at.Equal(want)
			}
			at, isTime := got.(time.Time)
			return isTime && at.Equal(want)
		}
	case kindDate:
		return func(got any) bool {
			at, isTime := got.(time.Time)
			return got == text || isTime && at.Format(time.DateOnly) == text
		}
	case kindText:
		return func(got any) bool { return got == text }
	default:
		return func(got any) bool {
			found, isText := got.(string)
			if bytes, is := got.([]byte); is {
				found, isText = string(bytes), true
			}
			var a, b any
			return isText && decode(found, &a) && decode(value, &b) && sameJSON(a, b)
		}
	}
}

func decode(text string, v *any) bool {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	return d.Decode(v) == nil
}

// sameJSON compares numbers by what they are.
func sameJSON(a, b any) bool {
	x, isX := a.(json.Number)
	y, isY := b.(json.Number)
	if isX && isY {
		p, _ := new(big.Rat).SetString(x.String())
		q, _ := new(big.Rat).SetString(y.String())
		return p.Cmp(q) == 0
	}
	left, _ := json.Marshal(a)
	right, _ := json.Marshal(b)
	return string(left) == string(right)
}
