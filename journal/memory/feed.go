package memory

import (
	"context"
	"fmt"
	"slices"

	"segue/journal"
)

// feed is a reader's place on a shelf. The broker moves visible, the reader
// follows with cursor; so a feed has no buffer and cannot lose anything.
type feed struct {
	client *Client
	filter []string
	after  uint64
	id     uint64

	// Guarded by the journal's mutex.
	shelf      *shelf // nil until the broker has begun the feed
	cursor     int    // position on the shelf of the next record
	visible    int    // position up to which the reader may read, or nothing
	live       int    // position of the mark
	marked     bool   // the mark has been delivered
	refreshing bool   // visible is about to move

	ready  chan struct{} // of size 1: there may be something to read
	done   chan struct{}
	closed bool
	forget func() bool // forgets the context
}

// nothing is the position of a feed whose first records are still on their way.
const nothing = -1

// newFeed asks the broker for a feed. The journal must be locked.
func newFeed(ctx context.Context, c *Client, filter []string, after uint64) *feed {
	f := &feed{client: c, filter: filter, after: after, id: c.id, ready: make(chan struct{}, 1), done: make(chan struct{})}
	for _, token := range filter {
		f.id = mix(f.id ^ digest(token))
	}
	f.forget = context.AfterFunc(ctx, f.Close)
	c.feeds[f] = struct{}{}
	c.j.afterUp(c.j.travel(toArrive, f.id), f.id, f.begin)
	return f
}

// begin puts the reader before the shelf.
func (f *feed) begin() {
	if f.closed {
		return
	}
	f.shelf = f.client.j.library(f.filter).find(f.filter)
	f.shelf.feeds = append(f.shelf.feeds, f)
	f.live = len(f.shelf.records)
	f.cursor = min(f.shelf.behind(f.after), f.live)
	f.visible = nothing
	f.refresh()
}

// refresh shows the reader, after a while, what is on the shelf by then.
func (f *feed) refresh() {
	if f.refreshing {
		return
	}
	f.refreshing = true
	j := f.client.j
	j.afterUp(j.travel(toShow, f.id), f.id, func() {
		f.refreshing = false
		if f.closed {
			return
		}
		f.visible = len(f.shelf.records)
		select {
		case f.ready <- struct{}{}:
		default: // the reader has been told and has not looked yet
		}
	})
}

// read returns the next record that is visible, if there is one.
func (f *feed) read() (r *record, live, ok bool) {
	for f.shelf != nil {
		if !f.marked && f.cursor == f.live && f.visible >= f.live {
			f.marked = true
			return nil, true, true
		}
		if f.cursor >= f.visible {
			return nil, false, false
		}
		r := f.shelf.records[f.cursor]
		f.cursor++
		if !r.gone && r.sequence > f.after && matches(f.filter, r.tokens) {
			return r, false, true
		}
	}
	return nil, false, false
}

// Next implements [journal.Feed].
func (f *feed) Next(ctx context.Context) (journal.Record, error) {
	for {
		if err := ctx.Err(); err != nil {
			return journal.Record{}, fmt.Errorf("wait for a record: %w", err)
		}
		f.client.j.mu.Lock()
		if f.closed {
			f.client.j.mu.Unlock()
			return journal.Record{}, errClosed("wait for a record")
		}
		r, live, ok := f.read()
		f.client.j.mu.Unlock()
		if live {
			return journal.Record{Live: true}, nil
		}
		if ok {
			return r.record(), nil
		}
		select {
		case <-f.ready:
		case <-f.done:
		case <-ctx.Done():
		}
	}
}

// Close implements [journal.Feed].
func (f *feed) Close() {
	f.client.j.mu.Lock()
	defer f.client.j.mu.Unlock()
	f.end()
}

func (f *feed) end() {
	if f.closed {
		return
	}
	f.closed = true
	f.forget()
	close(f.done)
	delete(f.client.feeds, f)
	if f.shelf != nil {
		f.shelf.feeds = slices.DeleteFunc(f.shelf.feeds, func(other *feed) bool { return other == f })
	}
}
