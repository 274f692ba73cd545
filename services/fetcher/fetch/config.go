package fetch

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"segue/document"
)

// Defaults of [Config].
const (
	DefaultMaxDocument   = 2 << 30
	DefaultMaxRedirects  = 10
	DefaultMaxRatio      = 200
	DefaultMaxDecoders   = 3
	DefaultMaxHeader     = 64 << 10
	DefaultDialTimeout   = 10 * time.Second
	DefaultHeaderTimeout = 30 * time.Second
	DefaultIdleTimeout   = 30 * time.Second
	DefaultMaxResumes    = 3
	DefaultPerHost       = 8
	DefaultTurnWait      = 30 * time.Second
	DefaultS3Region      = "us-east-1"
	DefaultUserAgent     = "segue-fetcher"
)

// Config says what a [Fetcher] may reach and how much it may take. The zero
// value is ready to use: public addresses, no files, the defaults below.
type Config struct {
	// AllowNets are prefixes that may be reached besides the public addresses, on
	// any port. 0.0.0.0/0 opens all of IPv4, ::/0 all of IPv6.
	AllowNets []netip.Prefix `name:"allow-net" env:"SEGUE_ALLOW_NETS" placeholder:"CIDR" help:"Let the fetcher reach addresses in this prefix, such as 127.0.0.0/8. Public addresses need none."`
	// Ports are the ports that public addresses may be reached on. Defaults to 80
	// and 443.
	Ports []uint16 `name:"allow-port" env:"SEGUE_ALLOW_PORTS" placeholder:"PORT" help:"Ports on which the fetcher may reach public addresses (80 and 443 if none is given)."`
	// AllowFiles are the directories under which file URLs may be read. They must
	// exist. Defaults to none.
	AllowFiles []string `name:"allow-files" env:"SEGUE_ALLOW_FILES" placeholder:"DIR" help:"Let the fetcher read file URLs under this directory."`
	// AllowBuckets are the JetStream object stores that nats-object URLs may name.
	// Defaults to none.
	AllowBuckets []string `name:"allow-bucket" env:"SEGUE_ALLOW_BUCKETS" placeholder:"BUCKET" help:"Let the fetcher read nats-object://BUCKET/NAME, an object of this JetStream object store."`
	// MaxDocument is the largest document, in bytes, as received and as decoded.
	// Defaults to 2 GiB.
	MaxDocument int64 `name:"max-document" env:"SEGUE_MAX_DOCUMENT" placeholder:"BYTES" help:"Largest document, in bytes after decompression (2 GiB if not given)."`

	// PerHost is how many requests may be under way at a host and port at a time,
	// over all fetchers that share a Board; -1 for any number. Defaults to 8.
	PerHost int `name:"per-host" env:"SEGUE_PER_HOST" placeholder:"N" help:"How many requests may be under way at a host at a time, over all fetchers; --per-host=-1 for any number (8 if not given)."`
	// HostRate is how many requests a host and port may get each second, over all
	// fetchers that share a Board, redirects and resumes included; 0.01 to 10,000.
	// Defaults to any number.
	HostRate float64 `name:"host-rate" env:"SEGUE_HOST_RATE" placeholder:"N" help:"How many requests a host may get each second, over all fetchers; 0.2 is one in 5 s (any number if not given)."`
	// TurnWait is how long a request waits for its turn at a host, up to 5 min. Defaults
	// to 30 s.
	TurnWait time.Duration `name:"turn-wait" env:"SEGUE_TURN_WAIT" placeholder:"DURATION" help:"How long a request waits for its turn at a host (30s if not given)."`
	// Secrets is a directory with the values of secrets, a file each:
	// HOST/NAME for https on port 443, HOST:PORT/NAME for all else. Defaults to none.
	Secrets string `name:"secrets" env:"SEGUE_SECRETS" placeholder:"DIR" help:"Directory of secrets for headers and auth: HOST/NAME for https, HOST:PORT/NAME for other ports and for http."`
	// Proxy is the URL of an HTTP proxy, with http or https, that all requests go
	// through. Those of the environment are never used. Defaults to none.
	Proxy string `name:"proxy" env:"SEGUE_PROXY" placeholder:"URL" help:"HTTP proxy that the fetcher connects through, such as http://proxy.example:3128."`
	// S3Endpoint is the URL of the server that s3 URLs are read from, S3Region its
	// region. Without an endpoint there are no s3 URLs. The credentials are secrets of
	// the endpoint's host, see Secrets: s3_access_key, s3_secret_key and, if they are
	// temporary, s3_session_token; without the first, requests are not signed. The
	// region defaults to us-east-1.
	S3Endpoint string `name:"s3-endpoint" env:"SEGUE_S3_ENDPOINT" placeholder:"URL" help:"Let the fetcher read s3://BUCKET/KEY from this server, such as https://s3.eu-central-1.amazonaws.com."`
	S3Region   string `name:"s3-region" env:"SEGUE_S3_REGION" placeholder:"REGION" help:"Region of the S3 endpoint (us-east-1 if not given)."`

	// MaxRedirects is how many redirects are followed; -1 follows none. Defaults to 10.
	MaxRedirects int `kong:"-"`
	// MaxRatio is how many bytes may come out of a compressed body for each byte
	// received, beyond the first 1 MiB. Defaults to 200.
	MaxRatio int64 `kong:"-"`
	// MaxDecoders is how many content codings may lie over one another. Each costs
	// up to 16 MiB of memory. Defaults to 3.
	MaxDecoders int `kong:"-"`
	// MaxHeader is the largest response header, in bytes. Defaults to 64 KiB.
	MaxHeader int64 `kong:"-"`
	// MaxResumes is how often a body that breaks off is resumed; -1 for never. Defaults to 3.
	MaxResumes int `kong:"-"`
	// DialTimeout is the time for finding and connecting to a host, and again for
	// the TLS handshake. Defaults to 10 s.
	DialTimeout time.Duration `kong:"-"`
	// HeaderTimeout is the time from the request to the end of the response
	// header, for each redirect anew. Defaults to 30 s.
	HeaderTimeout time.Duration `kong:"-"`
	// IdleTimeout is how long a body may go without a byte. Defaults to 30 s.
	IdleTimeout time.Duration `kong:"-"`
	// UserAgent is what the fetcher calls itself. Defaults to "segue-fetcher".
	UserAgent string `kong:"-"`
	// Board is where the limits of hosts are kept. Defaults to one in memory, of
	// this fetcher alone.
	Board Board `kong:"-"`
	// Objects opens a JetStream object store. Without it there are no nats-object URLs.
	Objects func(ctx context.Context, bucket string) (document.Store, error) `kong:"-"`
	// Metrics is where limits that fetches run into are counted. Defaults to nowhere.
	Metrics prometheus.Registerer `kong:"-"`
	// Version is that of the program; outputs name it. Defaults to none.
	Version string `kong:"-"`
	// Dial connects in place of the network, for tests: no address is looked up, and
	// none is checked. Defaults to the network behind the check.
	Dial func(ctx context.Context, network, hostport string) (net.Conn, error) `kong:"-"`
}

func (c Config) withDefaults() Config {
	if len(c.Ports) == 0 {
		c.Ports = []uint16{80, 443}
	}
	c.MaxDocument = cmp.Or(c.MaxDocument, DefaultMaxDocument)
	c.MaxRedirects = cmp.Or(c.MaxRedirects, DefaultMaxRedirects)
	c.MaxRatio = cmp.Or(c.MaxRatio, DefaultMaxRatio)
	c.MaxDecoders = cmp.Or(c.MaxDecoders, DefaultMaxDecoders)
	c.MaxHeader = cmp.Or(c.MaxHeader, DefaultMaxHeader)
	c.DialTimeout = cmp.Or(c.DialTimeout, DefaultDialTimeout)
	c.HeaderTimeout = cmp.Or(c.HeaderTimeout, DefaultHeaderTimeout)
	c.IdleTimeout = cmp.Or(c.IdleTimeout, DefaultIdleTimeout)
	c.MaxResumes = cmp.Or(c.MaxResumes, DefaultMaxResumes)
	c.PerHost = cmp.Or(c.PerHost, DefaultPerHost)
	c.TurnWait = cmp.Or(c.TurnWait, DefaultTurnWait)
	c.S3Region = cmp.Or(c.S3Region, DefaultS3Region)
	c.UserAgent = cmp.Or(c.UserAgent, DefaultUserAgent)
	return c
}

// validate checks a Config that has its defaults.
func (c Config) validate() error {
	switch {
	case c.MaxDocument < 1:
		return fmt.Errorf("MaxDocument is %d; want at least 1 byte", c.MaxDocument)
	case c.MaxRedirects < -1:
		return fmt.Errorf("MaxRedirects is %d; want at least -1", c.MaxRedirects)
	case c.MaxRatio < 1:
		return fmt.Errorf("MaxRatio is %d; want at least 1", c.MaxRatio)
	case c.MaxDecoders < 1:
		return fmt.Errorf("MaxDecoders is %d; want at least 1", c.MaxDecoders)
	case c.MaxHeader < 1:
		return fmt.Errorf("MaxHeader is %d; want at least 1 byte", c.MaxHeader)
	case c.DialTimeout < 0:
		return fmt.Errorf("DialTimeout is %v; want a positive time", c.DialTimeout)
	case c.HeaderTimeout < 0:
		return fmt.Errorf("HeaderTimeout is %v; want a positive time", c.HeaderTimeout)
	case c.IdleTimeout < 0:
		return fmt.Errorf("IdleTimeout is %v; want a positive time", c.IdleTimeout)
	case c.MaxResumes < -1:
		return fmt.Errorf("MaxResumes is %d; want at least -1", c.MaxResumes)
	case c.PerHost < -1:
		return fmt.Errorf("PerHost is %d; want at least -1", c.PerHost)
	case c.HostRate != 0 && (c.HostRate < minHostRate || c.HostRate > maxHostRate):
		return fmt.Errorf("HostRate is %v; want 0 for any number, or %v to %d a second", c.HostRate, minHostRate, maxHostRate)
	case c.TurnWait < 0, c.TurnWait > maxTurnWait:
		return fmt.Errorf("TurnWait is %v; want a positive time up to %v", c.TurnWait, maxTurnWait)
	}
	for _, p := range c.AllowNets {
		if !p.IsValid() {
			return fmt.Errorf("AllowNets holds %v; want a prefix such as 10.0.0.0/8", p)
		}
	}
	return nil
}

// Rates and waits have to be over before a [Board] may forget of them; beyond
// maxHostRate they mean nothing.
const (
	minHostRate = 0.01
	maxHostRate = 10_000
	maxTurnWait = 5 * time.Minute
)

// webOrigin reads the http or https URL of a server; nil for none.
func webOrigin(field, raw string) (*url.URL, error) {
	if raw == "" {
		return nil, nil
	}
	u, err := parseURL(raw)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", field, err)
	case u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("%s is %s; want http://HOST or https://HOST", field, redact(u))
	}
	return u, nil
}

// directories makes the allowed directories absolute and checks that they exist, as
// does that of the secrets.
func (c Config) directories() ([]string, error) {
	if c.Secrets != "" {
		if info, err := os.Stat(c.Secrets); err != nil {
			return nil, fmt.Errorf("directory of Secrets: %w", err)
		} else if !info.IsDir() {
			return nil, fmt.Errorf("directory of Secrets: %q is none", c.Secrets)
		}
	}
	var dirs []string
	for _, d := range c.AllowFiles {
		abs, err := filepath.Abs(d)
		if err != nil {
			return nil, fmt.Errorf("AllowFiles %q: %w", d, err)
		}
		info, err := os.Stat(abs)
		if err != nil {
			return nil, fmt.Errorf("AllowFiles %q: %w", d, err)
		}
		if !info.IsDir() {
			return nil, fmt.Errorf("AllowFiles %q is not a directory", d)
		}
		dirs = append(dirs, abs)
	}
	return dirs, nil
}
