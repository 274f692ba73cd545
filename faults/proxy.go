//go:build unix

package main

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// weather is what a proxy does to the bytes that pass it. The zero value lets
// them through.
type weather struct {
	// Latency is how long a byte takes each way, Jitter by how much that may be more
	// or less. Bytes keep their order.
	Latency, Jitter time.Duration
	// Bandwidth is how many bytes a second pass each way; 0 is no limit.
	Bandwidth int
	// Hung lets nothing through and closes nothing: neither end is told. New
	// connections hang, too. What was under way goes on when it is over.
	Hung bool
	// Refused closes new connections at once.
	Refused bool
	// LostAcks is the share of the broker's acknowledgements that vanish, 0 to 1.
	LostAcks float64
}

// queued is how many pieces may be under way in one direction of a connection. A
// piece is a message of a broker or at most pieceSize bytes.
const (
	queued    = 4096
	pieceSize = 32 << 10
)

// proxy stands between clients and a server, on a port of 127.0.0.1.
type proxy struct {
	target   string
	listener net.Listener
	busy     sync.WaitGroup

	mu      sync.Mutex
	weather weather
	changed chan struct{} // closed when the weather changes
	random  *rand.Rand
	conns   map[net.Conn]bool // whether it is stranded
	closed  bool
	passed  int // connections made
	lost    int // acknowledgements
}

// newProxy starts a proxy before a server, which need not be there yet. Seed
// decides on jitter and on which acknowledgements are lost.
func newProxy(target string, seed uint64) (*proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start proxy: %w", err)
	}
	p := &proxy{
		target: target, listener: l, changed: make(chan struct{}),
		random: rand.New(rand.NewPCG(seed, 0)), conns: make(map[net.Conn]bool),
	}
	p.busy.Go(p.accept)
	return p, nil
}

// Addr is where the clients connect to: "127.0.0.1:port".
func (p *proxy) Addr() string { return p.listener.Addr().String() }

// Set changes the weather, for connections that exist as well.
func (p *proxy) Set(w weather) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.weather = w
	close(p.changed)
	p.changed = make(chan struct{})
}

// Cut breaks all connections and returns how many there were.
func (p *proxy) Cut() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.conns) / 2
	for c := range p.conns {
		_ = c.(*net.TCPConn).SetLinger(0) // a reset, not a farewell
		_ = c.Close()
	}
	clear(p.conns)
	return n
}

// Strand makes all connections half-open and returns how many there were: what is
// sent on them vanishes, and if one end closes its own the other is not told.
func (p *proxy) Strand() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		p.conns[c] = true
	}
	return len(p.conns) / 2
}

func (p *proxy) stranded(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conns[c]
}

// Lost returns how many acknowledgements have vanished.
func (p *proxy) Lost() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lost
}

// Connections returns how many connections have been made so far.
func (p *proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.passed
}

// Close ends the proxy and its connections and waits for them.
func (p *proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	_ = p.listener.Close()
	p.Set(weather{})
	p.Cut()
	p.busy.Wait()
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.busy.Go(func() { p.serve(client) })
	}
}

// serve carries one connection until either end closes it or it is cut.
func (p *proxy) serve(client net.Conn) {
	defer client.Close() //nolint:errcheck // cut or ended
	if now, _ := p.now(); now.Refused {
		return
	}
	server, err := net.DialTimeout("tcp", p.target, time.Second)
	if err != nil {
		return
	}
	defer server.Close() //nolint:errcheck // cut or ended
	if !p.join(client, server) {
		return
	}
	defer p.leave(client, server)
	var both sync.WaitGroup
	both.Go(func() { p.carry(server, client, false) })
	both.Go(func() { p.carry(client, server, true) })
	both.Wait()
}

func (p *proxy) join(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	for _, c := range conns {
		p.conns[c] = false
	}
	p.passed++
	return true
}

func (p *proxy) leave(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		delete(p.conns, c)
	}
}

// now returns the weather and what is closed when it changes.
func (p *proxy) now() (weather, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.weather, p.changed
}

// piece is some bytes and when they are due at the other end.
type piece struct {
	bytes []byte
	due   time.Time
}

// carry carries bytes one way; those that come from a broker it takes apart into
// messages.
func (p *proxy) carry(to, from net.Conn, broker bool) {
	way := make(chan piece, queued)
	gone := make(chan struct{})
	p.busy.Go(func() {
		defer close(gone)
		p.deliver(to, way)
		_ = from.Close() // the reader below ends, too
	})
	r := bufio.NewReaderSize(from, pieceSize)
	read := readSome
	if broker {
		read = readMessage
	}
	var last time.Time
	for {
		b, err := read(r)
		if err != nil {
			break
		}
		if broker && p.loses(b) {
			continue
		}
		last = p.due(last, len(b))
		select {
		case way <- piece{b, last}:
		case <-gone:
		}
	}
	close(way)
	<-gone
	if !p.stranded(to) {
		_ = to.Close()
	}
}

// deliver writes what is on its way, each piece when it is due.
func (p *proxy) deliver(to net.Conn, way <-chan piece) {
	for b := range way {
		time.Sleep(time.Until(b.due))
		now, changed := p.now()
		for now.Hung {
			<-changed
			now, changed = p.now()
		}
		if p.stranded(to) {
			continue
		}
		if _, err := to.Write(b.bytes); err != nil {
			return
		}
	}
}

// due says when a piece of a size that is read now arrives, after the last one.
func (p *proxy) due(last time.Time, size int) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	d := p.weather.Latency
	if j := p.weather.Jitter; j > 0 {
		d += time.Duration(p.random.Int64N(int64(2*j))) - j
	}
	if at := time.Now().Add(d); at.After(last) {
		last = at
	}
	if b := p.weather.Bandwidth; b > 0 {
		last = last.Add(time.Duration(size) * time.Second / time.Duration(b))
	}
	return last
}

// loses says that a message from the broker is an acknowledgement and vanishes.
func (p *proxy) loses(message []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.weather.LostAcks == 0 || !isAck(message) || p.random.Float64() >= p.weather.LostAcks {
		return false
	}
	p.lost++
	return true
}

// readSome reads what there is.
func readSome(r *bufio.Reader) ([]byte, error) {
	if _, err := r.Peek(1); err != nil {
		return nil, err
	}
	b := make([]byte, r.Buffered())
	_, err := io.ReadFull(r, b)
	return b, err
}
