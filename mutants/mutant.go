package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Mutant is a bug to plant.
type Mutant struct {
	// Name is unique: the part of Segue, a slash, the bug in short.
	Name string `json:"name"`
	// Bug says in a sentence what Segue does wrong then.
	Bug string `json:"bug"`
	// Bit says where the same bug bit others, if it is a known classic.
	Bit string `json:"bit,omitempty"`
	// File is where it is planted, from the root of the repository. Old is there
	// exactly once; New takes its place.
	File string `json:"file"`
	Old  string `json:"-"`
	New  string `json:"-"`
	// Tests should find it, one after the other.
	Tests []Test `json:"tests"`
}

// Test names tests of one package.
type Test struct {
	Package string `json:"package"`
	Run     string `json:"run"` // as for go test -run
}

// all returns every mutant, in the order of the table.
func all() []Mutant { return slices.Concat(core, engine, clock, intake, participant, bus, stores) }

// changed returns the text of the mutant's file with the bug in it.
func (m Mutant) changed() (string, error) {
	text, err := os.ReadFile(m.File)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", m.File, err)
	}
	switch n := strings.Count(string(text), m.Old); {
	case n != 1:
		return "", fmt.Errorf("%w: the old text is %d times in %s", errStale, n, m.File)
	case m.Old == m.New:
		return "", fmt.Errorf("%w: it changes nothing in %s", errStale, m.File)
	}
	return strings.Replace(string(text), m.Old, m.New, 1), nil
}

// overlay writes the changed file below dir, and what tells go build to take it in
// place of the one in the tree. It returns the name of the latter.
func (m Mutant) overlay(dir string) (string, error) {
	text, err := m.changed()
	if err != nil {
		return "", err
	}
	original, err := filepath.Abs(m.File)
	if err != nil {
		return "", err
	}
	base := filepath.Join(dir, strings.ReplaceAll(m.Name, "/", "."))
	replace := map[string]map[string]string{"Replace": {original: base + ".go"}}
	instructions, err := json.Marshal(replace)
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(base+".go", []byte(text), 0o600); err != nil {
		return "", fmt.Errorf("write changed file: %w", err)
	}
	if err := os.WriteFile(base+".json", instructions, 0o600); err != nil {
		return "", fmt.Errorf("write overlay: %w", err)
	}
	return base + ".json", nil
}

// together returns the tests of all mutants, those of a package in one run.
func together(mutants []Mutant) []Test {
	var tests []Test
	seen := make(map[Test]bool)
	for _, m := range mutants {
		for _, t := range m.Tests {
			if seen[t] {
				continue
			}
			seen[t] = true
			if i := slices.IndexFunc(tests, func(have Test) bool { return have.Package == t.Package }); i >= 0 {
				tests[i].Run += "|" + t.Run
			} else {
				tests = append(tests, t)
			}
		}
	}
	return tests
}
