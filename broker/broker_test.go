package broker_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"segue/broker"
)

// childDir names the data directory of a copy of this program that runs as a
// writer to be killed, see TestKill.
const childDir = "SEGUE_TEST_BROKER_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		writeForEver(dir)
	}
	goleak.VerifyTestMain(m)
}

func start(t *testing.T, cfg broker.Config) *broker.Server {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	s, err := broker.Start(cfg)
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	t.Cleanup(s.Shutdown)
	return s
}

func stream(t *testing.T, s *broker.Server) (jetstream.JetStream, jetstream.Stream) {
	t.Helper()
	nc, err := s.Connect(nats.NoCallbacksAfterClientClose())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	st, err := js.CreateOrUpdateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s.*"}})
	if err != nil {
		t.Fatal(err)
	}
	return js, st
}

func TestStartIsQuickAndInProcess(t *testing.T) {
	dir := t.TempDir()
	quickest := time.Hour
	for range 5 { // the best of five: the machine may be busy
		begin := time.Now()
		s := start(t, broker.Config{Dir: dir})
		quickest = min(quickest, time.Since(begin))
		if s.URL() != "" {
			t.Errorf("URL is %q, want none without Listen", s.URL())
		}
		s.Shutdown()
	}
	if quickest > 100*time.Millisecond {
		t.Errorf("start took %v at best, want at most 100ms", quickest)
	}
}

func TestMessagesSurviveShutdown(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, broker.Config{Dir: dir})
	js, _ := stream(t, s)
	if _, err := js.Publish(t.Context(), "s.1", []byte("kept")); err != nil {
		t.Fatal(err)
	}
	s.Shutdown()
	s.Shutdown()
	_, st := stream(t, start(t, broker.Config{Dir: dir}))
	if m, err := st.GetLastMsgForSubject(t.Context(), "s.1"); err != nil || string(m.Data) != "kept" {
		t.Errorf("the message came back as %v, %v", m, err)
	}
}

func TestListensOnLoopbackOnly(t *testing.T) {
	t.Parallel()
	s := start(t, broker.Config{Listen: ":0"})
	if !strings.HasPrefix(s.URL(), "nats://127.0.0.1:") {
		t.Fatalf("URL is %q, want a loopback address", s.URL())
	}
	nc, err := nats.Connect(s.URL())
	if err != nil {
		t.Fatalf("connect by TCP: %v", err)
	}
	nc.Close()
}

func TestTakenAddress(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dir := t.TempDir()
	if _, err = broker.Start(broker.Config{Dir: dir, Listen: l.Addr().String()}); err == nil || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("error is %v, want one that names %s", err, l.Addr())
	}
	start(t, broker.Config{Dir: dir}) // the lock is not left behind
}

func TestBadConfig(t *testing.T) {
	t.Parallel()
	for _, cfg := range []broker.Config{
		{},
		{Dir: t.TempDir(), Listen: "localhost"},
		{Dir: t.TempDir(), Listen: "localhost:http!"},
		{Dir: t.TempDir(), Listen: "127.0.0.1:70000"},
	} {
		if s, err := broker.Start(cfg); err == nil {
			s.Shutdown()
			t.Errorf("%+v: no error", cfg)
		}
	}
}

func TestOneProcessPerDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, broker.Config{Dir: dir})
	_, err := broker.Start(broker.Config{Dir: dir})
	if !errors.Is(err, broker.ErrInUse) || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) {
		t.Errorf("error is %v, want ErrInUse with pid %d", err, os.Getpid())
	}
	s.Shutdown()
	start(t, broker.Config{Dir: dir}) // a lock file of the dead holds nobody up
}

func TestLogIsQuietAndCarriesWarnings(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := start(t, broker.Config{Log: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelInfo}))})
	stream(t, s)
	s.Shutdown()
	if out.Len() > 0 {
		t.Errorf("the log says at info and above:\n%s", &out)
	}
}

// TestKill kills a process that writes and checks that the server finds every
// message that process saw acknowledged. (What the kernel had not yet written
// survives SIGKILL; TestSyncAlways is about the rest.)
func TestKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childDir+"="+dir)
	child.Stderr = os.Stderr
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	acked := ""
	lines := bufio.NewScanner(stdout)
	for n := 0; n < 500 && lines.Scan(); n++ {
		acked = lines.Text()
		if n == 100 {
			if _, err := broker.Start(broker.Config{Dir: dir}); !errors.Is(err, broker.ErrInUse) || !strings.Contains(err.Error(), strconv.Itoa(child.Process.Pid)) {
				t.Errorf("error is %v, want ErrInUse with pid %d", err, child.Process.Pid)
			}
		}
	}
	_ = child.Process.Kill()
	for lines.Scan() {
		acked = lines.Text() // acknowledged before the kill, too
	}
	_ = child.Wait()
	last, err := strconv.ParseUint(acked, 10, 64)
	if err != nil || last < 500 {
		t.Fatalf("the writer's last words are %q, want a count of 500 or more", acked)
	}
	_, st := stream(t, start(t, broker.Config{Dir: dir}))
	if state := st.CachedInfo().State; state.LastSeq < last || state.Msgs != state.LastSeq {
		t.Errorf("%d messages up to %d were found, %d were acknowledged", state.Msgs, state.LastSeq, last)
	}
}

// writeForEver is the process that TestKill kills.
func writeForEver(dir string) {
	s, err := broker.Start(broker.Config{Dir: dir})
	fatal(err)
	nc, err := s.Connect()
	fatal(err)
	js, err := jetstream.New(nc)
	fatal(err)
	_, err = js.CreateStream(context.Background(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s.*"}})
	fatal(err)
	for {
		ack, err := js.Publish(context.Background(), "s.1", make([]byte, 500))
		fatal(err)
		fmt.Println(ack.Sequence)
	}
}

func fatal(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// TestSyncAlways holds the setting that a power cut would test.
func TestSyncAlways(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, broker.Config{Dir: dir})
	if !s.SyncAlways() {
		t.Fatal("the server does not sync every message")
	}
	stream(t, s)
	var files int
	err := filepath.WalkDir(filepath.Join(dir, "jetstream"), func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files++
		}
		return err
	})
	if err != nil || files == 0 {
		t.Errorf("%d files below jetstream, %v", files, err)
	}
}
