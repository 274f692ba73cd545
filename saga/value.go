package saga

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// DecodeValue decodes JSON into the form that [Template.Eval] wants: nil, bool,
// int64, float64, string, []any or map[string]any.
//
// A number without fraction and exponent that fits is an int64. Every other one
// is the nearest float64: integers beyond 64 bits and decimals of more than about
// 16 digits lose precision, numbers beyond 1.8e308 are an error. So are names
// that stand twice in an object, and strings that are not UTF-8.
func DecodeValue(data json.RawMessage) (any, error) {
	dec := jsontext.NewDecoder(bytes.NewReader(data))
	value, err := decodeValue(dec)
	if err != nil {
		return nil, fmt.Errorf("decode JSON: %w", err)
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errors.New("decode JSON: something follows the value")
	}
	return value, nil
}

// decodeValue recurses as deep as the decoder lets it: 10,000 levels.
func decodeValue(dec *jsontext.Decoder) (any, error) {
	token, err := dec.ReadToken()
	if err != nil {
		return nil, err
	}
	switch token.Kind() {
	case '{':
		object := make(map[string]any)
		for dec.PeekKind() != '}' {
			name, err := dec.ReadToken()
			if err != nil {
				return nil, err
			}
			key := name.String()
			if object[key], err = decodeValue(dec); err != nil {
				return nil, err
			}
		}
		_, err := dec.ReadToken()
		return object, err
	case '[':
		list := []any{}
		for dec.PeekKind() != ']' {
			item, err := decodeValue(dec)
			if err != nil {
				return nil, err
			}
			list = append(list, item)
		}
		_, err := dec.ReadToken()
		return list, err
	case '"':
		return token.String(), nil
	case '0':
		return decodeNumber(token.String())
	case 't', 'f':
		return token.Bool(), nil
	default:
		return nil, nil
	}
}

// jsonNumber matches a number as JSON writes it. The other syntaxes of YAML mean
// different things to different readers.
var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

func isJSONNumber(s string) bool { return jsonNumber.MatchString(s) }

func decodeNumber(text string) (any, error) {
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		return i, nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, fmt.Errorf("number %s is out of range", shortened(text))
	}
	return f, nil
}

// appendJSON appends a value of the form that DecodeValue returns, with sorted
// keys. It fails for what JSON cannot say.
func appendJSON(b []byte, value any) ([]byte, error) {
	switch v := value.(type) {
	case nil:
		return append(b, "null"...), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case int64:
		return strconv.AppendInt(b, v, 10), nil
	case float64:
		return appendFloat(b, v)
	case string:
		return jsontext.AppendQuote(b, v)
	case []any:
		return appendList(b, len(v), func(b []byte, i int) ([]byte, error) { return appendJSON(b, v[i]) })
	case map[string]any:
		keys := slices.Sorted(maps.Keys(v))
		return appendObject(b, keys, func(b []byte, i int) ([]byte, error) { return appendJSON(b, v[keys[i]]) })
	default:
		return b, fmt.Errorf("%T is not a JSON value", value)
	}
}

// appendFloat writes a number as JavaScript does: 1, not 1.0 and not 1e+00.
func appendFloat(b []byte, f float64) ([]byte, error) {
	text, err := json.Marshal(f)
	if err != nil {
		return b, errors.New("the number is not finite")
	}
	return append(b, text...), nil
}

// appendItem appends element i, or nothing if the element is absent.
type appendItem func(b []byte, i int) ([]byte, error)

func appendList(b []byte, n int, item appendItem) ([]byte, error) {
	return appendItems(append(b, '['), n, ']', item)
}

func appendObject(b []byte, keys []string, value appendItem) ([]byte, error) {
	return appendItems(append(b, '{'), len(keys), '}', func(b []byte, i int) ([]byte, error) {
		start := len(b)
		b, err := jsontext.AppendQuote(b, keys[i])
		if err != nil {
			return b, err
		}
		b = append(b, ':')
		named := len(b)
		if b, err = value(b, i); len(b) == named {
			b = b[:start]
		}
		return b, err
	})
}

// appendItems appends n elements with commas between them, and closes.
func appendItems(b []byte, n int, closing byte, item appendItem) ([]byte, error) {
	comma := false
	for i := range n {
		start := len(b)
		if comma {
			b = append(b, ',')
		}
		before := len(b)
		var err error
		if b, err = item(b, i); err != nil {
			return b, err
		}
		if len(b) == before {
			b = b[:start]
			continue
		}
		comma = true
		if len(b) > MaxResult {
			return b, errTooLarge
		}
	}
	return append(b, closing), nil
}

// maxQuoted is the largest part of a value that an error quotes, in bytes.
const maxQuoted = 80

func shortened(s string) string {
	if len(s) <= maxQuoted {
		return s
	}
	return s[:maxQuoted] + "..."
}
