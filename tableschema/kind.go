package tableschema

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"math/big"
	"net/mail"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// kind is a type with its format.
type kind struct {
	name string
	// parse types a text, or says what is wrong with it.
	parse func(text string) (v Value, message string)
	// compare orders two values; nil for a type without order.
	compare func(a, b Value) int
}

// equal says whether two values are the same: 1.0 is 1.
func (k kind) equal(a, b Value) bool {
	if k.compare != nil {
		return k.compare(a, b) == 0
	}
	return a == b
}

// kind finds the type and the format of a field.
func (w writtenField) kind() (kind, error) {
	name := cmp.Or(w.Type, "any") // as the second version of the standard has it
	format := cmp.Or(w.Format, "default")
	k := kind{name: name}
	switch name {
	case "string":
		return k.text(format)
	case "integer", "number":
		return w.number(k)
	case "boolean":
		k.parse = booleans(w.TrueValues, w.FalseValues)
	case "any":
		k.parse = func(text string) (Value, string) { return Value{String, text}, "" }
	case "year":
		k.parse = func(text string) (Value, string) {
			digits := strings.TrimPrefix(text, "-")
			if len(digits) != 4 || strings.Trim(digits, "0123456789") != "" {
				return Value{}, quoteText(text) + " is no year, such as 2026"
			}
			return Value{Number, integerText(text)}, ""
		}
		k.compare = compareNumbers
	case "date", "time", "datetime":
		return k.instant(format)
	default:
		return k, fmt.Errorf("type %q is not supported; string, integer, number, boolean, date, time, datetime, year and any are", clip(name))
	}
	if format != "default" {
		return k, fmt.Errorf("the type %s has no format %q", name, clip(format))
	}
	return k, nil
}

// text is the type string.
func (k kind) text(format string) (kind, error) {
	check, ok := map[string]func(string) error{
		"default": func(string) error { return nil },
		"email": func(s string) error {
			a, err := mail.ParseAddress(s)
			if err == nil && a.Address != s {
				err = fmt.Errorf("it is more than an address")
			}
			return err
		},
		"uri": func(s string) error {
			u, err := url.Parse(s)
			if err == nil && !u.IsAbs() {
				err = fmt.Errorf("it has no scheme")
			}
			return err
		},
		"binary": func(s string) error { _, err := base64.StdEncoding.DecodeString(s); return err },
		"uuid": func(s string) error {
			_, err := uuid.Parse(s)
			if err == nil && len(s) != 36 {
				err = fmt.Errorf("it is written in another way")
			}
			return err
		},
	}[format]
	if !ok {
		return k, fmt.Errorf("the type string has no format %q; email, uri, binary and uuid are known", clip(format))
	}
	k.parse = func(text string) (Value, string) {
		if check(text) != nil {
			return Value{}, quoteText(text) + " is no valid " + format
		}
		return Value{String, text}, ""
	}
	return k, nil
}

// maxDigits is the longest number, in bytes: comparing costs what the digits cost.
const maxDigits = 1000

// number is the types integer and number.
func (w writtenField) number(k kind) (kind, error) {
	if format := cmp.Or(w.Format, "default"); format != "default" {
		return k, fmt.Errorf("the type %s has no format %q", k.name, clip(format))
	}
	bare := w.BareNumber == nil || *w.BareNumber
	point := cmp.Or(w.DecimalChar, ".")
	if point == w.GroupChar || len(point) > 1 {
		return k, fmt.Errorf("decimalChar %q and groupChar %q cannot be", clip(point), clip(w.GroupChar))
	}
	k.compare = compareNumbers
	k.parse = func(text string) (Value, string) {
		if len(text) > maxDigits {
			return Value{}, fmt.Sprintf("has more than %d digits", maxDigits)
		}
		plain := text
		if !bare {
			plain = strings.TrimFunc(plain, func(c rune) bool { return !strings.ContainsRune("+-.0123456789", c) })
		}
		if w.GroupChar != "" {
			plain = strings.ReplaceAll(plain, w.GroupChar, "")
		}
		if k.name == "integer" {
			if v := integerText(plain); v != "" {
				return Value{Number, v}, ""
			}
		} else if point == "." || !strings.Contains(plain, ".") {
			if v := decimalText(strings.Replace(plain, point, ".", 1)); v != "" {
				return Value{Number, v}, ""
			}
		}
		return Value{}, quoteText(text) + " is no " + k.name
	}
	return k, nil
}

// integerText returns a whole number as JSON writes it, or "".
func integerText(text string) string {
	sign, digits := "", strings.TrimPrefix(text, "+")
	if rest, ok := strings.CutPrefix(text, "-"); ok {
		sign, digits = "-", rest
	}
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return ""
	}
	if digits = strings.TrimLeft(digits, "0"); digits == "" {
		return "0"
	}
	return sign + digits
}

// decimalText returns a decimal number as JSON writes it, with the digits it has
// behind the point, or "".
func decimalText(text string) string {
	mantissa, exponent := text, ""
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		mantissa, exponent = text[:i], text[i+1:]
		if strings.Trim(strings.TrimLeft(exponent, "+-"), "0123456789") != "" || integerText(exponent) == "" || len(exponent) > 4 {
			return ""
		}
		exponent = "e" + exponent
	}
	whole, fraction, point := strings.Cut(mantissa, ".")
	if strings.Trim(fraction, "0123456789") != "" || point && fraction == "" && strings.Trim(whole, "+-") == "" {
		return ""
	}
	if strings.Trim(whole, "+-") == "" && fraction != "" && len(whole) <= 1 { // .5
		whole += "0"
	}
	negative := strings.HasPrefix(whole, "-")
	if whole = integerText(whole); whole == "" {
		return ""
	}
	if negative && whole == "0" {
		whole = "-0" // -0.5
	}
	if fraction != "" {
		whole += "." + fraction
	}
	return whole + exponent
}

// compareNumbers compares exactly.
func compareNumbers(a, b Value) int {
	if len(a.Text) <= 18 && len(b.Text) <= 18 && !strings.ContainsAny(a.Text, ".e") && !strings.ContainsAny(b.Text, ".e") {
		return cmp.Compare(small(a.Text), small(b.Text))
	}
	x, _ := new(big.Rat).SetString(a.Text) // unreachable failures: both are numbers
	y, _ := new(big.Rat).SetString(b.Text)
	return x.Cmp(y)
}

// small reads an integer of at most 18 characters.
func small(text string) (n int64) {
	digits := strings.TrimPrefix(text, "-")
	for _, c := range []byte(digits) {
		n = n*10 + int64(c-'0')
	}
	if len(digits) < len(text) {
		return -n
	}
	return n
}

// booleans is the type boolean.
func booleans(yes, no []string) func(string) (Value, string) {
	if yes == nil {
		yes = []string{"true", "True", "TRUE", "1"}
	}
	if no == nil {
		no = []string{"false", "False", "FALSE", "0"}
	}
	return func(text string) (Value, string) {
		switch {
		case slices.Contains(yes, text):
			return Value{Bool, "true"}, ""
		case slices.Contains(no, text):
			return Value{Bool, "false"}, ""
		}
		return Value{}, quoteText(text) + " is no boolean"
	}
}
