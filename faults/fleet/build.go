package fleet

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Programs is a folder of built programs.
type Programs string

// Path returns where a program is.
func (p Programs) Path(name string) string { return filepath.Join(string(p), name) }

// sources are built by one command. The stand-alone nats-server is that of the
// module that Segue itself embeds, so that nothing has to be installed.
var sources = []string{
	"./cmd/segue", "./saga/orchestrator",
	"./services/fetcher", "./services/validator", "./services/parser", "./services/saver",
	"./faults/actor",
	"github.com/nats-io/nats-server/v2",
}

// Build builds all programs into dir, which must exist, with further flags of `go build`.
func Build(ctx context.Context, dir string, flags ...string) (Programs, error) {
	root, err := moduleRoot(ctx)
	if err != nil {
		return "", err
	}
	args := slices.Concat([]string{"build", "-o", dir + string(filepath.Separator)}, flags, sources)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the programs: %w\n%s", err, out)
	}
	return Programs(dir), nil
}

// moduleRoot is where go.mod is.
func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	file := strings.TrimSpace(string(out))
	if err != nil || file == "" || file == os.DevNull {
		return "", fmt.Errorf("find go.mod: run it inside the module of Segue (%v)", err)
	}
	return filepath.Dir(file), nil
}

// foreign are variables that would make a program speak with another system.
var foreign = []string{"NATS_", "SEGUE_"}

// environment is that of this process without what is meant for other systems.
func environment(more []string) []string {
	var env []string
next:
	for _, v := range os.Environ() {
		for _, prefix := range foreign {
			if strings.HasPrefix(v, prefix) {
				continue next
			}
		}
		env = append(env, v)
	}
	return append(env, more...)
}
