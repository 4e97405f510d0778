package cluster

import (
	"context"
	"errors"

	"github.com/hashicorp/raft"
	"github.com/prometheus/client_golang/prometheus"

	"meridian/store"
)

// errRemoved: Raft has shut itself down because the region goes on without this
// node.
var errRemoved = errors.New("cluster: this node was removed from the region")

// Ready returns nil if the node can decrypt now: a read is answered and the
// keyring opens the region's canary. So it fails exactly while the node refuses.
func (n *Node) Ready(ctx context.Context) error {
	if n.removed() {
		return errRemoved
	}
	return n.Read(ctx, func(v *store.View) error {
		region, ok := v.Region()
		if !ok {
			return errors.New("cluster: the region has not been made yet")
		}
		ring := n.keyring.Load()
		if ring == nil {
			return n.whySealed()
		}
		return checkCanary(ring, region)
	})
}

func (n *Node) removed() bool {
	return n.running.Load() && n.stopped() == nil && n.raft.State() == raft.Shutdown
}

// Reasons for which a node refuses, as metrics name them.
const (
	refusesStarting  = "starting"  // the state is opened or rebuilt, or the other voters are waited for
	refusesStopping  = "stopping"  //
	refusesFault     = "fault"     // of storage, or of the state; the process ends
	refusesRemoved   = "removed"   // from the region
	refusesNoLease   = "no_lease"  // no leader has been heard for as long as a lease lasts
	refusesBehind    = "behind"    // the lease is for a newer state than the node has
	refusesNoRegion  = "no_region" // it has not been made yet
	refusesSealed    = "sealed"    // the root key has not opened the keyring
	refusalCount     = 8
	readyMetric      = "meridian_node_ready"
	refusalMetric    = "meridian_node_refuses"
	refusalReasonTag = "reason"
)

var refusalReasons = [refusalCount]string{
	refusesStarting, refusesStopping, refusesFault, refusesRemoved, refusesNoLease, refusesBehind, refusesNoRegion, refusesSealed,
}

// refusals returns why the node refuses now, without waiting for anything.
func (n *Node) refusals() map[string]bool {
	why := make(map[string]bool)
	switch {
	case n.fault.Load() != nil:
		why[refusesFault] = true
	case n.stopping.Load():
		why[refusesStopping] = true
	case !n.running.Load():
		why[refusesStarting] = true
	case n.removed():
		why[refusesRemoved] = true
	default:
		floor, live := n.leases.layer.Floor()
		why[refusesNoLease] = !live
		why[refusesBehind] = live && floor > n.Applied()
		if _, ok, err := n.regionNow(); err == nil {
			why[refusesNoRegion] = !ok
		}
		why[refusesSealed] = n.keyring.Load() == nil
	}
	return why
}

// readiness exports whether the node refuses, and why.
type readiness struct {
	node           *Node
	ready, refuses *prometheus.Desc
}

func newReadiness(n *Node) *readiness {
	return &readiness{
		node:    n,
		ready:   prometheus.NewDesc(readyMetric, "1 while the node answers reads and can decrypt, as /readyz says.", nil, nil),
		refuses: prometheus.NewDesc(refusalMetric, "1 for each reason for which the node refuses.", []string{refusalReasonTag}, nil),
	}
}

// Describe implements prometheus.Collector.
func (r *readiness) Describe(to chan<- *prometheus.Desc) {
	to <- r.ready
	to <- r.refuses
}

// Collect implements prometheus.Collector.
func (r *readiness) Collect(to chan<- prometheus.Metric) {
	why := r.node.refusals()
	ready := 1.0
	for _, reason := range refusalReasons {
		value := 0.0
		if why[reason] {
			value, ready = 1, 0
		}
		to <- prometheus.MustNewConstMetric(r.refuses, prometheus.GaugeValue, value, reason)
	}
	to <- prometheus.MustNewConstMetric(r.ready, prometheus.GaugeValue, ready)
}
