package main

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"meridian/cluster/migrate"
)

// metricsFlag names the file that a run keeps its metrics in.
type metricsFlag struct{ path string }

func (f *metricsFlag) addTo(c *cobra.Command) {
	c.Flags().StringVar(&f.path, "metrics-textfile", "", "`FILE` that metrics of the run are written to with each checkpoint, for the textfile collector of Prometheus' node exporter (NAME.prom)")
}

// metricsFile writes the metrics of a run. A nil one writes none.
type metricsFile struct {
	path     string
	printer  *printer
	regions  []*migrate.Region
	registry *prometheus.Registry
	failed   bool // a failure was told

	rows, waits                *prometheus.GaugeVec
	input, output, done, since prometheus.Gauge
}

// start writes the first metrics, and has each checkpoint write more. A file that cannot be written is told before the
// run begins; later it does not stop the run.
func (f *metricsFlag) start(p *printer, cfg *migrate.Config) (*metricsFile, error) {
	if f.path == "" {
		return nil, nil
	}
	if err := checkMetricsFile(f.path); err != nil {
		return nil, err
	}
	m := &metricsFile{path: f.path, printer: p, regions: cfg.Regions, registry: prometheus.NewRegistry()}
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: "meridian_migrate_" + name, Help: help})
		m.registry.MustRegister(g)
		return g
	}
	vector := func(name, help string, labels ...string) *prometheus.GaugeVec {
		v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "meridian_migrate_" + name, Help: help}, labels)
		m.registry.MustRegister(v)
		return v
	}
	m.rows = vector("rows", "Rows of the run that a checkpoint covers, over all starts, by outcome.", "outcome")
	m.waits = vector("waits", "Times since this start that a region said to come later or could not answer (throttled), or that a node gave no answer (unreached).", "region", "reason")
	m.input = gauge("input_bytes", "Bytes of the input that these rows took.")
	m.output = gauge("output_bytes", "Bytes of the output that are on disk.")
	m.done = gauge("done", "1 when the whole input was moved.")
	m.since = gauge("last_checkpoint_timestamp_seconds", "Time of the last checkpoint; 0 before the first of this start.")
	if err := m.write(); err != nil {
		return nil, usageError("--metrics-textfile: %w", err)
	}
	next := cfg.Progress
	cfg.Progress = func(c migrate.Checkpoint) {
		if next != nil {
			next(c)
		}
		m.since.SetToCurrentTime()
		m.update(c)
	}
	return m, nil
}

// end writes the metrics of the end, also of a run that was done before.
func (m *metricsFile) end(last migrate.Checkpoint) {
	if m != nil {
		m.update(last)
	}
}

// update writes the metrics of a checkpoint.
func (m *metricsFile) update(c migrate.Checkpoint) {
	for outcome, rows := range map[migrate.Status]int64{
		migrate.Moved: c.Counts.Moved, migrate.Kept: c.Counts.Kept, migrate.Skipped: c.Counts.Skipped, migrate.Failed: c.Counts.Failed,
	} {
		m.rows.WithLabelValues(string(outcome)).Set(float64(rows))
	}
	m.input.Set(float64(c.Input))
	m.output.Set(float64(c.Output))
	if c.Done {
		m.done.Set(1)
	}
	if err := m.write(); err != nil && !m.failed {
		m.failed = true
		fmt.Fprintf(m.printer.err, "warning: metrics: %v\n", err)
	}
}

func (m *metricsFile) write() error {
	for _, r := range m.regions {
		t := r.Traffic()
		m.waits.WithLabelValues(t.Region, "throttled").Set(float64(t.Throttled))
		m.waits.WithLabelValues(t.Region, "unreached").Set(float64(t.Unreached))
	}
	return prometheus.WriteToTextfile(m.path, m.registry)
}
