package validate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// nameOverhead is what keeping a name costs beside its bytes, about.
const nameOverhead = 64

// walker goes through JSON, token by token, and holds it to the limits. It calls
// itself for each level of nesting, which MaxDepth bounds. After an error it is
// of no use until the next start.
type walker struct {
	cfg    *Config
	dec    jsontext.Decoder
	window window       // what dec reads from, when it reads a stream
	bytes  bytes.Buffer // when it reads bytes

	build  bool              // make Go values, for the schema
	values int               // values built
	depth  int               // arrays and objects open
	names  int64             // memory for the names of the open objects
	known  map[string]string // names by how they are written
}

// start begins with a stream. Nothing is built from streams.
func (w *walker) start(r io.Reader) {
	w.window = window{r: r}
	w.lookahead(w.cfg.MaxToken)
	w.reset(&w.window, false)
}

// startBytes begins with bytes in memory, which must not change meanwhile.
func (w *walker) startBytes(data []byte, build bool) {
	w.bytes = *bytes.NewBuffer(data)
	w.reset(&w.bytes, build)
}

func (w *walker) reset(r io.Reader, build bool) {
	w.dec.Reset(r)
	w.build, w.values, w.depth, w.names = build, 0, 0, 0
}

// lookahead sets how much of a stream may be in memory for the next tokens. The
// decoder reads in pieces, so it gets the size of one more.
func (w *walker) lookahead(limit int64) { w.window.limit = limit + 4<<10 }

// one walks the only value of the input, up to its end.
func (w *walker) one() (any, error) {
	v, err := w.value()
	if err == nil {
		err = w.end()
	}
	return v, err
}

// end expects the end of the input.
func (w *walker) end() error {
	switch w.dec.PeekKind() {
	case '{', '[', '"', '0', 't', 'f', 'n':
		unread := w.dec.UnreadBuffer()
		space := len(unread) - len(bytes.TrimLeft(unread, " \t\r\n"))
		return w.faultBefore(-space, CodeNotWellFormed, "a second value begins here, where the document should end")
	}
	if _, err := w.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return w.located(err)
	}
	return nil
}

// value walks the next value and returns it as Go values with json.Number, or nil
// when it is not to be built.
func (w *walker) value() (any, error) {
	if w.build {
		if w.values++; w.values > w.cfg.MaxValues {
			return nil, w.over(limitValues, 0, "more than %d values to check against a schema at once", w.cfg.MaxValues)
		}
	}
	kind := w.dec.PeekKind()
	switch kind {
	case '{':
		return w.object()
	case '[':
		return w.array()
	}
	raw, err := w.scalar()
	if err != nil {
		return nil, err
	}
	if kind == '0' && !digitsWithin(raw, w.cfg.MaxNumber) {
		return nil, w.over(limitNumber, len(raw), "number of more than %d digits", w.cfg.MaxNumber)
	}
	if !w.build {
		return nil, nil
	}
	switch kind {
	case '"':
		return unquote(raw), nil
	case '0':
		return json.Number(raw), nil
	case 'n':
		return nil, nil
	}
	return kind == 't', nil
}

func (w *walker) object() (any, error) {
	var built map[string]any
	if w.build {
		built = make(map[string]any)
	}
	err := w.members(func(quoted jsontext.Value) error {
		var name string
		if w.build { // before the next read, which invalidates quoted
			name = w.name(quoted)
		}
		v, err := w.value()
		if w.build {
			built[name] = v
		}
		return err
	})
	return built, err
}

func (w *walker) array() (any, error) {
	built := []any{}
	err := w.elements(func() error {
		v, err := w.value()
		if w.build {
			built = append(built, v)
		}
		return err
	})
	return built, err
}

// members walks an object. For each member it reads the name and calls each,
// which must read the value. The name is valid until then.
func (w *walker) members(each func(quoted jsontext.Value) error) error {
	if err := w.enter(); err != nil {
		return err
	}
	outer := w.names
	for w.dec.PeekKind() != '}' {
		name, err := w.scalar()
		if err != nil {
			return err
		}
		if w.names += int64(len(name)) + nameOverhead; w.names > w.cfg.MaxNames {
			return w.over(limitNames, 0, "objects with names of more than %d bytes, each counted with %d more", w.cfg.MaxNames, nameOverhead)
		}
		if err := each(name); err != nil {
			return err
		}
	}
	w.names = outer
	return w.leave()
}

// elements walks an array and calls each before every element, which must read it.
func (w *walker) elements(each func() error) error {
	if err := w.enter(); err != nil {
		return err
	}
	for w.dec.PeekKind() != ']' {
		if err := each(); err != nil {
			return err
		}
	}
	return w.leave()
}

func (w *walker) enter() error {
	if _, err := w.dec.ReadToken(); err != nil {
		return w.located(err)
	}
	w.window.done = w.dec.InputOffset()
	if w.depth++; w.depth > w.cfg.MaxDepth {
		return w.over(limitDepth, 1, "nested deeper than %d", w.cfg.MaxDepth)
	}
	return nil
}

func (w *walker) leave() error {
	w.depth--
	if _, err := w.dec.ReadToken(); err != nil {
		return w.located(err)
	}
	w.window.done = w.dec.InputOffset()
	return nil
}

// scalar reads a name, or a value that is neither array nor object. What else it
// meets is an error of the decoder.
func (w *walker) scalar() (jsontext.Value, error) {
	raw, err := w.dec.ReadValue()
	if err != nil {
		return nil, w.located(err)
	}
	w.window.done = w.dec.InputOffset()
	if int64(len(raw)) > w.cfg.MaxToken {
		return nil, w.over(limitToken, len(raw), "string or number of more than %d bytes", w.cfg.MaxToken)
	}
	return raw, nil
}

// raw reads a whole value of a stream into memory, within a limit. It is valid
// until the next read.
func (w *walker) raw(limit int64) (jsontext.Value, error) {
	w.lookahead(limit)
	defer w.lookahead(w.cfg.MaxToken)
	raw, err := w.dec.ReadValue()
	if errors.Is(err, errWindow) || int64(len(raw)) > limit {
		return nil, w.over(limitRecord, len(raw), "record of more than %d bytes", limit)
	}
	if err != nil {
		return nil, w.located(err)
	}
	w.window.done = w.dec.InputOffset()
	return raw, nil
}

const (
	// maxNames is how many names a walker keeps, so that those which come again, as
	// in records all do, are not made again, and maxName the longest of them in bytes.
	maxNames = 1024
	maxName  = 64
)

// name returns the text of a name.
func (w *walker) name(quoted []byte) string {
	if name, ok := w.known[string(quoted)]; ok {
		return name
	}
	name := unquote(quoted)
	if len(quoted) <= maxName && len(w.known) < maxNames {
		if w.known == nil {
			w.known = make(map[string]string)
		}
		w.known[string(quoted)] = name
	}
	return name
}

// unquote returns the text of a valid JSON string.
func unquote(raw jsontext.Value) string {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1])
	}
	text, _ := jsontext.AppendUnquote(nil, raw) // unreachable error: the decoder has checked it
	return string(text)
}

// fault is what is wrong with a document, at a place in it.
type fault struct {
	code    string
	limit   string // the limit that is gone over, one of those that are counted
	offset  int64  // byte in the input, from 0; -1 if it is not known
	pointer string
	message string
}

// Error returns the message without the place.
func (f *fault) Error() string { return f.message }

// fault reports what is wrong after the last token.
func (w *walker) fault(code, format string, args ...any) *fault {
	return w.faultBefore(0, code, format, args...)
}

// over reports the last n bytes for a limit.
func (w *walker) over(limit string, n int, format string, args ...any) *fault {
	f := w.faultBefore(n, CodeLimit, format, args...)
	f.limit = limit
	return f
}

// faultBefore reports what is wrong with the last n bytes.
func (w *walker) faultBefore(n int, code, format string, args ...any) *fault {
	return &fault{
		code:    code,
		offset:  w.dec.InputOffset() - int64(n),
		pointer: string(w.dec.StackPointer()),
		message: fmt.Sprintf(format, args...),
	}
}

// located makes a fault of an error of the decoder. An error of the stream below
// it is no fault of the document and is returned as it is.
func (w *walker) located(err error) error {
	var syntax *jsontext.SyntacticError
	switch {
	case errors.As(err, &syntax):
		return &fault{code: CodeNotWellFormed, offset: syntax.ByteOffset, pointer: string(syntax.JSONPointer), message: syntaxMessage(syntax)}
	case errors.Is(err, errWindow):
		return w.over(limitToken, 0, "string, number or white space of more than %d bytes", w.cfg.MaxToken)
	case errors.Is(err, io.EOF):
		return w.fault(CodeNotWellFormed, "there is no value")
	}
	return err
}

func syntaxMessage(e *jsontext.SyntacticError) string {
	switch {
	case errors.Is(e.Err, jsontext.ErrDuplicateName):
		return fmt.Sprintf("name %q is there twice", clip(e.JSONPointer.LastToken(), maxQuote))
	case errors.Is(e.Err, io.ErrUnexpectedEOF):
		return "ends in the middle of a value"
	}
	return e.Err.Error()
}
