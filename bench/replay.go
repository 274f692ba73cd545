package bench

import (
	"context"
	"fmt"
	"time"

	"segue/document"
)

// Replay is how an orchestrator read a journal from its beginning, having no snapshot.
type Replay struct {
	Messages uint64
	Took     time.Duration
}

// PerSecond is how many messages were read a second.
func (r Replay) PerSecond() float64 { return float64(r.Messages) / r.Took.Seconds() }

// replay puts another orchestrator in the place of the one that runs and waits until
// it has read all there is. It has a store of its own: snapshots are in the other's.
func (s *system) replay(ctx context.Context) (Replay, error) {
	info, err := s.orchestrator.config.Journal.Info(ctx)
	if err != nil {
		return Replay{}, err
	}
	s.orchestrator.stop()
	begin := time.Now()
	if err := s.conduct(document.NewMemory(document.DataBucket)); err != nil {
		return Replay{}, err
	}
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	late := time.NewTimer(patience + time.Duration(info.Last)*100*time.Microsecond)
	defer late.Stop()
	for !s.orchestrator.engine.Ready() {
		select {
		case <-look.C:
		case err := <-s.errs:
			return Replay{}, err
		case <-late.C:
			return Replay{}, fmt.Errorf("the journal of %d messages was not read in %v", info.Last, time.Since(begin).Round(time.Second))
		case <-ctx.Done():
			return Replay{}, ctx.Err()
		}
	}
	return Replay{info.Last, time.Since(begin)}, nil
}
