package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"segue/schemas"
	"segue/services/validator/validate"
	"segue/tableschema"
)

type schemaCommand struct {
	Put  schemaPutCommand  `cmd:"" help:"Register a schema."`
	Ls   schemaLsCommand   `cmd:"" help:"List the schemas that are registered."`
	Show schemaShowCommand `cmd:"" help:"Write the text of a schema."`
}

type schemaPutCommand struct {
	Name string `arg:"" name:"name" help:"NAME for its next version, or NAME@VERSION."`
	File string `arg:"" type:"existingfile" help:"A JSON Schema, or a Table Schema for CSV."`
}

// Help teaches the rest.
func (schemaPutCommand) Help() string {
	return `A schema with a list of fields is taken for a Table Schema, any other for a JSON Schema;
one that cannot be used is refused. Versions are numbers from 1. What is registered never
changes, so that a run which names it means the same for ever; registering the same text
again as the version it has is no error.
  segue schema put order order.schema.json
  segue ingest --schema order@1 https://example.org/orders.json`
}

func (c *schemaPutCommand) Run(ctx context.Context, g *globals) error {
	text, err := os.ReadFile(c.File)
	if err != nil {
		return fmt.Errorf("read schema: %w", err)
	}
	kind, err := checkSchema(text)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	sys, err := attach(ctx, g)
	if err != nil {
		return err
	}
	defer sys.Close()
	ref, err := register(ctx, sys, c.Name, text)
	if err != nil {
		return err
	}
	if g.JSON {
		return json.NewEncoder(os.Stdout).Encode(map[string]string{"schema": ref.String(), "kind": kind})
	}
	_, err = fmt.Printf("%s registered as %s\n", kind, ref)
	return err
}

// checkSchema says what kind of schema a text is, or why it cannot be used.
func checkSchema(text []byte) (kind string, err error) {
	var table struct {
		Fields []json.RawMessage `json:"fields"`
	}
	if json.Unmarshal(text, &table) == nil && table.Fields != nil {
		_, err = tableschema.Load(text)
		return "Table Schema", err
	}
	return "JSON Schema", validate.CheckSchema(text)
}

// maxRaces bounds how often the next version is looked for because another has
// registered one meanwhile.
const maxRaces = 10

// register puts a schema under name@version, or under the next version of a name.
// A text that the newest version has already gets no other.
func register(ctx context.Context, sys *system, name string, text []byte) (schemas.Ref, error) {
	store, err := sys.Schemas(ctx)
	if err != nil {
		return schemas.Ref{}, err
	}
	if strings.Contains(name, "@") {
		ref, err := schemas.Parse(name)
		if err == nil {
			err = schemas.Put(ctx, store, ref, text)
		}
		return ref, err
	}
	for range maxRaces {
		newest, err := newestVersion(ctx, sys, name)
		if err != nil {
			return schemas.Ref{}, err
		}
		for _, ref := range []schemas.Ref{newest, {Name: name, Version: newest.Version + 1}} {
			if ref.Version == 0 {
				continue
			}
			err = schemas.Put(ctx, store, ref, text)
			if refused := (*schemas.Error)(nil); !errors.As(err, &refused) {
				return ref, err
			}
		}
	}
	return schemas.Ref{}, fmt.Errorf("register schema %s: others register versions of it all the time", name)
}

// newestVersion returns the highest version of a name; it is 0 if there is none.
func newestVersion(ctx context.Context, sys *system, name string) (schemas.Ref, error) {
	newest := schemas.Ref{Name: name}
	if _, err := schemas.Parse(name + "@1"); err != nil {
		return newest, err
	}
	all, err := registered(ctx, sys, name)
	for _, entry := range all {
		newest.Version = max(newest.Version, entry.Ref.Version)
	}
	return newest, err
}

// schemaEntry is a schema in a list.
type schemaEntry struct {
	schemas.Ref
	SHA256 string
	Size   int64
}

// registered lists schemas: all, or those of a name.
func registered(ctx context.Context, sys *system, name string) ([]schemaEntry, error) {
	store, err := sys.Schemas(ctx)
	if err != nil {
		return nil, err
	}
	objects, err := store.List(ctx)
	if err != nil {
		return nil, err
	}
	var list []schemaEntry
	for _, o := range objects {
		ref, err := schemas.Parse(o.Name)
		if err != nil || name != "" && ref.Name != name {
			continue // put there by somebody else, or of another name
		}
		list = append(list, schemaEntry{ref, o.SHA256, o.Size})
	}
	return list, nil
}

type schemaLsCommand struct {
	Name string `arg:"" optional:"" help:"Only versions of this schema."`
}

func (c *schemaLsCommand) Run(ctx context.Context, g *globals) error {
	sys, err := attach(ctx, g)
	if err != nil {
		return err
	}
	defer sys.Close()
	list, err := registered(ctx, sys, c.Name)
	if err != nil {
		return err
	}
	return listSchemas(os.Stdout, g, list)
}

func listSchemas(w io.Writer, g *globals, list []schemaEntry) error {
	if g.JSON {
		out := json.NewEncoder(w)
		for _, e := range list {
			if err := out.Encode(map[string]any{"schema": e.Ref.String(), "name": e.Name, "version": e.Version, "sha256": e.SHA256, "size": e.Size}); err != nil {
				return err
			}
		}
		return nil
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, "no schemas are registered: segue schema put NAME FILE registers one")
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SCHEMA\tSHA256\tBYTES")
	for _, e := range list {
		fmt.Fprintf(table, "%s\t%.12s\t%d\n", e.Ref, e.SHA256, e.Size)
	}
	return table.Flush()
}

type schemaShowCommand struct {
	Schema string `arg:"" help:"NAME@VERSION."`
}

func (c *schemaShowCommand) Run(ctx context.Context, g *globals) error {
	ref, err := schemas.Parse(c.Schema)
	if err != nil {
		return err
	}
	sys, err := attach(ctx, g)
	if err != nil {
		return err
	}
	defer sys.Close()
	store, err := sys.Schemas(ctx)
	if err != nil {
		return err
	}
	text, err := schemas.Get(ctx, store, ref)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(text)
	return err
}
