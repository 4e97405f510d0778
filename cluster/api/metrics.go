package api

import (
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// codeOK is the label of answers that are no errors.
	codeOK = "OK"
	// actionUnknown is the label of requests that name no action of ours, or were refused before theirs was looked at.
	actionUnknown = "unknown"
)

// metrics counts requests. Labels come from the tables of actions and errors, never from requests.
type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	inFlight prometheus.Gauge
	panics   prometheus.Counter
	refused  prometheus.Counter // connections over the limit of an address

	unknown *actionMetrics
	actions sync.Map // *Action to *actionMetrics
}

// actionMetrics holds the series of one action that every request touches.
type actionMetrics struct {
	name     string
	ok       prometheus.Counter
	duration prometheus.Observer
}

func newMetrics(registry prometheus.Registerer, liveNonces func() int) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "meridian_api_requests_total", Help: "Requests answered, by action and error code (OK for none).",
		}, []string{"action", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "meridian_api_request_duration_seconds", Help: "Time from the head of a request to its finished answer.",
			NativeHistogramBucketFactor: 1.2, NativeHistogramMaxBucketNumber: 100, NativeHistogramMinResetDuration: time.Hour,
		}, []string{"action"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "meridian_api_requests_in_flight", Help: "Requests that are being answered.",
		}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "meridian_api_panics_total", Help: "Requests whose handler panicked.",
		}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "meridian_api_connections_refused_total", Help: "Connections closed because their address had too many.",
		}),
	}
	m.unknown = m.newAction(actionUnknown)
	if registry == nil {
		return m, nil
	}
	nonces := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "meridian_api_nonces", Help: "Nonces that this node remembers.",
	}, func() float64 { return float64(liveNonces()) })
	var problems []error
	for _, c := range []prometheus.Collector{m.requests, m.duration, m.inFlight, m.panics, m.refused, nonces} {
		problems = append(problems, registry.Register(c))
	}
	return m, errors.Join(problems...)
}

func (m *metrics) newAction(name string) *actionMetrics {
	return &actionMetrics{name: name, ok: m.requests.WithLabelValues(name, codeOK), duration: m.duration.WithLabelValues(name)}
}

// observe counts one request; the action is nil if none was found.
func (m *metrics) observe(a *Action, code string, took time.Duration) {
	am := m.unknown
	if a != nil {
		found, ok := m.actions.Load(a)
		if !ok {
			found, _ = m.actions.LoadOrStore(a, m.newAction(a.Name))
		}
		am = found.(*actionMetrics)
	}
	if code == codeOK {
		am.ok.Inc()
	} else {
		m.requests.WithLabelValues(am.name, code).Inc()
	}
	am.duration.Observe(took.Seconds())
}
