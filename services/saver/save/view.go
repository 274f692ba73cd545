package save

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/jackc/pgx/v5"
)

// A collection with columns has a view of its name, of the columns that are the
// saver's own and those that were declared. It reads them from records, so there is
// nothing beside the records that could differ from them, or that an undo would have to restore.

// quoteName writes a name as SQL, in either database; see checkName. Nothing else
// puts names into a statement.
func quoteName(name string) string { return pgx.Identifier{name}.Sanitize() }

// viewOf is the statement that makes the view of a collection, without its verb.
func viewOf(d dialect, collection string, columns []column) string {
	var text strings.Builder
	fmt.Fprintf(&text, "VIEW %s AS SELECT key AS %s, run_id AS %s, saved_at AS %s",
		quoteName(collection), quoteName(own[0]), quoteName(own[1]), quoteName(own[2]))
	for _, c := range columns {
		fmt.Fprintf(&text, ", %s AS %s", d.extract(c), quoteName(c.name))
	}
	fmt.Fprintf(&text, " FROM records WHERE collection = %s", d.literal(collection))
	return text.String()
}

func (d postgresDialect) literal(text string) string {
	return "E'" + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(text) + "'" // whatever standard_conforming_strings is
}

// extract goes from value to value, because a whole path would take any number for
// an index: "-1", "00".
func (d postgresDialect) extract(c column) string {
	value := "data"
	for _, token := range c.path.path {
		if _, is := arrayIndex(token); is {
			value += " #> ARRAY[" + d.literal(token) + "]" // of an array or an object
		} else {
			value += " -> " + d.literal(token) + "::text"
		}
	}
	if c.kind == kindJSON {
		return value
	}
	types := map[kind]string{
		kindText: "text", kindInteger: "bigint", kindNumber: "double precision", kindDecimal: "numeric",
		kindBoolean: "boolean", kindTimestamp: "timestamptz", kindDate: "date",
	}
	return "(" + value + " #>> '{}')::" + types[c.kind]
}

func (d sqliteDialect) literal(text string) string {
	return "'" + strings.ReplaceAll(text, "'", "''") + "'"
}

func (d sqliteDialect) extract(c column) string {
	switch c.kind {
	case kindJSON:
		return d.lookup("->", c.path)
	case kindDecimal: // as it is written: SQLite has no such numbers
		return "nullif(" + d.lookup("->", c.path) + ", 'null')"
	case kindNumber:
		return "CAST(" + d.lookup("->>", c.path) + " AS REAL)"
	case kindTimestamp:
		return sqliteUTC(d.lookup("->>", c.path))
	default:
		return d.lookup("->>", c.path)
	}
}

// lookup is a value of data, or where its path has numbers the one of several that
// is there: SQLite does not take an index for a name.
func (d sqliteDialect) lookup(operator string, path pointer) string {
	paths := []string{"$"}
	for _, token := range path.path {
		label, _ := jsontext.AppendQuote(nil, token) // it is UTF-8
		_, isIndex := arrayIndex(token)
		var longer []string
		for _, p := range paths {
			longer = append(longer, p+"."+string(label))
			if isIndex {
				longer = append(longer, p+"["+token+"]")
			}
		}
		paths = longer
	}
	for i, p := range paths {
		paths[i] = "data " + operator + " " + d.literal(p)
	}
	if len(paths) == 1 {
		return paths[0]
	}
	return "coalesce(" + strings.Join(paths, ", ") + ")"
}

// sqliteUTC brings a timestamp that was checked into the form of sqliteTime. SQLite
// knows no microseconds; offsets have none, so they stay what they are.
func sqliteUTC(value string) string {
	return strings.ReplaceAll(`(SELECT strftime('%Y-%m-%dT%H:%M:%S', substr(t, 1, 19) || zone) || '.' ||
		substr(substr(t, 21, max(length(t) - 20 - length(zone), 0)) || '000000', 1, 6) || 'Z'
		FROM (SELECT t, CASE WHEN t LIKE '%Z' THEN 'Z' ELSE substr(t, -6) END AS zone FROM (SELECT VALUE AS t)))`, "VALUE", value)
}
