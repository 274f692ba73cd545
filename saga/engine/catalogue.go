package engine

import (
	"context"
	"fmt"
	"sync"

	"segue/document"
	"segue/saga"
)

// catalogue finds definitions: by name for new runs, by digest for those that
// are under way, whose definition may be an older one. Texts are kept in the
// data store under their digest.
type catalogue struct {
	store  document.Store
	byName map[string]*saga.Definition

	mu       sync.Mutex
	byDigest map[string]*saga.Definition
}

func newCatalogue(sagas []*saga.Definition, store document.Store) *catalogue {
	c := &catalogue{
		store:    store,
		byName:   make(map[string]*saga.Definition),
		byDigest: make(map[string]*saga.Definition),
	}
	for _, d := range sagas {
		c.byName[d.Name], c.byDigest[d.Digest] = d, d
	}
	return c
}

// publish stores the definitions that runs may be pinned to from now on.
func (c *catalogue) publish(ctx context.Context) error {
	for name, d := range c.byName {
		if _, err := document.PutData(ctx, c.store, d.Text); err != nil {
			return fmt.Errorf("store definition of saga %s: %w", name, err)
		}
	}
	return nil
}

// pinned returns the definition with a digest. Its error wraps
// [document.ErrNotFound] if there is none.
func (c *catalogue) pinned(ctx context.Context, digest string) (*saga.Definition, error) {
	c.mu.Lock()
	d := c.byDigest[digest]
	c.mu.Unlock()
	if d != nil {
		return d, nil
	}
	d, err := LoadDefinition(ctx, c.store, digest)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.byDigest[digest] = d
	return d, nil
}

// LoadDefinition reads the definition with a digest from the data store. Its
// error wraps [document.ErrNotFound] if there is none.
func LoadDefinition(ctx context.Context, store document.Store, digest string) (*saga.Definition, error) {
	ref, err := store.Stat(ctx, digest)
	if err != nil {
		return nil, fmt.Errorf("find definition %s: %w", digest, err)
	}
	text, err := document.ReadAll(ctx, store, ref)
	if err != nil {
		return nil, fmt.Errorf("read definition %s: %w", digest, err)
	}
	d, err := saga.Load(digest, text, nil)
	if err != nil {
		return nil, fmt.Errorf("load definition %s: %w", digest, err)
	}
	return d, nil
}
