package outbound

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

func parse(t testing.TB, texts ...string) (patterns []Pattern) {
	t.Helper()
	for _, text := range texts {
		p, err := ParsePattern(text)
		if err != nil {
			t.Fatal(err)
		}
		patterns = append(patterns, p)
	}
	return patterns
}

func TestPermit(t *testing.T) {
	allow := parse(t, "example.com", "*.lan", "10.0.0.1:8080", "secure.example:443", "https://only.example", "http://plain.example:*", "192.168.0.0/16:*",
		"[fd00::1]:81", "fd01::/16", "LOCALHOST")
	tests := []struct {
		url string
		ok  bool
	}{
		{"http://example.com/", true}, {"https://EXAMPLE.com:443/", true}, {"http://example.com:8080/", false},
		{"http://example.com:443/", false}, {"http://www.example.com/", false}, {"http://example.com.evil/", false},
		{"http://a.lan/", true}, {"http://a.b.lan/", true}, {"http://lan/", false}, {"http://.lan/", false}, {"http://evillan/", false},
		{"http://10.0.0.1:8080/", true}, {"http://10.0.0.1/", false}, {"http://secure.example:443/", true},
		{"https://only.example/", true}, {"http://only.example/", false}, {"http://only.example:443/", false}, {"https://only.example:8443/", false},
		{"http://plain.example/", true}, {"http://plain.example:1234/", true}, {"https://plain.example/", false},
		{"http://192.168.1.2:99/", true}, {"http://192.169.1.2:99/", false}, {"http://[::ffff:192.168.1.2]/", true},
		{"http://[fd00::1]:81/", true}, {"http://[fd00::1]/", false}, {"http://[fd00::2]:81/", false}, {"https://[fd01::5]/", true}, {"http://[fd01::5%25eth0]/", false},
		{"http://localhost/", true}, {"http://127.0.0.9/", true}, {"http://[::1]/", true}, {"http://localhost:81/", false}, {"http://a.localhost/", false},
		{"http://example.com@evil/", false}, {"http://example.com\\@evil/", false}, {"ftp://example.com/", false}, {"http:///", false},
		{"http://example.com.:80/", false}, {"http://example.com:99999999999/", false},
	}
	for _, test := range tests {
		u, err := url.Parse(test.url)
		if err != nil {
			if test.ok {
				t.Error(err)
			}
			continue
		}
		if err := permit(allow, u); (err == nil) != test.ok {
			t.Errorf("%s: %v", test.url, err)
		}
	}
}

func TestParsePatternRefuses(t *testing.T) {
	for _, text := range []string{"", "*", "*.", ".com", "a..b", "a b", "ftp://a", "https://", "a:", "a:0", "a:65536", "a:x", "a:80:90", "a/b", "https://a/",
		"1.2.3", "127.1", "0x7f000001", "2130706433", "1.2.3.4.5", "*.1", "192.168.0.0/33", "192.168.0.1/x", "[::1", "[::1]x", "[]", "::ffff:127.0.0.1", "[::ffff:127.0.0.1]:80",
		"fe80::1%eth0", "user@a", "a?b", "*a.com", "a.*.com", strings.Repeat("a.", 130) + "com"} {
		if p, err := ParsePattern(text); err == nil {
			t.Errorf("%q became %+v", text, p)
		}
	}
}

// What an address is, and that only a pattern with addresses allows a private one.
func TestAddresses(t *testing.T) {
	for _, test := range []struct{ address, what string }{
		{"93.184.215.14", ""}, {"1.1.1.1", ""}, {"2606:4700::1111", ""}, {"64:ff9b::1.1.1.1", ""}, {"2002:0101:0101::1", ""}, {"::ffff:1.1.1.1", ""},
		{"10.1.2.3", "private"}, {"172.16.0.1", "private"}, {"172.31.255.255", "private"}, {"172.32.0.1", ""}, {"192.168.1.1", "private"},
		{"127.0.0.1", "loopback"}, {"127.255.255.255", "loopback"}, {"::1", "loopback"}, {"169.254.169.254", "link-local"}, {"fe80::1", "link-local"}, {"fe80::1%eth0", "link-local"},
		{"224.0.0.1", "multicast"}, {"ff02::1", "multicast"}, {"100.64.0.1", "carrier"}, {"100.100.100.200", "carrier"}, {"0.0.0.0", "unspecified"}, {"::", "unspecified"},
		{"255.255.255.255", "reserved"}, {"168.63.129.16", "metadata"}, {"fd00:ec2::254", "private"}, {"192.0.0.192", "reserved"},
		{"::ffff:10.0.0.1", "private"}, {"64:ff9b::10.0.0.1", "private"}, {"64:ff9b::169.254.169.254", "link-local"}, {"64:ff9b:1::1", "reserved"}, {"2002:0a00:0001::1", "private"},
		{"::10.0.0.1", "reserved"}, {"2001:0:1::1", "reserved"}, {"2001:db8::1", "reserved"}, {"4000::1", "reserved"}, {"fec0::1", "private"},
	} {
		address := netip.MustParseAddr(test.address)
		if got := private(address); (got == "") != (test.what == "") || !strings.Contains(got, test.what) {
			t.Errorf("%s is %q", test.address, got)
		}
		at := netip.AddrPortFrom(address, 80).String()
		names := parse(t, "example.com:*", "*.example.com:*")
		if err := checkAddress(names, "tcp4", at, noInterfaces); (err == nil) != (test.what == "") || err != nil && !errors.Is(err, ErrNotAllowed) {
			t.Errorf("%s by a name: %v", test.address, err)
		}
		if address.Zone() != "" {
			continue
		}
		for _, pattern := range []string{"[" + address.Unmap().String() + "]:80", "http://[" + address.Unmap().String() + "]"} {
			if err := checkAddress(parse(t, pattern), "tcp", at, noInterfaces); err != nil {
				t.Errorf("%s by %s: %v", test.address, pattern, err)
			}
			if err := checkAddress(parse(t, pattern), "tcp", netip.AddrPortFrom(address, 81).String(), noInterfaces); (err == nil) != (test.what == "") {
				t.Errorf("%s by %s on another port: %v", test.address, pattern, err)
			}
		}
	}
	for _, bad := range []struct{ network, address string }{{"udp", "1.1.1.1:80"}, {"tcp", "1.1.1.1"}, {"tcp", "name:80"}, {"unix", "/x"}} {
		if err := checkAddress(nil, bad.network, bad.address, noInterfaces); !errors.Is(err, ErrNotAllowed) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

// A pattern that is accepted means something, and never lets a function reach the
// node itself by accident.
func FuzzParsePattern(f *testing.F) {
	for _, seed := range []string{"example.com", "https://*.example.com:8443", "[fd00::/8]:*", "192.168.0.0/16", "localhost:80", "0x7f.1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePattern(text)
		if err != nil {
			return
		}
		if (p.host == "" || p.host == "localhost") != (len(p.nets) > 0) || p.port < usualPort || p.port > 65535 {
			t.Fatalf("%q became %+v", text, p)
		}
		if p.host == "" || p.host == "localhost" {
			return
		}
		if err := checkAddress([]Pattern{p}, "tcp", "127.0.0.1:80", noInterfaces); err == nil {
			t.Fatalf("%q allows loopback", text)
		}
	})
}

// noInterfaces are those of a node that has none.
func noInterfaces() ([]net.Addr, error) { return nil, nil }

// A public address may be that of the node, or of a device beside it.
func TestOwnNetwork(t *testing.T) {
	interfaces := func() ([]net.Addr, error) {
		return []net.Addr{
			&net.IPNet{IP: net.ParseIP("2a00:1:2:3::5"), Mask: net.CIDRMask(64, 128)},
			&net.IPNet{IP: net.ParseIP("8.8.4.4").To4(), Mask: net.CIDRMask(32, 32)},
			&net.IPNet{IP: net.ParseIP("9.9.9.9").To4(), Mask: net.CIDRMask(0, 32)},
			&net.UnixAddr{},
		}, nil
	}
	names := parse(t, "example.com", "example.com:*")
	for address, own := range map[string]bool{
		"[2a00:1:2:3::5]:443": true, "[2a00:1:2:3:ffff::9]:443": true, "[2a00:1:2:4::5]:443": false,
		"8.8.4.4:80": true, "[::ffff:8.8.4.4]:80": true, "8.8.4.5:80": false,
	} {
		err := checkAddress(names, "tcp", address, interfaces)
		if errors.Is(err, ErrNotAllowed) != own || (err != nil) != own {
			t.Errorf("%s: %v", address, err)
		}
	}
	if err := checkAddress(parse(t, "[2a00:1:2:3::/64]:443"), "tcp", "[2a00:1:2:3::5]:443", interfaces); err != nil {
		t.Errorf("allowed: %v", err)
	}
	broken := errors.New("no interfaces")
	if err := checkAddress(names, "tcp", "8.8.4.5:80", func() ([]net.Addr, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Errorf("unknown: %v", err)
	}
}
