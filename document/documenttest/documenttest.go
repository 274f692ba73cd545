// Package documenttest is the conformance suite of [document.Store]: what every
// sentence of its documentation promises, as tests that each implementation
// passes.
package documenttest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/iotest"

	"segue/document"
)

// Run runs the suite. open returns a new, empty bucket and leaves its cleanup to
// t.Cleanup. A store that has a method Corrupt(name string), which damages an
// object's bytes behind the store's back, is also tested on damaged bytes.
func Run(t *testing.T, open func(t *testing.T) document.Store) {
	for _, test := range []struct {
		name string
		run  func(*bench)
	}{
		{"what is put is read", reads},
		{"putting replaces", replaces},
		{"creating does not replace", creates},
		{"of several that create an object one wins", concurrentCreates},
		{"a failing reader leaves nothing new", readerFails},
		{"a context that ends leaves nothing new", contextEnds},
		{"a context that is done is an error", contextDone},
		{"a reader ends with its context", readerEndsWithContext},
		{"what is not there is not found", notFound},
		{"another object is not the one of the reference", changed},
		{"damaged bytes do not pass for the object", damaged},
		{"deleting is repeatable", deletes},
		{"concurrent puts leave one whole object", concurrentPuts},
		{"a large object is streamed", streams},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(&bench{t, open(t), t.Context()})
		})
	}
}

// bench is what a test works with.
type bench struct {
	*testing.T
	s   document.Store
	ctx context.Context
}

const name = "run/step/1"

// noise returns n bytes that a seed decides.
func noise(seed uint64, n int) []byte {
	data := make([]byte, n)
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	_, _ = rand.NewChaCha8(key).Read(data) // never fails
	return data
}

func (b *bench) put(name string, data []byte) document.Ref {
	b.Helper()
	ref, err := b.s.Put(b.ctx, name, bytes.NewReader(data))
	if err != nil {
		b.Fatalf("put %s: %v", name, err)
	}
	return ref
}

// wantObject fails the test unless an object holds exactly some bytes.
func (b *bench) wantObject(name string, data []byte) {
	b.Helper()
	ref, err := b.s.Stat(b.ctx, name)
	if err != nil {
		b.Fatalf("stat %s: %v", name, err)
	}
	sum := sha256.Sum256(data)
	if ref.Name != name || ref.Bucket == "" || ref.Size != int64(len(data)) || ref.SHA256 != hex.EncodeToString(sum[:]) {
		b.Errorf("%s is %+v, want %d bytes of digest %x", name, ref, len(data), sum)
	}
	got, err := document.ReadAll(b.ctx, b.s, ref)
	if err != nil || !bytes.Equal(got, data) {
		b.Errorf("%s: read %d bytes (%v), want the %d that were put", name, len(got), err, len(data))
	}
}

func (b *bench) wantErr(err error, doing string, want error) {
	b.Helper()
	if !errors.Is(err, want) {
		b.Errorf("%s: error is %v, want %v", doing, err, want)
	}
}

func (b *bench) wantNotFound(name string) {
	b.Helper()
	_, err := b.s.Stat(b.ctx, name)
	b.wantErr(err, "stat "+name, document.ErrNotFound)
}

func reads(b *bench) {
	for _, n := range []int{0, 1, 1000, 128 << 10, 128<<10 + 1, 1 << 20} {
		name, data := fmt.Sprintf("run/step/%d", n+1), noise(1, n)
		ref := b.put(name, data)
		if stat, err := b.s.Stat(b.ctx, name); err != nil || stat != ref {
			b.Errorf("stat of %s is %+v (%v), want %+v as put returned", name, stat, err, ref)
		}
		b.wantObject(name, data)
	}
	data := noise(2, 1000)
	ref, err := b.s.Put(b.ctx, name, iotest.OneByteReader(bytes.NewReader(data)))
	if err != nil || ref.Size != 1000 {
		b.Fatalf("put byte by byte: %+v, %v", ref, err)
	}
	b.wantObject(name, data)
}

func replaces(b *bench) {
	b.put(name, noise(1, 300<<10))
	b.put("run/step/2", noise(2, 100))
	b.put(name, noise(3, 10))
	b.wantObject(name, noise(3, 10))
	b.wantObject("run/step/2", noise(2, 100))
}

func creates(b *bench) {
	create := func(seed uint64, n int) (document.Ref, error) {
		return b.s.Create(b.ctx, name, bytes.NewReader(noise(seed, n)))
	}
	ref, err := create(1, 300<<10)
	if err != nil {
		b.Fatalf("create: %v", err)
	}
	if again, err := create(1, 300<<10); err != nil || again != ref {
		b.Errorf("create the same again: %+v (%v), want %+v", again, err, ref)
	}
	for _, size := range []int{0, 10, 300 << 10} {
		_, err := create(2, size)
		b.wantErr(err, "create another", document.ErrExists)
	}
	b.wantObject(name, noise(1, 300<<10))
	if err := b.s.Delete(b.ctx, name); err != nil {
		b.Fatal(err)
	}
	if _, err := create(2, 10); err != nil {
		b.Errorf("create in place of a deleted object: %v", err)
	}
	b.wantObject(name, noise(2, 10))
}

func concurrentCreates(b *bench) {
	const writers = 4
	errs := make([]error, writers)
	var all sync.WaitGroup
	for w := range uint64(writers) {
		all.Go(func() { _, errs[w] = b.s.Create(b.ctx, name, bytes.NewReader(noise(w, 1000))) })
	}
	all.Wait()
	won := -1
	for w, err := range errs {
		switch {
		case err == nil && won >= 0:
			b.Errorf("writers %d and %d have both created it", won, w)
		case err == nil:
			won = w
		default:
			b.wantErr(err, "create", document.ErrExists)
		}
	}
	if won < 0 {
		b.Fatal("nobody has created it")
	}
	b.wantObject(name, noise(uint64(won), 1000))
}

func readerFails(b *bench) {
	// The second is what a body that is cut short returns: no end like any other.
	for _, broken := range []error{errors.New("the origin went away"), io.ErrUnexpectedEOF} {
		part := func() io.Reader {
			return io.MultiReader(bytes.NewReader(noise(1, 300<<10)), iotest.ErrReader(broken))
		}
		_, err := b.s.Put(b.ctx, name, part())
		b.wantErr(err, "put", broken)
		b.wantNotFound(name)
		b.put(name, noise(2, 1000))
		_, err = b.s.Put(b.ctx, name, part())
		b.wantErr(err, "put", broken)
		b.wantObject(name, noise(2, 1000)) // the old object stays
		if err := b.s.Delete(b.ctx, name); err != nil {
			b.Fatal(err)
		}
	}
}

// canceling cancels a context when it is read for the second time.
type canceling struct {
	io.Reader
	cancel context.CancelFunc
	reads  int
}

func (c *canceling) Read(p []byte) (int, error) {
	if c.reads++; c.reads == 2 {
		c.cancel()
	}
	return c.Reader.Read(p)
}

func contextEnds(b *bench) {
	b.put("run/step/2", noise(2, 1000))
	for _, target := range []string{name, "run/step/2"} {
		ctx, cancel := context.WithCancel(b.ctx)
		defer cancel()
		_, err := b.s.Put(ctx, target, &canceling{Reader: bytes.NewReader(noise(1, 1<<20)), cancel: cancel})
		b.wantErr(err, "put", context.Canceled)
	}
	b.wantNotFound(name)
	b.wantObject("run/step/2", noise(2, 1000))
}

func contextDone(b *bench) {
	ref := b.put(name, noise(1, 1000))
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	_, err := b.s.Put(ctx, name, bytes.NewReader(noise(2, 1000)))
	b.wantErr(err, "put", context.Canceled)
	_, err = b.s.Stat(ctx, name)
	b.wantErr(err, "stat", context.Canceled)
	b.wantErr(b.s.Delete(ctx, name), "delete", context.Canceled)
	if r, err := b.s.Open(ctx, ref); err == nil {
		_, err = io.ReadAll(r)
		b.wantErr(err, "read", context.Canceled)
		_ = r.Close()
	} else {
		b.wantErr(err, "open", context.Canceled)
	}
	b.wantObject(name, noise(1, 1000))
}

func readerEndsWithContext(b *bench) {
	ref := b.put(name, noise(1, 4<<20))
	ctx, cancel := context.WithCancel(b.ctx)
	defer cancel()
	r, err := b.s.Open(ctx, ref)
	if err != nil {
		b.Fatalf("open: %v", err)
	}
	if _, err := io.ReadFull(r, make([]byte, 1000)); err != nil {
		b.Fatalf("read: %v", err)
	}
	cancel()
	if n, err := io.Copy(io.Discard, r); err == nil {
		b.Errorf("after the context's end %d further bytes were read to the end", n)
	}
	_ = r.Close() // an error is as good as none
}

func notFound(b *bench) {
	ref := b.put(name, noise(1, 10))
	b.wantNotFound("run/step/2")
	ref.Name = "run/step/2"
	_, err := b.s.Open(b.ctx, ref)
	b.wantErr(err, "open", document.ErrNotFound)
}

func changed(b *bench) {
	old := b.put(name, noise(1, 1000))
	b.put(name, noise(2, 1000))
	_, err := b.s.Open(b.ctx, old)
	b.wantErr(err, "open by an old reference", document.ErrChanged)
}

func damaged(b *bench) {
	s, ok := b.s.(interface{ Corrupt(name string) })
	if !ok {
		b.Skipf("damaged bytes are not tested: %T has no method Corrupt", b.s)
	}
	ref := b.put(name, noise(1, 300<<10))
	s.Corrupt(name)
	_, err := document.ReadAll(b.ctx, b.s, ref)
	b.wantErr(err, "read", document.ErrChanged)
}

func deletes(b *bench) {
	ref := b.put(name, noise(1, 300<<10))
	b.put("run/step/2", noise(2, 10))
	for range 2 {
		if err := b.s.Delete(b.ctx, name); err != nil {
			b.Errorf("delete: %v", err)
		}
		b.wantNotFound(name)
		_, err := b.s.Open(b.ctx, ref)
		b.wantErr(err, "open", document.ErrNotFound)
	}
	if err := b.s.Delete(b.ctx, "never/was/1"); err != nil {
		b.Errorf("delete what never was: %v", err)
	}
	b.wantObject("run/step/2", noise(2, 10))
	b.put(name, noise(3, 10))
	b.wantObject(name, noise(3, 10))
}

func concurrentPuts(b *bench) {
	const writers = 4
	var all sync.WaitGroup
	for w := range uint64(writers) {
		all.Go(func() {
			own := fmt.Sprintf("run/step/%d", w+2)
			for _, target := range []string{name, own} {
				if _, err := b.s.Put(b.ctx, target, bytes.NewReader(noise(w, 300<<10))); err != nil {
					b.Errorf("put %s: %v", target, err)
				}
			}
		})
	}
	all.Wait()
	for w := range uint64(writers) {
		b.wantObject(fmt.Sprintf("run/step/%d", w+2), noise(w, 300<<10))
	}
	ref, err := b.s.Stat(b.ctx, name)
	if err != nil {
		b.Fatalf("stat: %v", err)
	}
	got, err := document.ReadAll(b.ctx, b.s, ref)
	if err != nil {
		b.Fatalf("read: %v", err)
	}
	for w := range uint64(writers) {
		if bytes.Equal(got, noise(w, 300<<10)) {
			return
		}
	}
	b.Error("the object is none of those that were put")
}

func streams(b *bench) {
	data := noise(1, 8<<20)
	ref := b.put(name, data)
	r, err := b.s.Open(b.ctx, ref)
	if err != nil {
		b.Fatalf("open: %v", err)
	}
	defer r.Close() //nolint:errcheck // read to the end
	sum := sha256.New()
	if n, err := io.CopyBuffer(sum, struct{ io.Reader }{r}, make([]byte, 10_007)); err != nil || n != ref.Size {
		b.Fatalf("read %d bytes (%v), want %d", n, err, ref.Size)
	}
	if hex.EncodeToString(sum.Sum(nil)) != ref.SHA256 {
		b.Error("the bytes read are not those put")
	}
}
