//go:build unix

package fleet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// Supervise starts members again that end by themselves, as the supervisor of a
// real system does, until ctx is done. [Fleet.Exits] says which ones did.
func (f *Fleet) Supervise(ctx context.Context) {
	tick := time.NewTicker(supervision)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, member := range f.Members {
			if f.gone(member) {
				_ = f.Start(member) // the next round tries again
			}
		}
	}
}

// supervision is how often a supervisor looks.
const supervision = 50 * time.Millisecond

// gone says whether a member has ended by itself, and notes it.
func (f *Fleet) gone(member string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.members[member]
	if f.closed || p == nil || f.dead[member] || p.Running() {
		return false
	}
	last := ""
	for line := range strings.Lines(Tail(p.Text(), 4<<10)) {
		last = strings.TrimSpace(line)
	}
	f.exits = append(f.exits, fmt.Sprintf("%s (%s): %s", member, p.State(), last))
	return true
}

// Exits are the members that ended by themselves, with their last words.
func (f *Fleet) Exits() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.exits)
}

// Panics returns the logs that tell of a panic or a data race.
func (f *Fleet) Panics() error {
	var found []error
	for _, p := range f.Processes() {
		text, err := os.ReadFile(p.Log)
		if err != nil {
			continue // it never ran
		}
		for _, bad := range []string{"\npanic: ", "DATA RACE", "fatal error: "} {
			if strings.Contains(string(text), bad) {
				found = append(found, fmt.Errorf("%s wrote %q", p.Name, strings.TrimSpace(bad)))
			}
		}
	}
	return errors.Join(found...)
}
