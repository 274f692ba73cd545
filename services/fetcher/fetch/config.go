package fetch

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"
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
	// MaxDocument is the largest document, in bytes, as received and as decoded.
	// Defaults to 2 GiB.
	MaxDocument int64 `name:"max-document" env:"SEGUE_MAX_DOCUMENT" placeholder:"BYTES" help:"Largest document, in bytes after decompression (2 GiB if not given)."`

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
	}
	for _, p := range c.AllowNets {
		if !p.IsValid() {
			return fmt.Errorf("AllowNets holds %v; want a prefix such as 10.0.0.0/8", p)
		}
	}
	return nil
}

// directories makes the allowed directories absolute and checks that they exist.
func (c Config) directories() ([]string, error) {
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
