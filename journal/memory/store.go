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

// duplicateWindow is how long the id of a start is remembered.
const duplicateWindow = 2 * time.Minute

// record is a message as stored. It is immutable.
type record struct {
	events.Message
	tokens   []string // of the subject
	id       uint64   // what it is to chance
	size     int64    // in bytes, as it counts against the limit
	sequence uint64
	stored   time.Time
}

// newRecord returns a message ready to be stored, in memory of its own.
func newRecord(m events.Message) *record {
	m = clone(m)
	return &record{
		Message: m, tokens: strings.Split(m.Subject, "."), id: identity(m),
		size: int64(len(m.Subject)) + payload(m),
	}
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

// stream counts what is kept below one subject root.
type stream struct {
	sequence uint64
	bytes    int64
	last     time.Time            // stamp of the last message
	taken    map[string]struct{}  // subjects that are written once
	ids      map[string]time.Time // Nats-Msg-Id => when it was stored
}

func newStream() stream {
	return stream{taken: make(map[string]struct{}), ids: make(map[string]time.Time)}
}

// admit stamps a record as the next of the stream, unless the stream is full.
func (s *stream) admit(r *record, maxBytes int64) error {
	if maxBytes > 0 && s.bytes+r.size > maxBytes {
		return journal.ErrFull
	}
	s.sequence++
	s.bytes += r.size
	if now := time.Now().Round(0).Truncate(time.Microsecond); now.After(s.last) {
		s.last = now // stamps never go back, whatever the wall clock does
	}
	r.sequence, r.stored = s.sequence, s.last.UTC()
	return nil
}

// holds says which stream keeps a subject.
func (j *Journal) holds(r *record) *stream {
	if slices.Contains(r.tokens, "") || len(r.tokens) < 3 || r.tokens[0] != "saga" {
		return nil
	}
	switch {
	case r.tokens[1] == "run":
		return &j.runs.stream
	case r.tokens[1] == "rejected":
		return &j.reject.stream
	case r.tokens[1] == "start" && len(r.tokens) == 3:
		return &j.starts
	}
	return nil
}

// store keeps a record, or drops it if its subject or id is there already.
func (j *Journal) store(r *record) error {
	s := j.holds(r)
	if j.isTaken(s, r) {
		j.trace("taken", r.Subject, r.id)
		return nil
	}
	if err := s.admit(r, j.config.MaxBytes); err != nil {
		j.trace("full", r.Subject, r.id)
		return fmt.Errorf("store %s: %w", r.Subject, err)
	}
	j.trace("stored", r.Subject, r.sequence)
	switch s {
	case &j.starts:
		if id := r.Header.Get(events.HeaderMsgID); id != "" {
			s.ids[id] = r.stored
		}
		j.offer(j.queue(""), &item{record: r})
	case &j.runs.stream:
		s.taken[r.Subject] = struct{}{}
		j.runs.show(r)
		if len(r.tokens) > 6 && r.tokens[4] == string(events.KindCommand) {
			j.offer(j.queue(r.tokens[5]), &item{record: r})
		}
	default:
		s.taken[r.Subject] = struct{}{}
		j.reject.show(r)
	}
	return nil
}

func (j *Journal) isTaken(s *stream, r *record) bool {
	if s != &j.starts {
		_, taken := s.taken[r.Subject]
		return taken
	}
	id := r.Header.Get(events.HeaderMsgID)
	stored, known := s.ids[id]
	return id != "" && known && time.Since(stored) < duplicateWindow
}

// library keeps the records below a subject root on shelves, so that who follows
// one partition or one run does not read the others.
type library struct {
	stream
	all      *shelf
	byThird  map[string]*shelf // by the subject's third token: a run's partition
	byFourth map[string]*shelf // by its fourth: the run, the rejected start
}

// shelf holds records in order, and who follows them.
type shelf struct {
	records []*record
	feeds   []*feed
}

func newLibrary() library {
	return library{
		stream: newStream(), all: new(shelf),
		byThird: make(map[string]*shelf), byFourth: make(map[string]*shelf),
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
	case literal(3):
		return shelfOf(l.byFourth, filter[3])
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

// library returns the one whose records a filter selects from.
func (j *Journal) library(filter []string) *library {
	if filter[1] == "rejected" {
		return &j.reject
	}
	return &j.runs
}

// show puts a stored record on its shelves and tells their feeds.
func (l *library) show(r *record) {
	shelves := [3]*shelf{l.all, shelfOf(l.byThird, r.tokens[2])}
	if len(r.tokens) > 3 {
		shelves[2] = shelfOf(l.byFourth, r.tokens[3])
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
