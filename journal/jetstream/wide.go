package jetstream

import (
	"context"
	"strings"
	"sync"
	"time"

	"segue/events"
	"segue/journal"
)

// wide reads all partitions with one consumer and sorts their messages, for feeds
// that together follow most of them: a consumer for each costs the broker more.
//
// A feed reads by itself up to the present, and then joins: what comes from then on
// is put by for it. When it has read the first message of those by itself it has read
// all before it too, and takes the rest from here. One that does not take fast enough
// is cut off, and reads by itself again behind its last message. So no message is
// missing or comes twice, and no feed holds up another.
type wide struct {
	j *Journal

	mu     sync.Mutex
	lanes  map[string][]*lane // by the token of the partition
	count  int                // of lanes
	feeds  int                // that follow a partition, joined or not
	cancel context.CancelFunc // of the reader; nil if there is none
}

// lane is where messages of a partition go that a feed is to have.
type lane struct {
	feed    *feed
	token   string
	riding  bool             // messages go to the feed; before, they wait
	waiting []journal.Record // at most laneRoom
	last    uint64           // sequence of the last record handed on while riding
	cut     chan struct{}    // closed when nothing comes any more
}

const (
	// laneRoom is how many records wait for a feed that has joined.
	laneRoom = buffered
	// laneRest is how long a feed that was cut off reads by itself at least.
	laneRest = time.Second
	// wideShare is the part of all partitions that has to be followed to be worth
	// reading all: a half.
	wideShare = 2
)

func newWide(j *Journal) *wide { return &wide{j: j, lanes: make(map[string][]*lane)} }

// partitionToken returns the token of the one partition that a filter is for.
func partitionToken(filter string) (token string, ok bool) {
	prefix := strings.TrimSuffix(events.AllRuns, ">")
	token, rest, _ := strings.Cut(strings.TrimPrefix(filter, prefix), ".")
	return token, strings.HasPrefix(filter, prefix) && rest == ">" && token != "*"
}

// join puts by, from now on, what is stored in the feed's partition. It returns nil
// if too few partitions are followed for that.
func (w *wide) join(f *feed) *lane {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.feeds*wideShare < w.j.partitions || w.j.ctx.Err() != nil {
		return nil
	}
	l := &lane{feed: f, token: f.token, cut: make(chan struct{})}
	w.lanes[l.token] = append(w.lanes[l.token], l)
	w.count++
	if w.cancel == nil {
		var ctx context.Context
		ctx, w.cancel = context.WithCancel(w.j.ctx)
		go w.run(ctx) // not one that Journal.Close waits for, as a feed's
	}
	return l
}

// leave cuts a lane. It may be called more than once, and for nil.
func (w *wide) leave(l *lane) {
	if l == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cutOff(l)
	if w.count == 0 && w.cancel != nil {
		w.cancel()
		w.cancel = nil
	}
}

// over says that nothing comes any more.
func (l *lane) over() bool {
	select {
	case <-l.cut:
		return true
	default:
		return false
	}
}

// cutOff is leave with the lock taken.
func (w *wide) cutOff(l *lane) {
	if l.over() {
		return
	}
	close(l.cut)
	w.count--
	for i, other := range w.lanes[l.token] {
		if other == l {
			w.lanes[l.token] = append(w.lanes[l.token][:i:i], w.lanes[l.token][i+1:]...)
		}
	}
}

// following counts feeds that follow a partition.
func (w *wide) following(change int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.feeds += change
}

// run reads until ctx is done or there is nothing to read from; then all lanes are
// cut, and their feeds find out for themselves.
func (w *wide) run(ctx context.Context) {
	err := w.read(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	if ctx.Err() != nil && w.j.ctx.Err() == nil {
		return // nobody was left, and somebody may have begun anew
	}
	w.j.opts.Log.Debug("reading of all partitions ends", "error", err)
	for _, lanes := range w.lanes {
		for _, l := range lanes {
			w.cutOff(l)
		}
	}
	if w.cancel != nil {
		w.cancel()
		w.cancel = nil
	}
}

func (w *wide) read(ctx context.Context) error {
	info, err := w.j.Info(ctx)
	if err != nil {
		return err
	}
	r := newReader(w.j, RunsStream, readBehind(events.AllRuns, info.Last))
	defer r.forget()
	if err := r.reopen(ctx); err != nil {
		return err
	}
	quiet := time.NewTicker(silence)
	defer quiet.Stop()
	for {
		record, some, err := r.next(ctx, quiet)
		if err != nil {
			return err
		}
		if some {
			w.sort(ctx, record)
		}
	}
}

// sort hands a record to the feeds of its partition.
func (w *wide) sort(ctx context.Context, r journal.Record) {
	token, _, _ := strings.Cut(r.Subject[len(events.AllRuns)-1:], ".")
	w.mu.Lock()
	defer w.mu.Unlock()
	if ctx.Err() != nil {
		return // the lanes there are belong to another reader
	}
	for _, l := range w.lanes[token] {
		switch {
		case l.riding && r.Sequence <= l.last: // the feed was ahead of this reader
		case l.riding:
			select {
			case l.feed.records <- r:
				l.last = r.Sequence
			default:
				w.cutOff(l)
			}
		case len(l.waiting) < laneRoom:
			l.waiting = append(l.waiting, r)
		default:
			w.cutOff(l)
		}
	}
}

// meets says that a message, which the feed has read by itself, is one of those that
// were put by, so that the feed has all that came before.
func (w *wide) meets(l *lane, sequence uint64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !l.over() && len(l.waiting) > 0 && sequence >= l.waiting[0].Sequence
}

// board takes what was put by behind a message, and returns nothing when from now on
// all goes to the feed at once.
func (w *wide) board(l *lane, after uint64) (behind []journal.Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range l.waiting {
		if r.Sequence > after {
			behind = append(behind, r)
		}
	}
	l.waiting = nil
	if len(behind) == 0 {
		l.riding, l.last = true, after
	}
	return behind
}

// lastOf returns the sequence of the last record that a lane has handed on.
func (w *wide) lastOf(l *lane) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return l.last
}
