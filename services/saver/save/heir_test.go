package save

import (
	"slices"
	"testing"
)

// TestHeirHasDocument undoes a run whose data another run shares that has no
// document of its own, because a third had saved the same one before.
func TestHeirHasDocument(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		b := newBench(t, url)
		b.mustSave("twin", b.input(`1`))
		b.mustSave("other", b.input(`2`))
		b.mustSave("maker", b.input(`1`, `1`))
		b.mustSave("heir", b.input(`1`))
		if got := b.rows("SELECT run_id FROM documents WHERE run_id = 'heir'"); len(got) != 0 {
			t.Fatal("heir has a document: this tests nothing")
		}
		b.mustTakeBack("maker")
		got := b.rows("SELECT r.key, r.run_id, d.records FROM records r JOIN documents d ON d.run_id = r.run_id")
		if want := []string{"1 heir 1"}; !slices.Equal(got, want) {
			t.Errorf("records with documents are %q, want %q", got, want)
		}
	})
}

// TestHeirOfReplacedData undoes the maker of data that another run shares and a
// third has replaced, and then the third.
func TestHeirOfReplacedData(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		b := newBench(t, url)
		b.mustSave("maker", b.keyed(`{"id":"a"}`, `{"id":"b","v":1}`))
		b.mustSave("heir", b.keyed(`{"id":"b","v":1}`))
		b.mustSave("third", b.keyed(`{"id":"b","v":3}`))
		b.mustTakeBack("maker")
		b.mustTakeBack("third")
		got := b.rows("SELECT key, data, run_id, ordinal FROM records")
		if want := []string{`b {"id":"b","v":1} heir 1`}; !slices.Equal(got, want) {
			t.Errorf("records are %q, want %q", got, want)
		}
		b.mustTakeBack("heir")
		b.empty()
	})
}
