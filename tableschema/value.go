package tableschema

import "github.com/go-json-experiment/json/jsontext"

// Kind is what a value is in JSON.
type Kind uint8

// The kinds.
const (
	Null Kind = iota
	String
	Number
	Bool
)

// Value is a cell with its type.
type Value struct {
	Kind Kind
	// Text is the text of a String, and otherwise the value as JSON writes it; empty
	// for Null.
	Text string
}

// AppendJSON appends the value as JSON.
func (v Value) AppendJSON(b []byte) []byte {
	switch v.Kind {
	case Null:
		return append(b, "null"...)
	case String:
		b, _ = jsontext.AppendQuote(b, v.Text) // what is not UTF-8 is replaced; readers of tables let none through
		return b
	}
	return append(b, v.Text...)
}
