package save

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Column says what is in a column: where in a record its value is, and its type.
type Column struct {
	// Path is a JSON pointer into the record. Defaults to the member that has the
	// name of the column.
	Path *string `json:"path,omitempty"`
	// Type is "text", "integer", "number", "decimal", "boolean", "timestamp", "date" or "json".
	Type string `json:"type"`
}

// Limits of columns.
const (
	// MaxColumns is the largest number of columns of a collection.
	MaxColumns = 250
	// MaxColumnName is the largest length of the name of a column, and of that of a
	// collection with columns, in bytes. PostgreSQL cuts what is longer.
	MaxColumnName = 63
	// maxTokens is the largest number of tokens in the path of a column.
	maxTokens = 32
	// maxIndexes is the largest number of tokens in the path of a column that may be
	// the index of an element as well as the name of a member: SQLite is asked for
	// both, each with all the others.
	maxIndexes = 3
)

// column is a column of a collection, checked.
type column struct {
	name string
	path pointer
	kind kind
}

// own are the columns of each view that are the saver's, in their order.
var own = []string{"_key", "_run_id", "_saved_at"}

// newColumns checks what was declared for a collection. They come in the order of
// their names.
func newColumns(collection string, declared map[string]Column) ([]column, error) {
	if len(declared) == 0 {
		return nil, nil
	}
	if err := checkView(collection); err != nil {
		return nil, err
	}
	var columns []column
	for _, name := range slices.Sorted(maps.Keys(declared)) {
		c, err := newColumn(name, declared[name])
		if err != nil {
			return nil, err
		}
		columns = append(columns, c)
	}
	return columns, checkNames(columns)
}

func newColumn(name string, declared Column) (column, error) {
	path := "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
	if declared.Path != nil {
		path = *declared.Path
	}
	c := column{name: name, kind: kind(declared.Type)}
	if err := checkName(name); err != nil {
		return c, fmt.Errorf("column %.80q: its name %w", name, err)
	}
	var err error
	c.path, err = parsePointer(path)
	indexes := 0
	for _, token := range c.path.path {
		if _, is := arrayIndex(token); is {
			indexes++
		}
	}
	switch {
	case err != nil:
		return c, fmt.Errorf("column %q: %w", name, err)
	case kinds[c.kind] == "":
		return c, fmt.Errorf("column %q: type %.40q: want text, integer, number, decimal, boolean, timestamp, date or json", name, declared.Type)
	case !utf8.ValidString(path) || strings.Contains(path, "\x00"):
		return c, fmt.Errorf("column %q: path %.80q: want UTF-8 without NUL", name, path)
	case len(c.path.path) > maxTokens:
		return c, over(limitPath, fmt.Errorf("column %q: path %.80q... has %d names, at most %d are allowed", name, path, len(c.path.path), maxTokens))
	case indexes > maxIndexes:
		return c, over(limitPath, fmt.Errorf("column %q: path %.80q has %d numbers in it, at most %d are allowed", name, path, indexes, maxIndexes))
	}
	return c, nil
}

// checkView checks that a collection can have a view of its name.
func checkView(collection string) error {
	if err := checkName(collection); err != nil {
		return fmt.Errorf("collection %.80q has columns, so its name, which is that of its view, %w; set collection in the input", collection, err)
	}
	if len(collection) >= len(sqliteOwn) && strings.EqualFold(collection[:len(sqliteOwn)], sqliteOwn) {
		return fmt.Errorf("collection %q has columns, and names with %s belong to SQLite; set collection in the input", collection, sqliteOwn)
	}
	return nil
}

// sqliteOwn is what the names of SQLite's own tables begin with.
const sqliteOwn = "sqlite_"

// checkName checks a name of SQL.
func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("must not be empty")
	case len(name) > MaxColumnName:
		return over(limitName, fmt.Errorf("has %d bytes, at most %d are allowed", len(name), MaxColumnName))
	case !utf8.ValidString(name) || strings.Contains(name, "\x00"):
		return errors.New("must be UTF-8 without NUL")
	}
	return nil
}

// checkNames checks that SQLite can tell the columns of a collection apart, and
// that they are not too many.
func checkNames(columns []column) error {
	if len(columns) > MaxColumns {
		return over(limitColumns, fmt.Errorf("the collection has %d columns, at most %d are allowed", len(columns), MaxColumns))
	}
	seen := make(map[string]string)
	for _, name := range own {
		seen[name] = name
	}
	for _, c := range columns {
		low := lower(c.name)
		if low == "true" || low == "false" {
			return fmt.Errorf("column %q: SQLite reads a name like that as a value; declare another with path %q", c.name, c.path.text)
		}
		if other, taken := seen[low]; taken {
			return fmt.Errorf("column %q: there is a column %q already, and SQLite does not tell them apart", c.name, other)
		}
		seen[low] = c.name
	}
	return nil
}

// lower folds case as SQLite does: of ASCII letters alone.
func lower(name string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, name)
}

// declared returns the columns that a collection has after more are declared: those
// it had, in their place, as they are declared now, and the new ones behind them. News
// are those that it did not have like that.
func declared(had, more []column) (all, news []column) {
	all = slices.Clone(had)
	for _, c := range more {
		i := slices.IndexFunc(all, func(a column) bool { return a.name == c.name })
		switch {
		case i < 0:
			all = append(all, c)
		case all[i].same(c):
			continue
		default:
			all[i] = c
		}
		news = append(news, c)
	}
	return all, news
}

// without returns the columns that are not among others like that.
func without(columns, others []column) []column {
	_, news := declared(others, columns)
	return news
}

func (c column) same(d column) bool {
	return cmp.Or(cmp.Compare(c.name, d.name), cmp.Compare(c.path.text, d.path.text), cmp.Compare(c.kind, d.kind)) == 0
}
