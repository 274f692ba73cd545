package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"segue/events"
	"segue/sagas"
)

type ingestCommand struct {
	Documents  []string `arg:"" name:"document" help:"Files or http(s) URLs."`
	Format     string   `help:"Format of the documents: json, ndjson, csv, xml or parquet. Detected if not given." enum:",json,ndjson,csv,xml,parquet" default:"" placeholder:"FORMAT"`
	Member     string   `help:"Which member of a zip archive is the document." placeholder:"NAME"`
	Records    *string  `help:"JSON pointer to the array of records in a JSON document; in XML the path of their elements, such as /feed/entry." placeholder:"POINTER"`
	Schema     string   `help:"JSON Schema that the documents must fit: a file, or NAME@VERSION of a registered one." placeholder:"FILE"`
	Table      string   `help:"Table Schema that the rows of CSV must fit, and that gives their values types: a file, or NAME@VERSION." placeholder:"FILE"`
	Transform  string   `help:"jq program that makes records of each record; @FILE reads it from a file." placeholder:"JQ"`
	Collection string   `help:"Collection for the records. Defaults to the name of the document." placeholder:"NAME"`
	Key        *string  `help:"JSON pointer to the key in a record. Defaults to the record's position." placeholder:"POINTER"`
	Mode       string   `help:"What becomes of records that are there: append adds beside them, upsert replaces those with the same key, replace puts the document in the place of the collection." enum:",append,upsert,replace" default:"" placeholder:"MODE"`
	Columns    string   `help:"File of JSON that declares typed columns of the collection: {\"price\": {\"type\": \"decimal\"}}." placeholder:"FILE"`
	Bearer     string   `help:"Name of a secret of the fetcher to send as a bearer token." placeholder:"SECRET"`
	Force      bool     `help:"Do all of it although the document is saved already."`
	Robots     bool     `help:"Leave alone what the robots.txt of the host forbids."`

	serviceFlags
}

// Help teaches the rest.
func (ingestCommand) Help() string {
	return `Examples:
  segue ingest examples/todos.json examples/airports.csv
  segue ingest https://example.org/people.ndjson --collection people --key /id

Records are upserted into table "records" by collection and key. A document that
is refused leaves nothing behind; one that is saved already, as it is and in the
same way, is skipped. With --server, or while "segue up" runs on the
same data directory, the services there do the work, and files must lie where
their --allow-files permits.`
}

func (c *ingestCommand) Run(ctx context.Context, g *globals) error {
	starts, files, err := c.starts()
	if err != nil {
		return err
	}
	sys, err := attach(ctx, g)
	if err != nil {
		return err
	}
	defer sys.Close()
	if sys.local() {
		c.AllowFiles = append(c.AllowFiles, files...) // named on the command line: that is permission
		definitions, err := sagas.All()
		if err != nil {
			return err
		}
		if ctx, err = sys.work(ctx, g, engineFlags{}, &c.serviceFlags, nil, definitions); err != nil {
			return err
		}
	}
	info, err := sys.Journal.Info(ctx)
	if err != nil {
		return err
	}
	for i := range starts {
		if err := publish(ctx, sys.Bus, "ingest", &starts[i]); err != nil {
			return err
		}
	}
	failed := await(ctx, g, sys.Bus, info.Last, starts, os.Stdout)
	if err := sys.failure(); err != nil {
		return err
	}
	if !g.JSON && sys.local() && failed == nil {
		sayWhere(os.Stdout, sys.database)
	}
	return failed
}

// starts makes a start of each document, and lists the folders of those that
// are files.
func (c *ingestCommand) starts() (starts []start, folders []string, err error) {
	base, err := c.input()
	if err != nil {
		return nil, nil, err
	}
	for _, document := range c.Documents {
		input := make(map[string]any, len(base)+1)
		for k, v := range base {
			input[k] = v
		}
		location := document
		if u, err := url.Parse(document); err != nil || len(u.Scheme) < 2 { // a drive letter is no scheme
			path, err := filepath.Abs(document)
			if err != nil {
				return nil, nil, fmt.Errorf("find %s: %w", document, err)
			}
			if _, err := os.Stat(path); err != nil {
				return nil, nil, fmt.Errorf("find document: %w", err)
			}
			folders = append(folders, filepath.Dir(path))
			location = (&url.URL{Scheme: "file", Path: filepath.ToSlash(path)}).String()
		}
		input["url"] = location
		starts = append(starts, start{name: oneLine(filepath.Base(document)), event: events.Event{
			ID: events.NewStartID(), Source: events.Client, Data: events.MarshalData(input),
		}})
	}
	return starts, folders, nil
}

// input returns what the inputs of all documents have in common.
func (c *ingestCommand) input() (map[string]any, error) {
	input := make(map[string]any)
	set := func(key, value string) {
		if value != "" {
			input[key] = value
		}
	}
	set("format", c.Format)
	set("member", c.Member)
	set("collection", c.Collection)
	set("mode", c.Mode)
	if c.Force {
		input["force"] = true
	}
	if c.Robots {
		input["robots"] = true
	}
	if c.Bearer != "" {
		input["auth"] = map[string]any{"bearer": map[string]any{"secret": c.Bearer}}
	}
	if c.Records != nil {
		input["records"] = *c.Records
	}
	if c.Key != nil {
		input["key"] = *c.Key
	}
	if file, isFile := strings.CutPrefix(c.Transform, "@"); isFile {
		program, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read transform: %w", err)
		}
		c.Transform = string(program)
	}
	set("transform", c.Transform)
	for name, value := range map[string]string{"schema": c.Schema, "table": c.Table, "columns": c.Columns} {
		if err := describe(input, name, value); err != nil {
			return nil, err
		}
	}
	return input, nil
}

// reference is how something registered is named, in one version.
var reference = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_-]*@[0-9]+$`)

// describe puts what a file of JSON holds into the input, or the reference to what
// is registered.
func describe(input map[string]any, name, value string) error {
	if value == "" {
		return nil
	}
	text, err := os.ReadFile(value)
	switch {
	case errors.Is(err, fs.ErrNotExist) && reference.MatchString(value):
		input[name] = value
		return nil
	case err != nil:
		return fmt.Errorf("read %s: %w", name, err)
	case !json.Valid(text):
		return fmt.Errorf("%s %s is not JSON", name, value)
	}
	input[name] = json.RawMessage(text)
	return nil
}

// maxOutput is how much of a run's output stands in its line, in characters.
const maxOutput = 200

// summary says what a run's output tells: what saving came to, or what it is.
func summary(output json.RawMessage) string {
	var o struct {
		Collection string `json:"collection"`
		Total      *int64 `json:"total"`
		Inserted   int64  `json:"inserted"`
		Updated    int64  `json:"updated"`
		Unchanged  int64  `json:"unchanged"`
		Deleted    int64  `json:"deleted"`
		Skipped    bool   `json:"skipped"`
		Run        string `json:"run"`
	}
	switch {
	case len(output) == 0:
		return ""
	case json.Unmarshal(output, &o) != nil || o.Total == nil:
		return ": " + clipEnd(oneLine(string(output)), maxOutput)
	case o.Skipped:
		return fmt.Sprintf(": skipped, its %d records are in collection %s as run %s saved them", *o.Total, oneLine(o.Collection), oneLine(o.Run))
	}
	text := fmt.Sprintf(": %d records in collection %s", *o.Total, oneLine(o.Collection))
	if o.Inserted+o.Updated+o.Deleted == 0 {
		return text + ", nothing changed: all were there already"
	}
	var parts []string
	for _, p := range []struct {
		n    int64
		what string
	}{{o.Inserted, "new"}, {o.Updated, "changed"}, {o.Unchanged, "unchanged"}, {o.Deleted, "removed"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	return text + " (" + strings.Join(parts, ", ") + ")"
}

// sayWhere says where the rows are and how to look at them.
func sayWhere(w io.Writer, database string) {
	path, isSQLite := strings.CutPrefix(database, "sqlite:")
	if !isSQLite {
		fmt.Fprintf(w, "the rows are in %s, table records\n", database)
		return
	}
	fmt.Fprintf(w, "the rows are in %s, table records:\n  sqlite3 %s 'select collection, count(*) from records group by 1'\n", path, path)
}
