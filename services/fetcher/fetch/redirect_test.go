package fetch

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestFetchFollowsRedirects(t *testing.T) {
	t.Parallel()
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/1":
			http.Redirect(w, r, "2?token=hidden", http.StatusMovedPermanently)
		case "/2":
			http.Redirect(w, r, "//user:pass@"+r.Host+"/3", http.StatusTemporaryRedirect)
		case "/3":
			if _, _, ok := r.BasicAuth(); ok {
				http.Error(w, "a server must not choose our credentials", http.StatusBadRequest)
			}
		}
	})
	f, _ := newFetcher(t, Config{})
	if doc, err := fetchURL(t.Context(), f, url+"/1"); err != nil || doc.URL != url+"/3" {
		t.Errorf("got %s, %v", doc.URL, err)
	}
	if doc, err := fetchURL(t.Context(), f, url+"/2?token=hidden"); err != nil || strings.Contains(doc.URL, "hidden") {
		t.Errorf("got %s, %v", doc.URL, err)
	}
}

func TestFetchRefusesRedirects(t *testing.T) {
	t.Parallel()
	var loops atomic.Int64
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		to := r.URL.Query().Get("to")
		switch r.URL.Path {
		case "/loop":
			loops.Add(1)
			to = "/loop"
		case "/long":
			to = "/" + strings.Repeat("x", maxURL)
		}
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusFound)
	})
	for to, want := range map[string]string{
		"/loop":                           CodeRedirectRefused,
		"http://169.254.169.254/latest":   CodeAddressRefused,
		"http://[::ffff:169.254.169.254]": CodeAddressRefused,
		"http://[::1]:6379/":              CodeAddressRefused,
		"file:///etc/passwd":              CodeRedirectRefused,
		"gopher://127.0.0.1/":             CodeRedirectRefused,
		"http://":                         CodeRedirectRefused,
		"http:relative":                   CodeRedirectRefused,
		"http://127.0.0.1:99999/":         CodeRedirectRefused,
		"http://%zz/":                     CodeRedirectRefused,
		"/long":                           CodeRedirectRefused,
		"":                                CodeHTTPStatus,
	} {
		f, docs := newFetcher(t, Config{})
		_, err := fetchURL(t.Context(), f, server+"/?to="+url.QueryEscape(to))
		wantFailure(t, err, want, true, server)
		if len(docs.Names()) != 0 {
			t.Errorf("redirect to %s left a document", to)
		}
	}
	if n := loops.Load(); n != DefaultMaxRedirects {
		t.Errorf("the loop was followed %d times, want %d", n, DefaultMaxRedirects)
	}
	f, _ := newFetcher(t, Config{MaxRedirects: -1})
	_, err := fetchURL(t.Context(), f, server+"/?to=/")
	wantFailure(t, err, CodeRedirectRefused, true, "more than 0 redirects")
}

func TestFetchRefusesDowngrade(t *testing.T) {
	t.Parallel()
	plain := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the downgrade was followed") })
	secure := httptest.NewTLSServer(http.RedirectHandler(plain, http.StatusFound))
	t.Cleanup(secure.Close)
	f, _ := newFetcher(t, Config{})
	f.transport.TLSClientConfig = secure.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	_, err := fetchURL(t.Context(), f, secure.URL)
	wantFailure(t, err, CodeRedirectRefused, true, "https to http")
}

// Credentials go to the origin they were given for, and are gone for good after
// the first redirect that leaves it.
func TestFetchCredentials(t *testing.T) {
	t.Parallel()
	seen := make(chan string, 10)
	note := func(r *http.Request) {
		user, _, _ := r.BasicAuth()
		seen <- r.URL.Path + "=" + user
	}
	var home string
	away := serve(t, func(w http.ResponseWriter, r *http.Request) {
		note(r)
		http.Redirect(w, r, home+"/end", http.StatusFound)
	})
	home = serve(t, func(w http.ResponseWriter, r *http.Request) {
		note(r)
		switch r.URL.Path {
		case "/start":
			http.Redirect(w, r, "/inside", http.StatusFound)
		case "/inside":
			http.Redirect(w, r, away+"/outside", http.StatusFound)
		}
	})
	f, _ := newFetcher(t, Config{})
	doc, err := fetchURL(t.Context(), f, strings.Replace(home, "http://", "http://ann:secret@", 1)+"/start")
	if err != nil || doc.URL != home+"/end" {
		t.Fatalf("got %s, %v", doc.URL, err)
	}
	close(seen)
	var got []string
	for s := range seen {
		got = append(got, s)
	}
	if want := "[/start=ann /inside=ann /outside= /end=]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

// The body of a redirect is not waited for.
func TestFetchSlowRedirectBody(t *testing.T) {
	t.Parallel()
	target := serve(t, func(http.ResponseWriter, *http.Request) {})
	url := serveRaw(t, func(c net.Conn) {
		io.WriteString(c, "HTTP/1.1 302 Found\r\nContent-Length: 100\r\nLocation: "+target+"\r\n\r\n")
		untilClosed(c)
	})
	f, _ := newFetcher(t, Config{})
	if _, err := fetchURL(within(t, 5*time.Second), f, url); err != nil {
		t.Error(err)
	}
}
