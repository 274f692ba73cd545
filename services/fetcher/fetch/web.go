package fetch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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

func newTransport(cfg Config) *http.Transport {
	dial := cfg.Dial
	if dial == nil {
		dial = newGuard(cfg.AllowNets, cfg.Ports, cfg.DialTimeout).dial
	}
	return &http.Transport{
		Proxy:                  nil, // a proxy would connect where the guard cannot see
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
}

// openWeb requests a document over http or https.
func (f *Fetcher) openWeb(ctx context.Context, u *url.URL) (*source, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	f.active.Add(1)
	release := func() {
		cancel(nil)
		// Connections are shared by fetches that overlap. The last one clears up, so
		// that a fetcher without work holds nothing and needs no Close.
		if f.active.Add(-1) == 0 {
			f.transport.CloseIdleConnections()
		}
	}
	resp, at, err := f.get(ctx, u)
	if err != nil {
		release()
		return nil, err
	}
	closeAll := func() {
		resp.Body.Close() //nolint:errcheck // it was read to its end, or has failed already
		release()
	}
	src, err := f.read(ctx, cancel, at, resp)
	if err != nil {
		closeAll()
		return nil, err
	}
	src.close = closeAll
	return src, nil
}

// get sends the request and follows redirects. It does so itself, and not by
// http.Client, which reads the bodies of redirects without a limit in time.
func (f *Fetcher) get(ctx context.Context, first *url.URL) (*http.Response, place, error) {
	at := place{first, first}
	user := first.User
	for followed := 0; ; followed++ {
		resp, err := f.transport.RoundTrip(f.request(ctx, at.current, user))
		if err != nil {
			return nil, at, connectFailure(ctx, at, err)
		}
		location := resp.Header.Get("Location")
		if !redirects(resp.StatusCode) || location == "" {
			return resp, at, nil
		}
		resp.Body.Close() //nolint:errcheck // nothing of it is wanted
		if followed >= f.cfg.MaxRedirects {
			return nil, at, permanent(at, CodeRedirectRefused, fmt.Errorf("more than %d redirects", followed))
		}
		next, err := redirectTarget(at.current, location)
		if err != nil {
			return nil, at, permanent(at, CodeRedirectRefused, err)
		}
		if !sameOrigin(at.current, next) {
			user = nil // and never again, should a later redirect lead back
		}
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

func (f *Fetcher) request(ctx context.Context, u *url.URL, user *url.Userinfo) *http.Request {
	req := (&http.Request{
		Method: http.MethodGet,
		URL:    u, // the transport takes no notice of its user information
		Host:   u.Host,
		Header: http.Header{
			"Accept":          {"*/*"},
			"Accept-Encoding": {acceptEncoding},
			"User-Agent":      {f.cfg.UserAgent},
		},
	}).WithContext(ctx)
	if user != nil {
		password, _ := user.Password()
		req.SetBasicAuth(user.Username(), password)
	}
	return req
}

// read makes a source of a response.
func (f *Fetcher) read(ctx context.Context, cancel context.CancelCauseFunc, at place, resp *http.Response) (*source, error) {
	if err := statusFailure(at, resp, time.Now()); err != nil {
		return nil, err
	}
	codings, err := parseEncodings(resp.Header.Values("Content-Encoding"), f.cfg.MaxDecoders)
	if err != nil {
		return nil, permanent(at, CodeBadEncoding, err)
	}
	t := &transfer{ctx: ctx, at: at, max: f.cfg.MaxDocument, ratio: f.cfg.MaxRatio}
	if resp.ContentLength > t.max {
		return nil, t.tooLarge()
	}
	if resp.Body == nil {
		return nil, t.broken(errors.New("there is no body")) // unreachable: net/http promises one
	}
	r, err := decode(t, newBody(t, resp.Body, f.cfg.IdleTimeout, cancel), codings)
	if err != nil {
		return nil, err
	}
	// The name comes before the first bytes: a JSON text that was cut off, say, looks
	// like something else.
	declared := cmp.Or(declaredType(resp.Header.Get("Content-Type")), extensionType(at.current.Path))
	return &source{Reader: r, transfer: t, declared: declared}, nil
}
