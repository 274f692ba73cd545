package saga

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// drawnStep is a step of a drawn definition, as lines of YAML.
type drawnStep struct {
	name  string
	lines []string
}

// genSteps draws valid steps. Each needs some of those before it, by the drawn
// order, which has nothing to do with their names.
func genSteps(t *rapid.T) []drawnStep {
	names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-zA-Z0-9_-]{1,4}`), 1, 8, rapid.ID[string]).Draw(t, "names")
	steps := make([]drawnStep, len(names))
	for i, name := range names {
		lines := []string{"service: s" + fmt.Sprint(rapid.IntRange(0, 2).Draw(t, "service"))}
		var needs []string
		for _, earlier := range names[:i] {
			if rapid.Bool().Draw(t, "need") {
				needs = append(needs, fmt.Sprintf("%q", earlier))
			}
		}
		optional := map[string]string{
			"needs":       "[" + strings.Join(needs, ", ") + "]",
			"timeout":     rapid.SampledFrom([]string{"1s", "0.5m", "9m"}).Draw(t, "timeout"),
			"retry":       rapid.SampledFrom([]string{"{}", "{attempts: 9}", "{attempts: unlimited}", "{backoff: 2m}", "{max: 1ms}"}).Draw(t, "retry"),
			"undo":        rapid.SampledFrom([]string{"true", "false", "{}", "{timeout: 1h, retry: {attempts: 1}}"}).Draw(t, "undo"),
			"description": "text",
			"with":        `{z: "${input.?a}", a: [1, 2.5, null, "x ${1 + 1}"]}`,
		}
		for _, key := range []string{"needs", "timeout", "retry", "undo", "description", "with"} {
			if rapid.Bool().Draw(t, key) {
				lines = append(lines, key+": "+optional[key])
			}
		}
		steps[i] = drawnStep{name, lines}
	}
	return steps
}

// write writes the steps as a definition, steps and keys in the order of a seed.
func write(steps []drawnStep, seed uint64) []byte {
	order := rand.New(rand.NewPCG(seed, 0))
	shuffle := func(list []string) []string {
		list = slices.Clone(list)
		order.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		return list
	}
	var blocks []string
	for _, s := range steps {
		blocks = append(blocks, fmt.Sprintf("  %q:\n    %s\n", s.name, strings.Join(shuffle(s.lines), "\n    ")))
	}
	top := []string{"saga: drawn\n", "steps:\n" + strings.Join(shuffle(blocks), ""), "input: {properties: {b: {}, a: {}}}\n"}
	return []byte(strings.Join(shuffle(top), ""))
}

// TestCanonical checks that a definition has one text and one digest, in
// whatever order its file is written, and that the text loads as the same.
func TestCanonical(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		steps := genSteps(t)
		text := write(steps, 1)
		d, err := Load("drawn.yaml", text, nil)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		checkCanonical(t, d)
		shuffled := write(steps, rapid.Uint64().Draw(t, "seed"))
		again, err := Load("drawn.yaml", shuffled, nil)
		if err != nil || again.Digest != d.Digest || !bytes.Equal(again.Text, d.Text) {
			t.Fatalf("%v\n%s\n%s", err, text, shuffled)
		}
		for i, s := range d.Steps {
			if d.Step(s.Name) != i || !slices.IsSorted(s.Needs) || slices.ContainsFunc(s.Needs, func(n int) bool { return n >= i }) {
				t.Fatalf("step %d %s: Step = %d, needs %v", i, s.Name, d.Step(s.Name), s.Needs)
			}
		}
	})
}

func FuzzLoad(f *testing.F) {
	for _, dir := range []string{"good", "bad"} {
		paths, err := filepath.Glob(filepath.Join(definitions, dir, "*.yaml"))
		if err != nil {
			f.Fatal(err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	open := func(string) ([]byte, error) {
		return []byte(`{"properties": {"url": {}, "page": {}, "note": {}}}`), nil
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := Load("fuzz", text, open)
		if err == nil {
			checkCanonical(t, d)
			return
		}
		var problems Problems
		if d != nil || !errors.As(err, &problems) || len(problems) == 0 {
			t.Fatalf("Load = %v, %v", d, err)
		}
		for _, p := range problems {
			if p.Line < 1 || p.Column < 1 || p.Message == "" {
				t.Fatalf("problem %+v", p)
			}
		}
	})
}
