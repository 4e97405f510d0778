package api

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// hostSet is the names and addresses by which clients may call this node.
type hostSet map[string]struct{}

// newHostSet reads the configured names: without ports, in any case.
func newHostSet(names []string) (hostSet, error) {
	set := make(hostSet, len(names))
	for _, name := range names {
		host := hostName(name)
		if addr, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
			host = addr.Unmap().String()
		} else if host != name || host == "" || strings.ContainsAny(host, "/:@ ") {
			return nil, fmt.Errorf("api: host %q: want a name or an address, without a port", name)
		}
		set[canonicalHost(host)] = struct{}{}
	}
	return set, nil
}

// ours reports whether the Host of a request, its port aside, is a name of this node or the address on which the
// request arrived.
func (set hostSet) ours(r *http.Request) bool {
	host := hostName(r.Host)
	if _, ok := set[host]; ok {
		return true
	}
	if _, ok := set[canonicalHost(host)]; ok {
		return true
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	addr = addr.Unmap()
	if _, ok := set[addr.String()]; ok {
		return true
	}
	local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return ok && local.AddrPort().Addr().Unmap().WithZone("") == addr.WithZone("")
}

// hostName cuts the port off a Host header, and the brackets off an IPv6 address.
func hostName(host string) string {
	if strings.HasPrefix(host, "[") {
		name, rest, ok := strings.Cut(host[1:], "]")
		if ok && (rest == "" || rest[0] == ':') {
			return name
		}
		return ""
	}
	if name, _, ok := strings.Cut(host, ":"); ok {
		return name
	}
	return host
}

// canonicalHost lowers the case of a name and takes the dot of the root off its end.
func canonicalHost(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }
