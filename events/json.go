package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxDepth is how deep the JSON of a start may be nested. It leaves room for
// data that wraps it, such as [RunStarted], and for readers in other languages,
// some of which stop at 512.
const MaxDepth = 128

// ErrJSON is returned by [CheckJSON].
var ErrJSON = errors.New("not JSON")

// ErrData is returned by [ReadData] for data that does not fit its type.
var ErrData = errors.New("bad event data")

// CheckJSON returns an error that wraps [ErrJSON] unless data is one JSON value
// in UTF-8, in which no object names a member twice and which is nested at most
// [MaxDepth] deep. White space around it is allowed.
func CheckJSON(data []byte) error {
	d := jsontext.NewDecoder(bytes.NewBuffer(data))
	for {
		switch _, err := d.ReadToken(); {
		case err != nil:
			return notJSON(err)
		case d.StackDepth() > MaxDepth:
			return fmt.Errorf("%w that can be read: it is nested more than %d deep", ErrJSON, MaxDepth)
		case d.StackDepth() > 0:
			continue
		}
		break
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: something follows the value that ends at byte %d", ErrJSON, d.InputOffset())
	}
	return nil
}

// notJSON words a syntax error of the decoder for people who do not know it.
func notJSON(err error) error {
	var syntax *jsontext.SyntacticError
	if !errors.As(err, &syntax) {
		return fmt.Errorf("%w: there is nothing", ErrJSON) // io.EOF before the first token
	}
	return fmt.Errorf("%w: %w at byte %d", ErrJSON, syntax.Err, syntax.ByteOffset)
}

// MarshalData returns v as JSON data of an event. It is for the data types of
// this package, which cannot fail to marshal as long as the JSON put into them
// is JSON; it panics otherwise. Unlike json.Marshal it leaves "&", "<" and ">"
// as they are, so that URLs can be read.
func MarshalData(v any) []byte {
	b, err := marshal(v)
	if err != nil {
		panic("events: marshal data: " + err.Error()) // unreachable for the types of this package
	}
	return b
}

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// ReadData reads the data of an event into a struct of this package. Fields
// that the struct does not have are ignored.
func ReadData(e Event, into any) error {
	if err := json.Unmarshal(e.Data, into); err != nil {
		return fmt.Errorf("%w: %s %s: %w", ErrData, e.Type, e.ID, err)
	}
	return nil
}
