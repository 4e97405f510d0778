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

	leaseRefusals prometheus.Counter
	renewals      *prometheus.CounterVec

	seeding                        prometheus.Gauge
	rebuilds                       *prometheus.CounterVec
	comparisons                    *prometheus.CounterVec
	rebuiltAt, comparedAt, differs prometheus.Gauge

	collectors []prometheus.Collector
	raftSink   prometheus.Collector
}

var (
	rebuildSources = []string{"log", restoreSnapshot.String(), labelState.String(), fetchState.String()}
	writeOutcomes  = []string{"decided", "unknown", "throttled", "disk_full", "unavailable", "refused"}
)

const (
	renewalGranted = "granted"
	renewalDenied  = "denied"
	renewalFailed  = "failed"
)

// latencies are the buckets of all durations here, in seconds.
var latencies = prometheus.ExponentialBuckets(0.0001, 2.5, 14)

func newMetrics(n *Node) *metrics {
	m := &metrics{
		writes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "meridian_cluster_writes_total", Help: "Writes taken by this node, by how they ended.",
		}, []string{"outcome"}),
		writeTime: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "meridian_cluster_write_seconds", Help: "Time from taking a write to its outcome.", Buckets: latencies,
		}),
		readRounds: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "meridian_cluster_read_index_rounds_total", Help: "Questions for a read index, each for many reads, by outcome.",
		}, []string{"outcome"}),
		roundTime: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "meridian_cluster_read_index_seconds", Help: "Time of one question for a read index.", Buckets: latencies,
		}),
		storageOps: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "meridian_cluster_storage_seconds", Help: "Time of calls to the Raft log on disk.", Buckets: latencies,
		}, []string{"operation"}),
		clocks: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "meridian_cluster_clock_alarm", Help: "1 on a leader that rotates and destroys no keys because no quorum of the voters has a clock close to its own.",
		}),
	}
	m.leaseRefusals = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "meridian_lease_refused_reads_total", Help: "Reads refused because this node had no lease.",
	})
	m.renewals = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "meridian_lease_renewals_total", Help: "Lease renewals sent to the leader, by what became of them: granted, denied (it does not lead, or not yet), failed (no answer).",
	}, []string{"outcome"})
	m.seeding = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "meridian_state_seeding", Help: "1 while the node waits for another node to give it the region's state.",
	})
	m.rebuilds = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "meridian_state_rebuilds_total", Help: "Starts of this process at which the state was rebuilt, by what from: log, snapshot (of this node), state (which got a new snapshot), peer.",
	}, []string{"source"})
	m.rebuiltAt = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "meridian_state_rebuilt_timestamp_seconds", Help: "When the state was rebuilt at the start of this process; 0: it was not.",
	})
	m.comparedAt = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "meridian_state_compared_timestamp_seconds", Help: "When the state was last found equal to that of a majority of the region.",
	})
	m.comparisons = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "meridian_state_comparisons_total", Help: "Comparisons of the state with the other nodes', by what they came to: agreed, unsettled (no majority known), outvoted.",
	}, []string{"outcome"})
	m.differs = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "meridian_state_differs", Help: "1 when the last comparison found another state at the same index on some node.",
	})
	for _, source := range rebuildSources {
		m.rebuilds.WithLabelValues(source)
	}
	for _, outcome := range writeOutcomes {
		m.writes.WithLabelValues(outcome)
	}
	for _, outcome := range []string{renewalGranted, renewalDenied, renewalFailed} {
		m.renewals.WithLabelValues(outcome)
	}
	for _, v := range []verdict{agreed, unsettled, outvoted} {
		m.comparisons.WithLabelValues(v.String())
	}
	m.readRounds.WithLabelValues("answered")
	m.collectors = []prometheus.Collector{m.seeding, m.rebuilds, m.rebuiltAt, m.comparedAt, m.comparisons, m.differs, m.leaseRefusals, m.renewals, m.writes, m.writeTime, m.readRounds, m.roundTime, m.storageOps, m.clocks}
	gauge := func(name, help string, value func() float64) {
		m.collectors = append(m.collectors, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	flag := func(b bool) float64 {
		if b {
			return 1
		}
		return 0
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
	gauge("meridian_cluster_disk_low", "1 while writes are refused for lack of space.", func() float64 { return flag(n.space.Low()) })
	m.collectors = append(m.collectors, newReadiness(n))
	return m
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
	outcome := writeOutcomes[0]
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
	m.differs.Set(0)
	if differs {
		m.differs.Set(1)
	}
	if v == agreed {
		m.comparedAt.Set(float64(at.Unix()))
	}
}

func (m *metrics) storage(operation string, took time.Duration) {
	m.storageOps.WithLabelValues(operation).Observe(took.Seconds())
}

func (m *metrics) clockAlarm(on bool) {
	if on {
		m.clocks.Set(1)
		return
	}
	m.clocks.Set(0)
}
