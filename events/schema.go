package events

import (
	"embed"
	"strings"
)

// schemas holds a JSON Schema for each event type, one file a type.
//
//go:embed schemas/*.json
var schemas embed.FS

// Schema returns the JSON Schema (draft 2020-12) of the data of an event type of
// this package, and false for any other type. Its $id is "segue:schema:" and the
// type. The bytes belong to the caller.
//
// A schema says what a sender writes. Readers ignore members that it does not
// name, since later senders of the same version may add some.
//
// Segue sends no attribute dataschema: the type names its schema already, and
// the attribute would add some 50 bytes to each message of each run to say so
// again.
func Schema(eventType string) ([]byte, bool) {
	b, err := schemas.ReadFile("schemas/" + eventType + ".json")
	return b, err == nil
}

// Types returns the event types of this package, sorted.
func Types() []string {
	files, err := schemas.ReadDir("schemas")
	if err != nil {
		panic(err) // unreachable: the folder is part of the program
	}
	types := make([]string, len(files))
	for i, f := range files {
		types[i] = strings.TrimSuffix(f.Name(), ".json")
	}
	return types
}
