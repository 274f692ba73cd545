package world

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// field is a member of a record. Its value is JSON as the document has it; in
// CSV it is a JSON string.
type field struct{ name, value string }

// row is a record that must be saved, its fields in order.
type row []field

// text is a document in one version, and what must come of it.
type text struct {
	body []byte
	rows []row
	flaw string // why nothing must come of it; empty if it is good
}

// errand is what a start of the saga ingest asks for.
type errand struct {
	number     int
	format     string // json, ndjson, csv
	pointer    bool   // the records are in a member of the document
	keyed      bool   // records are saved by their id, not by their position
	schema     bool   // the document has to fit a schema
	told       bool   // the start says which format it is
	changing   bool   // the document is another one each time it is fetched
	collection string // shared with other errands, or none that is named
}

// errand rolls the dice for a start, which with a probability asks for the same
// document as one before it.
func (d dice) errand(number int, again float64) errand {
	word := strconv.Itoa(number)
	if number > 0 && d.chance(again, "again", word) {
		return d.errand(d.below(number, "again which", word), again)
	}
	e := errand{
		number: number, format: []string{"json", "ndjson", "csv"}[d.below(3, "format", word)],
		keyed: d.chance(0.5, "keyed", word), schema: d.chance(0.4, "schema", word),
		told: d.chance(0.4, "told", word), changing: d.chance(0.25, "changing", word),
	}
	e.pointer = e.format == "json" && d.chance(0.4, "pointer", word)
	if d.chance(0.4, "shared", word) {
		e.collection = "shared"
	}
	return e
}

func (e errand) path() string { return fmt.Sprintf("/feed/doc-%d.%s", e.number, e.format) }

// saved names the collection that the records go to.
func (e errand) saved() string {
	if e.collection != "" {
		return e.collection
	}
	return fmt.Sprintf("doc-%d", e.number)
}

// input is the start's input.
func (e errand) input(scheme string, force bool) string {
	in := map[string]any{"url": scheme + "://origin.example" + e.path()}
	if force {
		in["force"] = true
	}
	if e.told {
		in["format"] = e.format
	}
	if e.pointer {
		in["records"] = "/data/items"
	}
	if e.keyed {
		in["key"] = "/id"
	}
	if e.collection != "" {
		in["collection"] = e.collection
	}
	if e.schema {
		in["schema"] = e.schemaOf()
	}
	data, _ := json.Marshal(in) // strings, maps and booleans
	return string(data)
}

func (e errand) schemaOf() any {
	record := map[string]any{"type": "object", "required": []string{"id", "name"}, "properties": map[string]any{"name": map[string]any{"maxLength": 40}}}
	if e.format == "json" && !e.pointer { // the schema speaks of the whole document
		return map[string]any{"type": "array", "items": record}
	}
	return record
}

// The flaws of documents.
const (
	flawCut    = "cut"     // the text ends too early
	flawMisfit = "misfit"  // a record does not fit the schema
	flawTwins  = "twins"   // two records have one key
	flawTwice  = "twice"   // a name is there twice in an object
	flawRagged = "ragged"  // a row has more fields than the header
	flawNoList = "no list" // there is nothing where the records should be
)

// flaws lists those that a document for the errand can have.
func (e errand) flaws() []string {
	all := []string{flawCut}
	if e.schema {
		all = append(all, flawMisfit)
	}
	if e.keyed {
		all = append(all, flawTwins)
	}
	if e.format == "csv" {
		return append(all, flawRagged)
	}
	if e.pointer {
		all = append(all, flawNoList)
	}
	return append(all, flawTwice)
}

// text writes the document as it is the nth time that it is asked for, from 1.
func (d dice) text(e errand, visit int) text {
	if !e.changing {
		visit = 1
	}
	word := e.path() + " " + strconv.Itoa(visit)
	t := text{rows: d.rows(e, word)}
	if d.chance(0.15, "flawed", word) {
		flaws := e.flaws()
		t.flaw = flaws[d.below(len(flaws), "flaw", word)]
	}
	damaged := t.rows
	if t.flaw != "" {
		damaged = append(damaged[:len(damaged):len(damaged)], odd(t.flaw))
		if t.flaw == flawTwins {
			damaged = append(damaged, odd(t.flaw))
		}
		t.rows = nil
	}
	var b strings.Builder
	switch {
	case e.format == "csv":
		d.csv(&b, damaged, word)
	case e.format == "ndjson":
		for _, r := range damaged {
			d.object(&b, r, word)
			b.WriteString("\n")
		}
	default:
		d.json(&b, e, t.flaw, damaged, word)
	}
	t.body = []byte(b.String())
	if t.flaw == flawCut {
		t.body = append(t.body, cutEnd(e.format)...)
	}
	return t
}

// cutEnd is the beginning of something that does not end.
func cutEnd(format string) string {
	if format == "csv" {
		return `z,"and th`
	}
	return `{"id":`
}

var names = []string{
	"plain", "", "with, comma", "with \\\"quote\\\"", "two\\nlines", " spaces ", "Zo\u00eb \u2603", "\\u0416", "semi;colon", "=1+1", "tab\\tbed", "\U0001F980",
}

var numbers = []string{"0", "12.50", "-0", "1e3", "9007199254740993", "0.1000000000000000055511151231257827"}

// rows makes up records: few, and rarely so many that they fill some blocks.
func (d dice) rows(e errand, word string) []row {
	n := d.below(5, "rows", word)
	if d.chance(0.03, "many rows", word) {
		n = 400
	}
	var all []row
	for i := range n {
		at := word + " " + strconv.Itoa(i)
		id := strconv.Quote("k" + strconv.Itoa(i*2+d.below(2, "id", at)))
		if e.format != "csv" && d.chance(0.3, "number id", at) {
			id = strconv.Itoa(i)
		}
		r := row{{"id", id}, {"name", `"` + names[d.below(len(names), "name", at)] + `"`}}
		if e.format == "csv" {
			r = append(r, field{"price", `"` + numbers[d.below(len(numbers), "price", at)] + `"`})
		} else {
			r = append(r, field{"price", numbers[d.below(len(numbers), "price", at)]},
				field{"tags", []string{"[]", `["a",null,{"b":[true,false]}]`, "{}"}[d.below(3, "tags", at)]})
		}
		all = append(all, r)
	}
	return all
}

// odd is the record that brings a flaw into a document.
func odd(flaw string) row {
	r := row{{"id", `"k0"`}, {"name", `"odd"`}, {"price", `"1"`}}
	switch flaw {
	case flawMisfit:
		r[1].value = `"` + strings.Repeat("n", 41) + `"`
	case flawTwice:
		r = append(r, field{"name", `"again"`})
	case flawRagged:
		r = append(r, field{"extra", `"extra"`})
	}
	return r
}
