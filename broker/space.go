package broker

import (
	"log/slog"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	// DefaultMinFree is the default of Config.MinFree.
	DefaultMinFree = 64 << 20
	// spaceInterval is how often the guard looks at the disk. What is written
	// meanwhile has to fit into MinFree.
	spaceInterval = 250 * time.Millisecond
)

// guard makes the server refuse what is new while its disk is nearly full, and
// take it again when there is space, until stop is closed. A write that the disk
// refuses would be worse: the server (2.15.2) answers nothing from then on on that
// stream, space or no space, until it is started again. Refused in time, a
// publisher is told at once, and nothing needs to be done afterwards.
//
// The means is the account's limit, which can be changed while the server runs
// and which every publish is held against.
type guard struct {
	account *server.Account
	dir     string
	minFree int64
	log     *slog.Logger
	full    bool
}

// run looks until stop is closed.
func (g *guard) run(stop <-chan struct{}) {
	tick := time.NewTicker(spaceInterval)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			g.look()
		}
	}
}

func (g *guard) look() {
	free, err := freeBytes(g.dir)
	if err != nil {
		return // nobody can say: then the disk is the limit
	}
	switch {
	case !g.full && free < g.minFree:
		if g.limit(0) {
			g.full = true
			g.log.Error("disk of the broker is nearly full: nothing new is stored until there is space", "dir", g.dir, "free_bytes", free, "wanted_bytes", g.minFree)
		}
	case g.full && free >= g.minFree+g.minFree/4:
		if g.limit(-1) {
			g.full = false
			g.log.Info("disk of the broker has space again", "dir", g.dir, "free_bytes", free)
		}
	}
}

// limit sets how many bytes the streams may hold; -1 is no limit but their own.
func (g *guard) limit(store int64) bool {
	err := g.account.UpdateJetStreamLimits(map[string]server.JetStreamAccountLimits{"": {
		MaxMemory: -1, MaxStore: store, MaxStreams: -1, MaxConsumers: -1, MaxAckPending: -1, MemoryMaxStreamBytes: -1, StoreMaxStreamBytes: -1,
	}})
	if err != nil {
		g.log.Error("limit of the broker cannot be set", "error", err)
	}
	return err == nil
}
