package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"segue/document"
)

// mark says up to when all that schedules were to start is started, whoever did it. An
// engine that begins looks for nothing older: on a busy system a run may have left
// even the history within the time that is made up for.
//
//	SAGA_DATA, snapshot/schedules => a mark, as JSON
type mark struct {
	Journal string    `json:"journal"` // its ID
	Done    time.Time `json:"done"`
}

const (
	// markName is the name of an object that package access keeps others from.
	markName = "snapshot/schedules"
	// markRest is how often it is stored at most, and how far it stays behind the present,
	// for schedules of which an engine has not heard yet. What was started since then is
	// in the journal or the history.
	markRest = time.Minute
	// maxMark is more than it has, in bytes.
	maxMark = 1 << 10
)

// restore reads the mark that was stored last.
func (t *timetable) restore(ctx context.Context) error {
	return persist(ctx, t.Log, "reading up to when schedules are done", func() error {
		ref, err := t.Data.Stat(ctx, markName)
		if err == nil && ref.Size > maxMark {
			err = document.ErrNotFound // it is something else
		}
		var text []byte
		if err == nil {
			text, err = document.ReadAll(ctx, t.Data, ref)
		}
		var m mark
		switch {
		case errors.Is(err, document.ErrNotFound):
			return nil
		case err != nil: // another engine may have replaced it
			return err
		case json.Unmarshal(text, &m) == nil && m.Journal == t.journalID && m.Done.Before(t.clock.Now()):
			t.marked = m.Done // unless a clock that was wrong has stored it
		}
		return nil
	})
}

// save stores the mark, when all that is due is started, if it knows too little and was not
// stored a short while ago.
func (t *timetable) save(ctx context.Context) {
	now := t.clock.Now()
	if !t.unsaved() || now.Before(t.saved.Add(markRest)) {
		return
	}
	t.saved = now // or tried
	m := mark{t.journalID, now.Add(-markRest)}
	text, err := json.Marshal(m)
	if err == nil {
		_, err = t.Data.Put(ctx, markName, bytes.NewReader(text))
	}
	if err != nil {
		t.Log.Warn("up to when schedules are done is not stored", "error", fmt.Errorf("store %s: %w", markName, err))
		return
	}
	t.marked = m.Done
}

// unsaved says that something was started of which the mark does not know.
func (t *timetable) unsaved() bool { return t.started.After(t.marked) }
