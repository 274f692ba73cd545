package validate

import (
	"crypto/sha256"
	"slices"
	"sync"
)

// Limits of the shelf.
const (
	// maxShelf is how many schemas are kept, and maxShelfSize the sum of the sizes
	// of their texts, in bytes. Compiled, a schema takes some 30 times its text.
	maxShelf     = 64
	maxShelfSize = 1 << 20
)

// shelf keeps compiled schemas for the next command that brings the same text,
// as the runs of one feed do. A schema on the shelf is in nobody's hands. The one
// unused for longest leaves first. It may be used concurrently.
type shelf struct {
	mu   sync.Mutex
	idle []*schema // last used last
	size int
}

// take returns the schema for a text, or nil if there is none on the shelf.
func (s *shelf) take(text []byte) *schema {
	digest := sha256.Sum256(text)
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.idle, func(c *schema) bool { return c.digest == digest })
	if i < 0 {
		return nil
	}
	c := s.idle[i]
	s.remove(i)
	return c
}

// put gives a schema back.
func (s *shelf) put(c *schema) {
	c.meter.ctx = nil // let go of the command's
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle = append(s.idle, c)
	s.size += c.size
	for len(s.idle) > maxShelf || s.size > maxShelfSize {
		s.remove(0)
	}
}

func (s *shelf) remove(i int) {
	s.size -= s.idle[i].size
	s.idle = slices.Delete(s.idle, i, i+1)
}
