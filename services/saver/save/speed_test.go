package save

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkSave saves 200,000 small records of about 100 bytes into an empty collection, the
// same again, and with other data in modes upsert, replace and append, undoes all of
// it, and saves them into another collection with typed columns. Run it with
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
	ref := docs.put(nil)
	next, done := 0, []work{}
	save := func(version string, in Input) func() error {
		return func() error {
			next++
			done = append(done, work{strconv.Itoa(next), "save"})
			in.Document.Ref, in.Records.Ref = ref, ref
			docs.wrap = func(io.Reader) io.Reader { return &lines{version: version} }
			j, err := newJob(done[len(done)-1], in)
			if err == nil {
				_, err = s.save(b.Context(), j)
			}
			return err
		}
	}
	undo := func() error {
		last := done[len(done)-1]
		done = done[:len(done)-1]
		return s.takeBack(b.Context(), last)
	}
	for b.Loop() {
		heap := watchHeap()
		for _, step := range []struct {
			name string
			do   func() error
		}{
			{"insert", save("a", Input{Collection: "things"})},
			{"same", save("a", Input{Collection: "things"})},
			{"update", save("b", Input{Collection: "things"})},
			{"replace", save("c", Input{Collection: "things", Mode: ModeReplace})},
			{"append", save("d", Input{Collection: "things", Mode: ModeAppend})},
			{"undo-append", undo}, {"undo-replace", undo}, {"undo-update", undo}, {"undo-same", undo}, {"undo-insert", undo},
			{"typed", save("a", columnsIn(Input{Collection: "typed"}, "id integer", "name text", "version text", "first text /tags/0", "price decimal"))},
			{"undo-typed", undo},
		} {
			start := time.Now()
			if err := step.do(); err != nil {
				b.Fatal(step.name, ": ", err)
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

// BenchmarkRecords reads and checks records, with a key and with columns.
func BenchmarkRecords(b *testing.B) {
	key := pointer{text: "/id", path: []string{"id"}}
	columns, err := newColumns("things", columnsIn(Input{}, "id integer", "name text", "version text", "first text /tags/0", "price decimal").Columns)
	if err != nil {
		b.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		key     *pointer
		columns []column
	}{{"plain", nil, nil}, {"key", &key, nil}, {"columns", &key, columns}} {
		b.Run(test.name, func(b *testing.B) {
			b.ReportAllocs()
			var all bytes.Buffer
			if _, err := all.ReadFrom(&lines{version: "a"}); err != nil {
				b.Fatal(err)
			}
			var r *records
			for n := 0; b.Loop(); n++ {
				if n%benchRecords == 0 {
					r = newRecords(bytes.NewReader(all.Bytes()), test.key, test.columns, benchRecords, true)
				}
				if _, err := r.next(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
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
