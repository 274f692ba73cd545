package objectstore_test

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"segue/broker"
)

// largeBytes makes TestMemory use a larger object than 64 MiB.
const largeBytes = "SEGUE_TEST_LARGE_BYTES"

// brokerDir makes this program a broker on that directory, in a process of its
// own, so that what it caches is not taken for the store's memory.
const brokerDir = "SEGUE_TEST_BROKER_DIR"

func serve(dir string) {
	s, err := broker.Start(broker.Config{Dir: dir, Listen: ":0"})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(s.URL())
	_, _ = io.Copy(io.Discard, os.Stdin) // until the parent ends or closes it
	s.Shutdown()
	os.Exit(0)
}

// connectApart starts such a broker and connects to it.
func connectApart(t *testing.T) *nats.Conn {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), brokerDir+"="+t.TempDir())
	child.Stderr = os.Stderr
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = child.Wait()
	})
	url, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("start a broker: %v", err)
	}
	nc, err := nats.Connect(strings.TrimSpace(url), nats.NoCallbacksAfterClientClose())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// TestMemory streams an object that is much larger than the memory it may take.
func TestMemory(t *testing.T) {
	size := int64(64 << 20)
	if text := os.Getenv(largeBytes); text != "" {
		if _, err := fmt.Sscan(text, &size); err != nil {
			t.Fatalf("%s: %v", largeBytes, err)
		}
	} else {
		t.Logf("%s is not set, testing with %d bytes", largeBytes, size)
	}
	const allowed = 32 << 20 // half of the smallest object tested
	r := openOn(t, connectApart(t), jetstream.ObjectStoreConfig{})
	peak := watchHeap(t)
	begin := time.Now()
	ref, err := r.Put(t.Context(), "large", io.LimitReader(rand.NewChaCha8([32]byte{}), size))
	if err != nil || ref.Size != size {
		t.Fatalf("put: %+v, %v", ref, err)
	}
	put := time.Since(begin)
	reader, err := r.Open(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	begin = time.Now()
	sum := sha256.New()
	if n, err := io.Copy(sum, reader); err != nil || n != size || fmt.Sprintf("%x", sum.Sum(nil)) != ref.SHA256 {
		t.Errorf("read %d bytes, %v", n, err)
	}
	t.Logf("put at %.0f MiB/s, read at %.0f MiB/s, heap grew by at most %d MiB",
		float64(size)/(1<<20)/put.Seconds(), float64(size)/(1<<20)/time.Since(begin).Seconds(), peak()>>20)
	if grown := peak(); grown > allowed {
		t.Errorf("the heap grew by %d MiB, allowed are %d", grown>>20, allowed>>20)
	}
}

// watchHeap samples how much the heap in use has grown at most.
func watchHeap(t *testing.T) (peak func() int64) {
	var most atomic.Int64
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	base := int64(m.HeapAlloc)
	done := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				runtime.GC() // what is garbage does not count
				runtime.ReadMemStats(&m)
				most.Store(max(most.Load(), int64(m.HeapAlloc)-base))
			}
		}
	})
	t.Cleanup(func() { close(done); watcher.Wait() })
	return most.Load
}
