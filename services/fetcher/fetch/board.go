package fetch

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"
)

// Board is where fetchers that share the limits of hosts write down who is where:
//
//	<host> => {"turns": {"<id>": <until>}, "next": <instant>}
//
// with instants in microseconds since 1970. What was not written for ten minutes
// may be forgotten. All methods may be called concurrently.
type Board interface {
	// Read returns what is written for a host with its revision; nil and 0 if
	// there is nothing.
	Read(ctx context.Context, host string) (note []byte, revision uint64, err error)
	// Write replaces the note of that revision. If there is another by now, it
	// changes nothing and returns ErrRaced.
	Write(ctx context.Context, host string, note []byte, revision uint64) error
	// Now is the time that all who write on the board agree on.
	Now(ctx context.Context) (time.Time, error)
}

// ErrRaced is returned by [Board.Write] when another wrote in between.
var ErrRaced = errors.New("another has written in between")

// visits is the note of a host.
type visits struct {
	// Turns are the turns that are held, with the instant each ends without a sign
	// of life.
	Turns map[string]int64 `json:"turns,omitempty"`
	// Next is the first instant at which the next request may start.
	Next int64 `json:"next,omitempty"`
}

// readVisits reads a note. One that cannot be read says nothing: limits are a
// courtesy, and whoever broke the note must not keep everybody out for ever.
func readVisits(note []byte) visits {
	var v visits
	if json.Unmarshal(note, &v) != nil || v.Turns == nil {
		v.Turns = make(map[string]int64)
	}
	return v
}

// enter gives id a turn, and says how long to wait before it starts. It refuses
// if all turns are held, with no delay, and if the turn would start later than
// patience allows, with the delay there would be.
func (v *visits) enter(now time.Time, id string, perHost int, every, patience time.Duration) (delay time.Duration, ok bool) {
	at := now.UnixMicro()
	for other, until := range v.Turns {
		if until <= at {
			delete(v.Turns, other) // who held it is gone
		}
	}
	if perHost > 0 && len(v.Turns) >= perHost {
		return 0, false
	}
	start := at
	if every > 0 {
		// A Next far ahead was not written by one who keeps to these rules.
		start = min(max(at, v.Next), at+maxRetryAfter.Microseconds())
		if delay = time.Duration(start-at) * time.Microsecond; delay > patience {
			return delay, false
		}
		v.Next = start + every.Microseconds()
	}
	if perHost > 0 {
		v.Turns[id] = start + turnLease.Microseconds()
	}
	return delay, true
}

// memoryBoard is the board of a fetcher that shares with nobody.
type memoryBoard struct {
	mu    sync.Mutex
	notes map[string][]byte
	last  map[string]uint64 // revisions
}

// memoryHosts is how many hosts a board in memory remembers.
const memoryHosts = 10_000

func newMemoryBoard() *memoryBoard {
	return &memoryBoard{notes: make(map[string][]byte), last: make(map[string]uint64)}
}

func (b *memoryBoard) Read(_ context.Context, host string) ([]byte, uint64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.notes[host], b.last[host], nil
}

func (b *memoryBoard) Write(_ context.Context, host string, note []byte, revision uint64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.last[host] != revision {
		return ErrRaced
	}
	if len(b.notes) >= memoryHosts {
		b.forget()
	}
	b.notes[host], b.last[host] = note, revision+1
	return nil
}

// forget drops the hosts at which nobody is and nobody has just been.
func (b *memoryBoard) forget() {
	now := time.Now().UnixMicro()
	for host, note := range b.notes {
		if v := readVisits(note); len(v.Turns) == 0 && v.Next <= now {
			delete(b.notes, host)
			delete(b.last, host)
		}
	}
}

func (b *memoryBoard) Now(context.Context) (time.Time, error) { return time.Now(), nil }
