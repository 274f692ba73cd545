package document

import (
	"context"
	"fmt"
)

// Small is how much memory a document may take, in bytes and about, before it needs
// a turn of [Large]: its tokens, rows and records, and what is made of them.
const Small = 16 << 20

// MaxLargeDefault is how many documents a service lets take more than [Small] at a
// time, unless it is told otherwise.
const MaxLargeDefault = 1

// Large lets so many documents at a time take much memory as there is room for in
// the process: the others wait for their turn. Without it, as many of the worst
// as there are commands at work would have to fit at once. It may be used
// concurrently.
type Large struct {
	turns  chan struct{}
	waited func()
}

// NewLarge returns a Large for n documents at a time, at least 1. It calls waited
// for each that has to wait.
func NewLarge(n int, waited func()) *Large {
	return &Large{turns: make(chan struct{}, n), waited: waited}
}

// Turn returns what one document asks for its turn. It ends waiting with ctx.
func (l *Large) Turn(ctx context.Context) *Turn { return &Turn{large: l, ctx: ctx} }

// Turn is the turn of one document, which takes it once, if at all, so that none
// can wait for another that waits for it. A nil Turn has always been taken. It is
// not safe for concurrent use.
type Turn struct {
	large *Large
	ctx   context.Context
	taken bool
}

// Take waits for the turn, unless it has been taken already.
func (t *Turn) Take() error {
	if t == nil || t.taken {
		return nil
	}
	select {
	case t.large.turns <- struct{}{}:
		t.taken = true
		return nil
	default:
		t.large.waited()
	}
	select {
	case t.large.turns <- struct{}{}:
		t.taken = true
		return nil
	case <-t.ctx.Done():
		return fmt.Errorf("wait while other documents take the memory: %w", t.ctx.Err())
	}
}

// End gives the turn back.
func (t *Turn) End() {
	if t != nil && t.taken {
		t.taken = false
		<-t.large.turns
	}
}
