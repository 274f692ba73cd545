package validate

import (
	"bufio"
	"io"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// json checks one JSON value: in memory if the schema speaks of all of it, and
// otherwise as a stream.
func (c *check) json(r *bufio.Reader) error {
	if err := skipBOM(r); err != nil {
		return err
	}
	if c.schema != nil && c.records == nil {
		return c.whole(r)
	}
	c.stream.start(r)
	found, err := c.walk()
	if err == nil {
		err = c.stream.end()
	}
	if err == nil && !found {
		err = c.noRecords("is not in the document")
	}
	return err
}

// whole checks a document in memory.
func (c *check) whole(r io.Reader) error {
	text, err := io.ReadAll(io.LimitReader(r, c.cfg.MaxWhole+1))
	if err != nil {
		return err
	}
	if int64(len(text)) > c.cfg.MaxWhole {
		return tooLarge(c.cfg.MaxWhole)
	}
	v, err := c.text(text, 0, "", 0)
	c.seen = 1
	if list, ok := v.([]any); ok {
		c.seen = int64(len(list))
	}
	return err
}

func tooLarge(limit int64) *fault {
	return &fault{code: CodeLimit, limit: limitWhole, message: "has more than " + strconv.FormatInt(limit, 10) +
		" bytes, too many to check against a schema as a whole: say with records where its records are, and give the schema of one"}
}

// walk goes through the stream and reports whether it found the records.
func (c *check) walk() (found bool, err error) {
	if c.records != nil {
		return c.seek(c.records)
	}
	if c.stream.dec.PeekKind() == '[' {
		return true, c.each("")
	}
	c.seen = 1
	_, err = c.stream.value()
	return true, err
}

// seek walks the next value and checks the records at path below it.
func (c *check) seek(path []string) (found bool, err error) {
	w := &c.stream
	if len(path) == 0 {
		if kind := w.dec.PeekKind(); kind != '[' {
			if _, err := w.value(); err != nil {
				return false, err
			}
			return false, c.noRecords("is not an array")
		}
		return true, c.each(string(pointerTo(c.records)))
	}
	descend := func(into bool) error {
		if !into {
			_, err := w.value()
			return err
		}
		var err error
		found, err = c.seek(path[1:])
		return err
	}
	switch w.dec.PeekKind() {
	case '{':
		err = w.members(func(quoted jsontext.Value) error { return descend(unquote(quoted) == path[0]) })
	case '[':
		index := 0
		err = w.elements(func() error {
			index++
			return descend(strconv.Itoa(index-1) == path[0])
		})
	default:
		_, err = w.value()
	}
	return found, err
}

// each checks the elements of the next value, an array, as records.
func (c *check) each(pointer string) error {
	w := &c.stream
	return w.elements(func() error {
		c.mark()
		if kind := w.dec.PeekKind(); c.schema == nil || kind == 0 {
			c.seen++
			_, err := w.value()
			return err
		}
		text, err := w.raw(c.cfg.MaxRecord)
		if err != nil {
			return err
		}
		at := pointer + "/" + strconv.FormatInt(c.seen, 10)
		c.seen++
		_, err = c.text(text, w.dec.InputOffset()-int64(len(text)), at, c.seen)
		return err
	})
}

func (c *check) noRecords(why string) *fault {
	return &fault{code: CodeNoRecordsThere, offset: -1, message: "the records pointer " + quote(string(pointerTo(c.records))) + " " + why}
}
