package fetch

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// TestLimitsAreCounted runs into each limit.
func TestLimitsAreCounted(t *testing.T) {
	t.Parallel()
	const short = 50 * time.Millisecond
	long := strings.Repeat("x", maxHeaderValue+1)
	answer := func(text string) string { return serveText(t, "HTTP/1.1 200 OK\r\n"+text) }
	silent := serveRaw(t, untilClosed)
	stuck := serveRaw(t, func(c net.Conn) {
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n1")
		untilClosed(c)
	})
	cut := httptest.NewServer(&cutter{body: sample(1000), after: 10, header: resumable(`"a"`)})
	t.Cleanup(cut.Close)
	circle := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) })
	rules := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/robots.txt" {
			io.WriteString(w, "User-agent: *\n"+strings.Repeat("Disallow: /private\n", maxRobots/15))
		}
	})
	secrets := keep(t, hostport(t, silent), map[string]string{"long": long})
	many := make(map[string]Value)
	for i := range maxHeaders + 1 {
		many["X-"+strings.Repeat("a", i+1)] = Value{Text: "1"}
	}
	tested := make(map[string]bool)
	for _, c := range []struct {
		limit string
		cfg   Config
		in    Input
	}{
		{limitAnswer, Config{HeaderTimeout: short}, Input{URL: silent}},
		{limitCodings, Config{MaxDecoders: 1}, Input{URL: answer("Content-Encoding: gzip, gzip\r\n\r\n")}},
		{limitConnect, Config{DialTimeout: short}, Input{URL: strings.Replace(silent, "http:", "https:", 1)}},
		{limitDocument, Config{MaxDocument: 1}, Input{URL: answer("\r\n12")}},
		{limitHeader, Config{MaxHeader: 1 << 10}, Input{URL: answer("X-A: " + long + "\r\n\r\n")}},
		{limitHeader, Config{MaxHeader: 1 << 10}, Input{URL: "h2"}},
		{limitHeaders, Config{}, Input{URL: silent, Headers: many}},
		{limitIdle, Config{IdleTimeout: short}, Input{URL: stuck}},
		{limitRatio, Config{}, Input{URL: serveCoded(t, encode(t, make([]byte, 4<<20), "gzip"), "gzip")}},
		{limitRedirects, Config{MaxRedirects: 1}, Input{URL: circle}},
		{limitResumes, Config{MaxResumes: 1}, Input{URL: cut.URL}},
		{limitRobots, Config{}, Input{URL: rules, Robots: true}},
		{limitSecret, Config{Secrets: secrets}, Input{URL: silent, Auth: &Auth{Bearer: &SecretRef{"long"}}}},
		{limitTurn, Config{Board: fullBoard(t, hostport(t, silent)), TurnWait: short}, Input{URL: silent}},
		{limitURL, Config{}, Input{URL: silent + "/" + long}},
		{limitURL, Config{}, Input{URL: "http://" + long[:maxHost+1] + "/"}},
		{limitURL, Config{}, Input{URL: serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/"+long, http.StatusFound) })}},
		{limitValue, Config{}, Input{URL: silent, Headers: map[string]Value{"X-A": {Text: long}}}},
		{limitWindow, Config{}, Input{URL: serveCoded(t, wideZstd(t), "zstd")}},
	} {
		tested[c.limit] = true
		registry := prometheus.NewRegistry()
		c.cfg.Metrics = registry
		f, docs := newFetcher(t, c.cfg)
		if c.in.URL == "h2" {
			c.in.URL = serveHTTP2(t, f, func(w http.ResponseWriter, _ *http.Request) {
				for i := range 20 {
					w.Header().Set("X-"+long[:i+1], long[:50])
				}
			})
		}
		_, err := fetchInput(t, f, c.in)
		if failed := c.limit != limitRobots; failed != (err != nil) || failed && len(docs.Names()) != 0 {
			t.Errorf("%s: %v, and there is %v", c.limit, err, docs.Names())
		}
		if got := limitsCounted(t, registry); !slices.Equal(got, []string{c.limit}) {
			t.Errorf("%s: %q are counted: %v", c.limit, got, err)
		}
	}
	for _, limit := range limits {
		if !tested[limit] {
			t.Errorf("limit %s is not tested", limit)
		}
	}
}

// limitsCounted are the limits that were run into, each as often as it was.
func limitsCounted(t *testing.T, r *prometheus.Registry) (counted []string) {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "segue_fetch_limits_total" {
			continue
		}
		for _, m := range family.GetMetric() {
			for range int(m.GetCounter().GetValue()) {
				counted = append(counted, m.GetLabel()[0].GetValue())
			}
		}
	}
	return counted
}

// fullBoard is a board on which all turns at a host are held.
func fullBoard(t *testing.T, host string) Board {
	t.Helper()
	held := visits{Turns: make(map[string]int64)}
	for i := range DefaultPerHost {
		held.Turns[strings.Repeat("x", i+1)] = time.Now().Add(time.Hour).UnixMicro()
	}
	note, err := json.Marshal(held)
	if err != nil {
		t.Fatal(err)
	}
	b := newMemoryBoard()
	if err := b.Write(t.Context(), host, note, 0); err != nil {
		t.Fatal(err)
	}
	return b
}
