package save

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"segue/participant"
)

// columnsIn adds columns to an input: name, type and, behind a space, the path.
func columnsIn(in Input, columns ...string) Input {
	in.Columns = make(map[string]Column)
	for _, c := range columns {
		f := strings.SplitN(c, " ", 3)
		column := Column{Type: f[1]}
		if len(f) == 3 {
			column.Path = &f[2]
		}
		in.Columns[f[0]] = column
	}
	return in
}

// TestColumns reads values of all types by plain SQL.
func TestColumns(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		b := newBench(t, url)
		sqlite := strings.HasPrefix(url, "sqlite")
		in := columnsIn(b.keyed(
			`{"id":"a","t":"it's \"é\" \\ 😀","i":9007199254740993,"n":0.1,"d":12345678901234567890.1230,"b":true,`+
				`"at":"2026-01-02T00:30:00.12345+14:30","day":"2024-02-29","j":{"x":[1, 2]},"deep":{"a/b":[{"0":"zero"},["first"]]}}`,
			`{"id":"b","t":null,"i":null,"n":null,"d":null,"b":null,"at":null,"day":null,"j":null,"deep":null}`,
			`{"id":"c"}`,
			`{"id":"d","i":-9223372036854775808,"n":5,"d":1,"b":false,"at":"0001-01-01T00:00:00Z","day":"9999-12-31","j":"s"}`,
		), "id text", "t text", "i integer", "n number", "d decimal", "b boolean", "at timestamp", "day date", "j json",
			"zero text /deep/a~1b/0/0", "first text /deep/a~1b/1/0", "whole json ")
		b.mustSave("r", in)

		for _, test := range []struct{ column, a, b, c, d string }{
			{"t", `it's "é" \ 😀`, "null", "null", "null"},
			{"i", "9007199254740993", "null", "null", "-9223372036854775808"},
			{"n", "0.1", "null", "null", "5"},
			{"d", "12345678901234567890.1230", "null", "null", "1"},
			{"b", map[bool]string{true: "1", false: "true"}[sqlite], "null", "null", map[bool]string{true: "0", false: "false"}[sqlite]},
			{"at", "2026-01-01T10:00:00.123450Z", "null", "null", "0001-01-01T00:00:00.000000Z"},
			{"CAST(day AS TEXT)", "2024-02-29", "null", "null", "9999-12-31"},
			// JSON null is there, what is missing is not.
			{"CASE WHEN j IS NULL THEN 'missing' ELSE 'there' END", "there", "there", "missing", "there"},
			{"CAST(j AS TEXT)", `{"x":[1,2]}`, "null", "null", `"s"`},
			{"zero", "zero", "null", "null", "null"},
			{"first", "first", "null", "null", "null"},
			{"CASE WHEN whole IS NULL THEN 'missing' ELSE 'there' END", "there", "there", "there", "there"},
			{`"_key"`, "a", "b", "c", "d"},
			{`"_run_id"`, "r", "r", "r", "r"},
		} {
			got := b.rows(`SELECT ` + test.column + ` FROM things ORDER BY id`)
			if want := []string{test.a, test.b, test.c, test.d}; !slices.Equal(got, want) {
				t.Errorf("%s is %q, want %q", test.column, got, want)
			}
		}
		types := "SELECT DISTINCT typeof(i), typeof(n), typeof(d), typeof(b) FROM things WHERE id = 'd'"
		want := "integer real text integer"
		if !sqlite {
			types = "SELECT pg_typeof(i), pg_typeof(n), pg_typeof(d), pg_typeof(at), pg_typeof(day), pg_typeof(j) FROM things WHERE id = 'd'"
			want = "bigint double precision numeric timestamp with time zone date jsonb"
		}
		if got := b.rows(types); !slices.Equal(got, []string{want}) {
			t.Errorf("types are %q, want %q", got, want)
		}

		b.mustTakeBack("r")
		if got := b.rows("SELECT * FROM things"); len(got) != 0 {
			t.Errorf("behind the undo there is %q", got)
		}
	})
}

// TestColumnsRefuse declares what cannot be, and saves what does not fit: it is said
// which record, where and why, and nothing is saved.
func TestColumnsRefuse(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		b := newBench(t, url)
		good := `{"id":1,"v":1}`
		for what, test := range map[string]struct {
			in   Input
			code string
			says string
		}{
			"text":             {columnsIn(b.keyed(good, `{"id":2,"v":3}`), "v text"), CodeBadValue, `record 1 has 1 at "/v", column "v" is text: want a string`},
			"second record":    {columnsIn(b.keyed(good, `{"id":2,"v":"3"}`), "v integer"), CodeBadValue, `record 2 has "3" at "/v", column "v" is integer: want an integer from -9223372036854775808`},
			"beyond int64":     {columnsIn(b.keyed(`{"id":1,"v":9223372036854775808}`), "v integer"), CodeBadValue, `has 9223372036854775808 at`},
			"beyond float64":   {columnsIn(b.keyed(`{"id":1,"v":1e309}`), "v number"), CodeBadValue, "has 1e309 at"},
			"30 February":      {columnsIn(b.keyed(`{"id":1,"v":"2026-02-30"}`), "v date"), CodeBadValue, `has "2026-02-30" at`},
			"nanoseconds":      {columnsIn(b.keyed(`{"id":1,"v":"2026-01-02T03:04:05.000000001Z"}`), "v timestamp"), CodeBadValue, "no finer than microseconds"},
			"long":             {columnsIn(b.keyed(`{"id":1,"v":"`+strings.Repeat("é", 1000)+`"}`), "v date"), CodeBadValue, `é... at "/v"`},
			"type":             {columnsIn(b.keyed(good), "v varchar"), participant.CodeBadInput, `column "v": type "varchar": want text, integer`},
			"no type":          {columnsIn(b.keyed(good), "v "), participant.CodeBadInput, `want text, integer`},
			"empty name":       {columnsIn(b.keyed(good), " text"), participant.CodeBadInput, "must not be empty"},
			"long name":        {columnsIn(b.keyed(good), strings.Repeat("é", 32)+" text"), participant.CodeBadInput, "has 64 bytes, at most 63"},
			"NUL in name":      {columnsIn(b.keyed(good), "a\x00b text"), participant.CodeBadInput, "must be UTF-8 without NUL"},
			"bytes in name":    {columnsIn(b.keyed(good), "a\xff text"), participant.CodeBadInput, "must be UTF-8 without NUL"},
			"same but case":    {columnsIn(b.keyed(good), "v text", "V text"), participant.CodeBadInput, `column "v": there is a column "V" already`},
			"the saver's":      {columnsIn(b.keyed(good), "_KEY text"), participant.CodeBadInput, `there is a column "_key" already`},
			"a value's name":   {columnsIn(b.keyed(good), "True text /v"), participant.CodeBadInput, `column "True": SQLite reads a name like that as a value; declare another with path "/v"`},
			"no pointer":       {columnsIn(b.keyed(good), "v text v"), participant.CodeBadInput, `column "v": pointer "v": want a JSON pointer`},
			"long pointer":     {columnsIn(b.keyed(good), "v text /"+strings.Repeat("v", MaxPointer)), participant.CodeBadInput, "has 1025 bytes, at most 1024"},
			"NUL in pointer":   {columnsIn(b.keyed(good), "v text /a\x00"), participant.CodeBadInput, "want UTF-8 without NUL"},
			"long path":        {columnsIn(b.keyed(good), "v text "+strings.Repeat("/v", maxTokens+1)), participant.CodeBadInput, "has 33 names, at most 32"},
			"many indexes":     {columnsIn(b.keyed(good), "v text /1/2/3/4"), participant.CodeBadInput, "has 4 numbers in it, at most 3"},
			"many columns":     {columnsIn(b.keyed(good), manyColumns(MaxColumns+1)...), participant.CodeBadInput, "has 251 columns, at most 250"},
			"name of a table":  {columnsIn(named(b.keyed(good), "records"), "v json"), CodeBadColumn, `has a table, view or index "records" already`},
			"name of an index": {columnsIn(named(b.keyed(good), "undo_log_save"), "v json"), CodeBadColumn, `already`},
			"name of SQLite":   {columnsIn(named(b.keyed(good), "SQLite_x"), "v json"), participant.CodeBadInput, "belong to SQLite"},
			"long collection":  {columnsIn(named(b.keyed(good), strings.Repeat("c", 64)), "v json"), participant.CodeBadInput, "has 64 bytes, at most 63"},
		} {
			_, err := b.save("run of "+what, test.in)
			if e := failed(t, err); e.Code != test.code || !e.Permanent || e.Unknown || !strings.Contains(err.Error(), test.says) || len(err.Error()) > 1000 {
				t.Errorf("%s: %.500v (%s, permanent %t), want %s: %s", what, err, e.Code, e.Permanent, test.code, test.says)
			}
			b.empty()
			if got := b.rows("SELECT * FROM columns"); len(got) != 0 {
				t.Errorf("%s: columns are %q", what, got)
			}
		}
		b.mustSave("wide", columnsIn(b.keyed(good), manyColumns(MaxColumns)...))
		if got := b.rows("SELECT c249 FROM things"); !slices.Equal(got, []string{"null"}) {
			t.Errorf("of %d columns the last is %q", MaxColumns, got)
		}
		widest := manyColumns(MaxColumns)
		for i := range widest {
			widest[i] = fmt.Sprintf("c%d timestamp /0/1/2%s", i, strings.Repeat("/vvvvvvvvvvvvvvvvvvvvvvvvvvvvv", maxTokens-3))
		}
		b.mustSave("widest", columnsIn(named(b.keyed(good), "wide"), widest...))
		if got := b.rows("SELECT c249 FROM wide"); !slices.Equal(got, []string{"null"}) {
			t.Errorf("of %d columns with long paths the last is %q", MaxColumns, got)
		}
	})
}

func named(in Input, collection string) Input {
	in.Collection = collection
	return in
}

func manyColumns(n int) []string {
	columns := make([]string, n)
	for i := range columns {
		columns[i] = fmt.Sprintf("c%d integer", i)
	}
	return columns
}

// TestColumnsChange declares other columns for a collection that has some.
func TestColumnsChange(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		b := newBench(t, url)
		b.mustSave("before", b.keyed(`{"id":"a","v":"x"}`, `{"id":"b","v":1}`))
		b.mustSave("over", b.keyed(`{"id":"a","v":2}`))
		refused := func(run string, in Input, code, says string) {
			t.Helper()
			before := b.rows(allRecords)
			_, err := b.save(run, in)
			if e := failed(t, err); e.Code != code || !e.Permanent || !strings.Contains(err.Error(), says) {
				t.Errorf("run %s: %v, want %s: %s", run, err, code, says)
			}
			if got := b.rows(allRecords); !slices.Equal(got, before) {
				t.Errorf("run %s left %q behind, were %q", run, got, before)
			}
		}
		asked := 0
		reads := func(query string, want ...string) {
			t.Helper()
			asked++
			query += fmt.Sprintf(" -- %d", asked) // no statement of a connection that was prepared for the former view
			if got := b.rows(query); !slices.Equal(got, want) {
				t.Errorf("%s: %q, want %q", query, got, want)
			}
		}
		// Only an undo would bring "x" back, but it may.
		refused("integer", columnsIn(b.keyed(`{"id":"c","v":3}`), "v integer"), CodeBadColumn,
			`record with key "a", which collection things has, or would have again after an undo, has "x" at "/v"`)
		b.mustSave("json", columnsIn(b.keyed(`{"id":"c","v":3}`), "v json"))
		reads("SELECT CAST(v AS TEXT) FROM things ORDER BY _key", "2", "1", "3")
		b.mustTakeBack("before")
		b.mustTakeBack("over")
		reads("SELECT CAST(v AS TEXT) FROM things", "3")
		b.mustSave("narrower", columnsIn(b.keyed(`{"id":"d","v":4}`), "v integer", "id text"))
		reads("SELECT v + 1, id FROM things ORDER BY id", "4 c", "5 d")

		// Columns bind those who do not declare them, too.
		refused("silent", b.keyed(`{"id":"e","v":"x"}`), CodeBadValue, `record 1 has "x" at "/v", column "v" is integer`)
		refused("wrong", columnsIn(b.keyed(`{"id":"e","v":5.5}`), "other text"), CodeBadValue, "has 5.5 at")
		b.mustSave("wider", columnsIn(b.keyed(`{"id":"e","v":5.50}`), "v decimal"))
		reads("SELECT v FROM things ORDER BY id", "3", "4", "5.50")
		b.mustTakeBack("wider") // a declaration stays
		reads("SELECT v, id FROM things ORDER BY id", "3 c", "4 d")
		b.mustSave("elsewhere", columnsIn(b.keyed(`{"id":"e","v":5,"w":{"v":"x"}}`), "v text /w/v"))
		reads("SELECT v, id FROM things ORDER BY id", "null c", "null d", "x e")
		reads("SELECT name, position, path, type, run_id, step FROM columns ORDER BY position", "v 1 /w/v text elsewhere save", "id 2 /id text narrower save")

		if strings.HasPrefix(url, "sqlite") { // it does not know what depends on a view
			b.rows("DROP VIEW things")
			b.rows("DELETE FROM columns WHERE collection = 'things'")
			b.mustSave("free", b.keyed(`{"id":"f","v":[]}`))
			b.mustSave("anew", columnsIn(b.keyed(`{"id":"g","v":6}`), "v json"))
			reads("SELECT v FROM things ORDER BY _key", "3", "4", "5", "[]", "6")
			return
		}
		b.rows(`CREATE VIEW mine AS SELECT v FROM things`)
		b.mustSave("more", columnsIn(b.keyed(), "aa json"))
		reads("SELECT v FROM mine ORDER BY v IS NULL, v", "x", "null", "null")
		refused("used", columnsIn(b.keyed(), "v json /w/v"), CodeBadColumn, "cannot drop view things because other objects depend on it")
	})
}

// TestColumnsDeclaredMeanwhile declares columns between the staging of a save and its
// transaction.
func TestColumnsDeclaredMeanwhile(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		b := newBench(t, url)
		ctx := t.Context()
		late := func(run string, in Input) error {
			j, err := newJob(work{run, "save"}, in)
			if err != nil {
				t.Fatal(err)
			}
			conn, err := b.db.sql.Conn(ctx)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := b.expect(ctx, conn, &j); err != nil {
				t.Fatal(err)
			}
			total, err := b.stage(ctx, conn, j)
			if err != nil {
				t.Fatal(err)
			}
			b.mustSave("first "+run, columnsIn(b.keyed(`{"id":"`+run+`","v":1}`), "v integer"))
			_, err = b.settle(ctx, conn, j, total)
			return err
		}
		err := late("bad", b.keyed(`{"id":1,"v":1}`, `{"id":2,"v":"x"}`))
		if e := failed(t, err); e.Code != CodeBadValue || !strings.Contains(err.Error(), `record 2 has "x" at "/v"`) {
			t.Errorf("what was staged before the column was declared: %v", err)
		}
		b.mustTakeBack("first bad")
		if err := late("good", b.keyed(`{"id":1,"v":1}`)); err != nil {
			t.Error(err)
		}
		if got := b.rows("SELECT v FROM things"); !slices.Equal(got, []string{"1", "1"}) {
			t.Errorf("rows are %q", got)
		}
	})
}

// genName makes names that a statement could stumble over.
func genName() *rapid.Generator[string] {
	sharp := []string{`"`, `""`, `'`, "`", `\`, `;`, `--`, `/*`, `%s`, `$1`, `?`, ` `, "\n", "\t", "\u202e", "é", "e\u0301", "😀", "ſ", "İ", "select", "from", "table", ")", "[", "a", "0", ".", "public", "~", "~1", "/", "-1", "\u007f", "\ufeff", "DROP TABLE records"}
	return rapid.OneOf(
		rapid.Map(rapid.SliceOfN(rapid.SampledFrom(sharp), 1, 8), func(parts []string) string { return strings.Join(parts, "") }),
		rapid.String(),
		rapid.SampledFrom([]string{"user", "order", "rowid", "ctid", "oid", "tableoid", "null", "natural", "data", "key", "collection", "main", "temp", "pg_temp"}),
	).Filter(func(name string) bool {
		return checkView(name) == nil && checkNames([]column{{name: name}}) == nil
	})
}

// TestHostileNames reads columns of hostile names from collections of hostile names, at
// hostile places of a record.
func TestHostileNames(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		b := newBench(t, url)
		n := 0
		rapid.Check(t, func(t *rapid.T) {
			n++
			collection, name, member := genName().Draw(t, "collection"), genName().Draw(t, "column"), genName().Draw(t, "member")
			path := "/in/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(member)
			quoted := quoteJSON(member)
			in := named(b.input(`{"in":{`+quoted+`:"here"}}`, `{"in":{}}`, `{"in":["no"]}`), collection)
			in.Columns = map[string]Column{name: {Path: &path, Type: "json"}}
			run := fmt.Sprint("r", n)
			if _, err := b.save(run, in); err != nil {
				if e := (*participant.Error)(nil); asError(err, &e) && e.Code == CodeBadColumn && strings.Contains(err.Error(), "already") {
					t.Skip("the name is taken")
				}
				t.Fatalf("collection %q, column %q: %v", collection, name, err)
			}
			want := []string{`"here"`, "null", "null"}
			if member == "0" {
				want[2] = `"no"`
			}
			got := queryRows(b.t, b.db.sql, "SELECT "+quoteName(name)+" FROM "+quoteName(collection)+" ORDER BY _key")
			if !slices.Equal(got, want) {
				t.Fatalf("collection %q, column %q at %q: %q, want %q", collection, name, path, got, want)
			}
			b.mustTakeBack(run)
			b.rows("DROP VIEW " + quoteName(collection))
			b.rows("DELETE FROM columns")
		})
	})
}

// TestEveryFittingValueCanBeRead saves values of all kinds in columns of all types:
// what is taken can be read, as what it is.
func TestEveryFittingValueCanBeRead(t *testing.T) {
	values := []string{
		"0", "-0", "1", "-1", "1.0", "1e0", "0.1", "1e2", "1E-7", "9007199254740993", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
		"1e308", "1.7976931348623157e308", "1.7976931348623159e308", "1e309", "5e-324", "2e-324", "0e-400", "1e-400", "-1e-320", "0.000000000000000000000000000000000001",
		"12345678901234567890123456789012345678.12345678901234567890", "123456789012345.678901234567", "3.141592653589793238462643383279",
		"true", "false", "null", `""`, `"1"`, `"true"`, `"x"`, `"'"`, `"\u00e9\n\"\\"`, `"😀"`, `[]`, `{}`, `[1]`, `{"a":null}`,
		`"2026-01-02"`, `"0000-01-01"`, `"0001-01-01"`, `"9999-12-31"`, `"2023-02-29"`, `"2026-1-2"`, `" 2026-01-02"`, `"infinity"`, `"now"`, `"today"`, `"2026-01-02 BC"`, `"10000-01-01"`,
		`"2026-01-02T03:04:05Z"`, `"2026-01-02T03:04:05z"`, `"2026-01-02t03:04:05Z"`, `"2026-01-02 03:04:05Z"`, `"2026-01-02T03:04:05"`, `"2026-01-02T03:04:05,5Z"`, `"2026-01-02T24:00:00Z"`,
		`"2026-01-02T3:04:05Z"`, `"2016-12-31T23:59:60Z"`, `"2026-01-02T23:59:59.999999Z"`, `"2026-01-02T23:59:59.9999999Z"`, `"2026-01-02T23:59:59.999999000Z"`, `"2026-01-02T23:59:59.9999990000Z"`,
		`"2026-01-02T03:04:05+14:59"`, `"2026-01-02T03:04:05-14:59"`, `"2026-01-02T03:04:05+15:00"`, `"2026-01-02T03:04:05.5-00:00"`, `"0001-01-01T00:30:00+01:00"`, `"9999-12-31T23:30:00-01:00"`,
		`"0001-01-01T01:00:00+01:00"`, `"9999-12-31T23:59:59.999999Z"`, `"0000-12-31T23:30:00-01:00"`, `"2026-03-29T02:30:00+01:00"`, `"1900-02-29T00:00:00Z"`, `"2000-02-29T23:00:00.000001-08:00"`,
	}
	each(t, func(t *testing.T, url string) {
		b := newBench(t, url)
		for k := range kinds {
			var fit []string
			for i, v := range values {
				record := fmt.Sprintf(`{"id":%d,"v":%s}`, i, v)
				if kind.fits(k, []byte(v)) {
					fit = append(fit, record)
				}
			}
			in := columnsIn(named(b.keyed(fit...), string(k)+"s"), "v "+string(k), "id integer")
			b.mustSave(string(k), in)
			rows, err := b.db.sql.QueryContext(t.Context(), "SELECT id, v FROM "+quoteName(string(k)+"s"))
			if err != nil {
				t.Fatalf("%s: %v", k, err)
			}
			n := 0
			for rows.Next() {
				var id int
				var got any
				if err := rows.Scan(&id, &got); err != nil {
					t.Fatal(err)
				}
				n++
				if want := wanted(k, values[id]); !want(got) {
					t.Errorf("%s: %s is read as %#v", k, values[id], got)
				}
			}
			if err := rows.Err(); err != nil || n != len(fit) {
				t.Errorf("%s: %d of %d rows can be read: %v", k, n, len(fit), err)
			}
		}
	})
}

// FuzzNames makes a view of any names on SQLite; see TestHostileNames for PostgreSQL.
func FuzzNames(f *testing.F) {
	for _, seed := range []string{`"`, `a"; DROP TABLE records; --`, "é", "select", "\x00", "'", "`"} {
		f.Add(seed, seed)
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(f.TempDir(), "names.db")+"?_pragma=synchronous(0)")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(`CREATE TABLE IF NOT EXISTS records (collection TEXT, key TEXT, data TEXT, run_id TEXT, saved_at TEXT)`); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, collection, name string) {
		columns, err := newColumns(collection, map[string]Column{name: {Type: "text"}})
		if err != nil || lower(collection) == "records" {
			return
		}
		tx, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tx.Rollback() }()
		if _, err := tx.Exec(`INSERT INTO records VALUES ($1, '1', $2, 'r', 'now'), ('another', '2', '{}', 'r', 'now')`, collection, "{"+quoteJSON(name)+`:"v"}`); err != nil {
			t.Fatal(err)
		}
		for _, text := range (sqliteDialect{}).viewing(collection, nil, columns) {
			if _, err := tx.Exec(text); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
		}
		rows, err := tx.Query("SELECT * FROM " + quoteName(collection))
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		if got, err := rows.Columns(); err != nil || !slices.Equal(got, append(slices.Clone(own), name)) {
			t.Fatalf("columns are %q (%v), want %q", got, err, name)
		}
		n := 0
		for rows.Next() {
			n++
			var key, run, at string
			var v sql.NullString
			if err := rows.Scan(&key, &run, &at, &v); err != nil || v.String != "v" {
				t.Fatalf("%q is %v (%v)", name, v, err)
			}
		}
		if rows.Err() != nil || n != 1 && collection != "another" {
			t.Fatalf("%d rows: %v", n, rows.Err())
		}
	})
}

// FuzzFits holds that what fits a type can be told apart from what does not without a
// panic, and that it is what its type says.
func FuzzFits(f *testing.F) {
	for _, seed := range []string{`"2026-01-02T03:04:05.123456Z"`, `"2026-01-02"`, "1", "1.5e300", "null", `"\u0000"`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s := newSeeker(pointer{})
		if s.seek(data) != nil {
			return
		}
		v := s.found[0]
		if !utf8.Valid(v) || !kindJSON.fits(v) {
			t.Fatalf("%q is no JSON", v)
		}
		if kindInteger.fits(v) && v[0] != 'n' && !kindDecimal.fits(v) || kindDate.fits(v) && kindTimestamp.fits(v) && v[0] != 'n' {
			t.Fatalf("%q is of types that exclude each other", v)
		}
	})
}
