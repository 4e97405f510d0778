package config

import (
	"net"
	"strings"
)

// ports refuses two listeners on one port.
func (c *checker) ports() {
	l := &c.l.Config.Listen
	type listener struct{ path, host, port string }
	var known []listener
	for _, l := range []listener{
		{path: "listen.api.address", host: l.API.Address}, {path: "listen.http.address", host: l.HTTP.Address},
		{path: "listen.cluster.address", host: l.Cluster.Address}, {path: "listen.ops.address", host: l.Ops.Address},
	} {
		var err error
		if l.host, l.port, err = net.SplitHostPort(l.host); err != nil || l.port == "0" {
			continue // off, reported already, or any port
		}
		for _, other := range known {
			if other.port == l.port && (l.host == other.host || anyHost(l.host) || anyHost(other.host)) {
				c.fail(l.path, "has the port of %s, %s; each listener needs its own", other.path, l.port)
				break
			}
		}
		known = append(known, l)
	}
}

func anyHost(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || ip != nil && ip.IsUnspecified()
}

// ownVoter refuses an entry for this node that leads to another address than
// the one where it listens.
func (c *checker) ownVoter() {
	const path = "bootstrap.voters"
	cfg := &c.l.Config
	for _, v := range cfg.Bootstrap.Voters {
		if v.ID != cfg.Node.ID || v.Address == "" {
			continue
		}
		host, port, err := net.SplitHostPort(v.Address)
		if err != nil {
			return // reported already
		}
		if own := cfg.Listen.Cluster.Advertise; own != "" {
			if !strings.EqualFold(own, v.Address) {
				c.fail(path, "has %s for this node, listen.cluster.advertise is %s; they must be the same", v.Address, own)
			}
			return
		}
		ownHost, ownPort, err := net.SplitHostPort(cfg.Listen.Cluster.Address)
		if err != nil {
			return
		}
		// A name may stand for the address that is listened on.
		differs := net.ParseIP(host) != nil && net.ParseIP(ownHost) != nil && !anyHost(ownHost) && !net.ParseIP(host).Equal(net.ParseIP(ownHost))
		if port != ownPort || differs {
			c.fail(path, "has %s for this node, which listens on %s; if they mean the same, say so with listen.cluster.advertise", v.Address, cfg.Listen.Cluster.Address)
		}
	}
}
