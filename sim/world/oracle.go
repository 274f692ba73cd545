package world

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"segue/events"
)

// The oracle says which rows must be in the database. It knows the documents
// because it wrote them, and it applies them with a map: whoever saves later
// wins, and what is undone was never there. All that it takes from the database
// is the order in which saves of a shared collection took effect.

// spot is where a record is.
type spot struct{ collection, key string }

// saved is a record as it must be.
type saved struct {
	row row
	run string
}

// aftermath: the rows in the database are those of the oracle: none missing,
// none twice, none altered (I2).
func (p *ingest) aftermath(c *checker) {
	ctx := context.Background()
	order := p.saves(ctx, c)
	want := make(map[spot]saved)
	for _, id := range order {
		s := c.runs[id]
		switch {
		case s == nil:
			c.wrong("the database has a save of run %s, which is not in the journal", id)
			continue
		case s.ended.Event.Type == events.TypeRunCompensated:
			c.wrong("the save of compensated run %s is still there", id)
		}
		e := p.errand(s)
		t, _ := p.fetched(c, s)
		for i, r := range t.rows {
			at := spot{e.saved(), strconv.Itoa(i + 1)}
			if e.keyed {
				at.key = r.id()
			}
			if before, there := want[at]; !there || !slices.Equal(before.row, r) {
				want[at] = saved{r, id}
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(c.runs)) {
		if c.runs[id].ended.Event.Type == events.TypeRunCompleted && !slices.Contains(order, id) {
			c.wrong("run %s completed and the database has no save of it", id)
		}
	}
	p.compare(ctx, c, want)
	p.barriers(ctx, c)
}

// saves returns the runs whose saves are in the database, in order.
func (p *ingest) saves(ctx context.Context, c *checker) (runs []string) {
	p.rows(ctx, c, `SELECT run_id, step FROM saves ORDER BY save`, func(values []string) {
		runs = append(runs, values[0])
	})
	return runs
}

// id returns the key of a record that is saved by its id.
func (r row) id() string {
	var text string
	if json.Unmarshal([]byte(r[0].value), &text) == nil {
		return text
	}
	return r[0].value // a number, as it is written
}

func (p *ingest) compare(ctx context.Context, c *checker, want map[spot]saved) {
	seen := make(map[spot]bool)
	p.rows(ctx, c, `SELECT collection, key, data, run_id FROM records ORDER BY collection, key`, func(v []string) {
		at := spot{v[0], v[1]}
		w, expected := want[at]
		seen[at] = true
		switch got, err := readRow(v[2]); {
		case !expected:
			c.wrong("record %s/%s of run %s should not be there: %s", at.collection, at.key, v[3], v[2])
		case err != nil:
			c.wrong("record %s/%s cannot be read: %v: %s", at.collection, at.key, err, v[2])
		case !slices.Equal(got, w.row.normal()):
			c.wrong("record %s/%s was altered: it is %s, not %v", at.collection, at.key, v[2], w.row)
		case v[3] != w.run:
			c.wrong("record %s/%s is said to be of run %s, not %s", at.collection, at.key, v[3], w.run)
		}
	})
	for at := range want {
		if !seen[at] {
			c.wrong("record %s/%s of run %s is missing", at.collection, at.key, want[at].run)
		}
	}
	p.rows(ctx, c, `SELECT count(*) FROM undo_log WHERE save NOT IN (SELECT save FROM saves)`, func(v []string) {
		if v[0] != "0" {
			c.wrong("the undo log has %s entries of saves that are not there", v[0])
		}
	})
}

// barriers: an undo that completed leaves both marks, so that nothing can come after it.
func (p *ingest) barriers(ctx context.Context, c *checker) {
	marks := make(map[string]bool)
	p.rows(ctx, c, `SELECT run_id, op FROM barriers`, func(v []string) { marks[v[0]+" "+v[1]] = true })
	for _, id := range slices.Sorted(maps.Keys(c.runs)) {
		s := c.runs[id]
		if s.definition == nil || s.undone(s.definition.Step("save")).Sequence == 0 {
			continue
		}
		if !marks[id+" do"] || !marks[id+" undo"] {
			c.wrong("the save of run %s was undone and nothing bars it from coming later", id)
		}
	}
}

// rows calls take for each row that a query finds.
func (p *ingest) rows(ctx context.Context, c *checker, query string, take func([]string)) {
	rows, err := p.database.look.QueryContext(ctx, query)
	if err != nil {
		c.wrong("the database cannot be read: %v", err)
		return
	}
	defer rows.Close()
	columns, err := rows.Columns()
	values, into := make([]string, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	for err == nil && rows.Next() {
		if err = rows.Scan(into...); err == nil {
			take(values)
		}
	}
	if err = errors.Join(err, rows.Err()); err != nil {
		c.wrong("the database cannot be read: %v", err)
	}
}

// normal returns a row in the spelling that readRow gives.
func (r row) normal() row {
	all := make(row, 0, len(r))
	for _, f := range r {
		value, err := plain(f.value)
		if err != nil {
			value = err.Error() // unreachable: the values are ours
		}
		all = append(all, field{f.name, value})
	}
	return all
}

// readRow reads a record of the database, by the JSON of the standard library.
func readRow(data string) (r row, err error) {
	d := json.NewDecoder(strings.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, fmt.Errorf("it is no object: %w", err)
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		text, err := plain(string(value))
		if err != nil {
			return nil, err
		}
		r = append(r, field{fmt.Sprint(name), text})
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is something behind the object")
	}
	return r, nil
}

// plain spells a JSON value in one way: strings as Go quotes them, numbers to the
// digit, no white space.
func plain(value string) (string, error) {
	if strings.HasPrefix(value, `"`) {
		var s string
		err := json.Unmarshal([]byte(value), &s)
		return strconv.Quote(s), err
	}
	var b bytes.Buffer
	err := json.Compact(&b, []byte(value))
	return b.String(), err
}
