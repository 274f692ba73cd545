package fetch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
)

// viaProxy makes a transport connect through a proxy. The proxy itself is where
// the configuration says, allowed address or not.
func viaProxy(t *http.Transport, proxy *url.URL, dialer net.Dialer) {
	address := net.JoinHostPort(proxy.Hostname(), portOf(proxy))
	guarded := t.DialContext
	t.Proxy = http.ProxyURL(proxy)
	t.DialContext = func(ctx context.Context, network, hostport string) (net.Conn, error) {
		if hostport == address {
			return dialer.DialContext(ctx, network, hostport)
		}
		return guarded(ctx, network, hostport)
	}
}

// checkBehindProxy checks where a proxy is about to connect, as far as can be seen
// from here: an address, or all addresses that a name has for us. A name that we
// cannot look up is left to the proxy, and so is one that changes before it looks.
func (f *Fetcher) checkBehindProxy(ctx context.Context, u *url.URL) error {
	if f.proxy == nil {
		return nil
	}
	port, err := strconv.ParseUint(portOf(u), 10, 16)
	if err != nil {
		return err // unreachable: checkWebURL has read it
	}
	ctx, cancel := context.WithTimeout(ctx, f.cfg.DialTimeout)
	defer cancel()
	return f.guard.checkHost(ctx, u.Hostname(), uint16(port))
}

// checkHost returns a *refusal if a host has an address that must not be connected
// to.
func (g *guard) checkHost(ctx context.Context, host string, port uint16) error {
	resolver := g.dialer.Resolver
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	addresses, err := resolver.LookupNetIP(ctx, "ip", host)
	if dns := new(net.DNSError); err != nil && !errors.As(err, &dns) {
		return fmt.Errorf("look up %s: %w", host, err)
	}
	for _, a := range addresses {
		if err := g.check(netip.AddrPortFrom(a, port)); err != nil {
			return err
		}
	}
	return nil
}
