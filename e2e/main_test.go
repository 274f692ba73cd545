//go:build unix

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// bin is the folder of the programs, root that of the checkout.
var bin, root string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	var err error
	if root, err = filepath.Abs(".."); err == nil {
		bin, err = os.MkdirTemp("", "segue-e2e-")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(bin)
	// Not those of whoever runs the tests.
	for _, name := range []string{"NATS_URL", "NATS_CONTEXT", "NATS_CREDS", "SEGUE_DATABASE", "SEGUE_DATA_DIR", "SEGUE_ALLOW_FILES", "SEGUE_ALLOW_NETS", "SEGUE_LOG_LEVEL"} {
		os.Unsetenv(name)
	}
	return m.Run()
}

// programs are built by one command. The stand-alone nats-server is that of the
// module that segue itself embeds.
var programs = []string{
	"./cmd/segue", "./saga/orchestrator",
	"./services/fetcher", "./services/validator", "./services/parser", "./services/saver",
	"github.com/nats-io/nats-server/v2",
}

var build = sync.OnceValue(func() error {
	args := []string{"build"}
	if os.Getenv("SEGUE_RACE") == "1" {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(append(args, "-o", bin+"/"), programs...)...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the programs: %w\n%s", err, out)
	}
	return nil
})

// program returns the path of a program.
func program(t *testing.T, name string) string {
	t.Helper()
	if err := build(); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(bin, name)
}

// natsCLI returns the path of the nats CLI. Without it the test is skipped, or
// fails where SEGUE_REQUIRE_NATS_CLI is 1.
func natsCLI(t *testing.T) string {
	t.Helper()
	if path, err := exec.LookPath("nats"); err == nil {
		return path
	}
	gopath, err := exec.Command("go", "env", "GOPATH").Output()
	if err == nil {
		path := filepath.Join(filepath.SplitList(string(gopath[:len(gopath)-1]))[0], "bin", "nats")
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	const missing = "the nats CLI is missing, so what it sees of segue was NOT tested: go install github.com/nats-io/natscli/nats@v0.5.1"
	if os.Getenv("SEGUE_REQUIRE_NATS_CLI") == "1" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}
