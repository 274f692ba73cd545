package fetch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Limits of the connection pool.
const (
	maxIdleConns        = 32
	maxIdleConnsPerHost = 8
	idleConnTimeout     = 30 * time.Second
)

func newTransport(cfg Config, g *guard) *http.Transport {
	dial := cfg.Dial
	if dial == nil {
		dial = g.dial
	}
	t := &http.Transport{
		Proxy:                  nil, // that of the environment would connect where nothing is checked; see proxy
		DialContext:            dial,
		TLSHandshakeTimeout:    cfg.DialTimeout,
		ResponseHeaderTimeout:  cfg.HeaderTimeout,
		MaxResponseHeaderBytes: cfg.MaxHeader,
		DisableCompression:     true, // see acceptEncoding
		ForceAttemptHTTP2:      true, // off by default with a DialContext
		MaxIdleConns:           maxIdleConns,
		MaxIdleConnsPerHost:    maxIdleConnsPerHost,
		IdleConnTimeout:        idleConnTimeout,
	}
	return t
}

// openWeb requests a document over http or https.
func (f *Fetcher) openWeb(ctx context.Context, o *order) (*source, error) {
	f.active.Add(1)
	src, err := f.requestWeb(ctx, o)
	if err != nil {
		f.leave()
		return nil, err
	}
	end := src.close
	src.close = func() { end(); f.leave() }
	return src, nil
}

// leave ends a fetch. Connections are shared by fetches that overlap. The last one
// clears up, so that a fetcher without work holds nothing and needs no Close.
func (f *Fetcher) leave() {
	if f.active.Add(-1) == 0 {
		f.transport.CloseIdleConnections()
	}
}

func (f *Fetcher) requestWeb(ctx context.Context, o *order) (*source, error) {
	a, at, err := f.get(ctx, o, o.known.conditions())
	if err != nil {
		return nil, err
	}
	now := readValidators(a.Header, time.Now())
	if a.StatusCode == http.StatusNotModified && o.known.contradicts(now) {
		a.close()
		if a, at, err = f.get(ctx, o, nil); err != nil {
			return nil, err
		}
		now = readValidators(a.Header, time.Now())
	}
	if a.StatusCode == http.StatusNotModified && a.conditional() {
		a.close()
		return &source{validators: now, notModified: true, close: func() {}}, nil
	}
	src, err := f.read(ctx, o, at, a)
	if err != nil {
		a.close()
		return nil, err
	}
	src.validators = now
	return src, nil
}

// hop is a request of a fetch: the first, or one that a redirect led to.
type hop struct {
	url *url.URL
	own bool // the origin is still that of the order's URL
}

// answer is a response on its way. It holds a turn at its host.
type answer struct {
	*http.Response
	hop    hop
	ctx    context.Context
	cancel context.CancelCauseFunc
	turn   *turn
	closed bool
}

// close ends the response and gives its turn back. It may be called again.
func (a *answer) close() {
	if a.closed {
		return
	}
	a.closed = true
	a.cancel(nil)
	a.Body.Close() //nolint:errcheck // it was read to its end, or has failed already, or nothing of it is wanted
	a.turn.release()
}

// conditional says that the answer may be "not modified".
func (a *answer) conditional() bool {
	return a.Request.Header.Get("If-None-Match") != "" || a.Request.Header.Get("If-Modified-Since") != ""
}

// get sends the request and follows redirects. It does so itself, and not by
// http.Client, which reads the bodies of redirects without a limit in time.
func (f *Fetcher) get(ctx context.Context, o *order, extra http.Header) (*answer, place, error) {
	at, h := place{o.url, o.url}, hop{f.webURL(o.url), true}
	for followed := 0; ; followed++ {
		if o.robots {
			if err := f.mayFetch(ctx, at, h.url); err != nil {
				return nil, at, err
			}
		}
		a, err := f.send(ctx, at, o, h, extra)
		if err != nil {
			return nil, at, err
		}
		location := a.Header.Get("Location")
		if !redirects(a.StatusCode) || location == "" {
			return a, at, nil
		}
		a.close()
		if followed >= f.cfg.MaxRedirects {
			return nil, at, permanent(at, CodeRedirectRefused, over(limitRedirects, fmt.Errorf("more than %d redirects", followed)))
		}
		next, err := redirectTarget(h.url, location)
		if err != nil {
			return nil, at, permanent(at, CodeRedirectRefused, err)
		}
		// Once left, the origin is left for good, should a later redirect lead back.
		h = hop{next, h.own && sameOrigin(h.url, next)}
		at.current = next
	}
}

func redirects(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// send makes one request, when it is its turn at the host.
func (f *Fetcher) send(ctx context.Context, at place, o *order, h hop, extra http.Header) (*answer, error) {
	turn, err := f.turns.take(ctx, at, hostOf(h.url))
	if err != nil {
		return nil, err
	}
	a := &answer{hop: h, turn: turn}
	a.ctx, a.cancel = context.WithCancelCause(ctx)
	if err = f.checkBehindProxy(a.ctx, h.url); err == nil {
		a.Response, err = f.transport.RoundTrip(f.request(a.ctx, o, h, extra))
	}
	if err == nil && a.Body == nil {
		err = errors.New("there is no body") // unreachable: net/http promises one
	}
	if err != nil {
		a.cancel(nil)
		turn.release()
		return nil, connectFailure(ctx, at, err)
	}
	return a, nil
}

func (f *Fetcher) request(ctx context.Context, o *order, h hop, extra http.Header) *http.Request {
	req := (&http.Request{
		Method: http.MethodGet,
		URL:    h.url, // the transport takes no notice of its user information
		Host:   h.url.Host,
		Header: make(http.Header),
	}).WithContext(ctx)
	if h.own {
		f.identify(req, o)
	}
	for name, value := range map[string]string{"Accept": "*/*", "Accept-Encoding": acceptEncoding, "User-Agent": f.cfg.UserAgent} {
		if o.open.Get(name) == "" {
			req.Header.Set(name, value)
		}
	}
	maps.Copy(req.Header, o.open)
	maps.Copy(req.Header, extra)
	return req
}

// identify adds what is for the origin of the order alone.
func (f *Fetcher) identify(req *http.Request, o *order) {
	if user := o.url.User; user != nil {
		password, _ := user.Password()
		req.SetBasicAuth(user.Username(), password)
	}
	maps.Copy(req.Header, o.own)
	if o.s3 != nil {
		f.sign(req, o.s3, time.Now())
	}
}

// read makes a source of a response.
func (f *Fetcher) read(ctx context.Context, o *order, at place, a *answer) (*source, error) {
	if err := statusFailure(at, a.Response, time.Now()); err != nil {
		return nil, err
	}
	codings, err := parseEncodings(a.Header.Values("Content-Encoding"), f.cfg.MaxDecoders)
	if err != nil {
		return nil, permanent(at, CodeBadEncoding, err)
	}
	t := &transfer{ctx: ctx, at: at, max: o.max, ratio: f.cfg.MaxRatio}
	if a.ContentLength > t.max {
		return nil, t.tooLarge()
	}
	d := f.newDownload(ctx, at, o, a)
	r, err := decode(t, &body{transfer: t, r: d}, codings)
	if err != nil {
		d.close()
		return nil, err
	}
	return &source{
		Reader: r, transfer: t, close: d.close,
		label: label{header: a.Header.Get("Content-Type"), name: at.current.Path},
	}, nil
}

// hostOf names the host of a URL with its port, as turns are counted.
func hostOf(u *url.URL) string { return net.JoinHostPort(u.Hostname(), portOf(u)) }
