package validate_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"segue/participant"
	"segue/services/validator/validate"
)

const suiteDir = "../../../../shared/testdata/json-schema-test-suite"

// TestJSONSchemaSuite sends every required test of the official suite through the
// handler: the instance as a document in the store, the schema in the command.
func TestJSONSchemaSuite(t *testing.T) {
	if _, err := os.Stat(suiteDir); err != nil {
		t.Skipf("the JSON Schema test suite is not at %s, so draft 2020-12 and 7 are NOT tested: put a checkout of json-schema-org/JSON-Schema-Test-Suite there", suiteDir)
	}
	f := newFixture(t, validate.Config{KnownSchemas: remotes(t)})
	for _, draft := range []struct {
		name, uri string
		tests     int
	}{
		{"draft2020-12", "", 1299},
		{"draft7", "http://json-schema.org/draft-07/schema#", 927},
	} {
		t.Run(draft.name, func(t *testing.T) {
			t.Parallel()
			files, err := filepath.Glob(filepath.Join(suiteDir, "tests", draft.name, "*.json"))
			if err != nil {
				t.Fatal(err)
			}
			tests, failed := 0, 0
			for _, file := range files {
				n, bad := f.suiteFile(t, file, draft.uri)
				tests, failed = tests+n, failed+bad
			}
			t.Logf("%s: %d of %d required tests pass", draft.name, tests-failed, tests)
			if tests != draft.tests {
				t.Errorf("the suite has %d tests, want %d", tests, draft.tests)
			}
		})
	}
}

func (f fixture) suiteFile(t *testing.T, file, draft string) (tests, failed int) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var groups []struct {
		Description string
		Schema      json.RawMessage
		Tests       []struct {
			Description string
			Data        json.RawMessage
			Valid       bool
		}
	}
	if err := json.Unmarshal(text, &groups); err != nil {
		t.Fatal(err)
	}
	for _, group := range groups {
		schema := withDraft(t, group.Schema, draft)
		for _, test := range group.Tests {
			tests++
			_, err := f.check(string(test.Data), validate.Input{Format: validate.JSON, Schema: schema})
			var e *participant.Error
			if violated := errors.As(err, &e) && e.Code == validate.CodeSchemaViolated; violated == test.Valid || err != nil && !violated {
				failed++
				t.Errorf("%s: %s: %s: got %v, want valid %v", filepath.Base(file), group.Description, test.Description, err, test.Valid)
			}
		}
	}
	return tests, failed
}

// withDraft says which draft a schema is in, if it does not itself. The suite
// leaves that to whoever runs it; a command has only $schema for it.
func withDraft(t *testing.T, schema json.RawMessage, draft string) json.RawMessage {
	t.Helper()
	var object map[string]json.RawMessage
	if draft == "" || json.Unmarshal(schema, &object) != nil || object["$schema"] != nil {
		return schema
	}
	object["$schema"] = json.RawMessage(`"` + draft + `"`)
	text, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// remotes are the schemas that the suite expects at http://localhost:1234.
func remotes(t *testing.T) map[string][]byte {
	t.Helper()
	schemas := make(map[string][]byte)
	dir := filepath.Join(suiteDir, "remotes")
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".json") {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		schemas["http://localhost:1234/"+filepath.ToSlash(name)], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return schemas
}
