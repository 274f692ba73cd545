package containers

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	// upTimeout is how long everything may take to be built, started and healthy.
	upTimeout = 20 * time.Minute
	// runsTimeout is how long runs may take, across crashes.
	runsTimeout = 3 * time.Minute
)

// programs are the containers of compose.yaml that run Segue, and how many of each.
var programs = map[string]int{"orchestrator": 2, "fetcher": 1, "validator": 1, "parser": 1, "saver": 1}

// rig is compose.yaml, up and running.
type rig struct {
	*testing.T
	project string
	files   []string // flags of docker-compose that name the files
	server  string   // URL of the broker on this machine
	site    string   // URL of a web server here that the fetcher may reach
	segue   string   // the command
	key     string   // file with the operator's key
}

func TestCompose(t *testing.T) {
	how := os.Getenv("SEGUE_CONTAINERS")
	if how == "" {
		t.Skip("NOT TESTED: the images and compose.yaml. With a Docker daemon: SEGUE_CONTAINERS=1 go test ./test/containers, or SEGUE_CONTAINERS=standins without an image registry")
	}
	r := start(t, how == "standins")
	r.Run("these containers and no others", func(t *testing.T) { r.on(t).checkContainers() })
	r.Run("each is confined", func(t *testing.T) { r.on(t).checkConfinement() })
	r.Run("each image is one static program", func(t *testing.T) { r.on(t).checkImages() })
	r.Run("a document becomes rows", func(t *testing.T) {
		out := r.on(t).compose("run", "--rm", "-T", "segue", "ingest", r.site+"/todos.json")
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
	r.Run("500 documents under way", func(t *testing.T) { r.on(t).storm() })
	r.Run("no way from one network to another", func(t *testing.T) { r.on(t).checkNetworks() })
	r.Run("TLS by option", func(t *testing.T) { r.on(t).checkTLS() })
}

// TestComposeFiles reads the files as docker-compose does, without a daemon.
func TestComposeFiles(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("docker-compose"); err != nil {
		t.Skip("NOT TESTED: whether compose.yaml is valid. Install docker-compose")
	}
	for _, files := range [][]string{{"--file", composeFile}, {"--file", composeFile, "--file", tlsFile}} {
		command(t, nil, "docker-compose", append(files, "config", "--quiet")...)
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
		command(t, nil, "./base-images", image(t, "../../Dockerfile", `(?m)^FROM .*(golang:\S+)`),
			image(t, composeFile, `image: (nats:\S+)`), image(t, composeFile, `image: (postgres:\S+)`))
	}
	r := &rig{T: t, files: []string{"--file", composeFile}, project: fmt.Sprintf("segue-test-%d", os.Getpid()), segue: filepath.Join(t.TempDir(), "segue")}
	command(t, nil, "go", "build", "-o", r.segue, "../../cmd/segue")
	gateway := bridgeAddress(t)
	r.serve(gateway)
	port := freePort(t)
	r.server = "nats://127.0.0.1:" + port
	t.Setenv("SEGUE_PORT", port)
	t.Setenv("SEGUE_ALLOW_NETS", gateway+"/32")
	t.Setenv("SEGUE_ALLOW_PORTS", r.site[strings.LastIndex(r.site, ":")+1:])
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(r.compose("logs", "--no-color", "--tail", "30"))
		}
		r.remove()
	})
	r.compose("up", "--build", "--detach")
	r.awaitHealthy()
	r.key = filepath.Join(t.TempDir(), "user.nk")
	command(t, nil, "docker", "cp", strings.TrimSpace(r.compose("ps", "--all", "--quiet", "keys"))+":/keys/operator/user.nk", r.key)
	return r
}

// composeFile is the one that is tested, as it is; tlsFile goes with it.
const composeFile, tlsFile = "../../compose.yaml", "../../compose.tls.yaml"

// image returns the name of an image that a file speaks of.
func image(t *testing.T, file, pattern string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	match := regexp.MustCompile(pattern).FindSubmatch(text)
	if match == nil {
		t.Fatalf("%s names no image like %s", file, pattern)
	}
	return string(match[1])
}

// checkContainers holds that compose.yaml brings up what it should and nothing else.
func (r *rig) checkContainers() {
	want := []string{"keys exited", "nats running", "postgres running"} // the keys were made, and that is all
	for name, n := range programs {
		want = append(want, slices.Repeat([]string{name + " running"}, n)...)
	}
	slices.Sort(want)
	have := strings.Split(strings.TrimSpace(command(r.T, nil, "docker", "ps", "--all", "--filter", "label=com.docker.compose.project="+r.project,
		"--format", `{{.Label "com.docker.compose.service"}} {{.State}}`)), "\n")
	slices.Sort(have)
	if diff := cmp.Diff(want, have); diff != "" {
		r.Errorf("other containers (-want +have):\n%s", diff)
	}
}

// checkConfinement holds what each container has been denied.
func (r *rig) checkConfinement() {
	for name, container := range r.all() {
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
		if err := json.Unmarshal([]byte(command(r.T, nil, "docker", "inspect", container)), &found); err != nil {
			r.Fatal(err)
		}
		c, name := found[0], kind(name)
		h := c.HostConfig
		if !h.ReadonlyRootfs || !slices.Contains(h.CapDrop, "ALL") || h.Memory == 0 || h.PidsLimit == 0 || !strings.Contains(fmt.Sprint(h.SecurityOpt), "no-new-privileges") {
			r.Errorf("%s is not confined: %+v", name, h)
		}
		if user := c.Config.User; user != "65532:65532" && (name != "postgres" || user != "postgres") {
			r.Errorf("%s runs as user %q", name, user)
		}
		for _, m := range c.Mounts {
			volume := strings.TrimPrefix(m.Name, r.project+"_")
			allowed := volume == "keys-"+name && m.Destination == "/keys"
			switch name {
			case "nats":
				allowed = volume == "keys-broker" || volume == "journal" || m.Type == "bind" && m.Destination == "/etc/nats/segue.conf"
			case "postgres":
				allowed = allowed || volume == "rows"
			case "validator", "parser": // temporary files, of this container alone
				allowed = allowed || m.Destination == "/data" && volume == m.Name
			}
			if !allowed {
				r.Errorf("%s has mount %+v", name, m)
			}
		}
		var ways []string
		for way := range c.NetworkSettings.Networks {
			ways = append(ways, strings.TrimPrefix(way, r.project+"_"))
		}
		slices.Sort(ways)
		want := []string{"bus"}
		if more, ok := map[string][]string{"fetcher": {"bus", "egress"}, "saver": {"bus", "database"}, "nats": {"bus", "host"}, "postgres": {"database"}}[name]; ok {
			want = more
		}
		if !slices.Equal(ways, want) {
			r.Errorf("%s is on networks %v, want %v", name, ways, want)
		}
	}
}

// checkTLS has the system take up TLS: programs find each other, and who comes without
// a certificate is turned away.
func (r *rig) checkTLS() {
	r.files = append(r.files, "--file", tlsFile)
	r.compose("up", "--detach")
	r.awaitHealthy()
	if out := r.compose("run", "--rm", "-T", "segue", "ingest", r.site+"/airports.csv"); !strings.Contains(out, "40 records in collection airports (40 new)") {
		r.Errorf("with TLS: %s", out)
	}
	if out, err := r.client("ls"); err == nil || !strings.Contains(out, "TLS") && !strings.Contains(out, "certificate") {
		r.Errorf("without TLS: %v: %s", err, out)
	}
}

// checkNetworks holds who reaches whom, from a container of its own on each network.
func (r *rig) checkNetworks() {
	fetcher, postgres := r.address("fetcher", "egress")+":8080", r.address("postgres", "database")+":5432"
	for _, way := range []struct {
		network, address string
		open             bool
	}{
		{"egress", fetcher, true}, {"database", postgres, true}, // what is asked for is there
		{"bus", fetcher, false}, {"bus", postgres, false}, {"egress", postgres, false}, {"database", fetcher, false},
	} {
		var err error
		out := command(r.T, &err, "docker", "run", "--rm", "--network", r.project+"_"+way.network, "segue/segue:latest",
			"lineage", "load", "0-0", "--database", "postgres://segue@"+way.address+"/segue?sslmode=disable&connect_timeout=3")
		if open := !strings.Contains(out, "dial error"); err == nil || open != way.open { // nobody is let in
			r.Errorf("%s is reached from the network %s: %t, want %t: %v: %s", way.address, way.network, open, way.open, err, out)
		}
	}
}

// bridgeAddress returns the address that this machine has on Docker's own network. An
// engine that has just made the network does not tell it; it takes the first.
func bridgeAddress(t *testing.T) string {
	t.Helper()
	told := strings.Fields(command(t, nil, "docker", "network", "inspect", "bridge", "--format", "{{with index .IPAM.Config 0}}{{.Subnet}} {{.Gateway}}{{end}}"))
	if len(told) == 2 {
		return told[1]
	}
	if len(told) == 0 {
		t.Fatal("Docker's own network has no addresses")
	}
	subnet, err := netip.ParsePrefix(told[0])
	if err != nil {
		t.Fatal(err)
	}
	return subnet.Masked().Addr().Next().String()
}
