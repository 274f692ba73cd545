package containers

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"
)

const (
	// upTimeout is how long everything may take to be built, started and healthy.
	upTimeout = 10 * time.Minute
	// runsTimeout is how long runs may take, across a crash.
	runsTimeout = 2 * time.Minute
	// load is how many documents are under way when a program is killed.
	load = 40
)

// programs are the containers of compose.yaml that run Segue.
var programs = []string{"orchestrator", "fetcher", "validator", "parser", "saver"}

// rig is compose.yaml, up and running.
type rig struct {
	*testing.T
	project string
	server  string // URL of the broker on this machine
	site    string // URL of a web server on this machine that the fetcher may reach
	segue   string // the command
}

func TestCompose(t *testing.T) {
	how := os.Getenv("SEGUE_CONTAINERS")
	if how == "" {
		t.Skip("NOT TESTED: the images and compose.yaml. With a Docker daemon: SEGUE_CONTAINERS=1 go test ./containers, or SEGUE_CONTAINERS=standins without an image registry")
	}
	r := start(t, how == "standins")
	r.checkConfinement()
	r.Run("a document becomes rows", func(t *testing.T) {
		out := r.on(t).must("ingest", r.site+"/todos.json")
		if !strings.Contains(out, "200 records in collection todos (200 new)") {
			t.Errorf("got %s", out)
		}
	})
	r.Run("a zip file larger than what is memory in a container", func(t *testing.T) {
		out := r.on(t).must("ingest", r.site+"/large.zip")
		if !strings.Contains(out, fmt.Sprintf("%d records in collection large (%[1]d new)", largeRows)) {
			t.Errorf("got %s", out)
		}
	})
	r.Run("other private addresses are refused", func(t *testing.T) {
		out, err := r.on(t).client("ingest", "http://10.255.255.1/todos.json")
		if err == nil || !strings.Contains(out, "is private, not public") {
			t.Errorf("%v: %s", err, out)
		}
	})
	r.Run("killed programs", func(t *testing.T) { r.on(t).killUnderLoad() })
	r.Run("no way out of the bus", func(t *testing.T) { r.on(t).checkEgress() })
}

// TestComposeFiles reads the files as docker-compose does, without a daemon.
func TestComposeFiles(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("docker-compose"); err != nil {
		t.Skip("NOT TESTED: whether compose.yaml is valid. Install docker-compose")
	}
	for _, files := range [][]string{{"../compose.yaml"}, {"../compose.yaml", "../compose.postgres.yaml"}} {
		args := []string{"POSTGRES_PASSWORD=secret", "docker-compose"}
		for _, file := range files {
			args = append(args, "--file", file)
		}
		config := command(t, nil, "env", append(args, "config")...)
		for _, name := range programs {
			if !strings.Contains(config, "/"+name) {
				t.Errorf("%v have no %s", files, name)
			}
		}
	}
}

// on returns the rig for a subtest.
func (r *rig) on(t *testing.T) *rig {
	sub := *r
	sub.T = t
	return &sub
}

// start builds the images, brings compose.yaml up and waits until all is healthy.
func start(t *testing.T, standins bool) *rig {
	t.Helper()
	if standins {
		images := append(images(t, "../Dockerfile", `(?m)^FROM (golang:\S+)`), images(t, "../compose.yaml", `image: (nats:\S+)`)...)
		command(t, nil, "./standins.sh", images...)
	}
	r := &rig{T: t, project: fmt.Sprintf("segue-test-%d", os.Getpid()), segue: filepath.Join(t.TempDir(), "segue")}
	command(t, nil, "go", "build", "-o", r.segue, "../cmd/segue")
	gateway := strings.TrimSpace(command(t, nil, "docker", "network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}"))
	r.serve(gateway)
	port := freePort(t)
	r.server = "nats://127.0.0.1:" + port
	t.Setenv("SEGUE_PORT", port)
	t.Setenv("SEGUE_ALLOW_NETS", gateway+"/32")
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(r.compose("logs", "--no-color", "--tail", "30"))
		}
		r.compose("down", "--volumes")
	})
	r.compose("up", "--build", "--detach")
	r.awaitHealthy()
	return r
}

// images returns the names of images that a file speaks of.
func images(t *testing.T, file, pattern string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	match := regexp.MustCompile(pattern).FindSubmatch(text)
	if match == nil {
		t.Fatalf("%s names no image like %s", file, pattern)
	}
	return []string{string(match[1])}
}

// checkConfinement holds what each container has been denied.
func (r *rig) checkConfinement() {
	for _, name := range append([]string{"nats"}, programs...) {
		var found []struct {
			Config     struct{ User string }
			HostConfig struct {
				ReadonlyRootfs    bool
				CapDrop           []string
				SecurityOpt       []string
				Memory, PidsLimit int64
			}
			Mounts          []struct{ Type, Name, Destination string }
			NetworkSettings struct{ Networks map[string]any }
		}
		if err := json.Unmarshal([]byte(command(r.T, nil, "docker", "inspect", r.container(name))), &found); err != nil {
			r.Fatal(err)
		}
		c := found[0]
		h := c.HostConfig
		if !h.ReadonlyRootfs || !slices.Contains(h.CapDrop, "ALL") || h.Memory == 0 || h.PidsLimit == 0 || !strings.Contains(fmt.Sprint(h.SecurityOpt), "no-new-privileges") {
			r.Errorf("%s is not confined: %+v", name, h)
		}
		if name != "nats" && c.Config.User != "65532:65532" {
			r.Errorf("%s runs as user %q", name, c.Config.User)
		}
		if name == "validator" || name == "parser" { // temporary files, of this container alone
			if len(c.Mounts) != 1 || c.Mounts[0].Type != "volume" || c.Mounts[0].Destination != "/data" || strings.HasPrefix(c.Mounts[0].Name, r.project) {
				r.Errorf("%s has mounts %+v", name, c.Mounts)
			}
		}
		_, bus := c.NetworkSettings.Networks[r.project+"_bus"]
		if ways := len(c.NetworkSettings.Networks); !bus || ways != 1 && name != "fetcher" && name != "nats" {
			r.Errorf("%s is on networks %v", name, c.NetworkSettings.Networks)
		}
	}
}

// killUnderLoad kills the saver and the broker while documents are under way.
func (r *rig) killUnderLoad() {
	for i := range load {
		r.must("start", "ingest", fmt.Sprintf(`{"url":"%s/airports.csv","collection":"load-%d"}`, r.site, i))
		if i == load/2 {
			for _, name := range []string{"saver", "nats"} {
				id := r.container(name)
				command(r.T, nil, "docker", "kill", id)
				command(r.T, nil, "docker", "start", id)
			}
			r.awaitHealthy()
		}
	}
	r.eventually("all runs have completed", runsTimeout, func() bool {
		out, err := r.client("ls", "--status", "completed", "--limit", "0", "--json")
		return err == nil && strings.Count(out, "\n") == load+2 // and those of the tests before
	})
	r.compose("stop", "saver") // so that the copy is whole
	defer r.compose("start", "saver")
	folder := r.TempDir()
	command(r.T, nil, "docker", "cp", strings.TrimSpace(r.compose("ps", "--all", "--quiet", "saver"))+":/data/.", folder)
	db, err := sql.Open("sqlite", filepath.Join(folder, "segue.db"))
	if err != nil {
		r.Fatal(err)
	}
	defer db.Close()
	var collections, rows int
	if err := db.QueryRow(`SELECT count(DISTINCT collection), count(*) FROM records WHERE collection LIKE 'load-%'`).Scan(&collections, &rows); err != nil {
		r.Fatal(err)
	}
	if collections != load || rows != 40*load {
		r.Errorf("%d rows in %d collections, want %d in %d", rows, collections, 40*load, load)
	}
}

// checkEgress fetches what the fetcher itself serves, first from the network
// that has a way out, so that it can be fetched at all, then from the bus.
func (r *rig) checkEgress() {
	ip := strings.TrimSpace(command(r.T, nil, "docker", "inspect", "--format",
		fmt.Sprintf(`{{(index .NetworkSettings.Networks "%s_egress").IPAddress}}`, r.project), r.container("fetcher")))
	ingest := func(network string) (string, error) {
		var err error
		out := command(r.T, &err, "docker", "run", "--rm", "--tmpfs", "/tmp", "--network", r.project+"_"+network, "segue:latest",
			"ingest", "--format", "csv", "--allow-net", ip+"/32", "http://"+ip+":8080/healthz")
		return out, err
	}
	if out, err := ingest("egress"); err != nil {
		r.Errorf("from the network with a way out: %v\n%s", err, out)
	}
	if out, err := ingest("bus"); err == nil || !strings.Contains(out, "fetch failed") {
		r.Errorf("from the bus: %v\n%s", err, out)
	}
}
