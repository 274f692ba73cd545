package save

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"

	"github.com/go-json-experiment/json/jsontext"
)

// Recipe is what is done to a document before it is saved: the definition of the
// saga, and what the run was told.
type Recipe struct {
	// Definition is the digest of the saga's definition.
	Definition string `json:"definition"`
	// Input is the input of the run, a JSON object.
	Input json.RawMessage `json:"input"`
}

// notOfRecipe are the fields of a run's input that say where a document is and
// not what is made of it.
var notOfRecipe = []string{"url", "force", "headers", "auth"}

// digest is the SHA-256, in hex, of the canonical JSON of definition and input
// (members in order, no white space, numbers as they are written) without
// notOfRecipe. It is "" without a definition: what is not known is never equal.
func (r Recipe) digest() (string, error) {
	if r.Definition == "" {
		return "", nil
	}
	input := make(map[string]json.RawMessage)
	if len(r.Input) > 0 {
		if err := json.Unmarshal(r.Input, &input); err != nil {
			return "", fmt.Errorf("read recipe: input: %w", err)
		}
	}
	for _, name := range notOfRecipe {
		delete(input, name)
	}
	text, err := json.Marshal(map[string]any{"definition": r.Definition, "input": input})
	if err != nil {
		return "", fmt.Errorf("marshal recipe: %w", err)
	}
	// Numbers stay as they are: RFC 8785 would make all integers beyond 2^53 that
	// have one float64 into one.
	value := jsontext.Value(text)
	if err := value.Format(jsontext.ReorderRawObjects(true), jsontext.CanonicalizeRawInts(false),
		jsontext.CanonicalizeRawFloats(false), jsontext.PreserveRawStrings(false)); err != nil {
		return "", fmt.Errorf("bring recipe into order: %w", err)
	}
	sum := sha256.Sum256(value)
	return hex.EncodeToString(sum[:]), nil
}

// sourceOf is a URL as it is looked up: without user information, which is no
// part of where a document is and must not be kept.
func sourceOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	u.User, u.Fragment, u.RawFragment = nil, "", ""
	return u.String()
}
