// Package segue_test holds what is true of the whole module.
package segue_test

import (
	"flag"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "segue"

var update = flag.Bool("update", false, "write the import list of ARCHITECTURE.md anew")

// imports are the imports of the module's packages, by folder; those of tests
// are left out. Packages of the module are named by their folder as well.
type imports map[string][]string

// readImports reads the whole module, on every platform's files at once.
func readImports(t *testing.T) imports {
	t.Helper()
	found := make(map[string]map[string]bool)
	files := token.NewFileSet()
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		parsed, err := parser.ParseFile(files, name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		folder := path.Dir(name)
		if found[folder] == nil {
			found[folder] = make(map[string]bool)
		}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			found[folder][strings.TrimPrefix(imported, module+"/")] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	all := make(imports)
	for folder, set := range found {
		all[folder] = slices.Sorted(maps.Keys(set))
	}
	return all
}

// inside returns the imports of a package that belong to the module.
func (all imports) inside(folder string) []string {
	return slices.DeleteFunc(slices.Clone(all[folder]), func(name string) bool { return all[name] == nil })
}

// under says whether a package is one of the given folders or lies in one that
// ends in "/".
func under(folder string, places ...string) bool {
	return slices.ContainsFunc(places, func(p string) bool {
		return folder == p || strings.HasSuffix(p, "/") && strings.HasPrefix(folder, p)
	})
}

// TestImportsPointOneWay holds which of our packages a package may know.
func TestImportsPointOneWay(t *testing.T) {
	t.Parallel()
	all := readImports(t)
	for folder, allowed := range map[string][]string{
		"events":               {},
		"events/cloudevents":   {"events"},
		"tabular":              {},
		"columnar":             {},
		"markup":               {},
		"archive":              {"document"},
		"tableschema":          {},
		"schemas":              {"document", "events"},
		"access":               {"events", "journal", "journal/jetstream", "document"},
		"broker":               {},
		"saga":                 {"events"},
		"saga/check":           {"events", "saga"},
		"sagas":                {"saga"},
		"journal":              {"events"},
		"journal/memory":       {"events", "journal"},
		"journal/jetstream":    {"events", "journal", "document"}, // document for the names of its buckets
		"document":             {"events"},
		"document/objectstore": {"document"},
		"tracing":              {"events"},
		"participant":          {"events", "journal", "document", "tracing"},
		"saga/engine":          {"events", "journal", "document", "saga", "saga/check", "schedule", "tracing"},
		"schedule":             {"events"},
	} {
		if all[folder] == nil {
			t.Errorf("there is no package %s: this rule holds nothing", folder)
		}
		for _, name := range all.inside(folder) {
			if !under(name, allowed...) {
				t.Errorf("%s imports %s; it may know %v", folder, name, allowed)
			}
		}
	}
}

// TestServicesKnowNobody holds that a service knows neither the saga it serves,
// nor the journal, nor another service.
func TestServicesKnowNobody(t *testing.T) {
	t.Parallel()
	all := readImports(t)
	services := 0
	for folder := range all {
		parts := strings.Split(folder, "/")
		if parts[0] != "services" {
			continue
		}
		own := "services/" + parts[1] + "/"
		allowed := []string{"participant", "document", "tabular", "columnar", "markup", "archive", "schemas", "tableschema", "events", own}
		if len(parts) == 2 { // the program: flags round the service's own package
			services++
			allowed = []string{"daemon", own}
		}
		for _, name := range all.inside(folder) {
			if !under(name, allowed...) {
				t.Errorf("%s imports %s; it may know %v", folder, name, allowed)
			}
		}
	}
	if services != 4 {
		t.Errorf("%d services, want 4", services)
	}
}

// TestOutsideIsKeptOutside holds which packages touch the world beyond the module.
func TestOutsideIsKeptOutside(t *testing.T) {
	t.Parallel()
	all := readImports(t)
	for _, rule := range []struct {
		outside string // prefix of import paths
		only    []string
	}{
		{"github.com/nats-io/nats.go", []string{"broker", "daemon", "bench", "journal/jetstream", "document/objectstore", "services/fetcher/turns", "faults", "faults/fleet"}},
		{"github.com/nats-io/nats-server", []string{"broker"}},
		{"github.com/nats-io/nkeys", []string{"access"}},
		{"github.com/cloudevents/", []string{"events/cloudevents"}},
		{"database/sql", []string{"services/saver/save", "sim/world", "faults/fleet"}},
		{"modernc.org/sqlite", []string{"services/saver/save", "sim/world", "faults/fleet"}},
		{"github.com/jackc/", []string{"services/saver/save", "faults/fleet"}},
		{"net/http", []string{"services/fetcher/fetch", "daemon", "bench", "sim/world", "faults", "faults/fleet"}},
		{"cel.dev/", []string{"saga"}},
		{"testing", []string{"archive/archivetest", "document/documenttest", "journal/journaltest", "e2e", "sim"}},
	} {
		seen := false
		for folder, list := range all {
			for _, name := range list {
				if !strings.HasPrefix(name, rule.outside) || rule.outside == "testing" && name != "testing" {
					continue
				}
				seen = true
				if !under(folder, rule.only...) {
					t.Errorf("%s imports %s; only %v may", folder, name, rule.only)
				}
			}
		}
		if !seen {
			t.Errorf("nobody imports %s: this rule holds nothing", rule.outside)
		}
	}
}

// TestNoTestCodeInPrograms holds that what is there for tests stays out of the programs.
func TestNoTestCodeInPrograms(t *testing.T) {
	t.Parallel()
	all := readImports(t)
	forTests := []string{"archive/archivetest", "document/documenttest", "journal/journaltest", "journal/memory", "sim", "sim/", "e2e", "test/", "faults", "faults/"}
	for folder := range all {
		for _, name := range all.inside(folder) {
			if under(name, forTests...) && !under(folder, forTests...) {
				t.Errorf("%s imports %s, which is for tests", folder, name)
			}
		}
	}
}

// The import list of ARCHITECTURE.md stands between these two lines.
const (
	listBegin = "<!-- imports: go test . -run TestImportList -update -->\n```text\n"
	listEnd   = "```\n"
)

// TestImportList holds that ARCHITECTURE.md shows the imports as they are.
func TestImportList(t *testing.T) {
	const file = "ARCHITECTURE.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), listBegin)
	shown, after, closed := strings.Cut(rest, listEnd)
	if !found || !closed {
		t.Fatalf("%s has no import list: want it behind %q", file, listBegin)
	}
	list := readImports(t).list()
	if shown == list {
		return
	}
	if !*update {
		t.Fatalf("%s shows other imports than there are; go test . -run TestImportList -update writes them:\n%s", file, list)
	}
	if err := os.WriteFile(file, []byte(before+listBegin+list+listEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// list returns a line a package, each below all that it imports.
func (all imports) list() string {
	var b strings.Builder
	written := make(map[string]bool)
	for left := slices.Sorted(maps.Keys(all)); len(left) > 0; {
		free := slices.DeleteFunc(slices.Clone(left), func(folder string) bool {
			return slices.ContainsFunc(all.inside(folder), func(name string) bool { return !written[name] })
		})
		for _, folder := range free {
			written[folder] = true
			line := fmt.Sprintf("%-28s %s", folder, strings.Join(all.inside(folder), " "))
			fmt.Fprintln(&b, strings.TrimRight(line, " "))
		}
		left = slices.DeleteFunc(left, func(folder string) bool { return written[folder] })
	}
	return b.String()
}
