package world

import (
	"bytes"
	"context"
	"database/sql/driver"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"segue/events"
	"segue/journal"
)

// TestOracleBites does the same for the services that come with Segue: what they
// do to the outside world is changed behind their backs.
func TestOracleBites(t *testing.T) {
	if testing.Short() {
		t.Skip("THE ORACLE WAS NOT TRIED WITH SABOTAGE: run without -short")
	}
	t.Parallel()
	storm, again := Options{Storm: true}, Options{Again: true}
	undone := Options{Storm: true, Again: true, Cancel: 0.7, Chaos: 30 * time.Second, Kills: -1} // what others rely on
	for _, test := range []struct {
		protection string
		options    Options
		sabotage   sabotage
		want       string
	}{
		{"the saver has a barrier", storm, sabotage{exec: skipping("INSERT INTO barriers")}, "bars it from coming later"},
		{"a save that comes late finds its place taken", storm, sabotage{exec: skipping("INSERT INTO barriers")}, "compensated run"},
		{"an undo takes the records back", storm, sabotage{exec: skipping("DELETE FROM records")}, "should not be there"},
		{"an undo takes the undo log along", storm, sabotage{exec: skipping("DELETE FROM undo_log")}, "undo log has"},
		{"all records are saved", Options{}, sabotage{exec: replacing("FROM saves v CROSS JOIN segue_staging s WHERE v.save = $1", "FROM saves v CROSS JOIN segue_staging s WHERE s.ordinal <> 2 AND v.save = $1")}, "is missing"},
		{"no record is saved twice", Options{}, sabotage{exec: replacing("SELECT v.collection, s.key, s.data", "SELECT v.collection, s.key || '-', s.data")}, "should not be there"},
		{"records are saved to the letter", Options{}, sabotage{exec: replacing("SELECT v.collection, s.key, s.data", "SELECT v.collection, s.key, replace(s.data, '12.50', '12.5')")}, "was altered"},
		{"a save is known as that of its run", Options{}, sabotage{exec: replacing("s.data, v.run_id, v.save", "s.data, 'somebody', v.save")}, "is said to be of run"},
		{"an undo takes the save back", storm, sabotage{exec: skipping("DELETE FROM saves WHERE")}, "is still there"},
		{"only a save that stands is a reason to skip", again, sabotage{exec: replacing("n.save > v.save AND n.changes > 0", "false")}, "had changed the collection since"},
		{"an undo takes the skip back", undone, sabotage{exec: skipping("DELETE FROM skips")}, "the skip of compensated run"},
		{"a skipped run inherits what it was told is there", undone, sabotage{exec: replacing("UPDATE saves SET run_id = $2, step = $3 WHERE save = $1", "UPDATE saves SET run_id = run_id WHERE save = $1 AND $2 = $3")}, "is still there"},
		{"what was fetched is what was sent", Options{}, sabotage{put: shorter("fetch")}, "never sent whole"},
		{"what was parsed is what was fetched", Options{}, sabotage{put: shorter("parse")}, "answers {"},
		{"an undo releases documents", Options{}, sabotage{keepDocuments: true}, "was left behind by an undo"},
		{"an unknown outcome is undone", storm, sabotage{engine: trusting}, "was written before step save was undone"},
		{"ended runs are kept in the history", Options{}, sabotage{engine: dropping(events.TypeRunArchived)}, "is in the history 0 times"},
		{"runs keep to the checked graph", Options{}, sabotage{history: withoutOne(".outcome.fetcher.")}, "leaves the checked graph"},
		{"a run that has left does not begin again", Options{Leave: true}, sabotage{engine: func(j journal.Journal) journal.Journal { return amnesic{j} }}, "was written when its run had left"},
		{"what has not ended does not leave", Options{Leave: true}, sabotage{engine: func(j journal.Journal) journal.Journal { return &wasteful{Journal: j} }}, "did not end"},
	} {
		t.Run(strings.ReplaceAll(test.protection, " ", "-"), func(t *testing.T) {
			t.Parallel()
			o := test.options
			o.Ingest, o.Patience, o.sabotage = true, 40*time.Minute, test.sabotage
			bites(t, o, test.want)
		})
	}
}

// skipping leaves out a statement of the saver and says that it went well.
func skipping(begin string) func(string, []driver.NamedValue) (string, bool) {
	return func(query string, _ []driver.NamedValue) (string, bool) { return query, strings.Contains(query, begin) }
}

// replacing puts other words into a statement of the saver.
func replacing(words, others string) func(string, []driver.NamedValue) (string, bool) {
	return func(query string, _ []driver.NamedValue) (string, bool) {
		return strings.Replace(query, words, others, 1), false
	}
}

// shorter leaves out the end of what a step puts into the document store: all
// behind the first line.
func shorter(step string) func(string, io.Reader) io.Reader {
	return func(name string, r io.Reader) io.Reader {
		if !strings.Contains(name, "/"+step+"/") {
			return r
		}
		return &firstLine{r: r}
	}
}

type firstLine struct {
	r     io.Reader
	ended bool
}

func (f *firstLine) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if f.ended {
		return 0, err // all of it is read: the other side must not notice
	}
	if i := bytes.IndexByte(p[:n], '\n'); i >= 0 {
		f.ended = true
		return i + 1, err
	}
	return n, err
}

// trusting is a journal whose user takes each failure's word that nothing was done.
func trusting(j journal.Journal) journal.Journal { return trustingJournal{j} }

type trustingJournal struct{ journal.Journal }

func (j trustingJournal) Follow(ctx context.Context, filter string, after uint64) (journal.Feed, error) {
	feed, err := j.Journal.Follow(ctx, filter, after)
	return trustingFeed{feed}, err
}

type trustingFeed struct{ journal.Feed }

func (f trustingFeed) Next(ctx context.Context) (journal.Record, error) {
	r, err := f.Feed.Next(ctx)
	if event, wrong := events.Decode(r.Message); err == nil && !r.Live && wrong == nil && event.Type == events.TypeStepTimedOut || event.Type == events.TypeStepFailed {
		event.Type, event.Data = events.TypeStepFailed, []byte(`{"message":"no","retryable":false}`)
		r.Message = events.Encode(r.Subject, event)
	}
	return r, err
}

// withoutOne shows the checker the journal without the first message whose
// subject has some words in it.
func withoutOne(words string) func([]journal.Record) []journal.Record {
	return func(all []journal.Record) []journal.Record {
		for i, r := range all {
			if strings.Contains(r.Subject, words) {
				return append(all[:i:i], all[i+1:]...)
			}
		}
		return all
	}
}

// amnesic is a journal whose user finds nothing in the history.
type amnesic struct{ journal.Journal }

func (j amnesic) Load(ctx context.Context, filter string) ([]journal.Record, error) {
	if strings.HasPrefix(filter, "saga.history.") {
		return nil, nil
	}
	return j.Journal.Load(ctx, filter)
}

// wasteful is a journal whose user throws away, with what has ended, all else that
// is in the partition.
type wasteful struct{ journal.Journal }

func (j *wasteful) Prune(ctx context.Context, partition int, _ uint64) error {
	return j.Journal.Prune(ctx, partition, math.MaxUint64)
}
