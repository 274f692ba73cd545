package containers

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"runtime"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
)

// config is what an image says of itself.
type config struct {
	Os, Architecture string
	Config           struct {
		User        string
		Entrypoint  []string
		Labels      map[string]string
		Healthcheck struct{ Test []string }
	}
}

// checkImages holds what the images of all programs are made of.
func (r *rig) checkImages() {
	for _, name := range []string{"segue", "orchestrator", "fetcher", "validator", "parser", "saver"} {
		image := "segue/" + name + ":latest"
		var found []config
		if err := json.Unmarshal([]byte(command(r.T, nil, "docker", "image", "inspect", image)), &found); err != nil {
			r.Fatal(err)
		}
		want := config{Os: "linux", Architecture: runtime.GOARCH}
		want.Config.User = "65532:65532"
		want.Config.Entrypoint = []string{"/program"}
		want.Config.Healthcheck.Test = []string{"CMD", "/program", "--healthcheck"}
		want.Config.Labels = map[string]string{
			"org.opencontainers.image.title":       "segue " + name,
			"org.opencontainers.image.description": "Sagas on NATS JetStream: every run ends either completed or undone",
			"org.opencontainers.image.version":     "devel",
			"org.opencontainers.image.licenses":    "Apache-2.0",
		}
		have := found[0]
		for label := range have.Config.Labels { // docker-compose has its own
			if !strings.HasPrefix(label, "org.opencontainers.") {
				delete(have.Config.Labels, label)
			}
		}
		if diff := cmp.Diff(want, have); diff != "" {
			r.Errorf("%s says otherwise (-want +have):\n%s", image, diff)
		}
		if said := strings.TrimSpace(command(r.T, nil, "docker", "run", "--rm", "--network", "none", image, "--version")); said != name+" devel" {
			r.Errorf("%s says %q of its version", image, said)
		}
		r.checkFiles(image)
	}
}

// checkFiles holds that an image has two files in it, a static program and the
// certificate authorities: no shell, no library, no package.
func (r *rig) checkFiles(image string) {
	id := strings.TrimSpace(command(r.T, nil, "docker", "create", image))
	defer command(r.T, nil, "docker", "rm", id)
	export := exec.Command("docker", "export", id)
	out, err := export.StdoutPipe()
	if err == nil {
		err = export.Start()
	}
	if err != nil {
		r.Fatal(err)
	}
	var files []string
	for t := tar.NewReader(out); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			r.Fatalf("%s: %v", image, err)
		}
		if h.Typeflag == tar.TypeDir || slices.Contains(engines, path.Clean(h.Name)) {
			continue
		}
		files = append(files, path.Clean(h.Name))
		if h.Name != "program" {
			continue
		}
		text, err := io.ReadAll(t)
		if err != nil {
			r.Fatal(err)
		}
		program, err := elf.NewFile(bytes.NewReader(text))
		if err != nil {
			r.Fatalf("%s: %v", image, err)
		}
		for _, p := range program.Progs {
			if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
				r.Errorf("the program of %s is not static: it has %v", image, p.Type)
			}
		}
	}
	if err := export.Wait(); err != nil {
		r.Error(err)
	}
	if want := []string{"etc/ssl/certs/ca-certificates.crt", "program"}; !slices.Equal(want, slices.Sorted(slices.Values(files))) {
		r.Errorf("%s has the files %v, want %v", image, files, want)
	}
}

// engines are the files that an engine puts into every container.
var engines = []string{".dockerenv", "dev/console", "etc/hostname", "etc/hosts", "etc/mtab", "etc/resolv.conf"}
