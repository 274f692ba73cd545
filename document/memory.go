package document

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
)

// Memory is a Store in memory, for tests and for the simulator. Objects stay
// until they are deleted.
type Memory struct {
	// MaxBytes limits what the bucket holds, in bytes; beyond it Put returns
	// ErrFull. 0 for no limit. Set it before use.
	MaxBytes int64

	bucket  string
	mu      sync.Mutex
	objects map[string]object
	size    int64
}

// object is what a name stands for. Its bytes are never written to, so that a
// reader goes on undisturbed when the object is replaced or deleted.
type object struct {
	ref  Ref
	data []byte
}

var _ Store = (*Memory)(nil)

// NewMemory returns an empty bucket.
func NewMemory(bucket string) *Memory {
	return &Memory{bucket: bucket, objects: make(map[string]object)}
}

// Put implements [Store].
func (m *Memory) Put(ctx context.Context, name string, r io.Reader) (Ref, error) {
	return m.put(ctx, name, r, true)
}

// Create implements [Store].
func (m *Memory) Create(ctx context.Context, name string, r io.Reader) (Ref, error) {
	return m.put(ctx, name, r, false)
}

func (m *Memory) put(ctx context.Context, name string, r io.Reader, replace bool) (Ref, error) {
	data, err := io.ReadAll(reader{ctx, r})
	if err == nil {
		err = ctx.Err() // it may have ended while the last bytes were read
	}
	if err != nil {
		return Ref{}, fmt.Errorf("store document %s: %w", name, err)
	}
	sum := sha256.Sum256(data)
	ref := Ref{Bucket: m.bucket, Name: name, SHA256: hex.EncodeToString(sum[:]), Size: int64(len(data))}
	m.mu.Lock()
	defer m.mu.Unlock()
	if o, taken := m.objects[name]; taken && !replace {
		if o.ref != ref {
			return Ref{}, fmt.Errorf("store document %s: %w", name, ErrExists)
		}
		return ref, nil
	}
	size := m.size - m.objects[name].ref.Size + ref.Size
	if m.MaxBytes > 0 && size > m.MaxBytes {
		return Ref{}, fmt.Errorf("store document %s: %w", name, ErrFull)
	}
	m.objects[name], m.size = object{ref, data}, size
	return ref, nil
}

// Open implements [Store].
func (m *Memory) Open(ctx context.Context, ref Ref) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("open document %s: %w", ref.Name, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.objects[ref.Name]
	if !ok || ref.Bucket != m.bucket {
		return nil, fmt.Errorf("open document %s/%s: %w", ref.Bucket, ref.Name, ErrNotFound)
	}
	if o.ref.SHA256 != ref.SHA256 {
		return nil, fmt.Errorf("open document %s: %w", ref.Name, ErrChanged)
	}
	return &checked{reader: reader{ctx, bytes.NewReader(o.data)}, ref: ref, sum: sha256.New()}, nil
}

// Stat implements [Store].
func (m *Memory) Stat(ctx context.Context, name string) (Ref, error) {
	if err := ctx.Err(); err != nil {
		return Ref{}, fmt.Errorf("look up document %s: %w", name, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.objects[name]
	if !ok {
		return Ref{}, fmt.Errorf("look up document %s: %w", name, ErrNotFound)
	}
	return o.ref, nil
}

// Delete implements [Store].
func (m *Memory) Delete(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("delete document %s: %w", name, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.size -= m.objects[name].ref.Size
	delete(m.objects, name)
	return nil
}

// Names returns the names of all objects, sorted: what has been left behind.
func (m *Memory) Names() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.objects))
}

// Corrupt damages an object's bytes and leaves its Ref as it is, as a bad disk does.
func (m *Memory) Corrupt(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.objects[name]
	if !ok || len(o.data) == 0 {
		return
	}
	o.data = bytes.Clone(o.data)
	o.data[len(o.data)/2] ^= 1
	m.objects[name] = o
}

// reader ends with its context.
type reader struct {
	ctx context.Context
	r   io.Reader
}

// Read implements [io.Reader].
func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
