package save

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// TestPrunedCannotBeUndone holds that an undo which comes too late says so and
// does nothing, and that what is younger can still be undone.
func TestPrunedCannotBeUndone(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		b := newBench(t, url)
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		b.now = func() time.Time { return now }
		b.mustSave("old", b.input(`1`, `2`))
		now = now.Add(b.cfg.UndoKeep / 2)
		b.mustSave("young", b.input(`1`, `3`)) // shares 1, replaces 2
		now = now.Add(b.cfg.UndoKeep/2 + time.Second)
		b.mustSave("new", b.input(`4`))

		err := b.takeBack("old")
		if e := failed(t, err); !errors.Is(err, ErrPruned) || !e.Permanent || e.Unknown {
			t.Errorf("undo of old: %v, want a permanent ErrPruned", err)
		}
		if err := b.takeBack("old"); !errors.Is(err, ErrPruned) {
			t.Errorf("undo of old again: %v, want ErrPruned still", err)
		}
		b.mustTakeBack("young")
		b.mustTakeBack("new")
		got := b.rows("SELECT key, data, run_id FROM records ORDER BY key")
		if len(got) != 2 || got[0] != "1 1 old" || got[1] != "2 2 old" {
			t.Errorf("records are %q, want those of old", got)
		}
	})
}

func TestPruningIsBounded(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		b := newBench(t, url)
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		b.now = func() time.Time { return now }
		lines := make([]string, pruneMin+500)
		for i := range lines {
			lines[i] = fmt.Sprint(i)
		}
		b.mustSave("old", b.input(lines...))
		now = now.Add(b.cfg.UndoKeep + time.Second)
		b.mustSave("a", b.input())
		if got := b.rows("SELECT count(*) FROM undo_log")[0]; got != "500" {
			t.Errorf("%s entries are left, want 500", got)
		}
		b.mustSave("b", b.input())
		if got := b.rows("SELECT count(*) FROM undo_log")[0]; got != "0" {
			t.Errorf("%s entries are left, want none", got)
		}
	})
}
