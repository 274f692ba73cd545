package engine_test

import (
	"fmt"
	"testing"
	"time"

	"segue/events"
	"segue/journal/memory"
	"segue/saga/engine"
)

// Many starts taken up at the same moment do not all find the same room. A run
// counts when it has come back from the journal, so a few may slip through.
func TestRoomIsTakenOnce(t *testing.T) {
	onStage(t, memory.Config{Partitions: 1}, func(s *stage) {
		const most, starts = 3, 40
		for i := range starts {
			s.start("one", fmt.Sprint(i), `{"n":1}`)
		}
		p := s.engine("a", func(c *engine.Config) { c.MaxRunning, c.Intake = most, 16 }, load(t, one))
		passes(5 * time.Second)
		if n := p.gauge(t, "segue_runs_running"); n < most || n > 2*most {
			t.Errorf("%v runs go on, want %d and a few at most", n, most)
		}
		s.serve(func(events.Entry) answer { return completed })
		for i := range starts {
			s.await(run(fmt.Sprint(i)), events.TypeRunCompleted, time.Minute)
		}
	})
}
