package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// bom is a CycloneDX document, as far as a release needs it.
type bom struct {
	Schema       string       `json:"$schema"`
	Format       string       `json:"bomFormat"`
	SpecVersion  string       `json:"specVersion"`
	SerialNumber string       `json:"serialNumber"`
	Version      int          `json:"version"`
	Metadata     metadata     `json:"metadata"`
	Components   []component  `json:"components"`
	Dependencies []dependency `json:"dependencies"`
}

type metadata struct {
	Timestamp time.Time `json:"timestamp"`
	Component component `json:"component"`
}

type component struct {
	Type       string          `json:"type"`
	Ref        string          `json:"bom-ref"`
	Name       string          `json:"name"`
	Version    string          `json:"version"`
	Licenses   []licenceChoice `json:"licenses,omitempty"`
	PURL       string          `json:"purl,omitempty"`
	Properties []property      `json:"properties,omitempty"`
}

type licenceChoice struct {
	License licenceID `json:"license"`
}

// licenceID is an SPDX id, or where it is not known one a name.
type licenceID struct {
	ID   string `json:"id,omitempty"`
	Name string `json:"name,omitempty"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type dependency struct {
	Ref       string   `json:"ref"`
	DependsOn []string `json:"dependsOn,omitempty"`
}

const (
	bomSchema = "http://cyclonedx.org/schema/bom-1.6.schema.json"
	root      = "segue"
)

// describe returns the document. Its serial number is made of what it says.
func describe(version string, made time.Time, modules []*module) ([]byte, error) {
	b := bom{
		Schema: bomSchema, Format: "CycloneDX", SpecVersion: "1.6", Version: 1,
		Metadata: metadata{made, component{
			Type: "application", Ref: root, Name: "segue", Version: version,
			Licenses: []licenceChoice{{licenceID{ID: "Apache-2.0"}}},
		}},
		Dependencies: []dependency{{Ref: root}},
	}
	for _, m := range modules {
		c := component{Type: "library", Ref: m.purl(), Name: m.path, Version: m.version, PURL: m.purl()}
		for _, id := range m.licences {
			c.Licenses = append(c.Licenses, licenceChoice{licenceID{ID: id}})
		}
		if len(m.licences) == 0 {
			c.Licenses = []licenceChoice{{licenceID{Name: "see THIRD_PARTY_LICENSES"}}}
		}
		if m.sum != "" {
			c.Properties = []property{{"go.sum", m.sum}}
		}
		b.Components = append(b.Components, c)
		b.Dependencies[0].DependsOn = append(b.Dependencies[0].DependsOn, c.Ref)
	}
	text, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("describe the modules: %w", err)
	}
	b.SerialNumber = uuid.NewSHA1(uuid.NameSpaceURL, text).URN()
	if text, err = json.MarshalIndent(b, "", "  "); err != nil {
		return nil, fmt.Errorf("describe the modules: %w", err)
	}
	return append(text, '\n'), nil
}

// rules are what CycloneDX says of its documents.
type rules struct {
	schema   *jsonschema.Schema
	licences []string // SPDX ids, sorted
}

// readRules reads the schemas of CycloneDX from a folder.
func readRules(folder string) (rules, error) {
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	var r rules
	for _, s := range []struct{ id, file string }{
		{bomSchema, "bom-1.6.schema.json"},
		{"http://cyclonedx.org/schema/spdx.schema.json", "spdx.schema.json"},
		{"http://cyclonedx.org/schema/jsf-0.82.schema.json", "jsf-0.82.schemax.json"},
	} {
		text, err := os.ReadFile(filepath.Join(folder, s.file))
		if err != nil {
			return r, fmt.Errorf("read schemas of CycloneDX: %w", err)
		}
		schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err == nil {
			err = c.AddResource(s.id, schema)
		}
		if err != nil {
			return r, fmt.Errorf("read schemas of CycloneDX: %s: %w", s.file, err)
		}
		if s.file == "spdx.schema.json" {
			var spdx struct{ Enum []string }
			if err := json.Unmarshal(text, &spdx); err != nil {
				return r, fmt.Errorf("read schemas of CycloneDX: %s: %w", s.file, err)
			}
			r.licences = slices.Sorted(slices.Values(spdx.Enum))
		}
	}
	var err error
	if r.schema, err = c.Compile(bomSchema); err != nil {
		return r, fmt.Errorf("read schemas of CycloneDX: %w", err)
	}
	return r, nil
}

// licence says whether a name is an SPDX id.
func (r rules) licence(name string) bool {
	_, found := slices.BinarySearch(r.licences, name)
	return found
}

// check says what is wrong with a document.
func (r rules) check(text []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err == nil {
		err = r.schema.Validate(value)
	}
	if err != nil {
		return fmt.Errorf("check the list of modules against CycloneDX 1.6: %w", err)
	}
	return nil
}
