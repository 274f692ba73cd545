package containers

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// large.zip has rows of a megabyte each, more than /tmp of a container holds.
const largeRows = 24

// large is large.zip.
func large(t *testing.T) []byte {
	t.Helper()
	var file bytes.Buffer
	w := zip.NewWriter(&file)
	member, err := w.CreateHeader(&zip.FileHeader{Name: "large.csv", Method: zip.Store})
	if err == nil {
		_, err = io.WriteString(member, "id,text\n")
	}
	for i := 0; i < largeRows && err == nil; i++ {
		_, err = fmt.Fprintf(member, "%d,%s\n", i, strings.Repeat("x", 1<<20-1))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// serve serves the examples, and large.zip, to containers.
func (r *rig) serve(host string) {
	r.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		r.Fatal(err)
	}
	zipped := large(r.T)
	site := http.NewServeMux()
	site.Handle("/", http.FileServer(http.Dir("../../examples")))
	site.HandleFunc("/load/", func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Content-Type", "application/x-ndjson")
		for _, row := range rowsOf(q.URL.Path) {
			fmt.Fprintln(w, row)
		}
	})
	site.HandleFunc("/large.zip", func(w http.ResponseWriter, q *http.Request) {
		http.ServeContent(w, q, "large.zip", time.Time{}, bytes.NewReader(zipped))
	})
	server := &http.Server{Handler: site}
	go server.Serve(listener) //nolint:errcheck // it ends with the test
	r.Cleanup(func() { server.Close() })
	r.site = "http://" + listener.Addr().String()
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// command runs a command to its end and returns what it prints. The test fails
// if it fails, unless failed takes the error.
func command(t *testing.T, failed *error, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), upTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if failed != nil {
		*failed = err
	} else if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// compose runs docker-compose 1.29, else docker compose.
func (r *rig) compose(args ...string) string {
	r.Helper()
	return r.tryCompose(nil, args...)
}

func (r *rig) tryCompose(failed *error, args ...string) string {
	r.Helper()
	args = slices.Concat(r.files, []string{"--project-name", r.project}, args)
	if _, err := exec.LookPath("docker-compose"); err == nil {
		return command(r.T, failed, "docker-compose", args...)
	}
	return command(r.T, failed, "docker", append([]string{"compose"}, args...)...)
}

// remove takes away what compose.yaml has brought up. An engine may still count the
// containers that it has just removed as endpoints of their network, and refuse: it
// is asked again. What stays for all that is the engine's, and is only told.
func (r *rig) remove() {
	r.Helper()
	const patience = time.Minute
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for deadline := time.Now().Add(patience); ; <-ticker.C {
		var failed error
		out := r.tryCompose(&failed, "down", "--volumes")
		switch {
		case failed == nil:
			return
		case time.Now().After(deadline):
			r.Logf("NOT REMOVED within %s: what is left of %s: %v\n%s", patience, r.project, failed, out)
			return
		}
	}
}

// container returns the id of a container, one of its kind.
func (r *rig) container(name string) string {
	r.Helper()
	id, _, _ := strings.Cut(strings.TrimSpace(r.compose("ps", "--quiet", name)), "\n")
	return id
}

// address returns the address of a container, one of its kind, on a network.
func (r *rig) address(name, network string) string {
	r.Helper()
	format := fmt.Sprintf(`{{(index .NetworkSettings.Networks "%s_%s").IPAddress}}`, r.project, network)
	return strings.TrimSpace(command(r.T, nil, "docker", "inspect", "--format", format, r.container(name)))
}

// all returns the ids of all containers that go on, by kind and number.
func (r *rig) all() map[string]string {
	r.Helper()
	all := make(map[string]string)
	for _, name := range append([]string{"nats", "postgres"}, slices.Sorted(maps.Keys(programs))...) {
		for i, id := range strings.Fields(r.compose("ps", "--quiet", name)) {
			all[fmt.Sprintf("%s %d", name, i+1)] = id
		}
	}
	return all
}

// kind is what a name that all returns begins with.
func kind(name string) string {
	kind, _, _ := strings.Cut(name, " ")
	return kind
}

// client runs the segue command against the broker.
func (r *rig) client(args ...string) (string, error) {
	var err error
	out := command(r.T, &err, r.segue, append([]string{"--server", r.server, "--nkey", r.key, "--inbox-prefix", "_INBOX_operator"}, args...)...)
	return out, err
}

// must is client for what has to succeed.
func (r *rig) must(args ...string) string {
	r.Helper()
	out, err := r.client(args...)
	if err != nil {
		r.Fatalf("segue %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// eventually asks until the answer is yes.
func (r *rig) eventually(what string, timeout time.Duration, ask func() bool) {
	r.Helper()
	ticker := time.NewTicker(500 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(timeout); !ask(); <-ticker.C {
		if time.Now().After(deadline) {
			r.Fatalf("%s: not within %s", what, timeout)
		}
	}
}

func (r *rig) awaitHealthy() {
	r.Helper()
	want := 2 // the broker and PostgreSQL
	for _, n := range programs {
		want += n
	}
	r.eventually("all is healthy", upTimeout, func() bool {
		all := r.all()
		for _, id := range all {
			if strings.TrimSpace(command(r.T, nil, "docker", "inspect", "--format", "{{.State.Health.Status}}", id)) != "healthy" {
				return false
			}
		}
		return len(all) >= want
	})
}
