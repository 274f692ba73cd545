package validate

import (
	"bufio"
	"errors"
	"io"

	"segue/tabular"
)

// csv checks rows. A row that is not well-formed ends the check: after a wrong
// quote it is anybody's guess where the next one begins.
func (c *check) csv(r *bufio.Reader) error {
	rows, err := tabular.NewReader(r, c.cfg.CSV)
	if err != nil {
		return c.csvError(err)
	}
	c.delim = rows.Delimiter()
	for {
		fields, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return c.csvError(err)
		}
		c.seen++
		if err := c.ctx.Err(); err != nil {
			return err
		}
		if c.schema == nil {
			continue
		}
		if err := c.row(rows.Header(), fields, int64(rows.Line())); err != nil {
			return err
		}
	}
}

// row checks a row against the schema, as an object of strings.
func (c *check) row(header, fields []string, line int64) error {
	object := make(map[string]any, len(header))
	for i, name := range header {
		object[name] = fields[i]
	}
	return c.conform(object, c.seen, func(list []finding, each func(finding) bool) {
		sortFindings(list)
		for _, f := range list {
			f.line, f.offset = line, -1
			if !each(f) {
				return
			}
		}
	})
}

// csvError puts an error of a reader of CSV into the report, if it is one.
func (c *check) csvError(err error) error {
	var bad *tabular.Error
	if !errors.As(err, &bad) {
		return err
	}
	code := CodeNotWellFormed
	if bad.Limit {
		code = CodeLimit
	}
	c.report.add(code, Violation{Line: int64(bad.Line), Column: int64(bad.Column), Message: bad.Reason, offset: -1})
	return nil
}
