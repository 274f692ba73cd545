package tableschema

import (
	"fmt"
	"hash/maphash"
	"strings"
)

// key is one or more columns whose values are unique together. Of each value it
// keeps a hash of 128 bits with seeds of its own, so that nobody can make two
// values that look the same.
type key struct {
	names   []string
	columns []int
	seeds   [2]maphash.Seed
	seen    map[[2]uint64]struct{}
}

func newKey(names []string) key {
	return key{names: names, seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, seen: make(map[[2]uint64]struct{})}
}

// unique notes the key of the last row. One with a null in it is not compared,
// as in databases.
func (t *Table) unique(k *key) {
	var sums [2]uint64
	for i, seed := range k.seeds {
		var h maphash.Hash
		h.SetSeed(seed)
		for _, column := range k.columns {
			v := t.values[column]
			if v.Kind == Null {
				return
			}
			h.WriteString(v.Text) // unreachable errors, here and below: a hash has none
			h.WriteByte(0xFF)     // which no text has
		}
		sums[i] = h.Sum64()
	}
	index, field := -1, ""
	if len(k.columns) == 1 {
		index, field = k.columns[0], k.names[0]
	}
	switch _, again := k.seen[sums]; {
	case again:
		t.violations = append(t.violations, Violation{Index: index, Field: field, Keyword: "unique", Value: clip(t.keyText(k)),
			Message: fmt.Sprintf("%s is there already, and %s has to be unique", quoteText(t.keyText(k)), strings.Join(k.names, ", "))})
	case t.kept == t.maxKeys:
		t.violations = append(t.violations, Violation{Index: index, Field: field, Keyword: "unique", Limit: true,
			Message: fmt.Sprintf("more than %d values that have to be unique", t.maxKeys)})
	default:
		t.kept++
		k.seen[sums] = struct{}{}
	}
}

func (t *Table) keyText(k *key) string {
	var parts []string
	for _, column := range k.columns {
		parts = append(parts, t.values[column].Text)
	}
	return strings.Join(parts, ", ")
}
