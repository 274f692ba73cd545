package memory

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"time"

	"segue/events"
	"segue/journal"
)

// maxPayload is the largest message, header and data together, in bytes: what a
// NATS server takes by default.
const maxPayload = 1 << 20

const (
	// duplicateWindow is how long the id of a message is remembered.
	duplicateWindow = 2 * time.Minute
	// definitionsKept is how many definitions of a name stay.
	definitionsKept = 16
)

// record is a message as stored. But for gone, which the journal's mutex guards,
// it is immutable.
type record struct {
	events.Message
	tokens   []string // of the subject
	id       uint64   // what it is to chance
	size     int64    // in bytes, as it counts against the limit
	sequence uint64
	stored   time.Time
	gone     bool // it has left
}

// newRecord returns a message ready to be stored, in memory of its own.
func newRecord(m events.Message) *record {
	m = clone(m)
	return &record{
		Message: m, tokens: strings.Split(m.Subject, "."), id: identity(m),
		size: int64(len(m.Subject)) + payload(m),
	}
}

// record returns the record as readers get it.
func (r *record) record() journal.Record {
	return journal.Record{Message: clone(r.Message), Sequence: r.sequence, Stored: r.stored}
}

func clone(m events.Message) events.Message {
	m.Data = slices.Clone(m.Data)
	m.Header = maps.Clone(m.Header)
	values := make([]string, 0, len(m.Header))
	for name, v := range m.Header { // all values in one piece of memory
		values = append(values, v...)
		m.Header[name] = values[len(values)-len(v) : len(values) : len(values)]
	}
	return m
}

// payload returns the size of a message, header and data, as NATS counts it.
func payload(m events.Message) int64 {
	n := len(m.Data)
	if len(m.Header) > 0 {
		n += len("NATS/1.0\r\n\r\n")
	}
	for name, values := range m.Header {
		for _, v := range values {
			n += len(name) + len(": \r\n") + len(v)
		}
	}
	return int64(n)
}

// stream is what is kept below one subject root, and how.
type stream struct {
	once     bool // each subject is written once
	most     int  // how many of a subject stay when newer ones come; 0 for all
	discards bool // when it is full the oldest leave
	sequence uint64
	bytes    int64
	last     time.Time            // stamp of the last message
	taken    map[string]struct{}  // subjects, if they are written once
	newest   map[string][]*record // by subject, if only most of them stay
	ids      map[string]time.Time // Nats-Msg-Id => when it was stored, if they are not
}

func newStream() stream {
	return stream{
		taken: make(map[string]struct{}), newest: make(map[string][]*record), ids: make(map[string]time.Time),
	}
}

// isTaken says that a message must not be stored: its subject has one that stays,
// or its id was seen a short while ago.
func (s *stream) isTaken(r *record) bool {
	if s.once {
		_, taken := s.taken[r.Subject]
		return taken
	}
	id := r.Header.Get(events.HeaderMsgID)
	stored, known := s.ids[id]
	return id != "" && known && time.Since(stored) < duplicateWindow
}

// admit stamps a record as the next of the stream, unless the stream is full.
func (s *stream) admit(r *record, maxBytes int64) error {
	if maxBytes > 0 && s.bytes+r.size > maxBytes && !s.discards {
		return journal.ErrFull
	}
	s.sequence++
	s.bytes += r.size
	if now := time.Now().Round(0).Truncate(time.Microsecond); now.After(s.last) {
		s.last = now // stamps never go back, whatever the wall clock does
	}
	r.sequence, r.stored = s.sequence, s.last.UTC()
	if s.once {
		s.taken[r.Subject] = struct{}{}
	} else if id := r.Header.Get(events.HeaderMsgID); id != "" {
		s.ids[id] = r.stored
	}
	return nil
}

// root returns the stream that keeps a subject, and its library if it is one to
// read from.
func (j *Journal) root(tokens []string) (*stream, *library) {
	if slices.Contains(tokens, "") || len(tokens) < 3 || tokens[0] != "saga" {
		return nil, nil
	}
	switch tokens[1] {
	case "run":
		return &j.runs.stream, &j.runs
	case "rejected":
		return &j.reject.stream, &j.reject
	case "history":
		return &j.history.stream, &j.history
	case "definition":
		if len(tokens) == 3 {
			return &j.definitions.stream, &j.definitions
		}
	case "schedule":
		if len(tokens) == 4 {
			return &j.schedules.stream, &j.schedules
		}
	case "start":
		if len(tokens) == 3 {
			return &j.starts, nil
		}
	}
	return nil, nil
}

// store keeps a record, or drops it if its subject or id is there already.
func (j *Journal) store(r *record) error {
	s, l := j.root(r.tokens)
	if s.isTaken(r) {
		j.trace("taken", r.Subject, r.id)
		return nil
	}
	if err := s.admit(r, j.config.MaxBytes); err != nil {
		j.trace("full", r.Subject, r.id)
		return fmt.Errorf("store %s: %w", r.Subject, err)
	}
	j.trace("stored", r.Subject, r.sequence)
	if l == nil {
		j.offer(j.queue(""), &item{record: r})
		return nil
	}
	l.show(r)
	l.trim(r, j.config.MaxBytes)
	if l == &j.runs && isCommand(r) {
		j.offer(j.queue(r.tokens[5]), &item{record: r})
	}
	return nil
}

// isCommand says of a message of a run that a queue gets it.
func isCommand(r *record) bool { return len(r.tokens) > 6 && r.tokens[4] == string(events.KindCommand) }

// library keeps the records below a subject root on shelves, so that who follows
// one partition or one run does not read the others.
type library struct {
	stream
	all     *shelf
	byThird map[string]*shelf // by the subject's third token: a run's partition
	byName  map[string]*shelf // by the one that names the run, or the rejected start
	narrow  int               // position of that token
	left    int               // position on all of the first record that may not have left
}

// shelf holds records in order, and who follows them.
type shelf struct {
	records []*record
	feeds   []*feed
}

func newLibrary() library {
	return library{
		stream: newStream(), all: new(shelf),
		byThird: make(map[string]*shelf), byName: make(map[string]*shelf), narrow: 3,
	}
}

func shelfOf(shelves map[string]*shelf, name string) *shelf {
	s := shelves[name]
	if s == nil {
		s = new(shelf)
		shelves[name] = s
	}
	return s
}

// find returns the smallest shelf that holds all a filter matches.
func (l *library) find(filter []string) *shelf {
	literal := func(i int) bool { return len(filter) > i && filter[i] != "*" && filter[i] != ">" }
	switch {
	case literal(l.narrow):
		return shelfOf(l.byName, filter[l.narrow])
	case literal(2):
		return shelfOf(l.byThird, filter[2])
	default:
		return l.all
	}
}

// behind returns the position of the first record with a higher sequence.
func (s *shelf) behind(sequence uint64) int {
	return sort.Search(len(s.records), func(i int) bool { return s.records[i].sequence > sequence })
}

// library returns the one that a filter reads from, nil if there is none.
func (j *Journal) library(filter []string) *library {
	_, l := j.root(filter)
	return l
}

// show puts a stored record on its shelves and tells their feeds.
func (l *library) show(r *record) {
	shelves := [3]*shelf{l.all, shelfOf(l.byThird, r.tokens[2])}
	if len(r.tokens) > l.narrow {
		shelves[2] = shelfOf(l.byName, r.tokens[l.narrow])
	}
	for _, s := range shelves {
		if s == nil {
			continue
		}
		s.records = append(s.records, r)
		for _, f := range s.feeds {
			if matches(f.filter, r.tokens) {
				f.refresh()
			}
		}
	}
}

// matches says whether the tokens of a subject match those of a filter.
func matches(filter, subject []string) bool {
	for i, f := range filter {
		if f == ">" {
			return len(subject) > i
		}
		if i >= len(subject) || f != "*" && f != subject[i] {
			return false
		}
	}
	return len(filter) == len(subject)
}
