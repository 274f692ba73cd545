//go:build unix

package e2e

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// workplace returns an empty folder with the examples in it, as in a checkout.
func workplace(t *testing.T) job {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "examples"), os.DirFS(filepath.Join(root, "examples"))); err != nil {
		t.Fatal(err)
	}
	return job{dir: dir}
}

func TestIngest(t *testing.T) {
	t.Parallel()
	at := workplace(t)
	database := filepath.Join(at.dir, ".segue", "segue.db")
	ingest := []string{"ingest", "examples/todos.json", "examples/airports.csv"}

	first := at.run(t, program(t, "segue"), ingest...).want(t, 0, ".segue/segue.db")
	if !strings.Contains(first.stderr, "save completed") {
		t.Errorf("it showed no progress on standard error:\n%s", first.stderr)
	}
	if len(strings.Split(strings.TrimSpace(first.stdout), "\n")) > 6 {
		t.Errorf("it said too much on standard output:\n%s", first.stdout)
	}
	expect := examples(t)
	rows := records(t, database)
	if len(expect) < 100 || !reflect.DeepEqual(rows, expect) {
		t.Errorf("the database holds %d records, the examples hold %d, or they differ", len(rows), len(expect))
	}
	if got := query(t, database, "SELECT count(*) FROM documents"); got[0] != "2" {
		t.Errorf("%s documents, want 2", got[0])
	}

	before := dump(t, database)
	at.run(t, program(t, "segue"), ingest...).want(t, 0, "todos.json: completed", "skipped, its 200 records")
	if dump(t, database) != before {
		t.Errorf("the second run changed the database")
	}
}

// examples returns the records of todos.json and airports.csv, by collection and
// position, as another reader than segue's sees them.
func examples(t *testing.T) map[string]any {
	t.Helper()
	all := make(map[string]any)
	text, err := os.ReadFile(filepath.Join(root, "examples", "todos.json"))
	if err != nil {
		t.Fatal(err)
	}
	var todos []any
	if err := json.Unmarshal(text, &todos); err != nil {
		t.Fatal(err)
	}
	for i, record := range todos {
		all[fmt.Sprintf("todos/%d", i+1)] = record
	}
	file, err := os.Open(filepath.Join(root, "examples", "airports.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range lines[1:] {
		record := make(map[string]any)
		for c, name := range lines[0] {
			record[name] = line[c]
		}
		all[fmt.Sprintf("airports/%d", i+1)] = record
	}
	return all
}

// records returns the records of a database by collection and key.
func records(t *testing.T, database string) map[string]any {
	t.Helper()
	all := make(map[string]any)
	for _, row := range query(t, database, "SELECT collection, key, data FROM records") {
		fields := strings.SplitN(row, "|", 3)
		var data any
		if err := json.Unmarshal([]byte(fields[2]), &data); err != nil {
			t.Fatal(err)
		}
		all[fields[0]+"/"+fields[1]] = data
	}
	return all
}

func TestIngestBroken(t *testing.T) {
	t.Parallel()
	at := workplace(t)
	database := filepath.Join(at.dir, ".segue", "segue.db")
	at.run(t, program(t, "segue"), "ingest", "examples/todos.json").want(t, 0)
	before := dump(t, database)

	begin := time.Now()
	r := at.run(t, program(t, "segue"), "ingest", "examples/broken.json").want(t, 1, "broken.json: compensated: validate: line 7", "undone: fetch")
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("it took %v, want seconds", took)
	}
	nothingOf(t, database, runIn(t, r))

	// A document that is found out at the last step only.
	twice := filepath.Join(at.dir, "twice.json")
	if err := os.WriteFile(twice, []byte(`[{"id":1},{"id":2},{"id":1}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	r = at.run(t, program(t, "segue"), "ingest", "twice.json", "--key", "/id").want(t, 1, "twice.json: compensated: save:", "undone: parse, fetch")
	nothingOf(t, database, runIn(t, r))
	if dump(t, database) != before {
		t.Errorf("the broken documents changed the database")
	}

	// One that is refused takes nobody with it.
	at.run(t, program(t, "segue"), "ingest", "examples/broken.json", "examples/airports.csv").
		want(t, 1, "broken.json: compensated", "airports.csv: completed")
	if n := query(t, database, "SELECT count(*) FROM records WHERE collection = 'airports'"); n[0] == "0" {
		t.Error("the good document beside a broken one was not saved")
	}
}

// runIn returns the id of the run that a failed ingest names.
func runIn(t *testing.T, r result) string {
	t.Helper()
	_, rest, found := strings.Cut(r.stdout, "\n  run ")
	id, _, _ := strings.Cut(rest, ";")
	if !found || id == "" {
		t.Fatalf("no run is named in:\n%s", r.stdout)
	}
	return id
}
