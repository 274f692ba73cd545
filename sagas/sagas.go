// Package sagas holds the sagas that come with Segue, as the files that they
// are: NAME.yaml is a definition, NAME-input.schema.json the schema of its input.
//
//	ingest  fetch -> validate -> parse -> save: a document at a URL becomes rows
package sagas

import (
	"embed"
	"fmt"
	"io/fs"

	"segue/saga"
)

//go:embed *.yaml *.schema.json
var files embed.FS

// Files returns the files of all sagas.
func Files() fs.FS { return files }

// All loads every saga, by file name.
func All() ([]*saga.Definition, error) {
	names, err := fs.Glob(files, "*.yaml")
	if err != nil {
		return nil, fmt.Errorf("list sagas: %w", err) // unreachable: the pattern is legal
	}
	var all []*saga.Definition
	for _, name := range names {
		d, err := load(name)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

// Ingest loads the saga ingest.
func Ingest() (*saga.Definition, error) { return load("ingest.yaml") }

func load(name string) (*saga.Definition, error) {
	text, err := files.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read saga: %w", err)
	}
	d, err := saga.Load(name, text, files.ReadFile)
	if err != nil {
		return nil, fmt.Errorf("load saga %s: %w", name, err)
	}
	return d, nil
}
