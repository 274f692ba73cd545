package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/url"
	"sync"
	"time"

	"github.com/temoto/robotstxt"

	"segue/participant"
)

const (
	// robotsAgent is the name by which robots.txt may speak of the fetcher.
	robotsAgent = "segue"
	// maxRobots is how much of a robots.txt is read, in bytes. RFC 9309 asks for no more.
	maxRobots = 500 << 10
	// robotsTTL is how long one is believed.
	robotsTTL = time.Hour
	// robotsKept is of how many origins they are kept.
	robotsKept = 1000
)

// robots keeps what origins say of robots.
type robots struct {
	mu    sync.Mutex
	rules map[string]rules // by scheme and host
}

// rules are those of an origin.
type rules struct {
	data *robotstxt.RobotsData // nil: everything is allowed
	read time.Time
}

func (r *robots) get(origin string) (rules, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	found, ok := r.rules[origin]
	return found, ok && time.Since(found.read) < robotsTTL
}

func (r *robots) put(origin string, found rules) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.rules == nil || len(r.rules) >= robotsKept {
		r.rules = make(map[string]rules) // to read them again costs a request each
	}
	r.rules[origin] = found
}

// mayFetch asks the robots.txt of an origin whether a URL may be fetched.
func (f *Fetcher) mayFetch(ctx context.Context, at place, u *url.URL) error {
	origin := &url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/robots.txt"}
	found, ok := f.robots.get(origin.String())
	if !ok {
		var err error
		if found.data, err = f.readRobots(ctx, origin); err != nil {
			return err
		}
		found.read = time.Now()
		f.robots.put(origin.String(), found)
	}
	if found.data == nil || found.data.TestAgent(u.RequestURI(), robotsAgent) {
		return nil
	}
	f.metrics.robotsRefused()
	return permanent(at, CodeRobotsRefused, fmt.Errorf("%s does not let %s fetch it; without robots: true it is not asked", redact(origin), robotsAgent))
}

// readRobots fetches a robots.txt as RFC 9309 says: without one everything is
// allowed, and nothing as long as the origin cannot say.
func (f *Fetcher) readRobots(ctx context.Context, u *url.URL) (*robotstxt.RobotsData, error) {
	src, err := f.openWeb(ctx, &order{url: u, max: math.MaxInt64})
	if failed := new(participant.Error); errors.As(err, &failed) && saysNone(failed) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer src.close()
	text, err := io.ReadAll(io.LimitReader(src, maxRobots+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxRobots {
		f.metrics.limited(limitRobots)
		text = text[:maxRobots]
	}
	data, err := robotstxt.FromBytes(directives(text))
	if err != nil {
		return nil, permanent(place{u, u}, CodeRobotsRefused, fmt.Errorf("its rules cannot be read: %w", clip(err)))
	}
	return data, nil
}

// saysNone says of the failure to fetch a robots.txt whether it means that there
// is none: any 4xx, but those that may pass, and redirects that lead nowhere.
func saysNone(failed *participant.Error) bool {
	return failed.Code == CodeNotFound || failed.Code == CodeHTTPStatus || failed.Code == CodeRedirectRefused
}

// directives leaves of a robots.txt the rules and whom they are for. All else,
// and rules that are for nobody, the reader takes for errors of the whole, while
// RFC 9309 wants what can be read to count.
func directives(text []byte) []byte {
	var b bytes.Buffer
	begun := false
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	for line := range bytes.FieldsFuncSeq(text, func(r rune) bool { return r == '\n' || r == '\r' }) {
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			continue
		}
		switch name := string(bytes.ToLower(bytes.TrimSpace(name))); name {
		case "user-agent":
			begun = true
			fallthrough
		case "allow", "disallow":
			if begun {
				fmt.Fprintf(&b, "%s:%s\n", name, bytes.ToValidUTF8(value, []byte("?")))
			}
		}
	}
	return b.Bytes()
}
