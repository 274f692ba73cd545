package save

import (
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkSave saves 200,000 small records into an empty collection, the same
// again, the same with other data, and undoes all three. Run it with
// -benchtime=1x; it reports records/s of each and the largest Go heap, in MiB.
func BenchmarkSave(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) {
		benchmarkSave(b, "sqlite:"+filepath.Join(b.TempDir(), "segue.db"))
	})
	b.Run("postgres", func(b *testing.B) { benchmarkSave(b, postgresURL(b)) })
}

const benchRecords = 200_000

func benchmarkSave(b *testing.B, url string) {
	db, err := Open(b.Context(), url)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	docs := &store{objects: map[string][]byte{}}
	cfg, err := Config{}.withDefaults()
	if err != nil {
		b.Fatal(err)
	}
	s := &saver{cfg: cfg, db: db, docs: docs, now: time.Now}
	in := Input{Collection: "things"}
	in.Records.Ref = docs.put(nil)
	run := 0
	save := func(version string) func() error {
		return func() error {
			run++
			docs.wrap = func(io.Reader) io.Reader { return &lines{version: version} }
			j, err := newJob(work{strconv.Itoa(run), "save"}, in)
			if err == nil {
				_, err = s.save(b.Context(), j)
			}
			return err
		}
	}
	undo := func() error {
		run--
		return s.takeBack(b.Context(), work{strconv.Itoa(run + 1), "save"})
	}
	for b.Loop() {
		heap := watchHeap()
		for _, step := range []struct {
			name string
			do   func() error
		}{{"insert", save("a")}, {"same", save("a")}, {"update", save("b")}, {"undo-update", undo}, {"undo-same", undo}, {"undo-insert", undo}} {
			start := time.Now()
			if err := step.do(); err != nil {
				b.Fatal(step.name, err)
			}
			b.ReportMetric(benchRecords/time.Since(start).Seconds(), step.name+"/s")
		}
		b.ReportMetric(float64(heap())/(1<<20), "heap-MiB")
	}
}

// lines is a stream of benchRecords records that is never whole in memory.
type lines struct {
	version string
	n       int
	rest    []byte
}

func (l *lines) Read(p []byte) (int, error) {
	if len(l.rest) == 0 {
		if l.n == benchRecords {
			return 0, io.EOF
		}
		l.n++
		l.rest = fmt.Appendf(l.rest, `{"id":%d,"name":"thing number %d","version":%q,"tags":["x","y"],"price":12.5}`+"\n", l.n, l.n, l.version)
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

// watchHeap returns a function that stops watching and returns the largest heap seen.
func watchHeap() func() uint64 {
	var largest atomic.Uint64
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			largest.Store(max(largest.Load(), m.HeapAlloc))
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	}()
	return func() uint64 { close(stop); <-stopped; return largest.Load() }
}
