package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// rig is a folder of schemas that are like CycloneDX's but small, and a command that
// takes every licence for MIT and one that nobody knows.
func rig(t *testing.T, bomSchema string) (schemas, identify string) {
	t.Helper()
	schemas, identify = t.TempDir(), filepath.Join(t.TempDir(), "identify")
	for name, text := range map[string]string{
		filepath.Join(schemas, "bom-1.6.schema.json"):   bomSchema,
		filepath.Join(schemas, "spdx.schema.json"):      `{"$schema": "http://json-schema.org/draft-07/schema#", "enum": ["MIT", "Apache-2.0"]}`,
		filepath.Join(schemas, "jsf-0.82.schemax.json"): `{"$schema": "http://json-schema.org/draft-07/schema#"}`,
		identify: `#!/bin/sh
shift; out=$1; shift
{ printf '['; comma=; for f; do printf '%s{"Filepath":"%s","Classifications":[{"Name":"MIT","Confidence":1},{"Name":"Apache-2.0","Confidence":0.5},{"Name":"Copyright","Confidence":1}]}' "$comma" "$f"; comma=,; done; printf ']'; } >"$out"
`,
	} {
		if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return schemas, identify
}

const anyBOM = `{"$schema": "http://json-schema.org/draft-07/schema#", "required": ["bomFormat", "components", "serialNumber"]}`

var made = time.Unix(1e9, 0).UTC()

// TestRun lists what this test is made of, twice.
func TestRun(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	schemas, identify := rig(t, anyBOM)
	var before map[string]string
	for range 2 {
		out := t.TempDir()
		if err := run("v1.2.3", made, schemas, identify, out, []string{self, self}); err != nil {
			t.Fatal(err)
		}
		now := make(map[string]string)
		for _, name := range []string{"sbom.cdx.json", "THIRD_PARTY_LICENSES"} {
			text, err := os.ReadFile(filepath.Join(out, name))
			if err != nil {
				t.Fatal(err)
			}
			now[name] = string(text)
			if before != nil && before[name] != now[name] {
				t.Errorf("%s is another one the second time", name)
			}
		}
		before = now
	}
	var b bom
	if err := json.Unmarshal([]byte(before["sbom.cdx.json"]), &b); err != nil {
		t.Fatal(err)
	}
	if b.Metadata.Component.Version != "v1.2.3" || !b.Metadata.Timestamp.Equal(made) {
		t.Errorf("it is of version %s and made at %s", b.Metadata.Component.Version, b.Metadata.Timestamp)
	}
	if b.Components[0].Name != standard || len(b.Components) != len(b.Dependencies[0].DependsOn) {
		t.Errorf("the first of %d modules is %s; %d are used", len(b.Components), b.Components[0].Name, len(b.Dependencies[0].DependsOn))
	}
	i := slices.IndexFunc(b.Components, func(c component) bool { return c.Name == "github.com/google/uuid" })
	if i < 0 {
		t.Fatal("the module uuid, which this test is made of, is not listed")
	}
	c := b.Components[i]
	if c.PURL != "pkg:golang/github.com/google/uuid@"+c.Version || len(c.Properties) != 1 || !strings.HasPrefix(c.Properties[0].Value, "h1:") {
		t.Errorf("the module uuid is listed as %+v", c)
	}
	if len(c.Licenses) != 1 || c.Licenses[0].License.ID != "MIT" {
		t.Errorf("of a licence that is known, one that is unsure and one that is unknown there are %+v", c.Licenses)
	}
	for _, words := range []string{"github.com/google/uuid " + c.Version, "The Go Authors"} {
		if !strings.Contains(before["THIRD_PARTY_LICENSES"], words) {
			t.Errorf("the licences do not have %q in them", words)
		}
	}
}

// TestRefused holds that what must not be released is told.
func TestRefused(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, schema string
		programs     []string
		want         string
	}{
		{"no program", anyBOM, nil, "no programs"},
		{"no Go program", anyBOM, []string{"main.go"}, "read modules of main.go"},
		{"not what CycloneDX says", `{"$schema": "http://json-schema.org/draft-07/schema#", "required": ["nothing"]}`, []string{self}, "against CycloneDX"},
		{"broken schema", `{`, []string{self}, "read schemas"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			schemas, identify := rig(t, test.schema)
			out := t.TempDir()
			err := run("v1", made, schemas, identify, out, test.programs)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if left, _ := os.ReadDir(out); len(left) > 0 {
				t.Errorf("there is %v all the same", left)
			}
		})
	}
}

func TestFindLicences(t *testing.T) {
	t.Parallel()
	m := module{path: "example.org/m", version: "v1.0.0", dir: t.TempDir()}
	if err := m.findLicences(); err == nil || !strings.Contains(err.Error(), "must not be passed on") {
		t.Errorf("a module without a licence: %v", err)
	}
	for _, name := range []string{"LICENSE", "a/LICENSE-MIT", "a/b/COPYING.txt", "UNLICENSE", "FOO-LICENSE", "testdata/LICENSE", "license.go", "licensing.md"} {
		file := filepath.Join(m.dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.findLicences(); err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, f := range m.files {
		found = append(found, f.name)
	}
	if got, want := fmt.Sprint(found), "[FOO-LICENSE LICENSE UNLICENSE a/LICENSE-MIT a/b/COPYING.txt]"; got != want {
		t.Errorf("found %s, want %s", got, want)
	}
}
