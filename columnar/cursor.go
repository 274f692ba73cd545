package columnar

import (
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/parquet-go/parquet-go"
)

// batch is how many values of a column are taken from a page at a time.
const batch = 128

// cursor reads the values of one column, row group by row group.
type cursor struct {
	r    *Reader
	path jsontext.Pointer
	// repetition and definition say whether the values have levels of that kind.
	repetition, definition bool

	pages  parquet.Pages
	page   parquet.Page
	values parquet.ValueReader
	buf    [batch]parquet.Value
	ready  []parquet.Value // of buf, not taken yet
	// fresh says that no value of this row has been taken. The first one of a row,
	// and no other, has repetition level 0.
	fresh bool
}

func (c *cursor) open(chunk parquet.ColumnChunk) { c.pages = chunk.Pages() }

// peek returns the next value without taking it; io.EOF at the end of the row group.
func (c *cursor) peek() (*parquet.Value, error) {
	for len(c.ready) == 0 {
		if err := c.fill(); err != nil {
			return nil, err
		}
	}
	return &c.ready[0], nil
}

// pop takes the next value. It is valid until the next peek or pop.
func (c *cursor) pop() (parquet.Value, error) {
	v, err := c.peek()
	if errors.Is(err, io.EOF) {
		return parquet.Value{}, c.r.broken(c.path, "it has fewer values than the row group has rows")
	}
	if err != nil {
		return parquet.Value{}, err
	}
	if c.fresh != (v.RepetitionLevel() == 0) {
		return parquet.Value{}, c.r.broken(c.path, "its values do not agree with those of the columns beside it")
	}
	c.fresh = false
	c.ready = c.ready[1:]
	return *v, nil
}

// again says whether the next value goes on at a repetition level.
func (c *cursor) again(level int) (bool, error) {
	v, err := c.peek()
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return v.RepetitionLevel() >= level, nil
}

// fill reads more values.
func (c *cursor) fill() error {
	if c.values == nil {
		page, err := c.pages.ReadPage()
		if err != nil {
			return err // io.EOF too
		}
		c.page, c.values = page, page.Values()
	}
	n, err := c.values.ReadValues(c.buf[:])
	c.ready = c.buf[:n]
	switch {
	case n > 0: // an end comes again
		return nil
	case errors.Is(err, io.EOF):
		c.release()
		return nil
	case err == nil:
		return io.ErrNoProgress
	}
	return err
}

func (c *cursor) release() {
	if c.page != nil {
		parquet.Release(c.page)
	}
	c.page, c.values, c.ready = nil, nil, nil
}

func (c *cursor) close() error {
	c.release()
	if c.pages == nil {
		return nil
	}
	pages := c.pages
	c.pages = nil
	return pages.Close()
}
