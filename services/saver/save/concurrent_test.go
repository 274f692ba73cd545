package save

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"testing"
)

// TestDoAndUndoAtOnce races the two. Whichever comes first, nothing stays.
func TestDoAndUndoAtOnce(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		b := newBench(t, url)
		in := b.input(`1`, `2`)
		done := 0
		for i := range 40 {
			run := fmt.Sprintf("r%d", i)
			// The race is for the barrier, which a do comes to when its records are read.
			read := make(chan struct{})
			b.docs.wrap = func(r io.Reader) io.Reader {
				return io.MultiReader(r, after(sync.OnceFunc(func() { close(read) })))
			}
			var wg sync.WaitGroup
			var errDo, errUndo error
			wg.Go(func() { _, errDo = b.save(run, in) })
			wg.Go(func() {
				<-read
				if i%2 == 0 {
					runtime.Gosched()
				}
				errUndo = b.takeBack(run)
			})
			wg.Wait()
			if errUndo != nil {
				t.Fatalf("undo: %v", errUndo)
			}
			if errDo == nil {
				done++
			} else if !errors.Is(errDo, ErrUndone) {
				t.Fatalf("do: %v, want nil or ErrUndone", errDo)
			}
		}
		t.Logf("%d of 40 were done and undone, the others never done", done)
		b.empty()
	})
}

// TestSameCommandAtOnce delivers one command to several handlers.
func TestSameCommandAtOnce(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		b := newBench(t, url)
		in := b.input(`1`, `2`)
		outs := make([]Output, 4)
		var wg sync.WaitGroup
		for i := range outs {
			wg.Go(func() {
				var err error
				if outs[i], err = b.save("r", in); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, out := range outs {
			if out != outs[0] || out.Inserted != 2 {
				t.Errorf("answers differ: %+v", outs)
			}
		}
	})
}

// TestRunsAtOnceLeaveNothing saves the same new keys from many runs at once and
// undoes all of them at once, some before they are done.
func TestRunsAtOnceLeaveNothing(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		b := newBench(t, url)
		var wg sync.WaitGroup
		for i := range 24 {
			// Orders of keys differ, so that locks taken key by key would meet crosswise.
			in := b.keyed(fmt.Sprintf(`{"id":%d,"v":%d}`, i%3, i), fmt.Sprintf(`{"id":%d,"v":1}`, (i+1)%3), fmt.Sprintf(`{"id":%d,"v":%d}`, (i+2)%3, i%2))
			run := fmt.Sprintf("r%d", i)
			wg.Go(func() {
				if i%4 != 0 {
					if _, err := b.save(run, in); err != nil {
						t.Errorf("save: %v", err)
					}
				}
				if err := b.takeBack(run); err != nil {
					t.Errorf("undo: %v", err)
				}
			})
		}
		wg.Wait()
		b.empty()
	})
}

// TestOpenAtOnce opens a new database many times.
func TestOpenAtOnce(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				db, err := Open(t.Context(), url)
				if err != nil {
					t.Error(err)
					return
				}
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		b := newBench(t, url)
		if got := b.rows("SELECT count(*) FROM segue_saver_migrations WHERE version_id = 1"); got[0] != "1" {
			t.Errorf("migration 1 ran %s times", got[0])
		}
		b.mustSave("r", b.input(`1`))
	})
}
