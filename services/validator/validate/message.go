package validate

import (
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

const (
	// maxText is the longest pointer or message in Details, in bytes.
	maxText = 512
	// maxQuote is the longest piece of a document or schema in a message, in bytes.
	maxQuote = 128
	// maxAlternatives is how many of the alternatives that do not fit are explained.
	maxAlternatives = 3
)

// english is the language of the library's messages.
var english = message.NewPrinter(language.English)

// message returns what is wrong, in words. Where the library's own words would
// repeat a long value whole or round a number, they are replaced.
func (f finding) message() string {
	switch k := f.err.ErrorKind.(type) {
	case *kind.FalseSchema:
		return "is not allowed here"
	case *kind.Not:
		return "fits the schema in 'not'"
	case *kind.AdditionalProperties:
		return "property " + quote(f.prop) + " is not allowed"
	case *propertyName:
		return "property name " + quote(k.Property) + " is not allowed"
	case *kind.Pattern:
		return quote(k.Got) + " does not match pattern " + quote(k.Want)
	case *kind.Format:
		if got, ok := k.Got.(string); ok {
			return quote(got) + " is no valid " + quote(k.Want)
		}
	case *kind.Minimum:
		return compared("minimum", k.Got, k.Want)
	case *kind.Maximum:
		return compared("maximum", k.Got, k.Want)
	case *kind.ExclusiveMinimum:
		return compared("exclusiveMinimum", k.Got, k.Want)
	case *kind.ExclusiveMaximum:
		return compared("exclusiveMaximum", k.Got, k.Want)
	case *kind.MultipleOf:
		return compared("multipleOf", k.Got, k.Want)
	}
	return f.err.ErrorKind.LocalizedString(english) + f.reasons()
}

// reasons says why the alternatives do not fit, if there are any.
func (f finding) reasons() string {
	var list []string
	for _, cause := range f.err.Causes {
		for _, c := range slices.DeleteFunc(flatten(cause), finding.misplaced) {
			text := clip(c.message(), maxQuote)
			if below := strings.TrimPrefix(c.pointer, f.pointer); below != "" {
				text = clip(below, maxQuote) + ": " + text
			}
			list = append(list, text)
			break
		}
		if len(list) == maxAlternatives {
			break
		}
	}
	if len(list) == 0 {
		return ""
	}
	return ": " + strings.Join(list, "; ")
}

func compared(keyword string, got, want *big.Rat) string {
	return keyword + ": got " + decimal(got) + ", want " + decimal(want)
}

// decimal writes a number exactly. Each has a finite decimal, since it comes from one.
func decimal(r *big.Rat) string {
	digits, _ := r.FloatPrec()
	return clip(r.FloatString(digits), maxQuote)
}

func quote(s string) string { return strconv.Quote(clip(s, maxQuote)) }

// quotePointer writes a pointer for people, for whom an empty one is nothing.
func quotePointer(pointer string) string {
	if pointer == "" {
		return "at the top"
	}
	return "at " + clip(pointer, maxQuote)
}

// clip shortens text to limit bytes and a mark, between characters.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit] + "..."
}
