package jetstream_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segue/journal/jetstream"
)

// TestDeclared holds that what is said to be declared is what is there then.
func TestDeclared(t *testing.T) {
	t.Parallel()
	js := bare(t)
	o := jetstream.Options{Services: []string{"fetcher", "saver"}}
	if err := jetstream.Declare(t.Context(), js, o); err != nil {
		t.Fatal(err)
	}
	var said []string
	streams, consumers := jetstream.Declared(o)
	for _, s := range streams {
		said = append(said, s.Name)
		have := config(t, js, s.Name)
		if !slices.Equal(have.Subjects, s.Subjects) || have.MaxBytes != s.MaxBytes || have.Replicas != s.Replicas || have.Metadata[jetstream.MetaTopology] != s.Metadata[jetstream.MetaTopology] {
			t.Errorf("%s is said to be %+v and is %+v", s.Name, s, have)
		}
		for _, c := range consumers[s.Name] {
			said = append(said, s.Name+" "+c.Durable)
		}
	}
	slices.Sort(said)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(allConfigs(t, js))), said); diff != "" {
		t.Errorf("other things are there than are said to be (-there +said):\n%s", diff)
	}
}
