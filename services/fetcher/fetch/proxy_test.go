package fetch

import (
	"context"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"segue/document"
)

// forwarder is an HTTP proxy that writes down what it was asked for. It connects
// wherever asked, but to a target of its own.
type forwarder struct {
	target string // host:port

	mu    sync.Mutex
	asked []string
	auth  string
}

func (p *forwarder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked = append(p.asked, r.Method+" "+r.RequestURI)
	p.auth = r.Header.Get("Proxy-Authorization")
	p.mu.Unlock()
	if r.Method != http.MethodConnect {
		r.URL.Host = p.target
		r.RequestURI = ""
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		w.WriteHeader(resp.StatusCode)
		io.Copy(w, resp.Body)
		return
	}
	far, err := net.Dial("tcp", p.target)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer far.Close()
	near, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer near.Close()
	io.WriteString(near, "HTTP/1.1 200 OK\r\n\r\n")
	go func() { io.Copy(far, near); far.Close() }()
	io.Copy(near, far)
}

// names is a resolver that knows some names.
func names(known map[string][4]byte) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go answerDNSBy(server, func(name string) [][4]byte {
			if a, ok := known[name]; ok {
				return [][4]byte{a}
			}
			return nil
		})
		return client, nil
	}}
}

func TestFetchThroughProxy(t *testing.T) {
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "plain") }))
	t.Cleanup(plain.Close)
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "secure") }))
	t.Cleanup(secure.Close)
	resolver := names(map[string][4]byte{"public.example": {93, 184, 216, 34}, "inside.example": {10, 0, 0, 1}, "metadata.example": {169, 254, 169, 254}})
	for url, want := range map[string]struct{ text, asked, code string }{
		"http://public.example/a":                  {"plain", "GET http://public.example/a", ""},
		"http://unknown.example/a":                 {"plain", "GET http://unknown.example/a", ""}, // the proxy may know it
		"https://public.example/a":                 {"secure", "CONNECT public.example:443", ""},
		"http://inside.example/":                   {code: CodeAddressRefused},
		"https://metadata.example/":                {code: CodeAddressRefused},
		"http://127.0.0.1/":                        {code: CodeAddressRefused},
		"https://[::1]/":                           {code: CodeAddressRefused},
		"http://169.254.169.254/latest/meta-data/": {code: CodeAddressRefused},
		"http://[::ffff:169.254.169.254]/":         {code: CodeAddressRefused},
		"http://public.example:22/":                {code: CodeAddressRefused},
	} {
		p := &forwarder{target: strings.TrimPrefix(plain.URL, "http://")}
		if strings.HasPrefix(url, "https") {
			p.target = strings.TrimPrefix(secure.URL, "https://")
		}
		proxy := httptest.NewServer(p)
		docs := document.NewMemory("TEST")
		// The loopback is not allowed: the proxy alone may be there.
		f, err := NewFetcher(Config{Proxy: strings.Replace(proxy.URL, "http://", "http://me:"+hidden+"@", 1)}, docs)
		if err != nil {
			t.Fatal(err)
		}
		f.guard.dialer.Resolver = resolver
		f.transport.TLSClientConfig = secure.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
		f.transport.TLSClientConfig.InsecureSkipVerify = true // the certificate is for example.com
		doc, err := fetchURL(t.Context(), f, url)
		if want.code != "" {
			wantFailure(t, err, want.code, true)
			if len(p.asked) != 0 {
				t.Errorf("%s: the proxy was asked for %v", url, p.asked)
			}
		} else if err != nil || text(t, docs, doc) != want.text || strings.Join(p.asked, " ") != want.asked {
			t.Errorf("%s: the proxy was asked for %v, %v", url, p.asked, err)
		} else if p.auth != "Basic "+base64.StdEncoding.EncodeToString([]byte("me:"+hidden)) {
			t.Errorf("%s: the proxy was told %q", url, p.auth)
		}
		proxy.Close()
		// Without the proxy there is no way round it, and its password is not told.
		if want.code == "" {
			_, err = fetchURL(t.Context(), f, url)
			wantFailure(t, err, CodeNetwork, false)
			if strings.Contains(err.Error(), hidden) {
				t.Errorf("the message holds the password: %v", err)
			}
		}
	}
}
