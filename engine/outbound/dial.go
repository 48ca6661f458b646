package outbound

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// transports are the connections of functions. Those to public addresses every
// function may share, since each could have opened them. A function that may reach
// others shares its connections with those only that may reach the same.
type transports struct {
	resolver *net.Resolver // nil: the system's; tests have their own

	mu     sync.Mutex
	shared map[string]*http.Transport // by what their dialers allow
}

// maxTransports bounds the lists of private addresses that have connections waiting.
const maxTransports = 64

// of returns the transport for whoever has these patterns.
func (t *transports) of(patterns []Pattern) *http.Transport {
	patterns = slices.DeleteFunc(slices.Clone(patterns), func(p Pattern) bool { return len(p.nets) == 0 })
	key := fmt.Sprint(patterns)
	t.mu.Lock()
	defer t.mu.Unlock()
	if found := t.shared[key]; found != nil {
		return found
	}
	if len(t.shared) >= maxTransports {
		for key, other := range t.shared { // any: requests that run go on
			other.CloseIdleConnections()
			delete(t.shared, key)
			break
		}
	}
	made := t.open(patterns)
	if t.shared == nil {
		t.shared = map[string]*http.Transport{}
	}
	t.shared[key] = made
	return made
}

func (t *transports) open(patterns []Pattern) *http.Transport {
	dialer := &net.Dialer{
		Timeout:  dialTimeout,
		Resolver: t.resolver,
		ControlContext: func(_ context.Context, network, address string, _ syscall.RawConn) error {
			return checkAddress(patterns, network, address, net.InterfaceAddrs)
		},
	}
	return &http.Transport{
		DialContext:            dialer.DialContext,
		MaxIdleConns:           16,
		MaxIdleConnsPerHost:    4,
		IdleConnTimeout:        30 * time.Second,
		TLSHandshakeTimeout:    10 * time.Second,
		MaxResponseHeaderBytes: maxHeaderBytes,
		ForceAttemptHTTP2:      true,
	}
}

const dialTimeout = 30 * time.Second

// close drops idle connections.
func (t *transports) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, transport := range t.shared {
		transport.CloseIdleConnections()
	}
}

// checkAddress is asked for each address right before it is dialled, after all names
// are resolved, and so has the last word. interfaces are the node's own addresses with
// their networks.
func checkAddress(patterns []Pattern, network, address string, interfaces func() ([]net.Addr, error)) error {
	if !strings.HasPrefix(network, "tcp") {
		return fmt.Errorf("%w: %s over %s", ErrNotAllowed, address, network)
	}
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %s is no address", ErrNotAllowed, address)
	}
	what := private(at.Addr())
	if what == "" {
		own, err := nearby(at.Addr(), interfaces)
		if err != nil || !own {
			return err
		}
		what = "an address of the node's own network"
	}
	port := int(at.Port())
	for i := range patterns {
		if p := &patterns[i]; p.hasAddress(at.Addr()) && p.matchesPort(port, p.usual(port)) {
			return nil
		}
	}
	return &addressError{address: at, what: what}
}

// nearby reports whether the address is of a network that the node is in. With IPv6
// the devices of a home have public addresses, and a router that keeps strangers from
// them does not keep the node.
func nearby(address netip.Addr, interfaces func() ([]net.Addr, error)) (bool, error) {
	own, err := interfaces()
	if err != nil {
		return false, fmt.Errorf("read the node's own addresses: %w", err)
	}
	ip := address.Unmap().AsSlice()
	for _, network := range own {
		if network, ok := network.(*net.IPNet); ok && network.Contains(ip) {
			if ones, _ := network.Mask.Size(); ones > 0 {
				return true, nil
			}
		}
	}
	return false, nil
}

// usual reports whether a port is that of a scheme that the pattern allows. Which one
// a request has was looked at before it was dialled.
func (p *Pattern) usual(port int) bool {
	return port == 80 && p.scheme != "https" || port == 443 && p.scheme != "http"
}
