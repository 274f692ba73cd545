package fetch

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"segue/document"
)

// hostileHosts are addresses that lead inside, in every spelling.
var hostileHosts = []string{
	"127.0.0.1", "127.1.2.3", "localhost", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
	"169.254.169.254", "169.254.170.2", "100.64.0.1", "100.100.100.200", "192.0.0.192", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
	"[::]", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:169.254.169.254]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[fd00:ec2::254]", "[fe80::1]", "[ff02::1]",
	"[64:ff9b::7f00:1]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::1]", "[2002:7f00:1::]", "[2001:0:7f00:1::]", "[2001:db8::1]",
	"inside.example", "metadata.example", "mapped.example",
}

// TestHostileAddresses tries each way to each of them. No connection is begun.
func TestHostileAddresses(t *testing.T) {
	t.Parallel()
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/twice":
			http.Redirect(w, r, "/once?to="+url.QueryEscape(r.URL.Query().Get("to")), http.StatusFound)
		case r.URL.Query().Get("to") != "":
			http.Redirect(w, r, r.URL.Query().Get("to"), http.StatusTemporaryRedirect)
		}
	}))
	t.Cleanup(origin.Close)
	home, err := netip.ParseAddrPort(strings.TrimPrefix(origin.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	var through atomic.Int64
	cfg := Config{DialTimeout: time.Second}
	fetcher := func(cfg Config) *Fetcher {
		f, err := NewFetcher(cfg, document.NewMemory("TEST"))
		if err != nil {
			t.Fatal(err)
		}
		f.guard.dialer.Resolver = names(map[string][4]byte{
			"origin.example": {127, 0, 0, 1}, "inside.example": {10, 0, 0, 1}, "metadata.example": {169, 254, 169, 254}, "mapped.example": {127, 0, 0, 1},
			"localhost": {127, 0, 0, 1},
		})
		// The origin is reached past the guard, everything else through it.
		f.transport.DialContext = func(ctx context.Context, network, hostport string) (net.Conn, error) {
			if hostport == home.String() {
				return net.Dial(network, hostport)
			}
			c, err := f.guard.dial(ctx, network, hostport)
			if err == nil {
				through.Add(1)
				c.Close()
				return nil, syscall.ECONNREFUSED
			}
			return nil, err
		}
		return f
	}
	f := fetcher(cfg)
	tried := 0
	for _, host := range hostileHosts {
		for _, port := range []string{"", ":80", ":443", ":6379", home.String()[strings.LastIndex(home.String(), ":"):]} {
			for _, scheme := range []string{"http", "https"} {
				target := scheme + "://" + host + port + "/latest/meta-data/"
				if host+port == home.String() {
					continue // that is where the redirects come from
				}
				for way, raw := range map[string]string{
					"directly": target, "by a redirect": origin.URL + "/once?to=" + url.QueryEscape(target), "by two redirects": origin.URL + "/twice?to=" + url.QueryEscape(target),
				} {
					_, err := fetchURL(t.Context(), f, raw)
					if e := wantFailure(t, err, CodeAddressRefused, true); e == nil || t.Failed() {
						t.Fatalf("%s, %s: %v", target, way, err)
					}
					tried++
				}
			}
		}
		s3 := fetcher(Config{S3Endpoint: "http://" + host + "/", DialTimeout: time.Second})
		_, err := fetchURL(t.Context(), s3, "s3://bucket/key")
		wantFailure(t, err, CodeAddressRefused, true)
		_, err = fetchInput(t, f, Input{URL: "http://" + host + "/", Robots: true})
		wantFailure(t, err, CodeAddressRefused, true)
		tried += 2
	}
	if n := through.Load(); n != 0 {
		t.Errorf("%d of %d tries came through", n, tried)
	}
	t.Logf("%d tries, %d came through", tried, through.Load())
}

// TestHostileServers is what servers may send, what the user reads, and that the
// fetcher goes on serving afterwards with nothing left behind.
func TestHostileServers(t *testing.T) {
	t.Parallel()
	ok := func(head string) string { return "HTTP/1.1 200 OK\r\n" + head + "\r\n\r\n" }
	f, docs := newFetcher(t, Config{MaxDocument: 1 << 20, IdleTimeout: 300 * time.Millisecond, HeaderTimeout: time.Second})
	for name, c := range map[string]struct {
		answer    func(net.Conn)
		code      string
		permanent bool
		part      string
	}{
		"nothing":                 {func(net.Conn) {}, CodeNetwork, false, "without an answer"},
		"another protocol":        {write("SSH-2.0-OpenSSH_9.6\r\n"), CodeNetwork, false, "malformed HTTP"},
		"a header without end":    {endless("HTTP/1.1 200 OK\r\n", "X-A: "+strings.Repeat("b", 1000)+"\r\n"), CodeNetwork, false, "exceeded 65536 bytes"},
		"a header line that lies": {write("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"), CodeNetwork, false, "Content-Length"},
		"two lengths":             {write(ok("Content-Length: 3\r\nContent-Length: 4") + "abcd"), CodeNetwork, false, "Content-Length"},
		"a length and chunks":     {write(ok("Content-Length: 3\r\nTransfer-Encoding: chunked") + "zz\r\n"), CodeBrokenBody, false, "breaks off"},
		"a body without end":      {endless(ok("Content-Type: text/csv"), strings.Repeat("a,b\n", 1000)), CodeTooLarge, true, "over 1048576 bytes"},
		"a length of an exabyte":  {write(ok("Content-Length: 1000000000000000000") + "x"), CodeTooLarge, true, "--max-document"},
		"a body cut short":        {write(ok("Content-Length: 10") + "abc"), CodeBrokenBody, false, "after 3 bytes"},
		"a body that stops":       {func(c net.Conn) { io.WriteString(c, ok("Content-Length: 10")+"abc"); untilClosed(c) }, CodeTimeout, false, "no byte for 300ms"},
		"chunks of nonsense":      {write(ok("Transfer-Encoding: chunked") + "fffffffffffffffff\r\n"), CodeBrokenBody, false, "breaks off"},
		"an unknown coding":       {write(ok("Content-Encoding: lzma") + "x"), CodeBadEncoding, true, "known are zstd"},
		"many codings":            {write(ok("Content-Encoding: gzip, gzip, gzip, gzip") + "x"), CodeBadEncoding, true, "more than 3"},
		"a coding that is none":   {write(ok("Content-Encoding: gzip") + "{\"a\": 1}"), CodeBrokenBody, false, "decode gzip"},
		"a bomb":                  {write(ok("Content-Encoding: gzip") + string(encode(t, make([]byte, 64<<20), "gzip"))), CodeTooLarge, true, "over 1048576"},
		"an unknown charset":      {write(ok("Content-Type: text/csv; charset=klingon") + "a"), CodeBadCharset, true, "klingon"},
		"bytes of no charset":     {write(ok("Content-Type: text/csv; charset=euc-jp") + "ab\xff"), CodeBadCharset, true, "byte 2"},
		"a part unasked":          {write("HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/9\r\nContent-Length: 2\r\n\r\nab"), CodeHTTPStatus, true, "a part of the document"},
		"not modified unasked":    {write("HTTP/1.1 304 Not Modified\r\n\r\n"), CodeHTTPStatus, true, "304"},
		"a redirect to a file":    {write("HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n"), CodeRedirectRefused, true, "scheme"},
		"a redirect inside":       {write("HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"), CodeAddressRefused, true, "link-local"},
		"a redirect to a bucket":  {write("HTTP/1.1 302 Found\r\nLocation: nats-object://SAGA_DOCUMENTS/x\r\nContent-Length: 0\r\n\r\n"), CodeRedirectRefused, true, "scheme"},
		"waits without end":       {write("HTTP/1.1 503 Busy\r\nRetry-After: 99999999999\r\nContent-Length: 0\r\n\r\n"), CodeUnavailable, false, "wait for 1h0m0s"},
		"answers without end":     {endless("", "HTTP/1.1 103 Early Hints\r\n\r\n"), CodeNetwork, false, "exceeded 65536 bytes"},
	} {
		_, err := fetchURL(within(t, 20*time.Second), f, serveRaw(t, c.answer))
		t.Run(name, func(t *testing.T) { wantFailure(t, err, c.code, c.permanent, c.part) })
		if len(err.Error()) > maxReason+300 {
			t.Errorf("%s: the message has %d bytes", name, len(err.Error()))
		}
	}
	if len(docs.Names()) != 0 || f.active.Load() != 0 {
		t.Errorf("%v are left behind, %d fetches are active", docs.Names(), f.active.Load())
	}
	if doc, err := fetchURL(t.Context(), f, serveText(t, ok("Content-Length: 2")+"{}")); err != nil || doc.Size != 2 {
		t.Errorf("afterwards: %v", err)
	}
}

// write answers with a text.
func write(answer string) func(net.Conn) {
	return func(c net.Conn) { io.WriteString(c, answer) }
}

// endless answers with a text, and another again and again.
func endless(head, more string) func(net.Conn) {
	return func(c net.Conn) {
		_, err := io.WriteString(c, head)
		for err == nil {
			_, err = fmt.Fprint(c, more)
		}
	}
}
