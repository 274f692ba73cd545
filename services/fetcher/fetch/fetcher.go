package fetch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"

	"segue/document"
	"segue/participant"
)

// ServiceName is the name of the service, as definitions and subjects have it.
const ServiceName = "fetcher"

// Input says what to fetch.
type Input struct {
	// URL is an http, https, file, s3 or nats-object URL of at most 8 KiB.
	URL string `json:"url"`
	// Headers are set on the request, at most 32 of at most 8 KiB. They are left
	// away when a redirect leads to another scheme, host or port, but for Accept,
	// Accept-Language and User-Agent.
	Headers map[string]Value `json:"headers,omitempty"`
	// Auth are credentials, for the origin of the URL alone.
	Auth *Auth `json:"auth,omitempty"`
	// Robots asks for the robots.txt of http and https origins to be heeded.
	Robots bool `json:"robots,omitempty"`
	// Known is what is known of the document already.
	Known *Known `json:"known,omitempty"`
}

// Output is the document as it was stored.
type Output struct {
	// Unchanged says that the document is the one that is known. Nothing was stored
	// then.
	Unchanged bool              `json:"unchanged"`
	Document  document.Document `json:"document,omitzero"`
	// Known is what identifies an unchanged document: the input's.
	Known *Known `json:"known,omitempty"`
	// Validators are what the origin calls this version, for the next fetch.
	Validators
	// Sniffed is the media type that the first bytes look like, if that is not the
	// one that the origin says, which is the document's.
	Sniffed string `json:"sniffed,omitempty"`
	// Charset is the one that the document was converted from to UTF-8.
	Charset string `json:"charset,omitempty"`
	// Version is that of the fetcher.
	Version string `json:"version,omitempty"`
}

// Fetcher fetches documents into a store. All methods may be called concurrently.
type Fetcher struct {
	cfg       Config
	dirs      []string // Config.AllowFiles, absolute
	s3, proxy *url.URL // nil: none
	docs      document.Store
	guard     *guard
	transport *http.Transport
	turns     *turns
	robots    robots
	metrics   *metrics
	active    atomic.Int64 // fetches that use the transport
}

// New makes the service. It returns an error that names the field for a Config
// that makes no sense.
func New(cfg Config, docs document.Store) (participant.Service, error) {
	f, err := NewFetcher(cfg, docs)
	if err != nil {
		return participant.Service{}, err
	}
	return participant.New(ServiceName, f.Fetch, f.Release), nil
}

// NewFetcher makes what the service is made of.
func NewFetcher(cfg Config, docs document.Store) (*Fetcher, error) {
	cfg = cfg.withDefaults()
	f := &Fetcher{cfg: cfg, docs: docs}
	err := cfg.validate()
	if err == nil {
		f.dirs, err = cfg.directories()
	}
	if err == nil {
		f.s3, err = webOrigin("S3Endpoint", cfg.S3Endpoint)
	}
	if err == nil {
		f.proxy, err = webOrigin("Proxy", cfg.Proxy)
	}
	if err != nil {
		return nil, fmt.Errorf("configure fetcher: %w", err)
	}
	f.guard = newGuard(cfg.AllowNets, cfg.Ports, cfg.DialTimeout)
	f.transport = newTransport(cfg, f.guard)
	if f.proxy != nil {
		viaProxy(f.transport, f.proxy, net.Dialer{Timeout: cfg.DialTimeout})
	}
	f.metrics = newMetrics(cfg.Metrics)
	f.turns = newTurns(cfg, f.metrics)
	return f, nil
}

// Fetch stores the document at the URL under the name of the attempt, unless it is
// the one that is known. The package documentation lists its failures; after one
// there is no document.
func (f *Fetcher) Fetch(ctx context.Context, c participant.Command[Input]) (Output, error) {
	out, err := f.fetch(ctx, c)
	f.metrics.failed(err)
	return out, err
}

func (f *Fetcher) fetch(ctx context.Context, c participant.Command[Input]) (Output, error) {
	o, err := f.newOrder(c.Input)
	if err != nil {
		return Output{}, err
	}
	src, err := f.open(ctx, o)
	if err != nil {
		return Output{}, err
	}
	defer src.close()
	if src.notModified {
		return f.unchanged(o, src), nil
	}
	out, err := f.store(ctx, document.Name(c.Run, c.Step, c.Attempt), o.known, src)
	if errors.Is(err, errUnchanged) {
		return f.unchanged(o, src), nil
	}
	return out, err
}

// unchanged returns the output for a document that is known. What the origin has
// not said anew is as it was.
func (f *Fetcher) unchanged(o *order, src *source) Output {
	f.metrics.unchangedDocument()
	v := src.validators
	if src.notModified {
		v.ETag, v.LastModified = cmp.Or(v.ETag, o.known.ETag), cmp.Or(v.LastModified, o.known.LastModified)
	}
	return Output{Unchanged: true, Known: &o.known, Validators: v}
}

// Release deletes what any attempt has stored. An attempt that stores its
// document afterwards leaves it to the expiry of the store.
func (f *Fetcher) Release(ctx context.Context, u participant.Undo[Input, Output]) error {
	return document.Release(ctx, f.docs, u.Run, u.Step, u.Attempts)
}

func (f *Fetcher) open(ctx context.Context, o *order) (*source, error) {
	switch o.url.Scheme {
	case "file":
		return f.openFile(ctx, o)
	case "nats-object":
		return f.openObject(ctx, o)
	case "s3":
		if f.s3 == nil {
			at := place{o.url, o.url}
			return nil, permanent(at, CodeAddressRefused, errors.New("no S3 endpoint is configured; give one with --s3-endpoint"))
		}
	}
	return f.openWeb(ctx, o)
}
