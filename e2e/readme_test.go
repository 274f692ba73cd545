//go:build unix

package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The convention for commands in README.md.
//
// Every block that begins with ```sh is run, one after the other, by bash -e in a
// fresh copy of the checkout, with a home folder of its own. A block that must not
// be run says why in a comment right before it:
//
//	<!-- norun: it needs a container runtime -->
//
// A block that begins with ```text shows what the block of commands before it
// writes, standard output and standard error together, if it is marked:
//
//	<!-- output -->
//
// Each of its lines has to come, in whatever order, for several runs go on at a
// time; there may be further lines. Runs of blanks are alike, and so are two times, durations, ids, digests,
// versions, dates, ports or byte counts: see the wildcards below. "..." stands for anything.

// block is one block of README.md.
type block struct {
	line   int
	norun  string // the reason
	script string
	output []string // one for each marked block of output
}

// readBlocks takes the blocks out of a page.
func readBlocks(page string) ([]block, error) {
	var blocks []block
	var body strings.Builder
	fence, begun, remark := "", 0, ""
	for i, line := range strings.Split(page, "\n") {
		trimmed := strings.TrimSpace(line)
		switch {
		case fence == "" && strings.HasPrefix(trimmed, "```"):
			fence, begun = trimmed, i+1
			body.Reset()
		case fence == "" && strings.HasPrefix(trimmed, "<!--"):
			remark = strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(trimmed, "<!--"), "-->"))
		case fence == "" && trimmed != "":
			remark = ""
		case fence != "" && trimmed == "```":
			switch {
			case fence == "```sh":
				reason, norun := strings.CutPrefix(remark, "norun:")
				if reason = strings.TrimSpace(reason); norun && reason == "" {
					return nil, fmt.Errorf("line %d: norun without a reason", begun)
				}
				b := block{line: begun, script: body.String()}
				if norun {
					b.norun = reason
				}
				blocks = append(blocks, b)
			case remark == "output" && len(blocks) == 0:
				return nil, fmt.Errorf("line %d: output of no command", begun)
			case remark == "output":
				last := &blocks[len(blocks)-1]
				last.output = append(last.output, body.String())
			}
			fence, remark = "", ""
		case fence != "":
			body.WriteString(line + "\n")
		}
	}
	if fence != "" {
		return nil, fmt.Errorf("line %d: the block does not end", begun)
	}
	return blocks, nil
}

// wildcards are what differs from one run to the next.
var wildcards = []*regexp.Regexp{
	regexp.MustCompile(`\bv\d+\.\d+\.\d+[0-9A-Za-z.+-]*|\(devel\)`),                                 // versions
	regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`),              // ids
	regexp.MustCompile(`\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{0,4}\b`),                                 // their beginnings
	regexp.MustCompile(`\b[0-9a-f]{12,64}\b`),                                                       // digests
	regexp.MustCompile(`\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?(Z|[+-]\d{2}:?\d{2})?`), // dates
	regexp.MustCompile(`\b\d{2}:\d{2}:\d{2}(\.\d+)?\b`),                                             // times
	regexp.MustCompile(`\b(\d+h)?(\d+m)?\d+(\.\d+)?(ns|µs|us|ms|s)\b`),                              // durations
	regexp.MustCompile(`\b(127\.0\.0\.1|localhost):\d+\b`),                                          // ports
	regexp.MustCompile(`\b\d+(\.\d+)? ?([kKMG]i?B|bytes)\b`),                                        // sizes
}

// plain makes lines that ought to be alike equal.
func plain(line string) string {
	for _, w := range wildcards {
		line = w.ReplaceAllString(line, "~")
	}
	return strings.Join(strings.Fields(line), " ")
}

// missing returns the first line of what was promised that what was written lacks.
func missing(promised, written string) (line string, found bool) {
	lines := strings.Split(written, "\n")
	for _, want := range strings.Split(promised, "\n") {
		pattern := plain(want)
		if pattern == "" || pattern == "..." {
			continue
		}
		quoted := strings.ReplaceAll(regexp.QuoteMeta(pattern), `\.\.\.`, `.*`)
		matches := regexp.MustCompile("^" + quoted + "$")
		at := slices.IndexFunc(lines, func(line string) bool { return matches.MatchString(plain(line)) })
		if at < 0 {
			return want, true
		}
		lines = slices.Delete(lines, at, at+1) // it stands for one line only
	}
	return "", false
}

// readmeTimeout is how long a block may take; the first one builds the programs.
const readmeTimeout = 5 * time.Minute

func TestReadme(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join(root, "README.md"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("there is no README.md: its commands were NOT run")
	}
	if err != nil {
		t.Fatal(err)
	}
	blocks, err := readBlocks(string(page))
	if err != nil {
		t.Fatalf("README.md: %v", err)
	}
	// The commands are what people type, so they use the default port. Were it taken,
	// a block would wait for its broker until its time is up.
	port, err := net.Listen("tcp", "127.0.0.1:4222")
	if err != nil {
		t.Fatalf("the commands of README.md need the port: %v; stop what listens there", err)
	}
	port.Close()
	env := []string{"NO_COLOR=1", "TERM=dumb", "PATH=" + tools(t, blocks)}
	dir := checkout(t)
	run := 0
	for _, b := range blocks {
		if b.norun != "" {
			t.Logf("README.md, line %d, is not run: %s", b.line, b.norun)
			continue
		}
		run++
		b.try(t, job{dir: dir, env: env})
	}
	if run == 0 {
		t.Error("README.md has no block of commands that is run")
	}
}

// tools returns a PATH with the programs that blocks use. Without one of them the
// test is skipped.
func tools(t *testing.T, blocks []block) (path string) {
	t.Helper()
	path = os.Getenv("PATH")
	for _, b := range blocks {
		if b.uses("nats") {
			path = filepath.Dir(natsCLI(t)) + ":" + path
		}
		if _, err := exec.LookPath("sqlite3"); err != nil && b.uses("sqlite3") {
			t.Skip("sqlite3 is missing, so the commands of README.md were NOT run: apt-get install sqlite3")
		}
	}
	return path
}

// uses says whether running the block runs a program.
func (b block) uses(program string) bool {
	return b.norun == "" && regexp.MustCompile(`(?m)(^|[|(&;])\s*`+program+" ").MatchString(b.script)
}

// try runs one block and compares what it writes.
func (b block) try(t *testing.T, at job) {
	t.Helper()
	// Commands that a block leaves in the background end with it.
	script := "trap 'kill $(jobs -p) 2>/dev/null || :; wait' EXIT\n" + b.script
	cmd := at.command("bash", "-e", "-o", "pipefail", "-c", script)
	var out output
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // and what it left behind
	defer kill()
	timer := time.AfterFunc(readmeTimeout, kill)
	defer timer.Stop()
	if err := cmd.Wait(); err != nil {
		t.Fatalf("README.md, line %d: %v\n%s\nwrote:\n%s", b.line, err, b.script, tail(out.String()))
	}
	for _, promised := range b.output {
		if line, found := missing(promised, out.String()); found {
			t.Errorf("README.md, line %d: the commands do not write\n%s\nin its place, but\n%s", b.line, line, tail(out.String()))
		}
	}
}

// checkout copies the files that belong to the project into a fresh folder: those
// that git knows and those that it would take up.
func checkout(t *testing.T) string {
	t.Helper()
	cmd := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = root
	list, err := cmd.Output()
	if err != nil {
		t.Skipf("this is no git checkout (%v): the commands of README.md were NOT run", err)
	}
	dir := t.TempDir()
	for name := range strings.SplitSeq(strings.Trim(string(list), "\x00"), "\x00") {
		if err := copyFile(filepath.Join(root, name), filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err) // one that does not exist was deleted and is still in the index
		}
	}
	return dir
}

func copyFile(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, text, info.Mode())
}

// TestReadBlocks holds the convention itself.
func TestReadBlocks(t *testing.T) {
	t.Parallel()
	page := "# A\n```sh\necho one\n```\n<!-- output -->\n```text\none\n```\n<!-- norun: it is long -->\n```sh\nsleep 1000\n```\n```go\nx\n```\n```text\nnot compared\n```\n"
	blocks, err := readBlocks(page)
	if err != nil || len(blocks) != 2 || blocks[0].script != "echo one\n" || len(blocks[0].output) != 1 || blocks[1].norun != "it is long" || len(blocks[1].output) != 0 {
		t.Errorf("%+v, %v", blocks, err)
	}
	for _, page := range []string{"```sh\necho", "<!-- norun: -->\n```sh\nx\n```", "<!-- output -->\n```text\nx\n```"} {
		if blocks, err := readBlocks(page); err == nil {
			t.Errorf("%q is taken for %+v", page, blocks)
		}
	}
	written := "12:00:01.5 run 3a405af5-909a-5c8e-a532-4143ead64bce began\nnoise\na.json: completed in 12ms: 3 records\nlast\n"
	for promised, want := range map[string]string{
		"09:11:59.25  run 00000000-0000-0000-0000-000000000000 began\na.json: completed in 1.5s: 3 records\n": "",
		"noise\nnoise":                         "noise",
		"a.json: ... 3 records":                "",
		"last\nnoise":                          "",
		"a.json: completed in 12ms: 4 records": "a.json: completed in 12ms: 4 records",
		"a.json":                               "a.json",
	} {
		if line, _ := missing(promised, written); line != want {
			t.Errorf("of %q %q is missing, want %q", promised, line, want)
		}
	}
}
