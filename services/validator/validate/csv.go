package validate

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"segue/tableschema"
	"segue/tabular"
)

// largeKeys is how many values of a table can be kept in some [document.Small], at
// most 80 bytes each while the map that has them grows.
const largeKeys = 200_000

// csv checks rows. A row that is not well-formed ends the check: after a wrong
// quote it is anybody's guess where the next one begins.
func (c *check) csv(r *bufio.Reader) error {
	rows, err := tabular.NewReader(r, c.cfg.CSV)
	if err != nil {
		return c.csvError(err)
	}
	c.delim = rows.Delimiter()
	table, ok := c.typed(rows)
	if !ok {
		return nil
	}
	object := make(map[string]any, len(rows.Header()))
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
		for i, name := range rows.Header() {
			object[name] = fields[i]
		}
		c.mark()
		if table != nil && table.Kept() > largeKeys {
			if err := c.turn.Take(); err != nil {
				return err
			}
		}
		if table != nil && !c.cells(table, rows, fields, object) {
			return nil
		}
		if c.schema == nil {
			continue
		}
		if err := c.row(rows, fields, object); err != nil {
			return err
		}
	}
}

// typed returns the table that types the rows, nil if there is no table schema, and
// whether there is a point in going on.
func (c *check) typed(rows *tabular.Reader) (*tableschema.Table, bool) {
	if c.table == nil {
		return nil, true
	}
	table, err := c.table.Table(rows.Header(), tableschema.Limits{MaxKeys: c.cfg.MaxKeys})
	if err != nil {
		c.report.add(CodeSchemaViolated, Violation{Line: int64(rows.Line()), Keyword: "fields", Message: err.Error(), offset: -1})
	}
	return table, err == nil
}

// cells checks a row against the table schema and puts its values into object. It
// says whether there is a point in going on.
func (c *check) cells(table *tableschema.Table, rows *tabular.Reader, fields []string, object map[string]any) bool {
	values, violations := table.Row(fields)
	for _, v := range violations {
		code := CodeSchemaViolated
		if v.Limit {
			code = CodeLimit
			c.report.over = append(c.report.over, limitTable)
		}
		found := Violation{Line: int64(rows.Line()), Record: c.seen, Keyword: v.Keyword, Message: v.Message, Value: v.Value, offset: -1}
		if v.Index >= 0 {
			found.Pointer = string(pointerTo([]string{v.Field}))
			found.Line, found.Column = placeOf(rows, v.Index)
		}
		c.report.add(code, found)
		if v.Limit {
			return false
		}
	}
	for i, name := range rows.Header() {
		switch v := values[i]; v.Kind {
		case tableschema.Null:
			object[name] = nil
		case tableschema.Number:
			object[name] = json.Number(v.Text)
		case tableschema.Bool:
			object[name] = v.Text == "true"
		default:
			object[name] = v.Text
		}
	}
	return true
}

// row checks a row, as an object, against the schema.
func (c *check) row(rows *tabular.Reader, fields []string, object map[string]any) error {
	return c.conform(object, c.seen, func(list []finding, each func(finding) bool) {
		sortFindings(list)
		for _, f := range list {
			f.line, f.offset = int64(rows.Line()), -1
			if i := slices.Index(rows.Header(), jsontext.Pointer(f.pointer).LastToken()); i >= 0 && f.pointer != "" {
				f.line, f.column = placeOf(rows, i)
				f.value = cut([]byte(fields[i]), maxExcerpt)
			}
			if !each(f) {
				return
			}
		}
	})
}

// placeOf returns the line and the column of a cell of the last row.
func placeOf(rows *tabular.Reader, cell int) (line, column int64) {
	l, c := rows.Place(cell)
	return int64(l), int64(c)
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
		c.report.over = append(c.report.over, limitCSV)
	}
	c.report.add(code, Violation{Line: int64(bad.Line), Column: int64(bad.Column), Message: bad.Reason, offset: -1})
	return nil
}
