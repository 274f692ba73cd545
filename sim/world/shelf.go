package world

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"segue/document"
)

// errUnheard is what a process gets when it does not learn what became of what
// it asked for.
var errUnheard = errors.New("no answer")

// shelves is the document store of a world: slow, at times out of reach, and it
// remembers when what was put there.
type shelves struct {
	w *world
	*document.Memory

	mu   sync.Mutex
	puts map[string]time.Time // object => when it was put there last
	busy int
}

func newShelves(w *world) *shelves {
	return &shelves{w: w, Memory: document.NewMemory(document.DocumentsBucket), puts: make(map[string]time.Time)}
}

func (s *shelves) idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.busy == 0
}

// putAt returns when an object was put where it is.
func (s *shelves) putAt(name string) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.puts[name]
}

// shelf is the store as one life of a process sees it.
type shelf struct {
	*shelves
	l *life
}

var _ document.Store = shelf{}

// operate does something to the store: it takes a while, may not reach the store,
// the answer may not come back, and the process may die before and behind it.
func (s shelf) operate(ctx context.Context, what, name string, do func() error) error {
	s.mu.Lock()
	s.busy++
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.busy--
		s.mu.Unlock()
	}()
	word := what + " " + name + " " + s.l.id + " " + strconv.Itoa(int(s.w.since()))
	p := s.w.options.outside()
	if err := s.l.rest(ctx, s.w.delay(p, "on the way", word)); err != nil {
		return err
	}
	s.l.mayDie("before", what, word)
	switch {
	case s.l.dead():
		return errKilled
	case s.w.chance(p.failure, what+" refused", word):
		return fmt.Errorf("%s %s: %w", what, name, errOutOfReach)
	}
	err := do()
	s.l.mayDie("behind", what, word)
	if err == nil && s.w.chance(p.unheard, what+" unheard", word) {
		err = fmt.Errorf("%s %s: %w", what, name, errUnheard)
	}
	return errors.Join(err, s.l.rest(ctx, s.w.delay(p, "on the way back", word)))
}

var errOutOfReach = errors.New("the store is out of reach")

// Put implements [document.Store].
func (s shelf) Put(ctx context.Context, name string, r io.Reader) (document.Ref, error) {
	return s.put(ctx, name, r, s.Memory.Put)
}

// Create implements [document.Store].
func (s shelf) Create(ctx context.Context, name string, r io.Reader) (document.Ref, error) {
	return s.put(ctx, name, r, s.Memory.Create)
}

func (s shelf) put(ctx context.Context, name string, r io.Reader, into func(context.Context, string, io.Reader) (document.Ref, error)) (ref document.Ref, err error) {
	if put := s.w.options.sabotage.put; put != nil {
		r = put(name, r)
	}
	err = s.operate(ctx, "put", name, func() (err error) {
		if ref, err = into(ctx, name, mortal{s.l, r}); err == nil {
			s.mu.Lock()
			s.puts[name] = time.Now()
			s.mu.Unlock()
			s.w.note(fmt.Sprintf("%d put %s %d", s.w.since(), name, ref.Size))
		}
		return err
	})
	return ref, err
}

// Open implements [document.Store].
func (s shelf) Open(ctx context.Context, ref document.Ref) (r io.ReadCloser, err error) {
	err = s.operate(ctx, "open", ref.Name, func() (err error) {
		r, err = s.Memory.Open(ctx, ref)
		return err
	})
	return r, err
}

// Stat implements [document.Store].
func (s shelf) Stat(ctx context.Context, name string) (ref document.Ref, err error) {
	err = s.operate(ctx, "stat", name, func() (err error) {
		ref, err = s.Memory.Stat(ctx, name)
		return err
	})
	return ref, err
}

// Delete implements [document.Store].
func (s shelf) Delete(ctx context.Context, name string) error {
	return s.operate(ctx, "delete", name, func() error {
		switch {
		case s.w.options.sabotage.keepDocuments:
			return nil
		case s.w.cursed(name):
			s.w.count("cursed")
			return fmt.Errorf("delete %s: %w", name, errOutOfReach)
		}
		s.w.note(fmt.Sprintf("%d deleted %s 0", s.w.since(), name))
		return s.Memory.Delete(ctx, name)
	})
}

// mortal is a reader that ends with its process.
type mortal struct {
	l *life
	r io.Reader
}

// Read implements [io.Reader].
func (m mortal) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	if m.l.dead() {
		return 0, errKilled
	}
	return n, err
}
