//go:build unix

package main

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"segue/faults/fleet"
)

// actSaga is the saga of the actor (faults/actor).
//
//go:embed act.yaml
var actSaga []byte

// act is the input of the saga: what is done at one of its steps.
type act struct {
	Do           string `json:"do"`
	At           string `json:"at"`
	Milliseconds int    `json:"ms"`
}

// acts makes n tasks of the saga.
func acts(n int, name string, do act, failsAt string) []*fleet.Task {
	var tasks []*fleet.Task
	for i := range n {
		tasks = append(tasks, &fleet.Task{ID: fmt.Sprintf("%s-%d", name, i), Saga: "act", Input: do, FailsAt: failsAt})
	}
	return tasks
}

// actors makes a fleet's configuration for the saga: orchestrators and actors.
func (b *Bench) actors(dir string, orchestrators, actors int) (fleet.Config, error) {
	saga := filepath.Join(dir, "act.yaml")
	if err := os.WriteFile(saga, actSaga, 0o600); err != nil {
		return fleet.Config{}, err
	}
	cfg := fleet.Config{Dir: dir, Sagas: []string{saga}, Args: map[string][]string{"actor": {"--effects", effectsFile(dir)}}}
	for i := range orchestrators {
		cfg.Members = append(cfg.Members, fmt.Sprintf("orchestrator-%d", i+1))
	}
	for i := range actors {
		cfg.Members = append(cfg.Members, fmt.Sprintf("actor-%d", i+1))
	}
	return cfg, nil
}

func effectsFile(dir string) string { return filepath.Join(dir, "effects") }

// effects are what the actors noted.
type effects struct {
	did    map[string]int // "run step attempt" => times it was begun
	done   map[string]int // the same => times it was finished
	undone map[string]int
}

// readEffects reads what the actors noted.
func readEffects(dir string) (effects, error) {
	text, err := os.ReadFile(effectsFile(dir))
	if err != nil {
		return effects{}, err
	}
	e := effects{did: make(map[string]int), done: make(map[string]int), undone: make(map[string]int)}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) != 4 {
			return effects{}, fmt.Errorf("a line of effects is %q", line)
		}
		if _, err := strconv.Atoi(f[2]); err != nil {
			return effects{}, fmt.Errorf("a line of effects is %q: %w", line, err)
		}
		of := map[string]map[string]int{"did": e.did, "done": e.done, "undid": e.undone}[f[3]]
		if of == nil {
			return effects{}, fmt.Errorf("a line of effects is %q", line)
		}
		of[strings.Join(f[:3], " ")]++
	}
	return e, nil
}

// repeated is how many pieces of work were begun more than once.
func (e effects) repeated() (n int) {
	for _, times := range e.did {
		if times > 1 {
			n++
		}
	}
	return n
}
