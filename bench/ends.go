package bench

import (
	"fmt"
	"sync"

	"github.com/nats-io/nats.go"

	"segue/events"
)

// Ends hears how runs end.
type Ends struct {
	mu      sync.Mutex
	awaited map[string]chan string // by run
}

// Hear begins to listen. What ends from then on is heard.
func Hear(nc *nats.Conn) (*Ends, error) {
	e := &Ends{awaited: make(map[string]chan string)}
	_, err := nc.Subscribe(events.AllEnds, e.ended)
	if err == nil {
		err = nc.Flush()
	}
	if err != nil {
		return nil, fmt.Errorf("hear of ends: %w", err)
	}
	return e, nil
}

// Of returns a channel that gets the type of the end of a run.
func (e *Ends) Of(run string) <-chan string {
	end := make(chan string, 1)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.awaited[run] = end
	return end
}

func (e *Ends) ended(m *nats.Msg) {
	subject, err := events.ParseSubject(m.Subject)
	if err != nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if end := e.awaited[subject.Run]; end != nil {
		end <- m.Header.Get("ce-type")
		delete(e.awaited, subject.Run)
	}
}
