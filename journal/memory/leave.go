package memory

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"segue/events"
	"segue/journal"
)

// A message that leaves stays on its shelves, marked, so that the positions of
// those who read there stay what they are.

// leave takes a record out.
func (l *library) leave(r *record) {
	if r.gone {
		return
	}
	r.gone = true
	l.bytes -= r.size
	delete(l.taken, r.Subject)
}

// trim makes the oldest leave where a new record is one too many.
func (l *library) trim(r *record, maxBytes int64) {
	if l.most > 0 {
		newest := append(l.newest[r.Subject], r)
		if len(newest) > l.most {
			l.leave(newest[0])
			newest = slices.Delete(newest, 0, 1)
		}
		l.newest[r.Subject] = newest
	}
	for ; l.discards && maxBytes > 0 && l.bytes > maxBytes; l.left++ {
		l.leave(l.all.records[l.left])
	}
}

// Prune implements [journal.Journal].
func (c *Client) Prune(ctx context.Context, partition int, before uint64) error {
	what := fmt.Sprintf("partition-%d", partition)
	return c.ask(ctx, "prune "+what, "prune "+what, digest(what)^before, func() error {
		if partition == journal.EveryPartition {
			c.j.takeOut(c.j.runs.all, before)
			return nil
		}
		filter := strings.Split(events.PartitionFilter(partition), ".")
		c.j.takeOut(c.j.runs.byThird[filter[2]], before)
		return nil
	})
}

// Purge implements [journal.Journal]. Commands of the run that are leased may
// still be settled.
func (c *Client) Purge(ctx context.Context, run string) error {
	if !events.ValidName(run) {
		return fmt.Errorf("purge run %q: %w", run, events.ErrSubject)
	}
	return c.ask(ctx, "purge run "+run, "purge "+run, digest(run), func() error {
		c.j.purge(run)
		return nil
	})
}

func (j *Journal) purge(run string) {
	j.takeOut(j.runs.byName[run], math.MaxUint64)
}

// takeOut takes the records of a shelf below a sequence out.
func (j *Journal) takeOut(s *shelf, before uint64) {
	if s == nil {
		return
	}
	told := make(map[string]bool)
	for _, r := range s.records {
		if r.sequence >= before {
			return
		}
		if r.gone {
			continue
		}
		if run := r.tokens[3]; !told[run] {
			told[run] = true
			j.trace("purged", run, r.sequence)
		}
		j.runs.leave(r)
		if isCommand(r) {
			j.queue(r.tokens[5]).drop()
		}
	}
}
