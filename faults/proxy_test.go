//go:build unix

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"segue/broker"
)

// patience is how long a test waits for what should come at once.
const patience = 10 * time.Second

// startProxy starts a proxy before a server that sends back what it gets.
func startProxy(t *testing.T) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.Copy(c, c)
			}()
		}
	}()
	t.Cleanup(func() { l.Close() })
	return before(t, l.Addr().String())
}

func before(t *testing.T, target string) *proxy {
	t.Helper()
	p, err := newProxy(target, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func dial(t *testing.T, p *proxy) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

// echo sends lines and returns how long it took until all of them were back.
func echo(t *testing.T, c net.Conn, lines string) time.Duration {
	t.Helper()
	begin := time.Now()
	go func() { _, _ = io.WriteString(c, lines) }()
	back := make([]byte, len(lines))
	if _, err := io.ReadFull(c, back); err != nil {
		t.Fatalf("read: %v", err)
	}
	if string(back) != lines {
		t.Fatalf("%d bytes came back altered", len(lines))
	}
	return time.Since(begin)
}

func TestProxyPasses(t *testing.T) {
	t.Parallel()
	p := startProxy(t)
	c := dial(t, p)
	echo(t, c, strings.Repeat("+OK\r\n", 100_000))
	if n := p.Connections(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

func TestProxySlow(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		weather weather
		bytes   int
		least   time.Duration
	}{
		"latency":   {weather{Latency: 50 * time.Millisecond}, 10, 100 * time.Millisecond}, // there and back
		"jitter":    {weather{Latency: 50 * time.Millisecond, Jitter: 40 * time.Millisecond}, 100_000, 20 * time.Millisecond},
		"bandwidth": {weather{Bandwidth: 200_000}, 40_000, 100 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startProxy(t)
			p.Set(test.weather)
			if took := echo(t, dial(t, p), strings.Repeat("0123456\r\n", 1+test.bytes/9)); took < test.least {
				t.Errorf("%d bytes took %v, want %v or more", test.bytes, took, test.least)
			}
		})
	}
}

func TestProxyCut(t *testing.T) {
	t.Parallel()
	p := startProxy(t)
	c, d := dial(t, p), dial(t, p)
	echo(t, c, "hello\r\n")
	echo(t, d, "hello\r\n")
	if n := p.Cut(); n != 2 {
		t.Errorf("%d connections were cut, want 2", n)
	}
	for _, c := range []net.Conn{c, d} {
		if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read of a connection that was cut: %v", err)
		}
	}
	echo(t, dial(t, p), "again\r\n")
	p.Set(weather{Refused: true})
	if _, err := dial(t, p).Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read of a connection that was refused: %v", err)
	}
}

func TestProxyStrand(t *testing.T) {
	t.Parallel()
	p := startProxy(t)
	old := dial(t, p)
	echo(t, old, "hello\r\n")
	if n := p.Strand(); n != 1 {
		t.Errorf("%d connections were stranded, want 1", n)
	}
	if _, err := io.WriteString(old, "gone\r\n"); err != nil {
		t.Fatal(err)
	}
	echo(t, dial(t, p), "new ones are not\r\n")
	if err := old.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := old.Read(make([]byte, 1)); n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read of a stranded connection: %d bytes, %v", n, err)
	}
}

func TestProxyHung(t *testing.T) {
	t.Parallel()
	p := startProxy(t)
	old := dial(t, p)
	echo(t, old, "hello\r\n")
	p.Set(weather{Hung: true})
	for _, c := range []net.Conn{old, dial(t, p)} {
		if _, err := io.WriteString(c, "late\r\n"); err != nil {
			t.Fatal(err)
		}
		if err := c.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if n, err := c.Read(make([]byte, 1)); n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read through a hung proxy: %d bytes, %v", n, err)
		}
		if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || line != "late\r\n" {
				t.Errorf("what was under way came as %q, %v", line, err)
			}
		}()
	}
	p.Set(weather{})
}

// TestProxyLosesAcks publishes to a real broker: what is lost is the answer and
// not the message, as often as asked for.
func TestProxyLosesAcks(t *testing.T) {
	t.Parallel()
	server, err := broker.Start(broker.Config{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	p := before(t, strings.TrimPrefix(server.URL(), "nats://"))
	nc, err := nats.Connect("nats://" + p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s.>"}})
	if err != nil {
		t.Fatal(err)
	}
	p.Set(weather{LostAcks: 0.1})
	const messages = 1000
	acked := 0
	for i := range messages {
		future, err := js.PublishMsgAsync(&nats.Msg{Subject: fmt.Sprintf("s.%d", i), Data: bytes.Repeat([]byte("\r\nMSG "), i%50)}, jetstream.WithRetryAttempts(0))
		if err != nil {
			t.Fatal(err)
		}
		go func() { <-future.Ok() }()
	}
	if err := nc.FlushTimeout(patience); err != nil { // acks come before the PONG
		t.Fatal(err)
	}
	deadline := time.Now().Add(patience)
	for acked+p.Lost() < messages && time.Now().Before(deadline) {
		acked = messages - js.PublishAsyncPending()
		time.Sleep(time.Millisecond)
	}
	info, err := stream.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if info.State.Msgs != messages || acked+p.Lost() != messages || p.Lost() < messages/20 || p.Lost() > messages/5 {
		t.Errorf("%d of %d messages are stored, %d acks came and %d were lost", info.State.Msgs, messages, acked, p.Lost())
	}
}

// TestReadMessage reads messages from a connection that gives a byte at a time.
func TestReadMessage(t *testing.T) {
	t.Parallel()
	messages := []string{
		"INFO {\"server_id\":\"" + strings.Repeat("x", 100_000) + "\"}\r\n", "+OK\r\n", "PING\r\n", "-ERR 'what'\r\n",
		"MSG a.b 1 0\r\n\r\n", "MSG a.b 1 reply 8\r\nMSG \r\n\r\n\r\n", "HMSG a 1 12 14\r\nNATS/1.0\r\n\r\nhi\r\n",
	}
	r := bufio.NewReader(iotest.OneByteReader(strings.NewReader(strings.Join(messages, ""))))
	for _, want := range messages {
		if got, err := readMessage(r); err != nil || string(got) != want {
			t.Errorf("read %.60q, %v, want %.60q", got, err, want)
		}
	}
	if _, err := readMessage(r); err == nil {
		t.Error("read a message behind the last")
	}
	for _, broken := range []string{"MSG a 1 x\r\n", "MSG a 1 -5\r\n", "MSG a 1 9\r\nshort\r\n", "MSG \r\n", strings.Repeat("x", 2*maxLine)} {
		if got, err := readMessage(bufio.NewReader(strings.NewReader(broken))); err == nil {
			t.Errorf("read %.60q as %.60q", broken, got)
		}
	}
}

func TestIsAck(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]bool{
		"MSG _INBOX.a.b 1 27\r\n{\"stream\":\"S\", \"seq\":1}\r\n": true,
		"MSG _INBOX.a.b 1 0\r\n\r\n":                               true,
		"MSG _INBOX_fetcher.a.b 1 0\r\n\r\n":                       true,
		"MSG _INBOX.a.b 1 27\r\n{\"type\":\"x\",\"stream\":1}\r\n": false,
		"MSG saga.run.1 1 27\r\n{\"stream\":\"S\", \"seq\":1}\r\n": false,
		"HMSG _INBOX.a 1 12 12\r\nNATS/1.0 503\r\n\r\n\r\n":        false,
		"PING\r\n": false,
	} {
		if got := isAck([]byte(message)); got != want {
			t.Errorf("%q is an ack: %v, want %v", message, got, want)
		}
	}
}
