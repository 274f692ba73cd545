package fetch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
)

// guard decides which addresses may be connected to.
type guard struct {
	nets   []netip.Prefix
	ports  []uint16
	public *ssrf.Guardian
	dialer net.Dialer
}

// refusal is the error for an address that must not be connected to.
type refusal struct{ reason string }

func (r *refusal) Error() string { return r.reason }

func newGuard(nets []netip.Prefix, ports []uint16, timeout time.Duration) *guard {
	g := &guard{ports: ports, public: ssrf.New(), dialer: net.Dialer{Timeout: timeout}}
	for _, p := range nets {
		g.nets = append(g.nets, unmapPrefix(p))
	}
	return g
}

// unmapPrefix makes ::ffff:10.0.0.0/104 into 10.0.0.0/8, as addresses are
// unmapped before they are looked up.
func unmapPrefix(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p
}

// dial connects to host:port. The check runs between DNS and connect, for each
// address that the dialer tries.
func (g *guard) dial(ctx context.Context, network, hostport string) (net.Conn, error) {
	var allowed atomic.Bool
	d := g.dialer
	d.ControlContext = func(_ context.Context, _, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			return &refusal{fmt.Sprintf("address %q cannot be read", address)} // unreachable unless net changes
		}
		if err := g.check(ap); err != nil {
			return err
		}
		allowed.Store(true)
		return nil
	}
	conn, err := d.DialContext(ctx, network, hostport)
	var refused *refusal
	if errors.As(err, &refused) && allowed.Load() {
		// The dialer reports its first error. Of a host with several addresses that
		// is a refusal, although one that is allowed was tried and may answer later.
		return nil, fmt.Errorf("no allowed address of %s answers (and %s)", hostport, refused.reason)
	}
	return conn, err
}

// check returns a *refusal unless the address may be connected to.
func (g *guard) check(ap netip.AddrPort) error {
	addr := ap.Addr().Unmap().WithZone("")
	if g.inAllowedNet(addr) {
		return nil
	}
	if err := g.public.SafeAddr(fromNAT64(addr)); err != nil {
		return &refusal{fmt.Sprintf("address %s is %s, not public; allow it with --allow-net %s", addr, kind(addr), suggest(addr))}
	}
	if !slices.Contains(g.ports, ap.Port()) {
		return &refusal{fmt.Sprintf("port %d of %s is not allowed; allow it with --allow-port %[1]d", ap.Port(), addr)}
	}
	return nil
}

func (g *guard) inAllowedNet(addr netip.Addr) bool {
	return slices.ContainsFunc(g.nets, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// fromNAT64 returns the IPv4 address that a NAT64 gateway would connect to, and
// any other address as it is. So public hosts can be reached from a network
// that has IPv6 alone, and the gateway's own network cannot.
func fromNAT64(addr netip.Addr) netip.Addr {
	if !ssrf.IPv6NAT64Prefix.Contains(addr) {
		return addr
	}
	b := addr.As16()
	return netip.AddrFrom4([4]byte(b[12:]))
}

func kind(addr netip.Addr) string {
	switch addr = fromNAT64(addr); {
	case addr.IsLoopback():
		return "loopback"
	case addr.IsPrivate():
		return "private"
	case addr.IsLinkLocalUnicast():
		return "link-local"
	case addr.IsMulticast():
		return "multicast"
	}
	return "reserved"
}

// suggest returns the smallest prefix that makes sense to allow.
func suggest(addr netip.Addr) netip.Prefix {
	if addr.Is4() && addr.IsLoopback() {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{127}), 8)
	}
	return netip.PrefixFrom(addr, addr.BitLen())
}
