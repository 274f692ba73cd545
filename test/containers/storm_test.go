package containers

import (
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
)

// documents is how many are under way while containers are killed.
const documents = 500

// rowsOf are the records of a document that the site makes up, spelled as jsonb
// spells them.
func rowsOf(path string) (rows []string) {
	number := 0
	_, _ = fmt.Sscanf(path, "/load/%d.ndjson", &number)
	for i := range 1 + number%7 {
		rows = append(rows, fmt.Sprintf(`{"id": "%d-%d", "text": "row %d of %s", "document": %d}`, number, i, i, path, number))
	}
	return rows
}

// storm has documents fetched and saved while containers are killed, stopped and
// added, and compares the rows with those of the documents.
func (r *rig) storm() {
	completed := func() int {
		out, err := r.client("ls", "--saga", "ingest", "--status", "completed", "--limit", "0", "--json")
		if err != nil {
			return 0
		}
		return strings.Count(out, "\n")
	}
	before, begin := completed(), time.Now()
	done := []string{}
	note := func(what string) {
		done = append(done, fmt.Sprintf("| %3d s | %s |", int(time.Since(begin).Seconds()), what))
	}
	kill := func(name string) func() {
		return func() {
			id := r.container(name)
			command(r.T, nil, "docker", "kill", id)
			command(r.T, nil, "docker", "start", id)
			note(name + " is killed and started")
		}
	}
	events := map[int]func(){
		50: kill("fetcher"), 100: kill("saver"), 150: kill("nats"), 200: kill("orchestrator"), 250: kill("postgres"),
		300: func() {
			r.awaitHealthy() // or compose would not go on
			r.compose("up", "--detach", "--no-recreate", "--scale", "fetcher=3", "--scale", "parser=2")
			note("scaled to 3 fetchers and 2 parsers")
		},
		350: kill("validator"), 400: kill("fetcher"),
		450: func() { r.compose("restart", "orchestrator"); note("both orchestrators are restarted") },
	}
	for i := range documents {
		if event := events[i]; event != nil {
			event()
		}
		r.eventually("a start is taken", runsTimeout, func() bool { // the broker may just be away
			_, err := r.client("start", "ingest", "--id", fmt.Sprint(i), fmt.Sprintf(`{"url":"%s/load/%d.ndjson","collection":"load","key":"/id"}`, r.site, i))
			return err == nil
		})
	}
	note(fmt.Sprintf("%d documents are started", documents))
	r.eventually("all runs have completed", runsTimeout, func() bool { return completed() == before+documents })
	note("all of them have completed")
	r.awaitHealthy()

	var want []string
	for i := range documents {
		want = append(want, rowsOf(fmt.Sprintf("/load/%d.ndjson", i))...)
	}
	have := r.rows("load")
	slices.Sort(want)
	slices.Sort(have)
	if diff := cmp.Diff(want, have); diff != "" {
		r.Errorf("other rows than were sent (-want +have):\n%s", diff)
	} else {
		note(fmt.Sprintf("%d rows are there, each once and as it was sent", len(have)))
	}
	for i, fetcher := range strings.Fields(r.compose("ps", "--quiet", "fetcher")) {
		done := strings.Count(command(r.T, nil, "docker", "logs", fetcher), `"attempt completed"`)
		if done == 0 {
			r.Errorf("fetcher %d has fetched nothing", i+1)
		}
		note(fmt.Sprintf("fetcher %d has fetched %d documents", i+1, done))
	}
	r.Logf("what was done, and when:\n\n| after | what |\n|---|---|\n%s\n", strings.Join(done, "\n"))
	r.Logf("containers: %s", strings.Join(slices.Sorted(maps.Keys(r.all())), ", "))
}

// rows returns the records of a collection, from PostgreSQL, with the saver's own password.
func (r *rig) rows(collection string) (rows []string) {
	folder := r.TempDir()
	command(r.T, nil, "docker", "cp", strings.TrimSpace(r.compose("ps", "--all", "--quiet", "keys"))+":/keys/postgres/password", folder)
	password, err := os.ReadFile(filepath.Join(folder, "password"))
	if err != nil {
		r.Fatal(err)
	}
	at := url.URL{Scheme: "postgres", User: url.UserPassword("segue", strings.TrimSpace(string(password))), Host: r.address("postgres", "database") + ":5432", Path: "/segue"}
	db, err := pgx.Connect(r.Context(), at.String())
	if err != nil {
		r.Fatal(err)
	}
	defer db.Close(r.Context())
	found, err := db.Query(r.Context(), `SELECT data::text FROM records WHERE collection = $1`, collection)
	if err != nil {
		r.Fatal(err)
	}
	if rows, err = pgx.CollectRows(found, pgx.RowTo[string]); err != nil {
		r.Fatal(err)
	}
	return rows
}
