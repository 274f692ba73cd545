package world

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// manner is how an origin answers a request.
type manner string

const (
	serves     manner = "serves"     // at once
	lingers    manner = "lingers"    // after some seconds
	hangs      manner = "hangs"      // takes the request and says nothing
	errs       manner = "errs"       // 500
	overloaded manner = "overloaded" // 503, and says when to come again
	missing    manner = "missing"    // 404
	drops      manner = "drops"      // closes the connection without an answer
	cuts       manner = "cuts"       // closes it in the middle of the body
	drips      manner = "drips"      // sends a few bytes, waits, sends a few bytes
	moves      manner = "moves"      // redirects to another path of its own
	packs      manner = "packs"      // sends the body compressed
	garbles    manner = "garbles"    // says that it is compressed, and it is not
)

var manners = deal([]manner{serves, lingers, hangs, errs, overloaded, missing, drops, cuts, drips, moves, packs, garbles},
	map[manner]int{serves: 42, lingers: 10, hangs: 3, errs: 6, overloaded: 5, missing: 1, drops: 5, cuts: 8, drips: 6, moves: 5, packs: 7, garbles: 2})

// kindManners is what an origin does in a calm world.
var kindManners = []manner{serves, lingers, moves, packs}

// origin is the web server that documents come from, and remembers which it sent.
type origin struct {
	w       *world
	errands map[string]errand // by path

	mu     sync.Mutex
	visits map[string]int
	sent   map[string]map[string]text // path => digest => what was sent whole
	open   int                        // connections
}

func newOrigin(w *world) *origin {
	return &origin{w: w, errands: make(map[string]errand), visits: make(map[string]int), sent: make(map[string]map[string]text)}
}

// dial connects a process to the origin.
func (o *origin) dial(l *life) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		// The time it takes keeps the fetcher's patience apart from the ticks of a lease.
		if err := l.rest(ctx, o.w.dice.between(time.Microsecond, 50*time.Millisecond, "dial", l.id, strconv.Itoa(int(o.w.since())))); err != nil {
			return nil, err
		}
		near, far := net.Pipe()
		o.mu.Lock()
		o.open++
		o.mu.Unlock()
		go func() {
			o.answer(far)
			_ = far.Close()
			o.mu.Lock()
			o.open--
			o.mu.Unlock()
		}()
		return near, nil
	}
}

func (o *origin) idle() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.open == 0
}

// visit counts a request for a path and says how it is answered.
func (o *origin) visit(path string) (int, manner) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.visits[path]++
	n := o.visits[path]
	word := strconv.Itoa(n)
	choice := manners
	if o.w.options.Calm {
		choice = kindManners
	}
	m := choice[o.w.dice.below(len(choice), "manner", path, word)]
	if m == moves && strings.HasPrefix(path, "/moved") {
		m = serves
	}
	return n, m
}

// answer reads one request and answers it. Between two steps a while passes, so
// that at no instant both ends of the connection have something to do.
func (o *origin) answer(c net.Conn) {
	request, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil {
		return
	}
	path := request.URL.Path
	n, m := o.visit(path)
	o.w.note(fmt.Sprintf("%d %s %s %d", o.w.since(), m, path, n))
	rest := func() {
		time.Sleep(o.w.dice.between(time.Microsecond, 20*time.Millisecond, "rest", path, strconv.Itoa(n), strconv.Itoa(int(o.w.since()))))
	}
	rest()
	switch m {
	case hangs:
		_, _ = c.Read(make([]byte, 1)) // until the other side has had enough
	case drops:
	case errs:
		say(c, "500 Internal Server Error", "Content-Length: 4", "oops")
	case overloaded:
		say(c, "503 Service Unavailable", "Retry-After: 2\r\nContent-Length: 0", "")
	case missing:
		say(c, "404 Not Found", "Content-Length: 0", "")
	case moves:
		say(c, "302 Found", "Location: /moved"+path+"\r\nContent-Length: 0", "")
	default:
		if m == lingers {
			time.Sleep(o.w.dice.between(time.Second, 25*time.Second, "linger", path, strconv.Itoa(n)))
		}
		o.send(c, request, n, m)
	}
	rest()
}

// send sends a document, what is left of it, or word that it is as it was.
func (o *origin) send(c net.Conn, request *http.Request, n int, m manner) {
	path := request.URL.Path
	e, known := o.errands[strings.TrimPrefix(path, "/moved")]
	if !known {
		say(c, "404 Not Found", "Content-Length: 0", "")
		return
	}
	t := o.w.dice.text(e, n)
	word := strconv.Itoa(n)
	body, head := t.body, ""
	if o.w.dice.chance(0.5, "typed", path, word) {
		head = "Content-Type: " + map[string]string{"csv": "text/csv; charset=utf-8", "json": "application/json", "ndjson": "application/x-ndjson"}[e.format] + "\r\n"
	}
	if tag := tagOf(t); o.w.dice.chance(0.5, "tagged", e.path()) {
		head += "ETag: " + tag + "\r\nAccept-Ranges: bytes\r\n"
		if request.Header.Get("If-None-Match") == tag {
			o.w.count("not modified")
			say(c, "304 Not Modified", strings.TrimSuffix(head, "\r\n"), "")
			return
		}
		if rest, asked := restOf(body, request.Header, tag); asked && m != packs && m != garbles {
			o.w.count("resumed")
			o.keep(path, t)
			head += fmt.Sprintf("Content-Range: bytes %d-%d/%d\r\n", len(body)-len(rest), len(body)-1, len(body))
			say(c, "206 Partial Content", head+fmt.Sprintf("Content-Length: %d", len(rest)), string(rest))
			return
		}
	}
	switch m {
	case packs:
		body, head = packed(body), head+"Content-Encoding: gzip\r\n"
	case garbles:
		head += "Content-Encoding: gzip\r\n"
	case cuts:
		o.cut(c, path, word, head, body)
		return
	}
	if m != garbles || len(body) == 0 { // nothing is nothing in every coding
		o.keep(path, t)
	}
	if m == drips {
		o.drip(c, path, word, head, body)
		return
	}
	say(c, "200 OK", head+fmt.Sprintf("Content-Length: %d", len(body)), string(body))
}

// tagOf is the entity tag of a document.
func tagOf(t text) string {
	sum := sha256.Sum256(t.body)
	return `"` + hex.EncodeToString(sum[:8]) + `"`
}

// restOf returns the part of a document that a request wants, if it wants the rest
// of the one it has begun to read.
func restOf(body []byte, h http.Header, tag string) ([]byte, bool) {
	var from int
	if _, err := fmt.Sscanf(h.Get("Range"), "bytes=%d-", &from); err != nil || h.Get("If-Range") != tag || from >= len(body) {
		return nil, false
	}
	return body[from:], true
}

// cut sends a part of a document and closes the connection.
func (o *origin) cut(c net.Conn, path, word, head string, body []byte) {
	part := string(body[:o.w.dice.below(len(body)+1, "part", path, word)])
	if o.w.dice.chance(0.5, "chunked", path, word) { // without the end mark
		if part != "" {
			part = fmt.Sprintf("%x\r\n%s\r\n", len(part), part)
		}
		say(c, "200 OK", head+"Transfer-Encoding: chunked", part)
		return
	}
	say(c, "200 OK", head+fmt.Sprintf("Content-Length: %d", len(body)+1), part)
}

// drip sends a document in chunks, with pauses shorter than the fetcher's
// patience. Some go on for longer than the step may take.
func (o *origin) drip(c net.Conn, path, word, head string, body []byte) {
	chunks := 1 + o.w.dice.below(20, "chunks", path, word)
	say(c, "200 OK", head+"Transfer-Encoding: chunked", "")
	for i := range chunks {
		if part := body[len(body)*i/chunks : len(body)*(i+1)/chunks]; len(part) > 0 {
			if _, err := fmt.Fprintf(c, "%x\r\n%s\r\n", len(part), part); err != nil {
				return
			}
		}
		time.Sleep(o.w.dice.between(time.Second, 29*time.Second, "drip", path, word, strconv.Itoa(i)))
	}
	_, _ = c.Write([]byte("0\r\n\r\n")) // whoever is there still
}

// keep remembers a document that is sent whole.
func (o *origin) keep(path string, t text) {
	o.mu.Lock()
	defer o.mu.Unlock()
	path = strings.TrimPrefix(path, "/moved")
	if o.sent[path] == nil {
		o.sent[path] = make(map[string]text)
	}
	sum := sha256.Sum256(t.body)
	o.sent[path][hex.EncodeToString(sum[:])] = t
}

// say writes an answer, if there is somebody to hear it.
func say(c net.Conn, status, head, body string) {
	_, err := fmt.Fprintf(c, "HTTP/1.1 %s\r\nConnection: close\r\n%s\r\n\r\n%s", status, head, body)
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return // it has hung up
	}
}

func packed(body []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(body) // into memory
	_ = z.Close()
	return b.Bytes()
}
