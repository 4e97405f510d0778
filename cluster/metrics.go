package cluster

import (
	"errors"
	"fmt"
	"time"

	gometrics "github.com/hashicorp/go-metrics/compat"
	gometricsprom "github.com/hashicorp/go-metrics/compat/prometheus"
	"github.com/hashicorp/raft"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are a node's own figures, beside Raft's.
type metrics struct {
	writes     *prometheus.CounterVec
	writeTime  prometheus.Histogram
	readRounds *prometheus.CounterVec
	roundTime  prometheus.Histogram
	storageOps *prometheus.HistogramVec
	clocks     prometheus.Gauge

	rotationsHeld, versionsWaiting prometheus.Gauge
	badVersions                    prometheus.Counter

	leaseRefusals prometheus.Counter
	renewals      *prometheus.CounterVec

	seeding                        prometheus.Gauge
	rebuilds                       *prometheus.CounterVec
	comparisons                    *prometheus.CounterVec
	rebuiltAt, comparedAt, differs prometheus.Gauge

	collectors []prometheus.Collector
	raftSink   prometheus.Collector
}

var rebuildSources = []string{"log", restoreSnapshot.String(), labelState.String(), fetchState.String()}

const (
	renewalGranted = "granted"
	renewalDenied  = "denied"
	renewalFailed  = "failed"
)

// latencies are the buckets of all durations here, in seconds.
var latencies = prometheus.ExponentialBuckets(0.0001, 2.5, 14)

// outcomes has, for every counter by outcome, the values that are shown from the
// start: an alert on the rise of one has to see it at 0.
var outcomes = struct{ writes, readRounds, renewals, comparisons []string }{
	writes:      []string{"decided", "unknown", "throttled", "disk_full", "unavailable", "refused"},
	readRounds:  []string{"answered", "failed"},
	renewals:    []string{renewalGranted, renewalDenied, renewalFailed},
	comparisons: []string{agreed.String(), unsettled.String(), outvoted.String()},
}

func newMetrics(n *Node) *metrics {
	m := &metrics{}
	m.makeCalls()
	m.makeLease()
	m.makeRotation()
	m.makeState()
	m.makeNode(n)
	m.collectors = append(m.collectors, newReadiness(n))
	return m
}

// makeCalls makes the figures of writes, reads and the disk under them.
func (m *metrics) makeCalls() {
	m.writes = m.counters("meridian_cluster_writes_total", "Writes taken by this node, by how they ended.", "outcome", outcomes.writes)
	m.writeTime = m.histogram("meridian_cluster_write_seconds", "Time from taking a write to its outcome.")
	m.readRounds = m.counters("meridian_cluster_read_index_rounds_total", "Questions for a read index, each for many reads, by outcome.", "outcome", outcomes.readRounds)
	m.roundTime = m.histogram("meridian_cluster_read_index_seconds", "Time of one question for a read index.")
	m.storageOps = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "meridian_cluster_storage_seconds", Help: "Time of calls to the Raft log on disk.", Buckets: latencies,
	}, []string{"operation"})
	m.clocks = m.gauge("meridian_cluster_clock_alarm", "1 on a leader that rotates and destroys no keys, and has no material expire, because no quorum of the voters has a clock close to its own.")
	m.collectors = append(m.collectors, m.storageOps)
}

func (m *metrics) makeLease() {
	m.leaseRefusals = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "meridian_lease_refused_reads_total", Help: "Reads refused because this node had no lease.",
	})
	m.collectors = append(m.collectors, m.leaseRefusals)
	m.renewals = m.counters("meridian_lease_renewals_total", "Lease renewals sent to the leader, by what became of them: granted, denied (it does not lead, or not yet), failed (no answer).", "outcome", outcomes.renewals)
}

// makeRotation makes the figures of new key versions, which the leader looks after.
func (m *metrics) makeRotation() {
	m.rotationsHeld = m.gauge("meridian_cluster_rotations_held", "1 on a leader that does not rotate keys that are due, because the region has as many key versions as limits.key_versions lets it have.")
	m.versionsWaiting = m.gauge("meridian_cluster_versions_waiting", "Key versions that wait to become primary, as the leader last saw them; 0 elsewhere.")
	m.badVersions = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "meridian_cluster_bad_versions_total", Help: "Key versions that this node, as the leader, found not to work before they came into use.",
	})
	m.collectors = append(m.collectors, m.badVersions)
}

// makeState makes the figures of the state's rebuilding and comparing.
func (m *metrics) makeState() {
	m.seeding = m.gauge("meridian_state_seeding", "1 while the node waits for another node to give it the region's state.")
	m.rebuilds = m.counters("meridian_state_rebuilds_total", "Starts of this process at which the state was rebuilt, by what from: log, snapshot (of this node), state (which got a new snapshot), peer.", "source", rebuildSources)
	m.rebuiltAt = m.gauge("meridian_state_rebuilt_timestamp_seconds", "When the state was rebuilt at the start of this process; 0: it was not.")
	m.comparedAt = m.gauge("meridian_state_compared_timestamp_seconds", "When the state was last found equal to that of a majority of the region.")
	m.comparisons = m.counters("meridian_state_comparisons_total", "Comparisons of the state with the other nodes', by what they came to: agreed, unsettled (no majority known), outvoted.", "outcome", outcomes.comparisons)
	m.differs = m.gauge("meridian_state_differs", "1 when the last comparison found another state at the same index on some node.")
}

// makeNode makes the figures that are read off the node when they are asked for.
func (m *metrics) makeNode(n *Node) {
	gauge := func(name, help string, value func() float64) {
		m.collectors = append(m.collectors, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	gauge("meridian_raft_is_leader", "1 on the leader, 0 elsewhere.", func() float64 { return flag(n.running.Load() && n.raft.State() == raft.Leader) })
	gauge("meridian_raft_term", "Raft's current term.", func() float64 {
		if !n.running.Load() {
			return 0
		}
		return float64(n.raft.CurrentTerm())
	})
	gauge("meridian_cluster_applied_index", "Index of the last applied command.", func() float64 { return float64(n.Applied()) })
	gauge("meridian_lease_remaining_seconds", "Time for which this node may still answer without hearing from the leader.", func() float64 {
		if !n.running.Load() {
			return 0
		}
		return max(0, (n.leases.layer.Until() - n.cfg.BootTime()).Seconds())
	})
	gauge("meridian_cluster_sealed", "1 while the keyring is not open.", func() float64 { return flag(n.keyring.Load() == nil) })
	gauge("meridian_cluster_healthy", "0 after a fault of storage.", func() float64 { return flag(n.fault.Load() == nil) })
	gauge("meridian_cluster_writes_waiting", "Writes under way at this leader.", func() float64 { return float64(n.waiting.Load()) })
	gauge("meridian_cluster_disk_free_bytes", "Free bytes on the volume of the data folder.", func() float64 { return float64(n.space.left.Load()) })
	m.collectors = append(m.collectors, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name:        "meridian_certificate_not_after_seconds",
		Help:        "When the listener's certificate expires, in seconds since 1970.",
		ConstLabels: prometheus.Labels{"listener": "cluster"},
	}, func() float64 {
		if !n.running.Load() {
			return 0
		}
		return float64(n.transport.CertificateEnd().Unix())
	}))
	gauge("meridian_cluster_disk_low", "1 while writes are refused for lack of space.", func() float64 { return flag(n.space.Low()) })
}

func (m *metrics) counters(name, help, label string, values []string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	for _, value := range values {
		c.WithLabelValues(value)
	}
	m.collectors = append(m.collectors, c)
	return c
}

func (m *metrics) gauge(name, help string) prometheus.Gauge {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	m.collectors = append(m.collectors, g)
	return g
}

// histogram is one of durations, in seconds.
func (m *metrics) histogram(name, help string) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: latencies})
	m.collectors = append(m.collectors, h)
	return h
}

func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// register makes the figures visible, Raft's among them. Raft knows only one
// sink in a process: with several nodes the last one to register has it.
func (m *metrics) register(to prometheus.Registerer) error {
	if to == nil {
		return nil
	}
	for _, c := range m.collectors {
		if err := to.Register(c); err != nil {
			return fmt.Errorf("metrics: %w", err)
		}
	}
	// Through the compat packages, because that is what Raft feeds; and without
	// expiry, so that a quiet region keeps its families.
	sink, err := gometricsprom.NewPrometheusSinkFrom(gometricsprom.PrometheusOpts{Registerer: to, Name: "meridian_raft_sink"})
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	m.raftSink = sink
	cfg := gometrics.DefaultConfig("")
	cfg.EnableHostname, cfg.EnableRuntimeMetrics, cfg.EnableHostnameLabel = false, false, false
	_, err = gometrics.NewGlobal(cfg, sink)
	return err
}

func (m *metrics) unregister(from prometheus.Registerer) {
	if from == nil {
		return
	}
	for _, c := range m.collectors {
		from.Unregister(c)
	}
	if m.raftSink != nil {
		from.Unregister(m.raftSink)
	}
}

func (m *metrics) write(took time.Duration, err error) {
	outcome := "decided"
	switch {
	case err == nil:
	case errors.Is(err, ErrOutcomeUnknown):
		outcome = "unknown"
	case errors.Is(err, ErrThrottled):
		outcome = "throttled"
	case errors.Is(err, ErrDiskFull):
		outcome = "disk_full"
	case errors.Is(err, ErrUnavailable):
		outcome = "unavailable"
	default:
		outcome = "refused"
	}
	m.writes.WithLabelValues(outcome).Inc()
	m.writeTime.Observe(took.Seconds())
}

func (m *metrics) readRound(took time.Duration, err error) {
	if err != nil {
		m.readRounds.WithLabelValues("failed").Inc()
		return
	}
	m.readRounds.WithLabelValues("answered").Inc()
	m.roundTime.Observe(took.Seconds())
}

// rebuilt notes that the state was rebuilt.
func (m *metrics) rebuilt(source string, at time.Time) {
	m.rebuilds.WithLabelValues(source).Inc()
	m.rebuiltAt.Set(float64(at.Unix()))
}

// compared notes what a comparison of states came to.
func (m *metrics) compared(v verdict, differs bool, at time.Time) {
	m.comparisons.WithLabelValues(v.String()).Inc()
	m.differs.Set(flag(differs))
	if v == agreed {
		m.comparedAt.Set(float64(at.Unix()))
	}
}

func (m *metrics) storage(operation string, took time.Duration) {
	m.storageOps.WithLabelValues(operation).Observe(took.Seconds())
}

func (m *metrics) clockAlarm(on bool) { m.clocks.Set(flag(on)) }

// notLeading takes back what only a leader says: the next one's clock and looks count.
func (m *metrics) notLeading() {
	m.clockAlarm(false)
	m.rotationsHeld.Set(0)
	m.versionsWaiting.Set(0)
}
