package save

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/prometheus/client_golang/prometheus"

	"segue/participant"
)

// TestLostCommitIsUnknown loses the connection after COMMIT has been sent. The
// failure says that the outcome is unknown, and the next attempt finds it out.
func TestLostCommitIsUnknown(t *testing.T) {
	t.Parallel()
	direct := postgresURL(t)
	cut, through := cutBefore(t, direct, commitMessage, func() {})
	b := newBench(t, through)
	cut.Store(true)
	in := b.input(`1`)
	_, err := b.save("r", in)
	if e := failed(t, err); !e.Unknown || e.Permanent {
		t.Fatalf("lost COMMIT: %v (%+v), want one of unknown outcome", err, e)
	}
	cut.Store(false)
	if out := b.mustSave("r", in); out.Inserted != 1 {
		t.Errorf("next attempt: %+v", out)
	}
}

// TestCommitWithoutAnswer has a database that says nothing to COMMIT. The saver does
// not wait for ever, and the next attempt finds out what has come of it.
func TestCommitWithoutAnswer(t *testing.T) {
	t.Parallel()
	silence := make(chan struct{})
	cut, through := cutBefore(t, postgresURL(t), commitMessage, func() { <-silence })
	b := newBench(t, through)
	registry := prometheus.NewRegistry()
	b.metrics = newMetrics(registry)
	b.db.commitTimeout = 50 * time.Millisecond
	cut.Store(true)
	in := b.input(`1`)
	_, err := b.save("r", in)
	if e := failed(t, err); !e.Unknown || e.Permanent || !strings.Contains(err.Error(), "commit: no answer within 50ms") {
		t.Errorf("COMMIT without an answer: %v (%+v), want one of unknown outcome", err, e)
	}
	if n := count(t, registry, "segue_save_limits_total", limitCommit); n != 1 {
		t.Errorf("it is counted %v times", n)
	}
	close(silence)
	cut.Store(false)
	b.db.commitTimeout = commitTimeout
	if out := b.mustSave("r", in); out.Inserted != 1 {
		t.Errorf("next attempt: %+v", out)
	}
}

// TestLostConnectionDoesNothing loses it before COMMIT: nothing was done.
func TestLostConnectionDoesNothing(t *testing.T) {
	t.Parallel()
	cut, through := cutBefore(t, postgresURL(t), "pg_advisory_xact_lock", func() {})
	b := newBench(t, through)
	cut.Store(true)
	_, err := b.save("r", b.input(`1`))
	if e := failed(t, err); e.Unknown || e.Permanent {
		t.Fatalf("lost connection: %v (%+v), want one that may pass", err, e)
	}
	cut.Store(false)
	b.empty()
	b.mustSave("r", b.input(`1`))
}

// commitMessage is in the message of a COMMIT, and not in "read committed".
const commitMessage = "commit\x00"

// cutBefore puts a proxy before a server. While the switch is on, a message of a
// client that contains the word is swallowed, and its connection closed after hold.
func cutBefore(t *testing.T, direct, word string, hold func()) (*atomic.Bool, string) {
	t.Helper()
	u, err := url.Parse(direct)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	server := filepath.Join(q.Get("host"), ".s.PGSQL.5432")
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	on := new(atomic.Bool)
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return // closed
			}
			go relay(client, server, func(message []byte) bool {
				caught := on.Load() && strings.Contains(string(message), word)
				if caught {
					hold()
				}
				return caught
			})
		}
	}()
	host, port, _ := net.SplitHostPort(listener.Addr().String())
	q.Set("host", host)
	q.Set("port", port)
	q.Set("sslmode", "disable")
	u.RawQuery = q.Encode()
	return on, u.String()
}

// relay carries messages until one is caught.
func relay(client net.Conn, server string, caught func([]byte) bool) {
	defer client.Close()
	up, err := net.Dial("unix", server)
	if err != nil {
		return
	}
	defer up.Close()
	go func() { _, _ = io.Copy(client, up); _ = client.Close() }()
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if err != nil || caught(buf[:n]) {
			return
		}
		if _, err := up.Write(buf[:n]); err != nil {
			return
		}
	}
}

// TestFullDisk fills an SQLite database to its limit of pages.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	b := newBench(t, "sqlite:"+filepath.Join(t.TempDir(), "segue.db"))
	b.db.sql.SetMaxOpenConns(1) // the limit is the connection's
	b.rows("PRAGMA max_page_count = 60")
	in := b.input(`"` + strings.Repeat("x", 1<<20) + `"`)
	_, err := b.save("r", in)
	if e := failed(t, err); e.Permanent || e.Unknown {
		t.Fatalf("full disk: %v (%+v), want one that may pass", err, e)
	}
	b.empty()
	b.rows("PRAGMA max_page_count = 100000")
	b.mustSave("r", in)
}

// TestBusy runs out of time while another process writes.
func TestBusy(t *testing.T) {
	t.Parallel()
	url := "sqlite:" + filepath.Join(t.TempDir(), "segue.db")
	b, other := newBench(t, url), newBench(t, url)
	tx, err := other.db.sql.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	b.docs.wrap = func(r io.Reader) io.Reader { return io.MultiReader(r, after(cancel)) }
	in := b.input(`1`)
	_, err = b.do(ctx, participant.Command[Input]{Run: "r", Step: "save", Input: in})
	if e := failed(t, err); e.Permanent || e.Unknown || !errors.Is(err, context.Canceled) {
		t.Errorf("busy database: %v (%+v), want one that may pass", err, e)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	b.docs.wrap = nil
	b.mustSave("r", in)
}

func TestWhatMayPass(t *testing.T) {
	t.Parallel()
	tests := []struct {
		code               string
		refused, uncertain bool // uncertain: as an answer to COMMIT
	}{
		{"22P02", true, false},  // not JSON
		{"23505", true, false},  // unique violation
		{"54000", true, false},  // index row too large
		{"40001", false, false}, // serialization failure
		{"40P01", false, false}, // deadlock
		{"40003", false, true},  // statement completion unknown
		{"53100", false, false}, // disk full
		{"55P03", false, false}, // lock not available
		{"57P01", false, true},  // shutdown
		{"08006", false, true},  // connection failure
		{"58030", false, true},  // I/O error
	}
	for _, test := range tests {
		err := fmt.Errorf("do something: %w", &pgconn.PgError{Code: test.code})
		if got := refused(err); got != test.refused {
			t.Errorf("refused(%s) = %t", test.code, got)
		}
		if got := !rolledBack(err); got != test.uncertain {
			t.Errorf("rolledBack(%s) = %t", test.code, !got)
		}
	}
	if refused(io.EOF) || rolledBack(io.EOF) {
		t.Error("a lost connection says nothing about the data or the commit")
	}
}

// TestTimeIsUp ends a command's context while its records are read. It is known
// that nothing was done.
func TestTimeIsUp(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		b := newBench(t, url)
		ctx, cancel := context.WithCancel(t.Context())
		b.docs.wrap = func(r io.Reader) io.Reader {
			return io.MultiReader(r, after(cancel), strings.NewReader("3\n"))
		}
		_, err := b.do(ctx, participant.Command[Input]{Run: "r", Step: "save", Input: b.input(`1`, `2`)})
		if e := failed(t, err); e.Permanent || e.Unknown || !errors.Is(err, context.Canceled) {
			t.Errorf("canceled save: %v (%+v), want context.Canceled", err, e)
		}
		b.empty()
		b.docs.wrap = nil
		b.mustSave("r", b.input(`1`, `2`))
	})
}

// after is an empty reader that does something.
type after func()

func (a after) Read([]byte) (int, error) { a(); return 0, io.EOF }
