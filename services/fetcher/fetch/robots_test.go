package fetch

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/temoto/robotstxt"
)

func TestFetchRobots(t *testing.T) {
	t.Parallel()
	text := func(rules string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, rules) }
	}
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	for name, c := range map[string]struct {
		robots    http.HandlerFunc
		code      string // "" is allowed
		permanent bool
	}{
		"everyone may":         {text("User-agent: *\nDisallow:\n"), "", false},
		"nobody may":           {text("User-agent: *\nDisallow: /\n"), CodeRobotsRefused, true},
		"not here":             {text("User-agent: *\nDisallow: /data/\n"), CodeRobotsRefused, true},
		"elsewhere":            {text("User-agent: *\nDisallow: /other/\n"), "", false},
		"with a query":         {text("User-agent: *\nDisallow: /*?page=\n"), CodeRobotsRefused, true},
		"by an ending":         {text("User-agent: *\nDisallow: /*.json$\n"), "", false},
		"we may not":           {text("User-agent: *\nAllow: /\n\nUser-agent: Segue\nDisallow: /data\n"), CodeRobotsRefused, true},
		"we may":               {text("User-agent: *\nDisallow: /\n\nUser-agent: segue\nAllow: /\n"), "", false},
		"another may not":      {text("User-agent: other\nDisallow: /\n"), "", false},
		"the longer rule wins": {text("User-agent: *\nDisallow: /\nAllow: /data/\n"), "", false},
		"rules for nobody":     {text("Disallow: /x\nUser-agent: *\nDisallow: /data\n"), CodeRobotsRefused, true},
		"broken delay":         {text("User-agent: *\nCrawl-delay: soon\nDisallow: /data\n"), CodeRobotsRefused, true},
		"a page":               {text("<html><body>Not found</body></html>"), "", false},
		"with a mark":          {text("\ufeffUser-agent: *\r\nDisallow: /data\r\n"), CodeRobotsRefused, true},
		"no line ends":         {text("User-agent: * Disallow: /data"), "", false},
		"beyond what is read":  {text("User-agent: *\n" + strings.Repeat("# filled up with this\n", maxRobots/20) + "Disallow: /data\n"), "", false},
		"long":                 {text("User-agent: *\nDisallow: /data\n" + strings.Repeat("# filled up with this\n", maxRobots/20)), CodeRobotsRefused, true},
		"none":                 {http.NotFound, "", false},
		"forbidden":            {status(403), "", false},
		"unauthorized":         {status(401), "", false},
		"gone":                 {status(410), "", false},
		"cannot say":           {status(503), CodeUnavailable, false},
		"too many":             {status(429), CodeUnavailable, false},
		"breaks off":           {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, CodeNetwork, false},
		"goes in circles":      {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/robots.txt", http.StatusFound) }, "", false},
		"elsewhere to read": {func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/robots.txt" {
				http.Redirect(w, r, "/moved.txt", http.StatusMovedPermanently)
				return
			}
			io.WriteString(w, "User-agent: *\nDisallow: /data\n")
		}, CodeRobotsRefused, true},
		"leads inside": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://10.0.0.1/", http.StatusFound)
		}, CodeAddressRefused, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int64
			origin := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, ".txt") {
					asked.Add(1)
					if r.Header.Get("Authorization") != "" {
						t.Error("credentials were sent for robots.txt")
					}
					c.robots(w, r)
					return
				}
				io.WriteString(w, "{}")
			})
			registry := prometheus.NewRegistry()
			f, docs := newFetcher(t, Config{Metrics: registry})
			url := strings.Replace(origin, "http://", "http://ann:pw@", 1) + "/data/list.json?page=2"
			_, err := fetchInput(t, f, Input{URL: url, Robots: true})
			if c.code == "" && err != nil {
				t.Errorf("refused: %v", err)
			}
			if c.code != "" {
				wantFailure(t, err, c.code, c.permanent, origin)
			}
			if (len(docs.Names()) == 1) != (c.code == "") {
				t.Errorf("the store holds %v", docs.Names())
			}
			want := map[bool]float64{true: 1}[c.code == CodeRobotsRefused]
			if got := counted(t, registry, "segue_fetch_robots_refused_total"); got != want {
				t.Errorf("%v refusals are counted, want %v", got, want)
			}
			before := asked.Load()
			if _, err := fetchInput(t, f, Input{URL: url}); err != nil || asked.Load() != before {
				t.Errorf("without robots, robots.txt was asked for %d times: %v", asked.Load()-before, err)
			}
		})
	}
}

// What an origin says is remembered, and asked for at each origin that a redirect
// leads to.
func TestFetchRobotsOfEachOrigin(t *testing.T) {
	t.Parallel()
	var asked [2]atomic.Int64
	second := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/robots.txt" {
			asked[1].Add(1)
			io.WriteString(w, "User-agent: *\nDisallow: /no\n")
		}
	})
	first := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/robots.txt" {
			asked[0].Add(1)
			return
		}
		http.Redirect(w, r, second+r.URL.Path, http.StatusFound)
	})
	f, _ := newFetcher(t, Config{})
	for range 3 {
		if _, err := fetchInput(t, f, Input{URL: first + "/yes", Robots: true}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := fetchInput(t, f, Input{URL: first + "/no", Robots: true})
	wantFailure(t, err, CodeRobotsRefused, true, second+"/no")
	if asked[0].Load() != 1 || asked[1].Load() != 1 {
		t.Errorf("robots.txt was asked for %d and %d times, want once each", asked[0].Load(), asked[1].Load())
	}
}

func TestRobotsAreForgotten(t *testing.T) {
	t.Parallel()
	var r robots
	for i := range 3 * robotsKept {
		r.put(strings.Repeat("x", i%7)+string(rune(i)), rules{})
	}
	if len(r.rules) > robotsKept {
		t.Errorf("%d origins are kept", len(r.rules))
	}
	if _, ok := r.get("x"); ok {
		t.Error("rules of long ago are believed")
	}
}

// Whatever a robots.txt holds, it can be read, and says something of a path.
func FuzzRobots(f *testing.F) {
	for _, s := range []string{"", "User-agent: *\nDisallow: /", "Disallow: /\nUser-agent: a\nAllow: *$*", "user-agent:\xff\ndisallow:\x00", "crawl-delay: 1e999"} {
		f.Add([]byte(s), "/a?b")
	}
	f.Fuzz(func(t *testing.T, text []byte, path string) {
		data, err := robotstxt.FromBytes(directives(text))
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		data.TestAgent(path, robotsAgent)
	})
}
