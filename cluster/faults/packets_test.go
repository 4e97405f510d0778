//go:build faults

package faults

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// dropPackets has the kernel drop a node's packets, which a proxy cannot: no
// connection breaks, and what was sent before or during the cut arrives after it.
func dropPackets(r *run) {
	for i := range rounds(2, 30) {
		victim := r.region.leader()
		if i%2 == 1 {
			victim = r.region.without(victim)[r.rand.IntN(2)]
		}
		r.broken("drop packets", []*node{victim}, func() {
			r.must(r.region.dropPackets(victim))
			began := time.Now()
			r.probeWrites(r.region.without(victim))
			time.Sleep(time.Until(began.Add(r.between(0, 3*leaseLength))))
			if time.Since(began) > leaseLength+leaseMargin {
				r.mustRefuse(victim)
			}
			r.must(nft("delete table inet " + packetTable))
			// TCP waits twice as long after each loss, so that its connections come
			// back one after the other: a lease that one has brought may end before
			// the next is there.
			r.region.waitReady(victim)
			r.settle(leaseLength)
			r.region.waitReady(victim)
		})
		r.settle(r.between(200*time.Millisecond, 2*time.Second))
	}
}

const packetTable = "meridian_faults"

// dropPackets drops what goes to and from a node's cluster port and the proxies
// through which it reaches the others.
func (g *region) dropPackets(n *node) error {
	ports := []string{portOf(n.cluster)}
	for _, other := range g.without(n) {
		ports = append(ports, portOf(g.links.address(n, other)))
	}
	set := strings.Join(ports, ", ")
	return nft(fmt.Sprintf(`table inet %s {
	chain lost {
		type filter hook input priority 0; policy accept;
		tcp dport { %s } drop
		tcp sport { %s } drop
	}
}`, packetTable, set, set))
}

func portOf(address string) string { return address[strings.LastIndex(address, ":")+1:] }

// nft gives rules to the kernel, for the network namespace of this process.
func nft(rules string) error {
	c := exec.Command("nft", "-f", "-")
	c.Stdin = strings.NewReader(rules)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("nft: %w: %s", err, out)
	}
	return nil
}

// namespaced says that this process has a network of its own.
const namespaced = "FAULTS_NAMESPACED"

// startApart runs the scenario in a process with a network namespace of its own,
// where rules of the packet filter can hit nobody else.
func (s scenario) startApart(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"--net", "sh", "-c", `ip link set lo up && exec "$0" "$@"`, self, "-test.run", "^" + t.Name() + "$", "-test.v"}
	flag.Visit(func(f *flag.Flag) {
		if strings.HasPrefix(f.Name, "faults.") {
			args = append(args, "-"+f.Name+"="+f.Value.String())
		}
	})
	args = append(args, fmt.Sprintf("-faults.seed=%d", *seed), "-faults.binary="+*binary)
	c := exec.Command("unshare", args...)
	c.Env = append(os.Environ(), namespaced+"=1")
	out, err := c.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}
