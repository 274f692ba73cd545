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
	there := make(map[string]bool)
	for i, v := range order {
		there[v.run] = true
		s := c.runs[v.run]
		switch {
		case s == nil:
			c.wrong("the database has a save of run %s, which is not in the journal", v.run)
			continue
		case s.ended.Event.Type == events.TypeRunCompensated:
			c.wrong("the save of compensated run %s is still there", v.run)
		}
		t, _ := p.fetched(c, s)
		order[i].changed = apply(want, p.errand(s), t, v.run)
	}
	p.skips(ctx, c, order, there)
	for _, id := range slices.Sorted(maps.Keys(c.runs)) {
		if c.runs[id].ended.Event.Type == events.TypeRunCompleted && !there[id] {
			c.wrong("run %s completed and the database has no save of it", id)
		}
	}
	p.compare(ctx, c, want)
	p.barriers(ctx, c)
}

// apply saves a document in a map, and says whether that changed it.
func apply(want map[spot]saved, e errand, t text, run string) (changed bool) {
	for i, r := range t.rows {
		at := spot{e.saved(), strconv.Itoa(i + 1)}
		if e.keyed {
			at.key = r.id()
		}
		if before, there := want[at]; !there || !slices.Equal(before.row, r) {
			want[at], changed = saved{r, run}, true
		}
	}
	return changed
}

// stored is a save in the database.
type stored struct {
	save, run, sha256, collection, at string

	changed bool // rows, says the oracle
}

// saves returns the saves that are in the database, in order.
func (p *ingest) saves(ctx context.Context, c *checker) (all []stored) {
	p.rows(ctx, c, `SELECT save, run_id, sha256, collection, saved_at FROM saves ORDER BY save`, func(v []string) {
		all = append(all, stored{save: v[0], run: v[1], sha256: v[2], collection: v[3], at: v[4]})
	})
	return all
}

// skips: a run that was skipped would have changed nothing. The save that it was
// skipped for is of the same document, and no later one had changed the collection
// by then.
func (p *ingest) skips(ctx context.Context, c *checker, order []stored, there map[string]bool) {
	p.rows(ctx, c, `SELECT run_id, save, at FROM skips ORDER BY run_id`, func(v []string) {
		run, save, at := v[0], v[1], v[2]
		c.w.count("not saved again")
		there[run] = true
		s := c.runs[run]
		switch {
		case s == nil:
			c.wrong("the database has a skip of run %s, which is not in the journal", run)
			return
		case s.ended.Event.Type == events.TypeRunCompensated:
			c.wrong("the skip of compensated run %s is still there", run)
		case p.forced(p.w.caller.runs[run].number):
			c.wrong("run %s was skipped, and had been told to force it", run)
		}
		made := slices.IndexFunc(order, func(o stored) bool { return o.save == save })
		if made < 0 {
			c.wrong("run %s was skipped for save %s, which is not there", run, save)
			return
		}
		first := order[made]
		if digest, e := p.digest(s), p.errand(s); first.sha256 != digest || first.collection != e.saved() {
			c.wrong("run %s was skipped for save %s of another document or collection: %s in %s, not %s in %s", run, save, first.sha256, first.collection, digest, e.saved())
		}
		for _, later := range order[made+1:] {
			if later.changed && later.collection == first.collection && later.at < at {
				c.wrong("run %s was skipped for save %s, and save %s had changed the collection since", run, save, later.save)
			}
		}
	})
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
