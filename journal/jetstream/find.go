package jetstream

import (
	"context"
	"strings"

	"segue/journal"
)

const (
	// maxFound is how many runs are looked for in one request; the server takes
	// 1,024 filters.
	maxFound = 256
	// maxFinders is how many callers may wait for the finder before further ones wait
	// for room.
	maxFinders = 1024
)

// finder looks for what is kept of runs in the history, which each start asks for.
// While one request is under way, what callers ask for waits; then all of it goes
// together.
type finder struct {
	j     *Journal
	queue chan *inquiry
}

// inquiry is what one caller asks for. The finder owns it from the moment it is
// queued until done is closed.
type inquiry struct {
	filter  string
	records []journal.Record
	err     error
	done    chan struct{}
}

func newFinder(j *Journal) *finder {
	f := &finder{j: j, queue: make(chan *inquiry, maxFinders)}
	j.busy.Go(f.run)
	return f
}

// find returns what is stored of the run that a filter names.
func (f *finder) find(ctx context.Context, filter string) ([]journal.Record, error) {
	q := &inquiry{filter: filter, done: make(chan struct{})}
	select {
	case f.queue <- q:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case <-q.done:
		return q.records, q.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (f *finder) run() {
	for {
		select {
		case <-f.j.ctx.Done():
			return
		case first := <-f.queue:
			f.look(gather(f.queue, first, maxFound))
		}
	}
}

// gather takes what waits in a queue, at most n with the first.
func gather[T any](queue <-chan T, first T, n int) []T {
	all := []T{first}
	for len(all) < n {
		select {
		case next := <-queue:
			all = append(all, next)
		default:
			return all
		}
	}
	return all
}

// look makes one request for all. When it fails for what one of them brings, such as
// too much, that is the answer to each: they ask again in another way.
func (f *finder) look(inquiries []*inquiry) {
	byRun := make(map[string][]*inquiry, len(inquiries))
	var filters []string
	for _, q := range inquiries {
		run := lastToken(q.filter)
		if byRun[run] == nil {
			filters = append(filters, q.filter)
		}
		byRun[run] = append(byRun[run], q)
	}
	var records []journal.Record
	err := f.j.link.online(f.j.ctx, func(ctx context.Context) (err error) {
		records, err = f.j.loadPage(ctx, HistoryStream, directGet{Last: filters, MaxBytes: loadBytes})
		return err
	})
	for _, r := range records {
		for _, q := range byRun[lastToken(r.Subject)] {
			q.records = append(q.records, r)
		}
	}
	for _, q := range inquiries {
		q.err = err
		close(q.done)
	}
}

func lastToken(subject string) string { return subject[strings.LastIndexByte(subject, '.')+1:] }
