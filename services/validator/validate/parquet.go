package validate

import (
	"errors"
	"io"

	"segue/columnar"
	"segue/document"
)

// parquet checks that every row can be read: the footer, and each page of each
// column. A row under a schema is the JSON that package columnar makes of it.
func (c *check) parquet(file *document.Spooled) error {
	c.piece.cfg = c.cfg
	rows, err := columnar.Open(file, file.Size, columnar.Limits{
		MaxRow: int(c.cfg.MaxRecord), MaxDepth: c.cfg.MaxDepth, Small: document.Small, Large: c.turn.Take,
	})
	if err != nil {
		return c.parquetError(err)
	}
	defer rows.Close() // what it holds is in memory only
	for row := []byte(nil); ; {
		row, err = rows.Next(row[:0])
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			c.seen++
			err = c.ctx.Err()
		}
		if err == nil && c.schema != nil {
			_, err = c.text(row, -1, "", c.seen)
		}
		if err != nil {
			return c.parquetError(err)
		}
	}
}

// parquetError puts an error of columnar into the report, if it is one.
func (c *check) parquetError(err error) error {
	var e *columnar.Error
	if !errors.As(err, &e) {
		return err
	}
	f := &fault{code: CodeNotWellFormed, offset: -1, pointer: string(e.Column), message: e.Reason}
	if e.Limit {
		f.code, f.limit = CodeLimit, limitParquet
	}
	c.report.fault(f, e.Row)
	return nil
}
