package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/klauspost/compress/s2"

	"segue/document"
	"segue/events"
	"segue/journal"
)

// A snapshot is what a partition knew when it had read up to a sequence: the
// least messages that make the runs that go on (see saga.Run.Essence), and which
// runs have ended and not left yet. It spares a new owner what lies before; the
// journal behind it says the rest. It is a help and no truth: one that is missing,
// broken or of another journal is passed over.
//
//	SAGA_DATA, snapshot/<partition> => lines of JSON, compressed (S2): a snapshotHead, then a snapshotLine each
//
// Owners overwrite each other's; each is true by itself.

// snapshotFormat changes when older snapshots cannot be read any more.
const snapshotFormat = 1

// maxSnapshot is the size of the largest snapshot that is read, in bytes.
const maxSnapshot = 256 << 20

// snapshotBlock is how much of a snapshot is compressed at a time, in bytes: most are
// small, and a writer holds two blocks.
const snapshotBlock = 64 << 10

// snapshotJSON leaves data as it was when it was first looked at.
var snapshotJSON = json.JoinOptions(
	jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true), jsontext.PreserveRawStrings(true),
)

// snapshotHead says what a snapshot is of.
type snapshotHead struct {
	Format     int    `json:"format"`
	Journal    string `json:"journal"` // see journal.Info
	Partitions int    `json:"partitions"`
	Partition  int    `json:"partition"`
	Sequence   uint64 `json:"sequence"` // of the last message read
}

// snapshotLine is a run: one that goes on, with its messages, or one that has
// ended or cannot be carried on.
type snapshotLine struct {
	Messages []snapshotMessage `json:"messages,omitzero"`

	Run   string    `json:"run,omitzero"`
	First uint64    `json:"first,omitzero"` // sequences
	Last  uint64    `json:"last,omitzero"`
	Ended time.Time `json:"ended,omitzero"` // zero: it cannot be carried on
	Kept  bool      `json:"kept,omitzero"`
}

// snapshotMessage is a message of the journal, as far as it matters. That of a
// start is whole.
type snapshotMessage struct {
	Subject  string         `json:"subject"`
	Sequence uint64         `json:"sequence,omitzero"`
	Stored   time.Time      `json:"stored,omitzero"`
	ID       string         `json:"id,omitzero"`
	Type     string         `json:"type,omitzero"`
	DataRef  string         `json:"dataref,omitzero"`
	Data     jsontext.Value `json:"data,omitzero"`
	Event    jsontext.Value `json:"event,omitzero"` // as a structured CloudEvent
}

// snapshot is a copy of what a partition knows.
type snapshot struct {
	taken time.Time // by the local clock
	head  snapshotHead
	runs  [][]events.Entry
	gone  []snapshotLine
}

// snapshotName is the name of an object that package access keeps others from.
func snapshotName(partition int) string { return "snapshot/" + strconv.Itoa(partition) }

// snapshot copies what the ledger knows.
func (p *partition) snapshot() snapshot {
	p.unsaved = 0
	s := snapshot{taken: time.Now(), head: p.head(p.sequence)}
	for _, a := range p.ledger.inOrder() {
		s.runs = append(s.runs, a.run.Essence())
	}
	for run, first := range p.ledger.orphans {
		s.gone = append(s.gone, snapshotLine{Run: run, First: first})
	}
	for _, d := range p.ledger.gone.keeping {
		s.gone = append(s.gone, snapshotLine{Run: d.run, First: d.first, Last: d.last, Ended: d.ended})
	}
	for _, d := range p.ledger.gone.leaving {
		s.gone = append(s.gone, snapshotLine{Run: d.run, First: d.first, Last: d.last, Ended: d.ended, Kept: true})
	}
	return s
}

func (p *partition) head(sequence uint64) snapshotHead {
	return snapshotHead{
		Format: snapshotFormat, Journal: p.journalID, Partitions: p.partitions, Partition: p.number, Sequence: sequence,
	}
}

// save stores a snapshot, or gives it up before it is out of date.
func (p *partition) save(ctx context.Context, s snapshot) error {
	ctx, cancel := context.WithDeadlineCause(ctx, s.taken.Add(journal.LongSilence), errOutdated)
	defer cancel()
	var b bytes.Buffer
	if err := p.encode(ctx, &b, s); err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	if _, err := p.Data.Put(ctx, snapshotName(p.number), &b); err != nil {
		return fmt.Errorf("store snapshot: %w", err)
	}
	return nil
}

func (p *partition) encode(ctx context.Context, w io.Writer, s snapshot) error {
	compressor := s2.NewWriter(w, s2.WriterConcurrency(1), s2.WriterBlockSize(snapshotBlock))
	defer compressor.Close() //nolint:errcheck // closed below as well; this one frees it after an error
	lines := jsontext.NewEncoder(compressor, snapshotJSON)
	if err := json.MarshalEncode(lines, s.head); err != nil {
		return err
	}
	for _, run := range s.runs {
		line, err := p.line(ctx, run)
		if err != nil {
			return err
		}
		if err := json.MarshalEncode(lines, line); err != nil {
			return err
		}
	}
	for _, line := range s.gone {
		if err := json.MarshalEncode(lines, line); err != nil {
			return err
		}
	}
	return compressor.Close()
}

// line writes a run that goes on. Large data is in the data store already and
// stays there.
func (p *partition) line(ctx context.Context, run []events.Entry) (line snapshotLine, err error) {
	for _, e := range run {
		if e.Event, err = document.CheckIn(ctx, p.Data, e.Event); err != nil {
			return line, err
		}
		m := snapshotMessage{
			Subject: e.Subject.String(), Sequence: e.Sequence, Stored: e.Stored,
			ID: e.Event.ID, Type: e.Event.Type, DataRef: e.Event.DataRef,
		}
		switch {
		case e.Subject.Kind == events.KindStarted:
			whole, err := events.EncodeStructured(m.Subject, e.Event)
			if err != nil {
				return line, err
			}
			m.ID, m.Type, m.DataRef, m.Event = "", "", "", whole.Data
		case len(e.Event.Data) > 0:
			m.Data = e.Event.Data
		}
		line.Messages = append(line.Messages, m)
	}
	return line, nil
}

// errSnapshot says that a snapshot is of no use.
var errSnapshot = errors.New("snapshot is of no use")

// snapshotTries is how often a snapshot is looked at again that another owner
// replaces while it is read.
const snapshotTries = 3

// restore fills the ledger from the last snapshot and returns the sequence
// behind which to read: 0 if there is none that is of use.
func (p *partition) restore(ctx context.Context) (after uint64, err error) {
	tries := 0
	err = persist(ctx, p.log, "reading the snapshot", func() error {
		p.ledger = newLedger()
		after, err = p.load(ctx)
		switch tries++; {
		case err == nil:
			return nil
		case errors.Is(err, errSnapshot), gone(err) && tries == snapshotTries:
			p.log.Info("partition is read from its beginning", "reason", err)
			p.ledger, after = newLedger(), 0
			return nil
		}
		return err
	})
	return after, err
}

// errReplaced says that what was read may be full of holes.
var errReplaced = errors.New("its snapshot was replaced while it was read")

// unreplaced returns errReplaced if another owner has stored a snapshot since reading
// began. That comes before runs leave: what ended behind the older one may have left
// unread, and would look as if it went on. What leaves from now on has been read.
func (p *partition) unreplaced(ctx context.Context) error {
	var last document.Ref
	err := persist(ctx, p.log, "looking for a newer snapshot", func() (err error) {
		last, err = p.lastSnapshot(ctx)
		return err
	})
	if err == nil && last != p.restored {
		return errReplaced
	}
	return err
}

// lastSnapshot returns the Ref of the partition's snapshot; zero if there is none.
func (p *partition) lastSnapshot(ctx context.Context) (document.Ref, error) {
	ref, err := p.Data.Stat(ctx, snapshotName(p.number))
	if errors.Is(err, document.ErrNotFound) {
		return document.Ref{}, nil
	}
	return ref, err
}

func (p *partition) load(ctx context.Context) (after uint64, err error) {
	ref, err := p.lastSnapshot(ctx)
	if err != nil {
		return 0, err
	}
	p.restored = ref
	switch {
	case ref == document.Ref{}:
		return 0, nil
	case ref.Size > maxSnapshot:
		return 0, fmt.Errorf("%w: it has %d bytes, at most %d are read", errSnapshot, ref.Size, maxSnapshot)
	}
	text, err := document.ReadAll(ctx, p.Data, ref)
	if err != nil {
		return 0, err
	}
	info, err := p.Journal.Info(ctx)
	if err != nil {
		return 0, err
	}
	lines := jsontext.NewDecoder(s2.NewReader(bytes.NewReader(text)), snapshotJSON)
	var head snapshotHead
	if err := json.UnmarshalDecode(lines, &head); err != nil {
		return 0, fmt.Errorf("%w: %w", errSnapshot, err)
	}
	if head != p.head(head.Sequence) || head.Sequence > info.Last {
		return 0, fmt.Errorf("%w: it is of another journal", errSnapshot)
	}
	for {
		var line snapshotLine
		switch err := json.UnmarshalDecode(lines, &line); {
		case errors.Is(err, io.EOF):
			p.sequence = head.Sequence
			return head.Sequence, nil
		case err != nil:
			return 0, fmt.Errorf("%w: %w", errSnapshot, err)
		}
		if err := p.enter(ctx, line); err != nil {
			return 0, err
		}
	}
}

// enter puts one run of a snapshot into the ledger.
func (p *partition) enter(ctx context.Context, line snapshotLine) error {
	d := departure{run: line.Run, ended: line.Ended, first: line.First, last: line.Last}
	switch {
	case line.Run == "":
	case line.Ended.IsZero():
		p.ledger.orphans[line.Run] = line.First
	case line.Kept:
		p.ledger.gone.leaving = append(p.ledger.gone.leaving, d)
	default:
		p.ledger.gone.ended(d)
	}
	for _, m := range line.Messages {
		entry, err := m.entry()
		if err != nil {
			return fmt.Errorf("%w: %w", errSnapshot, err)
		}
		it, err := p.openEntry(ctx, entry)
		if err != nil {
			return err
		}
		p.take(it)
	}
	return nil
}

// entry returns the message as the journal had it.
func (m snapshotMessage) entry() (events.Entry, error) {
	r := journal.Record{Message: events.Message{Subject: m.Subject}, Sequence: m.Sequence, Stored: m.Stored}
	if m.Event != nil {
		r.Header, r.Data = events.Header{events.HeaderContentType: {"application/cloudevents+json"}}, m.Event
		return r.Entry()
	}
	subject, err := events.ParseSubject(m.Subject)
	e := events.Event{ID: m.ID, Type: m.Type, DataRef: m.DataRef, Data: m.Data}
	if len(m.Data) > 0 {
		e.DataContentType = events.JSON
	}
	return events.Entry{Subject: subject, Event: e, Sequence: m.Sequence, Stored: m.Stored}, err
}
