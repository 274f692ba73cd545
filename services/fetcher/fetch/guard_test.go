package fetch

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"segue/document"
)

func TestGuardCheck(t *testing.T) {
	t.Parallel()
	g := newGuard([]netip.Prefix{
		netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00:1::/32"),
		netip.MustParsePrefix("::ffff:172.16.5.0/120"), netip.MustParsePrefix("fe80::1/128"),
	}, []uint16{80, 443}, time.Second)
	for address, want := range map[string]string{ // "" is allowed, else a part of the refusal
		"93.184.216.34:80":            "",
		"93.184.216.34:443":           "",
		"93.184.216.34:25":            "--allow-port 25",
		"[2606:2800:220:1::1]:443":    "",
		"[2606:2800:220:1::1]:22":     "--allow-port 22",
		"10.1.2.3:5432":               "",
		"10.2.2.3:80":                 "10.2.2.3 is private, not public; allow it with --allow-net 10.2.2.3/32",
		"[fd00:1::5]:8080":            "",
		"[fd00:2::5]:80":              "--allow-net fd00:2::5/128",
		"172.16.5.9:80":               "",
		"[::ffff:172.16.5.9]:80":      "",
		"172.16.6.9:80":               "private",
		"127.0.0.1:80":                "127.0.0.1 is loopback, not public; allow it with --allow-net 127.0.0.0/8",
		"127.8.9.1:80":                "loopback",
		"[::1]:80":                    "--allow-net ::1/128",
		"0.0.0.0:80":                  "reserved",
		"[::]:80":                     "reserved",
		"169.254.169.254:80":          "169.254.169.254 is link-local",
		"[fd00:ec2::254]:80":          "private",
		"100.100.100.200:80":          "reserved",
		"192.168.0.1:80":              "private",
		"198.18.0.1:80":               "reserved",
		"224.0.0.1:80":                "multicast",
		"255.255.255.255:80":          "reserved",
		"[::ffff:127.0.0.1]:80":       "loopback",
		"[::ffff:169.254.169.254]:80": "link-local",
		"[::ffff:93.184.216.34]:80":   "",
		"[::127.0.0.1]:80":            "reserved",
		"[64:ff9b::5db8:d822]:80":     "",
		"[64:ff9b::7f00:1]:80":        "loopback",
		"[64:ff9b::a9fe:a9fe]:80":     "link-local",
		"[64:ff9b::a01:203]:80":       "private", // 10.1.2.3 is allowed here, not behind the gateway
		"[64:ff9b:1::7f00:1]:80":      "reserved",
		"[2002:7f00:1::]:80":          "reserved",
		"[2001:0:7f00:1::]:80":        "reserved",
		"[fe80::1%eth0]:80":           "",
		"[fe80::2%eth0]:80":           "link-local",
		"[ff02::1]:80":                "multicast",
		"[2001:db8::1]:80":            "reserved",
	} {
		err := g.check(netip.MustParseAddrPort(address))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", address, err, want)
		}
	}
}

// Whatever the spelling, a server on the loopback is not reached.
func TestFetchRefusesAddresses(t *testing.T) {
	t.Parallel()
	var hits atomic.Int64
	url := serve(t, func(http.ResponseWriter, *http.Request) { hits.Add(1) })
	port := url[strings.LastIndex(url, ":"):]
	f, err := NewFetcher(Config{}, document.NewMemory("TEST"))
	if err != nil {
		t.Fatal(err)
	}
	if f.transport.Proxy != nil {
		t.Error("a proxy would connect where the guard cannot see")
	}
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]", "127.1.2.3"} {
		_, err := fetchURL(t.Context(), f, "http://"+host+port+"/")
		wantFailure(t, err, CodeAddressRefused, true, "--allow-net", host)
	}
	// Whether these mean anything is the resolver's affair; the guard sees what it makes of them.
	for _, host := range []string{"2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0x7f.1", "127.0.0.1.", "①②⑦.⓪.⓪.①"} {
		if _, err := fetchURL(within(t, 5*time.Second), f, "http://"+host+port+"/"); err == nil {
			t.Errorf("http://%s was fetched", host)
		}
	}
	if hits.Load() != 0 {
		t.Errorf("the server was reached %d times", hits.Load())
	}
}

// A name that changes its address between two connections gains nothing.
func TestFetchDNSRebinding(t *testing.T) {
	t.Parallel()
	var hits, lookups atomic.Int64
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		hits.Add(1)
		w.Header().Set("Connection", "close") // so that the redirect needs a lookup
		http.Redirect(w, r, "/again", http.StatusFound)
	})
	g := newGuard([]netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, nil, time.Second)
	g.dialer.Resolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go answerDNS(server, func() [][4]byte { return [][4]byte{{127, 0, 0, byte(min(lookups.Add(1), 2))}} })
		return client, nil
	}}
	f, _ := newFetcher(t, Config{})
	f.transport.DialContext = g.dial
	_, err := fetchURL(t.Context(), f, strings.Replace(url, "127.0.0.1", "rebind.example", 1))
	wantFailure(t, err, CodeAddressRefused, true, "127.0.0.2", "redirected to", "/again")
	if hits.Load() != 1 {
		t.Errorf("the server was reached %d times, want 1", hits.Load())
	}
}

// answerDNS answers one question over a stream: A records, or nothing for AAAA.
func answerDNS(c net.Conn, addresses func() [][4]byte) {
	answerDNSBy(c, func(string) [][4]byte { return addresses() })
}

// answerDNSBy is answerDNS by the name that is asked for. A name without addresses
// does not exist.
func answerDNSBy(c net.Conn, addresses func(name string) [][4]byte) {
	defer c.Close()
	var size [2]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return
	}
	query := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(c, query); err != nil {
		return
	}
	var labels []string
	end := 12
	for query[end] != 0 {
		labels = append(labels, string(query[end+1:end+1+int(query[end])]))
		end += 1 + int(query[end])
	}
	end += 5 // the root label, type and class
	reply := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, query[12:end]...)
	if query[end-3] == 1 {
		found := addresses(strings.Join(labels, "."))
		if len(found) == 0 {
			reply[3] |= 3
		}
		for _, a := range found {
			reply[7]++
			reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, a[0], a[1], a[2], a[3])
		}
	}
	c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...))
}

// A host with a refused and an allowed address that does not answer may answer later.
func TestDialMixedHost(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	g := newGuard([]netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}, nil, time.Second)
	g.dialer.Resolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go answerDNS(server, func() [][4]byte { return [][4]byte{{127, 0, 0, 1}, {127, 0, 0, 2}} })
		return client, nil
	}}
	f, _ := newFetcher(t, Config{})
	f.transport.DialContext = g.dial
	_, port, _ := net.SplitHostPort(l.Addr().String())
	_, err = fetchURL(t.Context(), f, "http://mixed.example:"+port+"/")
	wantFailure(t, err, CodeNetwork, false, "no allowed address of mixed.example", "127.0.0.1 is loopback")
}
