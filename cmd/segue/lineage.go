package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"segue/services/saver/save"
)

type lineageCommand struct {
	Collection string `arg:"" help:"Collection of the record."`
	Key        string `arg:"" help:"Key of the record; its position in the document if it was saved without one."`
	Database   string `help:"Where records are saved: sqlite:PATH or postgres://… . Defaults to segue.db in the data directory." env:"SEGUE_DATABASE" placeholder:"URL"`
}

// Help teaches the rest.
func (lineageCommand) Help() string {
	return `Says which bytes, which run and which definition made a row, and who made what
was there before, as far back as saves can be undone. It reads the database and
needs no broker. Examples:
  segue lineage airports 7
  segue lineage people ada@example.org --database postgres://me@db/things`
}

func (c *lineageCommand) Run(ctx context.Context, g *globals) error {
	if c.Database == "" {
		c.Database = "sqlite:" + relative(filepath.Join(g.DataDir, "segue.db"))
	}
	db, err := save.OpenReader(ctx, c.Database)
	if err != nil {
		return fmt.Errorf("%w (--database, --data-dir)", err)
	}
	defer db.Close()
	l, err := db.Lineage(ctx, c.Collection, c.Key)
	if err != nil {
		return err
	}
	if g.JSON {
		err = json.NewEncoder(os.Stdout).Encode(l)
	} else {
		err = showLineage(os.Stdout, l)
	}
	if err == nil && l.Record == nil {
		err = errNotCompleted // the record is gone, which has been said
	}
	return err
}

// showLineage writes a lineage for people: the record and what made it, then a
// line for each save before.
func showLineage(w io.Writer, l save.Lineage) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(table, "%s\t%s\n", name, value)
		}
	}
	line("record", oneLine(l.Collection+" "+l.Key))
	if l.Record == nil {
		line("data", "(it is not there any more)")
	} else {
		line("data", clipEnd(oneLine(string(l.Record)), maxOutput))
	}
	for _, m := range l.Makers {
		if m.Current {
			showMaker(line, m)
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	table = tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SAVED\tRUN\tWHAT\tPOSITION\tDOCUMENT\tURL")
	for _, m := range l.Makers {
		position := "-"
		if m.Position > 0 {
			position = fmt.Sprint(m.Position)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%.12s\t%s\n", m.SavedAt.Format(time.DateTime), m.Run, m.Role, position, m.SHA256, clipEnd(oneLine(m.URL), 60))
	}
	return table.Flush()
}

func showMaker(line func(name, value string), m save.Maker) {
	line("run", fmt.Sprintf("%s, step %s, mode %s", m.Run, m.Step, m.Mode))
	line("saved", m.SavedAt.Format(time.RFC3339))
	line("position", fmt.Sprint(m.Position))
	line("document", fmt.Sprintf("sha256 %s, %d bytes, %s", m.SHA256, m.Size, oneLine(m.MediaType)))
	line("url", oneLine(m.URL))
	if !m.FetchedAt.IsZero() {
		line("fetched", m.FetchedAt.Format(time.RFC3339))
	}
	line("etag", oneLine(m.ETag))
	line("last modified", oneLine(m.LastModified))
	line("definition", m.Definition)
	line("recipe", m.Recipe)
	var versions []string
	for _, program := range slices.Sorted(maps.Keys(m.Versions)) {
		versions = append(versions, program+" "+m.Versions[program])
	}
	line("versions", oneLine(strings.Join(versions, ", ")))
}
