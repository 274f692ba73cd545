package save

import (
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"segue/document"
	"segue/participant"
)

// TestHostileSaves sends what nobody should send. Each is refused with words that
// name the reason, or saved to the letter; nothing of what was refused stays, what
// was there stays, and the service still serves. What records alone can be is in
// TestBadRecordsLeaveNothing.
func TestHostileSaves(t *testing.T) {
	long := strings.Repeat("k", 1<<20)
	sharp := `'; DROP TABLE records; --"\` + "`$1 %s ?"
	quoted := `"'; DROP TABLE records; --\"\\` + "`$1 %s ?\""
	tests := []struct {
		what    string
		records []string
		change  func(*Input)
		code    string // empty: it is saved
		says    string
	}{
		{"quotes in the collection", []string{`{"id":1}`}, func(in *Input) { in.Collection = sharp }, "", ""},
		{"quotes in keys", []string{`{"id":` + quoted + `}`}, nil, "", ""},
		{"NUL in the collection", []string{`{"id":1}`}, func(in *Input) { in.Collection = "a\x00b" }, participant.CodeBadInput, "want UTF-8 without NUL"},
		{"collection of 1 MB", []string{`{"id":1}`}, func(in *Input) { in.Collection = long }, participant.CodeBadInput, "has 1048576 bytes, at most 200"},
		{"key of 1 MB", []string{`{"id":"` + long + `"}`}, nil, CodeBadKey, "has 1048576 bytes, at most 2000"},
		{"pointer of 1 MB", []string{`{"id":1}`}, func(in *Input) { p := "/" + long; in.Key = &p }, participant.CodeBadInput, "has 1048577 bytes, at most 1024"},
		{"unknown mode", []string{`{"id":1}`}, func(in *Input) { in.Mode = "truncate" }, participant.CodeBadInput, `mode "truncate": want append, upsert or replace`},
		{"append of a key that is there", []string{`{"id":"kept"}`}, func(in *Input) { in.Mode = ModeAppend }, CodeKeyExists, `record 1: key /id is "kept", which collection things has already`},
		{"etag of 1 MB", []string{`{"id":1}`}, func(in *Input) { in.ETag = long }, participant.CodeBadInput, "etag has 1048576 bytes, at most 8192"},
		{"NUL in last_modified", []string{`{"id":1}`}, func(in *Input) { in.LastModified = "a\x00" }, participant.CodeBadInput, "want UTF-8 without NUL"},
		{"recipe that is no object", []string{`{"id":1}`}, func(in *Input) { in.Recipe = recipe(`[1]`) }, participant.CodeBadInput, "read recipe"},
		{"records that are no records", []string{"PK\x03\x04", "\x00\x01"}, nil, CodeBadRecord, "record 1 is not one JSON value"},
		{"a good beginning", []string{`{"id":1}`, `{"id":2}`, `{"id":3}`, `{"id":`}, nil, CodeBadRecord, "record 4 is not one JSON value"},
		{"a key twice", []string{`{"id":1}`, `{"id":1}`}, nil, CodeDuplicateKey, "records 1 and 2 have the same key"},
	}
	each(t, func(t *testing.T, url string) {
		b := newBench(t, url)
		b.mustSave("before", b.keyed(`{"id":"kept"}`))
		before := b.rows(allRecords)
		same := func(what string) {
			t.Helper()
			if got := b.rows(allRecords); strings.Join(got, "\n") != strings.Join(before, "\n") {
				t.Errorf("%s: records are %.300q, were %q", what, got, before)
			}
		}
		for _, test := range tests {
			in := b.keyed(test.records...)
			if test.change != nil {
				test.change(&in)
			}
			_, err := b.save(test.what, in)
			if test.code == "" {
				collection := in.Collection
				if collection == "" {
					collection = "things"
				}
				got := b.rows("SELECT data FROM records WHERE collection = $1 AND run_id = $2", collection, test.what)
				if err != nil || len(got) != 1 || got[0] != text(test.records[0]) {
					t.Errorf("%s: %v, records %q", test.what, err, got)
				}
				b.mustTakeBack(test.what)
			} else if e := failed(t, err); e.Code != test.code || !e.Permanent || e.Unknown || !strings.Contains(err.Error(), test.says) || len(err.Error()) > 1000 {
				t.Errorf("%s: %.300q (%s, permanent %t), want %s: %s", test.what, err, e.Code, e.Permanent, test.code, test.says)
			}
			same(test.what)
		}
	})
}

// TestHostileStore has records that are others than they were said to be, that end
// early and that are gone: another attempt may find them, and saves them.
func TestHostileStore(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		b := newBench(t, url)
		in := b.input(`1`, `2`)
		for what, end := range map[string]error{"changed": document.ErrChanged, "cut": io.ErrUnexpectedEOF} {
			b.docs.wrap = func(r io.Reader) io.Reader { return io.MultiReader(r, broken{end}) }
			_, err := b.save(what, in)
			if e := failed(t, err); e.Permanent || e.Unknown || !errors.Is(err, end) {
				t.Errorf("%s: %v (%+v), want one that may pass", what, err, e)
			}
			b.empty()
			b.docs.wrap = nil
			b.mustSave(what, in)
			b.mustTakeBack(what)
		}
	})
}

// TestHostileDatabase takes the database away.
func TestHostileDatabase(t *testing.T) {
	t.Parallel()
	b := newBench(t, "sqlite:"+filepath.Join(t.TempDir(), "segue.db"))
	b.mustSave("kept", b.input(`1`))
	b.rows("ALTER TABLE saves RENAME TO gone")
	_, err := b.save("r", b.input(`1`))
	if e := failed(t, err); e.Permanent || e.Unknown || e.Code != CodeDatabase {
		t.Errorf("a table is gone: %v (%+v), want one that may pass", err, e)
	}
	_, err = catalog{b.db}.look(t.Context(), participant.Command[Query]{Input: Query{URL: thingsURL, Recipe: recipe(`{}`)}})
	if e := failed(t, err); e.Permanent || e.Code != CodeDatabase {
		t.Errorf("the catalog's table is gone: %v (%+v), want one that may pass", err, e)
	}
	b.rows("ALTER TABLE gone RENAME TO saves")
	b.mustSave("r", b.input(`1`))
}

func FuzzPointer(f *testing.F) {
	for _, seed := range []string{"", "/", "/a~1b/~0/0", "/~", "id", "/\x00/é"} {
		f.Add(seed, []byte(`{"a/b":{"~":["x"]},"":1,"é":[[]]}`))
	}
	f.Fuzz(func(t *testing.T, pointer string, data []byte) {
		p, err := parsePointer(pointer)
		if err != nil {
			return
		}
		r := newRecords(strings.NewReader(string(data)), &p, nil, 10, false)
		for {
			rec, err := r.next()
			if err != nil {
				return
			}
			if len(rec.key) > MaxKey {
				t.Fatalf("%q finds a key of %d bytes", pointer, len(rec.key))
			}
		}
	})
}
