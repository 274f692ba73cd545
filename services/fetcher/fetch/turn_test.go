package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func TestVisitsEnter(t *testing.T) {
	t.Parallel()
	const second = time.Second
	v := readVisits(nil)
	enter := func(at time.Duration, id string, wantDelay time.Duration, want bool) {
		t.Helper()
		delay, ok := v.enter(noon.Add(at), id, 2, second, 3*second)
		if delay != wantDelay || ok != want {
			t.Errorf("%s at %v: delay %v, %v; want %v, %v", id, at, delay, ok, wantDelay, want)
		}
	}
	enter(0, "a", 0, true)
	enter(0, "b", second, true)
	enter(0, "c", 0, false) // two are there
	delete(v.Turns, "a")
	enter(0, "c", 2*second, true)
	delete(v.Turns, "b")
	enter(0, "d", 3*second, true)
	delete(v.Turns, "c")
	enter(0, "e", 4*second, false) // that is too long to wait for
	enter(500*time.Millisecond, "e", 3500*time.Millisecond, false)
	enter(7*second, "e", 0, true)
	enter(7*second, "f", 0, false)
	enter(3*second+turnLease, "f", 0, true) // d has given no sign of life, at its place is f
	enter(3*second+turnLease, "g", 0, false)
}

// A note that was broken or forged does not keep anybody out for long.
func FuzzVisits(f *testing.F) {
	for _, s := range []string{"", "null", "[]", `{"turns":{"a":9223372036854775807},"next":-1}`, `{"next":9223372036854775807}`, `{"turns":null}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, note string) {
		v := readVisits([]byte(note))
		delay, ok := v.enter(noon, "x", 1000, time.Second, 2*maxRetryAfter)
		if ok && (delay < 0 || delay > maxRetryAfter || v.Turns["x"] == 0) {
			t.Errorf("%q: delay %v, %+v", note, delay, v)
		}
	})
}

func newTestTurns(cfg Config) *turns { return newTurns(cfg.withDefaults(), nil) }

func take(t testing.TB, ts *turns, host string) (*turn, error) {
	t.Helper()
	u := &url.URL{Scheme: "http", Host: host}
	return ts.take(t.Context(), place{u, u}, host)
}

func TestTurnsWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ts := newTestTurns(Config{PerHost: 1, TurnWait: 10 * time.Second})
		first, err := take(t, ts, "h:80")
		if err != nil {
			t.Fatal(err)
		}
		elsewhere, err := take(t, ts, "other:80")
		if err != nil {
			t.Fatal(err)
		}
		defer elsewhere.release()
		begin := time.Now()
		_, err = take(t, ts, "h:80")
		e := wantFailure(t, err, CodeHostBusy, false, "no turn at h:80 within 10s", "--per-host", "--turn-wait")
		if took := time.Since(begin); e.RetryAfter != busyDelay || took < 9*time.Second || took > 10*time.Second {
			t.Errorf("after %v it asks for %v", took, e.RetryAfter)
		}
		time.AfterFunc(5*time.Second, first.release)
		begin = time.Now()
		second, err := take(t, ts, "h:80")
		if took := time.Since(begin); err != nil || took < 5*time.Second || took > 6*time.Second {
			t.Errorf("the turn came after %v, %v", took, err)
		}
		second.release()
		second.release() // harmless
	})
}

// racedBoard is a board that takes a moment to read, and counts who is raced.
type racedBoard struct {
	Board
	raced atomic.Int64
}

func (b *racedBoard) Read(ctx context.Context, host string) ([]byte, uint64, error) {
	note, revision, err := b.Board.Read(ctx, host)
	time.Sleep(time.Millisecond)
	return note, revision, err
}

func (b *racedBoard) Write(ctx context.Context, host string, note []byte, revision uint64) error {
	err := b.Board.Write(ctx, host, note, revision)
	if errors.Is(err, ErrRaced) {
		b.raced.Add(1)
	}
	return err
}

// Requests of one process wait for each other and do not race for the note of a host.
func TestTurnsOfOneProcessDoNotRace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		board := &racedBoard{Board: newMemoryBoard()}
		ts := newTestTurns(Config{Board: board})
		var all sync.WaitGroup
		for range DefaultPerHost {
			all.Go(func() {
				u, err := take(t, ts, "h:80")
				if err != nil {
					t.Error(err)
				}
				u.release()
			})
		}
		all.Wait()
		if n := board.raced.Load(); n > 0 {
			t.Errorf("%d writes were raced", n)
		}
	})
}

// A turn is held for as long as it takes, and not for long when its holder is gone.
func TestTurnsLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		board := newMemoryBoard()
		ts := newTestTurns(Config{PerHost: 1, TurnWait: time.Second, Board: board})
		held, err := take(t, ts, "h:80")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * turnLease)
		if _, err := take(t, ts, "h:80"); err == nil {
			t.Error("a turn was given twice")
		}
		held.stop() // as if the process had been killed
		<-held.stopped
		ts.wait = turnLease + time.Second
		begin := time.Now()
		next, err := take(t, ts, "h:80")
		if took := time.Since(begin); err != nil || took > turnLease+lastLook {
			t.Errorf("the turn of a dead fetcher is free after %v, %v", took, err)
		}
		next.release()
	})
}

func TestTurnsRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ts := newTestTurns(Config{PerHost: -1, HostRate: 0.5, TurnWait: 10 * time.Second})
		begin := time.Now()
		for i := range 5 {
			u, err := take(t, ts, "h:80")
			if want := time.Duration(i) * 2 * time.Second; err != nil || time.Since(begin) != want {
				t.Errorf("turn %d after %v, %v; want %v", i, time.Since(begin), err, want)
			}
			u.release()
		}
		var all sync.WaitGroup
		var mu sync.Mutex
		var busy []time.Duration
		for range 8 { // five of them are in time
			all.Go(func() {
				_, err := take(t, ts, "h:80")
				if err == nil {
					return
				}
				e := wantFailure(t, err, CodeHostBusy, false)
				mu.Lock()
				defer mu.Unlock()
				busy = append(busy, e.RetryAfter.Round(time.Second))
			})
		}
		all.Wait()
		if fmt.Sprint(busy) != "[12s 12s 12s]" {
			t.Errorf("told to come again after %v, want three times 12s", busy)
		}
	})
}

func TestTurnsContextEnds(t *testing.T) {
	t.Parallel()
	ts := newTestTurns(Config{PerHost: 1, HostRate: 0.01, TurnWait: time.Hour})
	u := &url.URL{Scheme: "http", Host: "h"}
	first, err := ts.take(t.Context(), place{u, u}, "h:80")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time it is the rate that is waited for
		if _, err := ts.take(within(t, 30*time.Millisecond), place{u, u}, "h:80"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		first.release()
	}
	note, _, _ := ts.board.Read(t.Context(), "h:80")
	if v := readVisits(note); len(v.Turns) != 0 {
		t.Errorf("turns are still held: %s", note)
	}
}

// deafBoard is a board that does not answer.
type deafBoard struct{ Board }

func (deafBoard) Now(context.Context) (time.Time, error) { return time.Time{}, io.ErrClosedPipe }

// Without a board there is no turn, and the fetch may be tried again.
func TestTurnsWithoutBoard(t *testing.T) {
	t.Parallel()
	f, _ := newFetcher(t, Config{Board: deafBoard{}})
	_, err := fetchURL(t.Context(), f, serve(t, http.NotFound))
	if !errors.Is(err, io.ErrClosedPipe) || !strings.Contains(err.Error(), "wait for a turn at 127.0.0.1") {
		t.Errorf("got %v", err)
	}
}

// A board in memory does not grow with the hosts that were ever visited.
func TestMemoryBoardForgets(t *testing.T) {
	t.Parallel()
	b := newMemoryBoard()
	for i := range memoryHosts + 10 {
		note := `{"next":1}`
		if i == 0 {
			note = `{"turns":{"a":1}}`
		}
		if err := b.Write(t.Context(), fmt.Sprint(i), []byte(note), 0); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(b.notes); n > 100 || b.notes["0"] == nil || len(b.last) != n {
		t.Errorf("%d notes and %d revisions are kept", n, len(b.last))
	}
}

// Every request counts: redirects as well, and a turn is held no longer than its request.
func TestFetchTakesTurns(t *testing.T) {
	t.Parallel()
	end := serve(t, func(http.ResponseWriter, *http.Request) {})
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			http.Redirect(w, r, "/here", http.StatusFound)
			return
		}
		http.Redirect(w, r, end, http.StatusFound)
	})
	registry := prometheus.NewRegistry()
	board := newMemoryBoard()
	f, _ := newFetcher(t, Config{PerHost: 1, Board: board, Metrics: registry})
	if _, err := fetchURL(t.Context(), f, url); err != nil {
		t.Fatal(err)
	}
	if got := counted(t, registry, "segue_fetch_turn_wait_seconds"); got != 3 {
		t.Errorf("%v turns were taken, want 3", got)
	}
	if len(board.notes) != 2 {
		t.Errorf("notes of %d hosts", len(board.notes))
	}
	for host, note := range board.notes {
		if v := readVisits(note); len(v.Turns) != 0 {
			t.Errorf("a turn at %s is still held: %s", host, note)
		}
	}
}
