// Command stock is a participant of one's own in a saga, furnish.yaml: it
// reserves items and takes reservations back.
package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"segue/daemon"
	"segue/participant"
)

// request is what a step asks for: what `with` makes in furnish.yaml.
type request struct {
	Item string `json:"item"`
}

// reservation is what the step answers, as steps.NAME in furnish.yaml.
type reservation struct {
	Place string `json:"place"`
}

// work is one piece of work, however often it is asked for.
type work struct{ run, step string }

// store is the stock, and what has been done with it. A real one is a database,
// and what is a lock here is a transaction there.
type store struct {
	mu        sync.Mutex
	left      map[string]int
	reserved  map[work]reservation
	takenBack map[work]bool
}

func (s *store) reserve(_ context.Context, c participant.Command[request]) (reservation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := work{c.Run, c.Step}
	if r, done := s.reserved[w]; done {
		return r, nil // asked for again: the same answer
	}
	if s.takenBack[w] {
		return reservation{}, participant.Permanent("undone", errors.New("the reservation was taken back"))
	}
	if s.left[c.Input.Item] == 0 {
		return reservation{}, participant.Permanent("sold_out", fmt.Errorf("no %s is left", c.Input.Item))
	}
	s.left[c.Input.Item]--
	s.reserved[w] = reservation{Place: "shelf " + strings.ToUpper(c.Input.Item[:1])}
	return s.reserved[w], nil
}

func (s *store) takeBack(_ context.Context, u participant.Undo[request, reservation]) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := work{u.Run, u.Step}
	if _, done := s.reserved[w]; done && !s.takenBack[w] {
		s.left[u.Input.Item]++
	}
	delete(s.reserved, w)
	s.takenBack[w] = true // so that a reservation which comes late is not made
	return nil
}

func main() {
	stock := &store{
		left:      map[string]int{"oak": 10, "rocking chair": 1, "invoice": 1000},
		reserved:  make(map[work]reservation),
		takenBack: make(map[work]bool),
	}
	daemon.Main(daemon.Program[struct{}]{
		Name:        "stock",
		Description: "Reserves items, and takes reservations back.",
		Work: func(ctx context.Context, env *daemon.Env, _ struct{}) error {
			return env.Serve(ctx, participant.New("stock", stock.reserve, stock.takeBack))
		},
	})
}
