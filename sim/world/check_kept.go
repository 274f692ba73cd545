package world

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"segue/document"
	"segue/events"
	"segue/journal"
	"segue/journal/memory"
	"segue/saga"
	"segue/saga/check"
)

// kept returns all messages of runs that there ever were, and checks that what is
// still in the journal is what was stored there: a run leaves it some time after its
// end, from its first message on; the rest may stay as long as an older run goes on. An outcome that comes when its run has left begins nothing; it
// leaves with what is behind it.
func (c *checker) kept(ctx context.Context) (records []journal.Record) {
	client := c.w.journal.Client("checker")
	inside := c.loadAll(ctx, client, events.AllRuns)
	c.readHistory(ctx, client)
	there := make(map[uint64]journal.Record)
	for _, r := range inside {
		there[r.Sequence] = r
	}
	rest := make(map[string]bool) // runs of which the end is still there
	for _, r := range c.w.operator.recorded() {
		s, err := events.ParseSubject(r.Subject)
		if err != nil {
			c.wrong("a message is on no subject of the table: %v", err)
			continue
		}
		now, is := there[r.Sequence]
		delete(there, r.Sequence)
		left, purged := c.w.purged[s.Run]
		late := purged && r.Stored.After(c.w.began.Add(left))
		switch {
		case late && (s.Kind == events.KindStarted || s.Kind == events.KindCommand || s.Kind == events.KindEnded):
			c.wrong("%s was written when its run had left the journal", r.Subject)
		case late:
			c.w.count("too late")
			continue
		case !is && (!purged || rest[s.Run]):
			c.wrong("%s is not in the journal; its run has left it: %t", r.Subject, purged)
		case is && purged && !rest[s.Run]:
			rest[s.Run] = true
			c.w.count("left in part")
		case is && (now.Subject != r.Subject || !bytes.Equal(now.Data, r.Data)):
			c.wrong("%s is not in the journal what it was when it was stored", r.Subject)
		}
		records = append(records, r)
	}
	for _, r := range there {
		c.wrong("%s is in the journal and was never delivered", r.Subject)
	}
	return records
}

// loadAll loads until there is an answer.
func (c *checker) loadAll(ctx context.Context, client journal.Journal, filter string) []journal.Record {
	for {
		records, err := client.Load(ctx, filter)
		switch {
		case err == nil:
			return records
		case !errors.Is(err, memory.ErrTimeout):
			c.wrong("%s cannot be read: %v", filter, err)
			return nil
		}
		pause(ctx, time.Second)
	}
}

// readHistory reads what is kept of runs that have ended.
func (c *checker) readHistory(ctx context.Context, client journal.Journal) {
	c.archive = make(map[string][]saga.View)
	for _, r := range c.loadAll(ctx, client, events.AllHistory) {
		entry, err := r.Entry()
		if err == nil {
			entry.Event, err = document.CheckOut(ctx, c.w.data, entry.Event)
		}
		var v saga.View
		if err == nil {
			v, err = saga.ReadArchived(entry)
		}
		if err != nil {
			c.wrong("a message of the history cannot be read: %v", err)
			continue
		}
		c.archive[v.Run] = append(c.archive[v.Run], v)
	}
}

// history: a run that has ended is in the history once, as what it ended as; one
// that has not is not.
func (c *checker) history(s *story) {
	list := c.archive[s.id]
	want := map[string]saga.Status{
		events.TypeRunCompleted: saga.StatusCompleted, events.TypeRunCompensated: saga.StatusCompensated,
	}[s.ended.Event.Type]
	switch {
	case want == "" && len(list) == 0:
	case want == "" || len(list) != 1:
		c.wrong("run %s, %q, is in the history %d times", s.id, want, len(list))
	case list[0].Status != want || list[0].Saga != s.definition.Name || !list[0].Ended.Equal(s.ended.Stored):
		c.wrong("run %s is in the history as %s, %s, %v, and was %s, %s, %v", s.id,
			list[0].Saga, list[0].Status, list[0].Ended, s.definition.Name, want, s.ended.Stored)
	}
}

// conform: a run goes from state to state as segue check says that runs of its
// definition can.
func (c *checker) conform(s *story) {
	graph, err := graphs.of(s.definition)
	if err == nil {
		err = graph.Follows(slices.Clone(s.entries))
	}
	if err != nil {
		c.wrong("run %s of saga %s leaves the checked graph: %v", s.id, s.definition.Name, err)
	}
}

// graphs are those of the definitions, which are the same in all worlds.
var graphs shelfOfGraphs

type shelfOfGraphs struct {
	mu  sync.Mutex
	all map[*saga.Definition]*check.Graph
}

func (g *shelfOfGraphs) of(d *saga.Definition) (*check.Graph, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if graph := g.all[d]; graph != nil {
		return graph, nil
	}
	graph, err := check.NewGraph(d)
	if err != nil {
		return nil, err
	}
	if g.all == nil {
		g.all = make(map[*saga.Definition]*check.Graph)
	}
	g.all[d] = graph
	return graph, nil
}
