package world

import (
	"context"
	"strings"

	"segue/participant"
	"segue/saga"
)

// play is what is performed in a world: its sagas, the services that serve them,
// and what must have come of it outside of the journal.
type play interface {
	// sagas lists the definitions.
	sagas() []*saga.Definition
	// order writes the input of a start: the saga, data that fits, data that does not.
	order(number int) (name, fits, unfit string)
	// serve returns the services of one life of a worker, and what ends them.
	serve(ctx context.Context, l *life) (services []participant.Service, leave func(), err error)
	// idle says that no handler is at work.
	idle() bool
	// verify checks what one run has left behind, aftermath what is there in all.
	verify(c *checker, s *story)
	aftermath(c *checker)
	// close ends the play, when all processes have ended.
	close()
}

// saga returns the definition of a name, or nil.
func (w *world) saga(name string) *saga.Definition {
	for _, d := range w.play.sagas() {
		if d.Name == name {
			return d
		}
	}
	return nil
}

// mustLoad loads definitions that are constants.
func mustLoad(texts ...string) []*saga.Definition {
	var all []*saga.Definition
	for _, text := range texts {
		d, err := saga.Load("shape.yaml", []byte(strings.TrimSpace(text)), nil)
		if err != nil {
			panic("sim: " + err.Error()) // unreachable: the texts are constants
		}
		all = append(all, d)
	}
	return all
}
