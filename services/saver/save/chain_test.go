package save

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"segue/participant"
)

// TestChains does and undoes runs of all modes, with columns and without, over a few keys at
// random, and compares the tables after each step with a model that is too simple to be
// wrong: the saves of the runs that are not undone, replayed in their order.
func TestChains(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		b := newBench(t, url)
		if strings.HasPrefix(url, "sqlite") { // no power cuts here, and 10 times as fast
			b.db.sql.SetMaxOpenConns(1)
			b.rows("PRAGMA synchronous = OFF")
		}
		cases, skips, reads := 0, 0, 0
		rapid.Check(t, func(t *rapid.T) {
			cases++
			m := &model{bench: b, prefix: fmt.Sprintf("c%d-", cases), undone: map[string]bool{}}
			t.Repeat(map[string]func(*rapid.T){
				"do":       m.doNext,
				"do again": m.doAgain,
				"undo":     m.undoAny,
				"":         m.check,
			})
			for _, run := range m.order {
				m.takeBackRun(t, run.name)
			}
			for run := range m.undone {
				m.takeBackRun(t, run) // again
			}
			m.check(t)
			skips += m.skips
			reads += m.reads
		})
		t.Logf("%d cases, %d saves were skipped, %d rows were read with types", cases, skips, reads)
	})
}

// model is what the tables ought to be. Each case has collections and runs of
// its own, because a new database for each would take too long.
type model struct {
	*bench
	prefix string
	order  []modelRun // in the order in which they saved
	undone map[string]bool
	next   int
	// column is the type of column v of the collection; empty: it has no columns.
	column kind
	skips  int
	reads  int
}

type modelRun struct {
	name  string
	input Input
	data  map[string]string // key => data
	keys  string            // what its own keys begin with, where they are positions
	out   Output
}

// modes are those of the model: "append" has positions for keys, "append keyed" those
// of its records.
var modes = []string{ModeUpsert, ModeUpsert, ModeReplace, ModeAppend, "append keyed"}

func (m *model) draw(t *rapid.T) modelRun {
	name := m.run(m.next)
	run := modelRun{name: name, keys: name + "/save/", data: map[string]string{}}
	m.next++
	if len(m.order) > 0 && rapid.IntRange(0, 3).Draw(t, "again") == 0 {
		earlier := rapid.SampledFrom(m.order).Draw(t, "the same as")
		run.input = earlier.input
		for key, line := range earlier.data {
			if ordinal, own := strings.CutPrefix(key, earlier.keys); own {
				key = run.keys + ordinal
			}
			run.data[key] = line
		}
		return run
	}
	mode := rapid.SampledFrom(modes).Draw(t, "mode")
	var lines []string
	for i, key := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 3, rapid.ID).Draw(t, "keys") {
		line := fmt.Sprintf(`{"id":%q,"v":%s}`, key, rapid.SampledFrom([]string{"1", "2", "1", "2", "1", "2", `"x"`}).Draw(t, "v"))
		lines = append(lines, line)
		if mode == ModeAppend {
			key = fmt.Sprintf("%s%d", run.keys, i+1)
		}
		run.data[key] = line
	}
	run.input = m.keyed(lines...)
	if mode == ModeAppend {
		run.input.Key = nil
	}
	run.input.Collection, run.input.Mode = m.prefix, strings.TrimSuffix(mode, " keyed")
	column := rapid.SampledFrom([]string{"", "", "integer", "decimal", "json"}).Draw(t, "column")
	if column != "" {
		run.input.Columns = map[string]Column{"v": {Type: column}}
	}
	if rapid.Bool().Draw(t, "recipe") {
		run.input.Recipe = Recipe{Definition: "d", Input: []byte(fmt.Sprintf("{%q:%q,%q:%q}", "mode", mode, "column", column))}
	}
	return run
}

func (m *model) doNext(t *rapid.T) {
	run := m.draw(t)
	before := m.replay(m.order)
	out, err := m.save(run.name, run.input)
	taken := false
	for key := range run.data {
		_, there := before[key]
		taken = taken || there
	}
	var e *participant.Error
	switch {
	case m.undone[run.name]:
		if err == nil {
			t.Fatalf("run %s was undone before, and was done", run.name)
		}
		return
	case errors.As(err, &e) && (e.Code == CodeBadValue || e.Code == CodeBadColumn):
		m.checkMisfit(t, run, e)
		return
	case run.input.Mode == ModeAppend && taken && !out.Skipped:
		if !errors.As(err, &e) || e.Code != CodeKeyExists {
			t.Fatalf("run %s appended a key that is there: %v", run.name, err)
		}
		return
	case err != nil:
		t.Fatal(err)
	case out.Skipped:
		run.keys, run.data = m.checkSkip(t, run, out)
	case out != m.expected(run, before):
		t.Fatalf("run %s: %+v, want %+v", run.name, out, m.expected(run, before))
	}
	run.out = out
	m.order = append(m.order, run)
	if !out.Skipped {
		m.column = cmp.Or(kind(run.input.Columns["v"].Type), m.column)
	}
}

// checkMisfit holds that a run was refused because of a record that does not fit: one of
// its own, or one that is there or that an undo could restore.
func (m *model) checkMisfit(t *rapid.T, run modelRun, e *participant.Error) {
	column := cmp.Or(kind(run.input.Columns["v"].Type), m.column)
	runs := []modelRun{run}
	if e.Code == CodeBadColumn {
		runs = m.order
	}
	for _, r := range runs {
		for _, line := range r.data {
			if column != kindJSON && column != "" && strings.Contains(line, `"x"`) {
				return
			}
		}
	}
	t.Fatalf("run %s was refused, and all fits %s: %v", run.name, column, e)
}

// checkView holds that the view has every record of the collection, with its type.
func (m *model) checkView(t *rapid.T) {
	if m.column == "" {
		return
	}
	want := []string{}
	for key, line := range m.replay(m.order) {
		v := strings.TrimSuffix(line[strings.Index(line, `"v":`)+4:], "}")
		if m.column != kindJSON && v == `"x"` {
			t.Fatalf("%s is in a collection whose column is %s", line, m.column)
		}
		want = append(want, key+" "+v)
	}
	slices.Sort(want)
	// The comment keeps it from being prepared: the type of the column may have changed.
	got := m.rows(fmt.Sprintf("SELECT _key, v FROM %s ORDER BY _key -- %d %s", quoteName(m.prefix), m.next, m.column))
	if !slices.Equal(got, want) {
		t.Fatalf("the view has %q, want %q", got, want)
	}
	m.reads += len(got)
}

// expected is what a run that is not skipped answers.
func (m *model) expected(run modelRun, before map[string]string) Output {
	want := Output{Collection: m.prefix, Total: int64(len(run.data)), Database: m.db.URL()}
	for key, data := range run.data {
		switch old, ok := before[key]; {
		case !ok:
			want.Inserted++
		case old != data:
			want.Updated++
		default:
			want.Unchanged++
		}
	}
	for key := range before {
		if _, stays := run.data[key]; !stays && run.input.Mode == ModeReplace {
			want.Deleted++
		}
	}
	return want
}

// checkSkip holds that a run was skipped for one that did the same, and that its
// data is there. It returns how that one's keys begin, and its data: they are the run's own now.
func (m *model) checkSkip(t *rapid.T, run modelRun, out Output) (string, map[string]string) {
	m.skips++
	at := slices.IndexFunc(m.order, func(r modelRun) bool { return r.name == out.Run })
	if at < 0 {
		t.Fatalf("run %s was skipped for %s, which is not one of %s", run.name, out.Run, m.names())
	}
	earlier := m.order[at]
	if run.input.Recipe.Definition == "" || earlier.input.Document.SHA256 != run.input.Document.SHA256 ||
		string(earlier.input.Recipe.Input) != string(run.input.Recipe.Input) || out.Unchanged != int64(len(run.data)) {
		t.Fatalf("run %s was skipped: %+v, and %s has done nothing like it", run.name, out, out.Run)
	}
	again := run
	again.data = earlier.data
	if after := m.replay(append(slices.Clone(m.order), again)); !maps.Equal(after, m.replay(m.order)) {
		t.Fatalf("run %s was skipped, and would have made %q", run.name, after)
	}
	return earlier.keys, earlier.data
}

func (m *model) doAgain(t *rapid.T) {
	if len(m.order) == 0 {
		t.Skip("nothing done")
	}
	run := rapid.SampledFrom(m.order).Draw(t, "run")
	out, err := m.save(run.name, run.input)
	if err != nil || out != run.out {
		t.Fatalf("run %s again: %+v, %v, want %+v", run.name, out, err, run.out)
	}
}

// undoAny undoes a run that was done, was undone or is one of the next to come.
func (m *model) undoAny(t *rapid.T) {
	m.takeBackRun(t, m.run(rapid.IntRange(0, m.next+1).Draw(t, "run")))
}

func (m *model) takeBackRun(t *rapid.T, run string) {
	if err := m.takeBack(run); err != nil {
		t.Fatalf("undo run %s: %v", run, err)
	}
	m.undone[run] = true
	kept := m.order[:0:0]
	for _, r := range m.order {
		if r.name != run {
			kept = append(kept, r)
		}
	}
	m.order = kept
}

func (m *model) run(n int) string { return fmt.Sprintf("%s%03d", m.prefix, n) }

// replay returns key => data.
func (m *model) replay(order []modelRun) map[string]string {
	table := map[string]string{}
	for _, run := range order {
		if run.input.Mode == ModeReplace {
			clear(table)
		}
		maps.Copy(table, run.data)
	}
	return table
}

func (m *model) check(t *rapid.T) {
	want := []string{}
	for key, data := range m.replay(m.order) {
		want = append(want, key+" "+data)
	}
	slices.Sort(want)
	got := m.rows("SELECT key, data FROM records WHERE collection = $1 ORDER BY key", m.prefix)
	if !slices.Equal(got, want) {
		t.Fatalf("records are %q, want %q", got, want)
	}
	m.checkOwners(t)
	m.checkDocuments(t)
	m.checkView(t)
	for _, table := range []string{"saves", "undo_log"} {
		query := "SELECT save FROM " + table + " WHERE collection = $1 AND save NOT IN (SELECT save FROM saves WHERE run_id IN (" + m.names() + "))"
		if stray := m.rows(query, m.prefix); len(stray) != 0 {
			t.Fatalf("%s has rows of runs that are undone: saves %v", table, stray)
		}
	}
}

// checkOwners holds that a row says it is of a run that is not undone and saved
// this very data, and that this run has a document.
func (m *model) checkOwners(t *rapid.T) {
	for _, row := range m.rows(`
		SELECT r.run_id, r.key, r.ordinal, v.saved_at = r.saved_at AND v.run_id = r.run_id AND d.run_id = r.run_id, r.data
		FROM records r LEFT JOIN saves v ON v.save = r.save LEFT JOIN documents d ON d.run_id = r.run_id
		WHERE r.collection = $1`, m.prefix) {
		f := strings.SplitN(row, " ", 5)
		found := false
		for _, run := range m.order {
			found = found || run.name == f[0] && run.data[f[1]] == f[4]
		}
		if !found || f[3] != "1" && f[3] != "true" {
			t.Fatalf("row %q: want a run in %s that saved this, and its document", row, m.names())
		}
	}
}

// checkDocuments holds that there are documents of runs that are not undone, and
// that what each of these read is among them.
func (m *model) checkDocuments(t *rapid.T) {
	contents := map[string]bool{}
	for _, row := range m.rows("SELECT sha256, run_id FROM documents WHERE collection = $1", m.prefix) {
		content, name, _ := strings.Cut(row, " ")
		if !strings.Contains(m.names(), name) {
			t.Fatalf("document of run %s, which is not one of %s", name, m.names())
		}
		contents[content] = true
	}
	for _, run := range m.order {
		if !contents[run.input.Document.SHA256] {
			t.Fatalf("the document that run %s saved is not there", run.name)
		}
	}
}

func (m *model) names() string {
	names := []string{"''"}
	for _, run := range m.order {
		names = append(names, "'"+run.name+"'")
	}
	return strings.Join(names, ", ")
}
