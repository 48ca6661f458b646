package outbound

import (
	"fmt"
	"net/netip"
)

// special are the addresses that are not of the public Internet, by IANA's registries
// of special-purpose addresses
// (https://www.iana.org/assignments/iana-ipv4-special-registry,
// https://www.iana.org/assignments/iana-ipv6-special-registry), and those at which
// clouds tell a machine its credentials and that are not among them already.
var special = [...]struct {
	network netip.Prefix
	what    string
}{
	{netip.MustParsePrefix("0.0.0.0/8"), "an unspecified address"},
	{netip.MustParsePrefix("10.0.0.0/8"), "a private address"},
	{netip.MustParsePrefix("100.64.0.0/10"), "an address of a carrier's own network"},
	{netip.MustParsePrefix("127.0.0.0/8"), "a loopback address"},
	{netip.MustParsePrefix("169.254.0.0/16"), "a link-local address"}, // metadata of most clouds
	{netip.MustParsePrefix("172.16.0.0/12"), "a private address"},
	{netip.MustParsePrefix("192.0.0.0/24"), "a reserved address"}, // metadata of Oracle's cloud
	{netip.MustParsePrefix("192.0.2.0/24"), "a reserved address"},
	{netip.MustParsePrefix("192.88.99.0/24"), "a reserved address"},
	{netip.MustParsePrefix("192.168.0.0/16"), "a private address"},
	{netip.MustParsePrefix("198.18.0.0/15"), "a reserved address"},
	{netip.MustParsePrefix("198.51.100.0/24"), "a reserved address"},
	{netip.MustParsePrefix("203.0.113.0/24"), "a reserved address"},
	{netip.MustParsePrefix("224.0.0.0/4"), "a multicast address"},
	{netip.MustParsePrefix("240.0.0.0/4"), "a reserved address"}, // and broadcast
	{netip.MustParsePrefix("168.63.129.16/32"), "a cloud's metadata service"},
	{netip.MustParsePrefix("::/128"), "an unspecified address"},
	{netip.MustParsePrefix("::1/128"), "a loopback address"},
	{netip.MustParsePrefix("fc00::/7"), "a private address"},
	{netip.MustParsePrefix("fe80::/10"), "a link-local address"},
	{netip.MustParsePrefix("fec0::/10"), "a private address"},
	{netip.MustParsePrefix("ff00::/8"), "a multicast address"},
	{netip.MustParsePrefix("2001::/23"), "a reserved address"}, // Teredo too, which has IPv4 addresses inside
	{netip.MustParsePrefix("2001:db8::/32"), "a reserved address"},
	{netip.MustParsePrefix("3fff::/20"), "a reserved address"},
}

var (
	globalUnicast = netip.MustParsePrefix("2000::/3") // all of IPv6 that is assigned so far
	nat64         = netip.MustParsePrefix("64:ff9b::/96")
	sixToFour     = netip.MustParsePrefix("2002::/16")
)

// private says what an address is that is not of the public Internet, "" for one that
// is. An IPv6 address with one of IPv4 inside, to which something on the way may
// translate it (RFC 6052, RFC 3056), is what the one inside is.
func private(address netip.Addr) string {
	address = address.Unmap()
	for _, s := range special {
		if s.network.Contains(address.WithZone("")) {
			return s.what
		}
	}
	if address.Is4() {
		return ""
	}
	bytes := address.As16()
	switch {
	case nat64.Contains(address):
		return private(netip.AddrFrom4([4]byte(bytes[12:])))
	case sixToFour.Contains(address):
		return private(netip.AddrFrom4([4]byte(bytes[2:6])))
	case !globalUnicast.Contains(address):
		return "a reserved address"
	}
	return ""
}

// addressError says that a name has an address that the function may not call.
type addressError struct {
	address netip.AddrPort
	what    string
}

func (e *addressError) Error() string {
	return fmt.Sprintf("%s: %s is %s; allow it with --allow-host %s", ErrNotAllowed, e.address.Addr(), e.what, e.address)
}

func (e *addressError) Is(target error) bool { return target == ErrNotAllowed }
