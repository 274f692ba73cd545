package saga

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// violationMessage says what is wrong with a value. The kinds that people meet
// most get words that name what there is and what was wanted.
func violationMessage(k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *kind.Type:
		return fmt.Sprintf("got %s, want %s", k.Got, strings.Join(k.Want, " or "))
	case *kind.Enum:
		want := make([]string, len(k.Want))
		for i, v := range k.Want {
			want[i] = plain(v)
		}
		return fmt.Sprintf("got %s, want one of %s", quoted(k.Got), strings.Join(want, ", "))
	case *kind.Const:
		return fmt.Sprintf("got %s, want %s", quoted(k.Got), quoted(k.Want))
	case *kind.Pattern:
		return fmt.Sprintf("got %s, want a match of %s", quoted(k.Got), k.Want)
	case *kind.MinLength:
		return fmt.Sprintf("got %d characters, want at least %d", k.Got, k.Want)
	case *kind.MaxLength:
		return fmt.Sprintf("got %d characters, want at most %d", k.Got, k.Want)
	case *kind.Minimum:
		return fmt.Sprintf("got %s, want at least %s", k.Got.RatString(), k.Want.RatString())
	case *kind.Maximum:
		return fmt.Sprintf("got %s, want at most %s", k.Got.RatString(), k.Want.RatString())
	case *kind.FalseSchema:
		return "not allowed"
	default:
		// The library's own words, without the location it puts before them.
		text := (&jsonschema.ValidationError{ErrorKind: k}).Error()
		return strings.TrimPrefix(text, "at '': ")
	}
}

// alternatives says why a value fits none, or more than one, of several schemas.
func alternatives(e *jsonschema.ValidationError) string {
	if one, ok := e.ErrorKind.(*kind.OneOf); ok && len(one.Subschemas) > 1 {
		return fmt.Sprintf("fits alternatives %d and %d, want exactly one", one.Subschemas[0]+1, one.Subschemas[1]+1)
	}
	var reasons []string
	for _, cause := range e.Causes {
		if found := violations(cause); len(found) > 0 {
			first := found[0]
			first.location = first.location[min(len(e.InstanceLocation), len(first.location)):]
			reason := first.message
			if len(first.location) > 0 {
				reason = first.pointer() + " " + reason
			}
			reasons = append(reasons, reason)
		}
	}
	return "fits no alternative (" + strings.Join(reasons, "; or ") + ")"
}

// plain returns a string as it is, anything else as JSON.
func plain(v any) string {
	if s, ok := v.(string); ok {
		return shortened(s)
	}
	return quoted(v)
}

// quoted returns a value as JSON, cut if it is long.
func quoted(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("a %T", v) // unreachable: the values were decoded from JSON
	}
	return shortened(string(b))
}
