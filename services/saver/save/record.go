package save

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"segue/participant"
)

// Limits of a record.
const (
	// MaxRecord is the largest size of a record as JSON, in bytes.
	MaxRecord = 16 << 20
	// MaxKey is the largest length of a key, in bytes. PostgreSQL indexes up to
	// about 2,700 bytes of collection and key together.
	MaxKey = 2000
	// MaxDepth is the deepest nesting of a record. SQLite reads JSON up to there.
	MaxDepth = 1000
)

// record is one record on its way into the database.
type record struct {
	ordinal int64 // its position in the document, from 1
	key     string
	data    []byte // JSON; overwritten by the next record
}

// records reads NDJSON. The errors about a record are permanent and name it.
type records struct {
	lines *bufio.Scanner
	key   *pointer // nil: the position
	// columns are what the records have to fit.
	columns []column
	seeker  *seeker // of the columns, and behind them the key
	max     int64
	n       int64
	// prefix stands before the position where that is the key.
	prefix string
	// refuseNull is set for a database that cannot hold the character \u0000.
	refuseNull bool
}

func newRecords(r io.Reader, key *pointer, columns []column, limit int64, refuseNull bool) *records {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), MaxRecord+1) // and its newline
	var pointers []pointer
	for _, c := range columns {
		pointers = append(pointers, c.path)
	}
	if key != nil {
		pointers = append(pointers, *key)
	}
	return &records{lines: lines, key: key, columns: columns, seeker: newSeeker(pointers...), max: limit, refuseNull: refuseNull}
}

// next returns the next record, or io.EOF after the last.
func (r *records) next() (record, error) {
	if !r.lines.Scan() {
		return record{}, r.end()
	}
	r.n++
	if r.n > r.max {
		return record{}, participant.Permanent(CodeTooLarge, over(limitRecords, fmt.Errorf("document has more than %d records", r.max)))
	}
	rec := record{ordinal: r.n, data: bytes.Trim(r.lines.Bytes(), " \t\r")}
	if err := r.check(rec.data); err != nil {
		return record{}, badRecord(r.n, err)
	}
	var err error
	if rec.key, err = r.keyOf(rec); err != nil {
		return record{}, participant.Permanent(CodeBadKey, fmt.Errorf("record %d: key %s %w", r.n, r.key.text, err))
	}
	if err := misfit(r.columns, r.seeker.found); err != nil {
		return record{}, badValue(r.n, err)
	}
	return rec, nil
}

func (r *records) end() error {
	switch err := r.lines.Err(); {
	case err == nil:
		return io.EOF
	case errors.Is(err, bufio.ErrTooLong):
		return participant.Permanent(CodeTooLarge, over(limitRecord, fmt.Errorf("record %d is over %d bytes", r.n+1, MaxRecord)))
	default:
		return storeFailure("read records", err)
	}
}

func (r *records) check(data []byte) error {
	depth, null := 0, false
	// Counting bytes is many times faster than looking at each.
	if bytes.Count(data, []byte("["))+bytes.Count(data, []byte("{")) > MaxDepth || r.refuseNull && bytes.Contains(data, []byte(nullEscape)) {
		depth, null = inspect(data)
	}
	if depth > MaxDepth {
		return over(limitDepth, fmt.Errorf("is nested deeper than %d", MaxDepth))
	}
	err := r.seeker.seek(data)
	switch {
	case err != nil:
		return err
	case null && r.refuseNull:
		return errors.New(`has the character \u0000, which PostgreSQL cannot hold`)
	}
	return nil
}

func (r *records) keyOf(rec record) (string, error) {
	if r.key == nil {
		return r.prefix + strconv.FormatInt(rec.ordinal, 10), nil
	}
	v := r.seeker.found[len(r.columns)]
	if v == nil {
		return "", errMissing
	}
	key := string(v)
	switch v.Kind() {
	case '"':
		key = string(plain(v))
	case '0', 't', 'f':
	default:
		return "", fmt.Errorf("is %s, want a string, number or boolean", kindName(v.Kind()))
	}
	switch {
	case len(key) > MaxKey:
		return "", over(limitKey, fmt.Errorf("has %d bytes, at most %d are allowed", len(key), MaxKey))
	case strings.Contains(key, "\x00"):
		return "", errors.New(`has the character \u0000`)
	}
	return key, nil
}

// errMissing is what is wrong with a key that is not there.
var errMissing = errors.New("is missing")

func kindName(k jsontext.Kind) string {
	switch k {
	case 'n':
		return "null"
	case '{':
		return "an object"
	default:
		return "an array"
	}
}

// nullEscape is the one way to write the character U+0000 in JSON.
const nullEscape = `\u0000`

// inspect returns how deeply JSON is nested, and whether a string in it
// has the character \u0000.
func inspect(data []byte) (deepest int, null bool) {
	depth, inString := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case inString && c == '\\':
			null = null || bytes.HasPrefix(data[i:], []byte(nullEscape))
			i++ // what is escaped does not end the string
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return deepest, null
}
