package world

import (
	"encoding/json"
	"strconv"
	"strings"
)

// The texts of documents are written here by hand, so that no code of Segue's
// says what a document is.

// space writes white space that means nothing.
func (d dice) space(b *strings.Builder, word string) {
	b.WriteString([]string{"", "", " ", "\t "}[d.below(4, "space", word, strconv.Itoa(b.Len()))])
}

// object writes a record as JSON.
func (d dice) object(b *strings.Builder, r row, word string) {
	b.WriteString("{")
	for i, f := range r {
		if i > 0 {
			b.WriteString(",")
		}
		d.space(b, word)
		b.WriteString(strconv.Quote(f.name))
		d.space(b, word)
		b.WriteString(":")
		d.space(b, word)
		b.WriteString(f.value)
	}
	d.space(b, word)
	b.WriteString("}")
}

// json writes a JSON document: the array of records, or one that has it inside.
func (d dice) json(b *strings.Builder, e errand, flaw string, rows []row, word string) {
	if e.pointer {
		b.WriteString(`{"head": {"items": 1}, "data": {"count": [[]], "items": `)
	}
	if flaw == flawNoList {
		b.WriteString(`{"0": `)
	}
	b.WriteString("[")
	for i, r := range rows {
		if i > 0 {
			b.WriteString(",\n")
		}
		d.object(b, r, word)
	}
	d.space(b, word)
	b.WriteString("]")
	if flaw == flawNoList {
		b.WriteString("}")
	}
	if e.pointer {
		b.WriteString(`, "more": null}, "tail": "]"}`)
	}
}

// csv writes a CSV document, with or without quotes where both are right.
func (d dice) csv(b *strings.Builder, rows []row, word string) {
	end := []string{"\n", "\r\n"}[d.below(2, "line end", word)]
	if d.chance(0.2, "byte order mark", word) {
		b.WriteString("\uFEFF")
	}
	b.WriteString("id,name,price" + end)
	for i, r := range rows {
		for j, f := range r {
			if j > 0 {
				b.WriteString(",")
			}
			var value string
			_ = json.Unmarshal([]byte(f.value), &value) // our own string
			if strings.ContainsAny(value, ",;\"\n\t ") || d.chance(0.3, "quoted", word, strconv.Itoa(i), f.name) {
				value = `"` + strings.ReplaceAll(value, `"`, `""`) + `"`
			}
			b.WriteString(value)
		}
		b.WriteString(end)
	}
}
