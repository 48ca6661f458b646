package outbound

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// PatternHint shows what a pattern may be.
const PatternHint = "use example.com, https://example.com, example.com:8443, *.example.com, or for a device nearby its address or network: 192.168.1.20:8080, 192.168.0.0/16:*, [fd00::/8]:443, localhost:8080"

// Pattern is one entry of the list of what a function may call: [SCHEME://]HOST[:PORT].
//
//	example.com            http and https, on their own ports 80 and 443
//	https://example.com    only https, on port 443
//	example.com:8443       either scheme, only on that port
//	example.com:*          either scheme, any port
//	*.example.com          every host below example.com
//	192.168.1.20:8080      that address
//	192.168.0.0/16:*       every address of that network
//	[fd00::1]:8080         an IPv6 address, or a network as [fd00::/8]:8080
//	localhost:8080         the node itself, by this name or by its loopback addresses
//
// Names reach public addresses. One that has a private address, which is any that is
// not of the public Internet or is of a network that the node is in, is reached where a
// second pattern allows that address.
type Pattern struct {
	scheme string         // "http", "https" or "" for either
	host   string         // lower case; of a wildcard what follows the *; "" where there are networks
	wild   bool           // host is the end of a name
	nets   []netip.Prefix // addresses that are allowed
	port   int            // 0: any; usualPort: the scheme's own
}

const (
	anyPort   = 0
	usualPort = -1
)

var (
	namePattern = regexp.MustCompile(`^(\*\.)?([a-z0-9_]([a-z0-9_-]*[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?$`)
	loopback    = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
)

const (
	maxName = 253
	mapped  = "the addresses of IPv4 inside of IPv6 are not written so: use the IPv4 address itself"
)

// ParsePattern reads a Pattern. Its errors are for people.
func ParsePattern(text string) (Pattern, error) {
	wrong := func(why string) (Pattern, error) {
		return Pattern{}, fmt.Errorf("%q is not a host that can be allowed: %s", text, why)
	}
	p := Pattern{port: usualPort}
	rest := strings.ToLower(text)
	if scheme, after, ok := strings.Cut(rest, "://"); ok {
		if scheme != "http" && scheme != "https" {
			return wrong("the scheme is http or https")
		}
		p.scheme, rest = scheme, after
	}
	host, port, hasPort := splitPort(rest)
	switch number, err := strconv.ParseUint(port, 10, 16); {
	case !hasPort:
	case port == "*":
		p.port = anyPort
	case err != nil || number == 0:
		return wrong("a port is 1 to 65535, or *")
	default:
		p.port = int(number)
	}
	bare := host
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		bare = host[1 : len(host)-1]
	}
	if network, err := netip.ParsePrefix(bare); err == nil {
		if network.Addr().Is4In6() {
			return wrong(mapped)
		}
		p.nets = []netip.Prefix{network.Masked()}
		return p, nil
	}
	if address, err := netip.ParseAddr(bare); err == nil {
		if address.Is4In6() || address.Zone() != "" {
			return wrong(mapped + ", and no zone")
		}
		p.nets = []netip.Prefix{netip.PrefixFrom(address, address.BitLen())}
		return p, nil
	}
	// What looks like an address and is none would be looked up as a name.
	if len(host) > maxName || !namePattern.MatchString(host) || numeric(host) {
		return wrong("that is no host name, address or network")
	}
	p.host, p.wild = strings.CutPrefix(host, "*")
	if p.host == "localhost" {
		p.nets = loopback
	}
	return p, nil
}

// splitPort cuts the port off. An IPv6 address without brackets has none.
func splitPort(s string) (host, port string, hasPort bool) {
	if strings.HasPrefix(s, "[") {
		inside, after, closed := strings.Cut(s, "]")
		port, hasPort = strings.CutPrefix(after, ":")
		if !closed || after != "" && !hasPort {
			return s, "", false // which is no name either
		}
		return inside + "]", port, hasPort
	}
	if strings.Count(s, ":") > 1 {
		return s, "", false
	}
	return strings.Cut(s, ":")
}

// numeric reports whether the last label of a name is a number, which some resolvers
// take for an address: 127.1, 0x7f000001.
func numeric(name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(last, "0123456789") == ""
}

// matchesURL reports whether the pattern allows a request to u by what u says. port is
// u's, usual whether that is its scheme's own.
func (p *Pattern) matchesURL(u *url.URL, host string, port int, usual bool) bool {
	if p.scheme != "" && p.scheme != u.Scheme || !p.matchesPort(port, usual) {
		return false
	}
	if address, err := netip.ParseAddr(host); err == nil {
		return p.hasAddress(address)
	}
	if p.wild {
		return strings.HasSuffix(host, p.host) && len(host) > len(p.host)
	}
	return p.host != "" && host == p.host
}

func (p *Pattern) matchesPort(port int, usual bool) bool {
	return p.port == anyPort || p.port == port || p.port == usualPort && usual
}

// hasAddress reports whether the address is one of the pattern's. A zone is no
// address of the list's.
func (p *Pattern) hasAddress(address netip.Addr) bool {
	address = address.Unmap()
	for _, network := range p.nets {
		if network.Contains(address) {
			return true
		}
	}
	return false
}
