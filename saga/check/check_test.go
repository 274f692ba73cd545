package check

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"segue/saga"
	"segue/sagas"
)

var rewrite = flag.Bool("rewrite", false, "accept what the definitions in testdata now lead to")

// TestBad holds what is said of definitions with one bug each: those in testdata/bad,
// with what is printed in a file beside each.
func TestBad(t *testing.T) {
	t.Parallel()
	for _, file := range definitions(t, "bad", 15) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			d, err := load(t, file)
			if err != nil { // what the loader refuses is refused before the walk
				golden(t, file, err.Error()+"\n")
				return
			}
			r := Definition(d)
			if r.Flaw == nil {
				t.Fatalf("nothing is found:\n%s", r)
			}
			if r.Flaw.Step == "" || len(r.Flaw.Story) == 0 || strings.Contains(r.Flaw.WayOut, "fault of Segue") {
				t.Errorf("flaw %+v: want a step, a story and a way out", r.Flaw)
			}
			var flaw *Flaw
			if !errors.As(r.Err(), &flaw) || flaw != r.Flaw {
				t.Errorf("Err() = %v", r.Err())
			}
			golden(t, file, r.Err().Error()+"\n"+r.String())
		})
	}
}

// TestGood holds the states and the endings of good definitions.
func TestGood(t *testing.T) {
	t.Parallel()
	for _, file := range definitions(t, "good", 5) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			d, err := load(t, file)
			if err != nil {
				t.Fatal(err)
			}
			r := Definition(d)
			if r.Err() != nil || r.Endings[saga.StatusCompleted] == 0 {
				t.Errorf("%v\n%s", r.Err(), r)
			}
			golden(t, file, r.String())
		})
	}
}

// TestShipped checks the sagas that come with Segue.
func TestShipped(t *testing.T) {
	t.Parallel()
	all, err := sagas.All()
	if err != nil || len(all) == 0 {
		t.Fatal(all, err)
	}
	for _, d := range all {
		if r := Definition(d); r.Err() != nil || !r.Complete {
			t.Errorf("%s: %s", d.Name, r)
		}
	}
}

// TestCut holds that a bound on the states is kept and told.
func TestCut(t *testing.T) {
	t.Parallel()
	d, err := load(t, "testdata/good/chain.yaml")
	if err != nil {
		t.Fatal(err)
	}
	r := definition(d, (*saga.Run).Decide, 10)
	if r.Complete || r.States != 10 || r.Sampled != 10 || r.Err() != nil {
		t.Errorf("%+v; want 10 states of each walk, not complete", r)
	}
	if !strings.Contains(r.String(), "the walk was cut after 10 states") {
		t.Errorf("it is not told:\n%s", r)
	}
}

func definitions(t *testing.T, dir string, least int) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/" + dir + "/*.yaml")
	if err != nil || len(files) < least {
		t.Fatalf("%d definitions, %v", len(files), err)
	}
	return files
}

func load(t testing.TB, file string) (*saga.Definition, error) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return saga.Load(filepath.Base(file), text, nil)
}

func parse(t testing.TB, text string) *saga.Definition {
	t.Helper()
	d, err := saga.Load("saga.yaml", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// golden compares what is said of a definition with the file beside it.
func golden(t *testing.T, file, got string) {
	t.Helper()
	file = strings.TrimSuffix(file, ".yaml") + ".want"
	if *rewrite {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s differs; -rewrite accepts. It now reads:\n%s", file, got)
	}
}
