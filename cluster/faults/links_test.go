//go:build faults

package faults

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// links are the proxies through which nodes reach each other, one for every
// ordered pair: what from dials to reach to.
//
// A connection carries messages both ways, so a one-way fault is a toxic on the
// upstream half of what from dials and one on the downstream half of what to
// dials. A cut drops what is sent without an error, as a network does; existing
// connections break when it heals, as they would after a long loss.
type links struct {
	nodes   []*node
	proxies map[[2]string]*toxiproxy.Proxy
}

func newLinks(nodes []*node) (*links, error) {
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	l := &links{nodes: nodes, proxies: map[[2]string]*toxiproxy.Proxy{}}
	for _, from := range nodes {
		for _, to := range nodes {
			if from == to {
				continue
			}
			p := toxiproxy.NewProxy(server, from.id+"-"+to.id, "127.0.0.1:0", to.cluster)
			if err := p.Start(); err != nil {
				l.close()
				return nil, err
			}
			l.proxies[[2]string{from.id, to.id}] = p
		}
	}
	return l, nil
}

func (l *links) close() {
	for _, p := range l.proxies {
		p.Stop()
	}
}

// address is where from dials to reach to.
func (l *links) address(from, to *node) string { return l.proxies[[2]string{from.id, to.id}].Listen }

// toxic puts one fault on what goes from one node to another.
func (l *links) toxic(from, to *node, name, attributes string) error {
	for _, half := range []struct {
		key    [2]string
		stream string
	}{{[2]string{from.id, to.id}, "upstream"}, {[2]string{to.id, from.id}, "downstream"}} {
		text := fmt.Sprintf(`{"type": %q, "stream": %q, "attributes": {%s}}`, name, half.stream, attributes)
		if _, err := l.proxies[half.key].Toxics.AddToxicJson(strings.NewReader(text)); err != nil {
			return fmt.Errorf("%s to %s: %w", from.id, to.id, err)
		}
	}
	return nil
}

// cut drops everything that goes from one node to another.
func (l *links) cut(from, to *node) error { return l.toxic(from, to, "timeout", `"timeout": 0`) }

// isolate cuts a node off from all others, both ways.
func (l *links) isolate(n *node) error {
	for _, other := range l.nodes {
		if other == n {
			continue
		}
		if err := l.cut(n, other); err != nil {
			return err
		}
		if err := l.cut(other, n); err != nil {
			return err
		}
	}
	return nil
}

// slow delays everything on every link, each way.
func (l *links) slow(delay, jitter time.Duration) error {
	attributes := fmt.Sprintf(`"latency": %d, "jitter": %d`, delay.Milliseconds(), jitter.Milliseconds())
	for _, from := range l.nodes {
		for _, to := range l.nodes {
			if from == to {
				continue
			}
			if err := l.toxic(from, to, "latency", attributes); err != nil {
				return err
			}
		}
	}
	return nil
}

// heal takes every fault off every link.
func (l *links) heal() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for _, p := range l.proxies {
		p.Toxics.ResetToxics(ctx)
	}
}
