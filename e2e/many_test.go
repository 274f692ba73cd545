//go:build linux

package e2e

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestIngestMany ingests a document of many records: a run like any other, in one
// process that takes no more memory for it. 50,000 records, or a million where
// SEGUE_LONG is set.
func TestIngestMany(t *testing.T) {
	if testing.Short() {
		t.Skip("A DOCUMENT OF MANY RECORDS WAS NOT TRIED: run without -short")
	}
	t.Parallel()
	const most = 384 << 10 // KiB; a million records are 83 MiB, and several times that once taken apart
	records := 50_000
	if os.Getenv("SEGUE_LONG") != "" {
		records = 1_000_000
	}
	at := job{dir: t.TempDir()}
	writeRecords(t, filepath.Join(at.dir, "many.ndjson"), records)
	segue, begin := program(t, "segue"), time.Now()
	r := at.run(t, segue, "ingest", "many.ndjson", "--key", "/id").
		want(t, 0, fmt.Sprintf("%d records in collection many (%d new)", records, records))
	t.Logf("%d records in %v, with at most %d MiB", records, time.Since(begin).Round(time.Millisecond), r.usage.Maxrss>>10)
	if r.usage.Maxrss > most {
		t.Errorf("it took %d KiB of memory, want at most %d", r.usage.Maxrss, most)
	}
	database := filepath.Join(at.dir, ".segue", "segue.db")
	if got := query(t, database, "SELECT count(DISTINCT key), sum(json_extract(data, '$.id')) FROM records"); got[0] != fmt.Sprintf("%d|%d", records, records*(records+1)/2) {
		t.Errorf("the database holds %s", got[0])
	}
	at.run(t, segue, "ingest", "many.ndjson", "--key", "/id").want(t, 0, fmt.Sprintf("skipped, its %d records", records))
}

// writeRecords writes a document with a record a line, of 87 bytes or so.
func writeRecords(t *testing.T, path string, n int) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	w := bufio.NewWriter(file)
	for i := range n {
		fmt.Fprintf(w, `{"id":%d,"name":"thing number %d","version":"a","tags":["x","y"],"price":12.5}`+"\n", i+1, i+1)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
}
