package objectstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"segue/broker"
	"segue/document"
	"segue/document/documenttest"
	"segue/document/objectstore"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(brokerDir); dir != "" {
		serve(dir)
	}
	goleak.VerifyTestMain(m)
}

const bucket = "TEST"

// rig is a bucket on a broker of its own.
type rig struct {
	*objectstore.Store
	nc *nats.Conn
	js jetstream.JetStream
}

func open(t testing.TB, cfg jetstream.ObjectStoreConfig) *rig {
	t.Helper()
	server, err := broker.Start(broker.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	nc, err := server.Connect(nats.NoCallbacksAfterClientClose())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return openOn(t, nc, cfg)
}

func openOn(t testing.TB, nc *nats.Conn, cfg jetstream.ObjectStoreConfig) *rig {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Bucket = bucket
	if _, err := js.CreateObjectStore(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	s, err := objectstore.Open(t.Context(), nc, bucket)
	if err != nil {
		t.Fatal(err)
	}
	return &rig{s, nc, js}
}

// messages returns how many messages the bucket's stream holds.
func (r *rig) messages(t *testing.T) uint64 {
	t.Helper()
	s, err := r.js.Stream(context.Background(), "OBJ_"+bucket)
	if err != nil {
		t.Fatal(err)
	}
	return s.CachedInfo().State.Msgs
}

// Corrupt replaces the bytes of an object by as many others.
func (r *rig) Corrupt(name string) {
	err := func() error {
		ctx := context.Background()
		o, err := r.js.ObjectStore(ctx, bucket)
		if err != nil {
			return err
		}
		info, err := o.GetInfo(ctx, name)
		if err != nil {
			return err
		}
		s, err := r.js.Stream(ctx, "OBJ_"+bucket)
		if err != nil {
			return err
		}
		subject := "$O." + bucket + ".C." + info.NUID
		if err := s.Purge(ctx, jetstream.WithPurgeSubject(subject)); err != nil {
			return err
		}
		for left := int(info.Size); left > 0; left -= objectstore.ChunkSize {
			if _, err := r.js.Publish(ctx, subject, make([]byte, min(left, objectstore.ChunkSize))); err != nil {
				return err
			}
		}
		return nil
	}()
	if err != nil {
		panic(fmt.Sprintf("corrupt %s: %v", name, err))
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	documenttest.Run(t, func(t *testing.T) document.Store { return open(t, jetstream.ObjectStoreConfig{}) })
}

func noise(seed uint64, n int) []byte {
	data := make([]byte, n)
	var key [32]byte
	key[0] = byte(seed)
	_, _ = rand.NewChaCha8(key).Read(data) // never fails
	return data
}

func TestMissingBucket(t *testing.T) {
	t.Parallel()
	r := open(t, jetstream.ObjectStoreConfig{})
	if _, err := objectstore.Open(t.Context(), r.nc, "NONE"); err == nil || !strings.Contains(err.Error(), "NONE") {
		t.Errorf("error is %v, want one that names the bucket", err)
	}
}

// TestClientLibrary reads with the client library what was put here, and the
// other way round, so `nats object` does, too.
func TestClientLibrary(t *testing.T) {
	t.Parallel()
	r := open(t, jetstream.ObjectStoreConfig{})
	theirs, err := r.js.ObjectStore(t.Context(), bucket)
	if err != nil {
		t.Fatal(err)
	}
	data := noise(1, 300_000)
	if _, err := r.Put(t.Context(), "run/step/1", bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	if got, err := theirs.GetBytes(t.Context(), "run/step/1"); err != nil || !bytes.Equal(got, data) {
		t.Errorf("the library read %d bytes, %v", len(got), err)
	}
	if _, err := theirs.PutBytes(t.Context(), "run/step/2", data); err != nil {
		t.Fatal(err)
	}
	ref, err := r.Stat(t.Context(), "run/step/2")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := document.ReadAll(t.Context(), r, ref); err != nil || !bytes.Equal(got, data) {
		t.Errorf("read %d bytes of the library's object, %v", len(got), err)
	}
	if err := r.Delete(t.Context(), "run/step/1"); err != nil {
		t.Fatal(err)
	}
	list, err := theirs.List(t.Context())
	if err != nil || len(list) != 1 || list[0].Name != "run/step/2" {
		t.Errorf("the library lists %v, %v", list, err)
	}
}

// TestNothingIsLeftBehind counts the messages of the stream: chunks that no
// info names would stay for ever in a bucket without a TTL.
func TestNothingIsLeftBehind(t *testing.T) {
	t.Parallel()
	r := open(t, jetstream.ObjectStoreConfig{})
	put := func(name string, n int) {
		t.Helper()
		if _, err := r.Put(t.Context(), name, bytes.NewReader(noise(1, n))); err != nil {
			t.Fatal(err)
		}
	}
	want := func(n uint64, after string) {
		t.Helper()
		if got := r.messages(t); got != n {
			t.Errorf("after %s the stream holds %d messages, want %d", after, got, n)
		}
	}
	put("a", 5*objectstore.ChunkSize)
	want(6, "a put")
	put("a", 2*objectstore.ChunkSize)
	want(3, "a put of the same name")
	broken := io.MultiReader(bytes.NewReader(noise(1, 40*objectstore.ChunkSize)), iotest.ErrReader(errors.New("broken")))
	if _, err := r.Put(t.Context(), "b", broken); err == nil {
		t.Error("a broken reader is no error")
	}
	want(3, "a put that broke off")
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := r.Put(ctx, "c", &cancelAt{Reader: bytes.NewReader(noise(1, 40*objectstore.ChunkSize)), left: 30, cancel: cancel}); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want that of the context", err)
	}
	want(3, "a put that was cancelled")
	var all sync.WaitGroup
	for w := range 6 {
		all.Go(func() { put("a", (w+1)*objectstore.ChunkSize) })
	}
	all.Wait()
	ref, err := r.Stat(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	want(uint64(ref.Size/objectstore.ChunkSize)+1, "a race of puts")
	for range 2 {
		if err := r.Delete(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		want(1, "a delete")
	}
}

// cancelAt cancels a context after some reads.
type cancelAt struct {
	io.Reader
	left   int
	cancel func()
}

func (c *cancelAt) Read(p []byte) (int, error) {
	if c.left--; c.left == 0 {
		c.cancel()
	}
	return c.Reader.Read(p)
}

// TestFull fills a bucket. The client library's Put fails this one: it leaves an
// info whose chunks were refused.
func TestFull(t *testing.T) {
	t.Parallel()
	r := open(t, jetstream.ObjectStoreConfig{MaxBytes: 1 << 20})
	small := noise(2, 1000)
	if _, err := r.Put(t.Context(), "kept", bytes.NewReader(small)); err != nil {
		t.Fatal(err)
	}
	before := r.messages(t)
	for _, name := range []string{"new", "kept"} {
		for _, size := range []int{2 << 20, 1<<20 - 500, 50 << 20} {
			if _, err := r.Put(t.Context(), name, bytes.NewReader(noise(1, size))); !errors.Is(err, document.ErrFull) {
				t.Errorf("put %s of %d bytes: error is %v, want ErrFull", name, size, err)
			}
		}
	}
	if _, err := r.Stat(t.Context(), "new"); !errors.Is(err, document.ErrNotFound) {
		t.Errorf("what did not fit is there: %v", err)
	}
	if after := r.messages(t); after != before {
		t.Errorf("the stream holds %d messages, it held %d", after, before)
	}
	ref, err := r.Stat(t.Context(), "kept")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := document.ReadAll(t.Context(), r, ref); err != nil || !bytes.Equal(got, small) {
		t.Errorf("what was there is now %d bytes, %v", len(got), err)
	}
	if _, err := r.Put(t.Context(), "new", bytes.NewReader(small)); err != nil {
		t.Errorf("what fits is refused: %v", err)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	r := open(t, jetstream.ObjectStoreConfig{})
	for _, name := range []string{"a/b/1", "with space", "*", ">", "a.b", "ä", strings.Repeat("x", 1024)} {
		ref, err := r.Put(t.Context(), name, strings.NewReader(name))
		if err != nil || ref.Name != name {
			t.Errorf("put %q: %+v, %v", name, ref, err)
			continue
		}
		if got, err := document.ReadAll(t.Context(), r, ref); err != nil || string(got) != name {
			t.Errorf("read %q: %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"", strings.Repeat("x", 1025)} {
		if _, err := r.Put(t.Context(), name, strings.NewReader("x")); err == nil {
			t.Errorf("a name of %d bytes is accepted", len(name))
		}
	}
}
