package save

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"segue/participant"
)

// childDatabase makes the test binary a saver that saves crashRecords records
// into this SQLite file and tells on its standard output how far it is.
const childDatabase = "SEGUE_SAVE_TEST_CHILD"

const (
	crashRecords = 2_000
	kills        = 4
)

// TestKillLeavesAllOrNothing kills a saver at moments spread over its work. Then
// the rows are all there or none, with the barrier row to match, and the command
// delivered again completes the work.
func TestKillLeavesAllOrNothing(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("NOT TESTED: kill -9 in the middle of a save. Run without -short.")
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	whole := 0
	for i := range kills {
		path := filepath.Join(t.TempDir(), fmt.Sprintf("%d.db", i))
		// The writing takes about as long as the reading before it.
		killAt := time.Duration(random.Int64N(int64(60 * time.Millisecond)))
		killChild(t, path, killAt)
		if checkAfterKill(t, path) {
			whole++
		}
	}
	t.Logf("killed %d savers: %d had committed, %d had not", kills, whole, kills-whole)
}

// killChild runs a child and kills it a while after it has read all its records.
func killChild(t *testing.T, path string, delay time.Duration) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childDatabase+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "read\n" {
		t.Errorf("child said %q: %v", line, err)
	}
	time.Sleep(delay) // the fault: a random moment
	if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
	_ = cmd.Wait() // killed, or done before
}

// checkAfterKill reports whether the save had committed.
func checkAfterKill(t *testing.T, path string) bool {
	t.Helper()
	b := newBench(t, "sqlite:"+path)
	counts := strings.Join(b.rows(`SELECT (SELECT count(*) FROM records), (SELECT count(*) FROM documents),
		(SELECT count(*) FROM barriers), (SELECT count(*) FROM saves), (SELECT count(*) FROM undo_log)`), "")
	all := fmt.Sprintf("%d 1 1 1 %d", crashRecords, crashRecords)
	if counts != all && counts != "0 0 0 0 0" {
		t.Errorf("after the kill there are %s rows, want %s or none", counts, all)
	}
	out, err := b.do(t.Context(), participant.Command[Input]{Run: "crash", Step: "save", Input: crashInput(b.docs)})
	if err != nil || out.Inserted != crashRecords {
		t.Errorf("save again: %+v, %v", out, err)
	}
	b.mustTakeBack("crash")
	b.empty()
	return counts == all
}

func crashInput(docs *store) Input {
	var lines strings.Builder
	for i := range crashRecords {
		fmt.Fprintf(&lines, "{\"id\":%d,\"name\":\"thing number %d\"}\n", i, i)
	}
	in := Input{Collection: "things"}
	in.Records.Ref = docs.put([]byte(lines.String()))
	return in
}

func child(path string) int {
	ctx := context.Background()
	db, err := Open(ctx, "sqlite:"+path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	cfg, _ := Config{}.withDefaults() // of the zero value
	docs := &store{objects: map[string][]byte{}}
	in := crashInput(docs)
	docs.wrap = func(r io.Reader) io.Reader {
		return io.MultiReader(r, after(func() { fmt.Println("read") }))
	}
	s := &saver{cfg: cfg, db: db, docs: docs, now: time.Now}
	if _, err := s.do(ctx, participant.Command[Input]{Run: "crash", Step: "save", Input: in}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
