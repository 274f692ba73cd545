package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"segue/document"
	"segue/saga"
)

// catalogue finds definitions: by name for new runs, by digest for those that
// are under way, whose definition may be an older one. Texts are kept in the
// data store under their digest.
type catalogue struct {
	store document.Store

	mu       sync.Mutex
	byName   map[string]*saga.Definition
	byDigest map[string]*saga.Definition
}

func newCatalogue(sagas []*saga.Definition, store document.Store) *catalogue {
	c := &catalogue{
		store:    store,
		byName:   make(map[string]*saga.Definition),
		byDigest: make(map[string]*saga.Definition),
	}
	for _, d := range sagas {
		c.put(d)
	}
	return c
}

// put makes a definition that of its name.
func (c *catalogue) put(d *saga.Definition) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.byName[d.Name], c.byDigest[d.Digest] = d, d
}

// named returns the definition that new runs of a name get, or nil.
func (c *catalogue) named(name string) *saga.Definition {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byName[name]
}

// names returns the names that starts may give, sorted.
func (c *catalogue) names() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.byName))
}

// publish stores the definitions that runs may be pinned to from now on.
func (c *catalogue) publish(ctx context.Context) error {
	for _, name := range c.names() {
		if _, err := document.PutData(ctx, c.store, c.named(name).Text); err != nil {
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
