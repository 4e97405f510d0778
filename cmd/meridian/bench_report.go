package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"meridian/cluster/api/client"
	"meridian/cmd/meridian/bench"
)

// benchReport is the result of `meridian bench`. Times in microseconds.
type benchReport struct {
	Endpoints   []string     `json:"endpoints"`
	Connections int          `json:"connections"`
	Signature   string       `json:"signature"`
	RateWanted  float64      `json:"rate_wanted,omitempty"` // calls a second
	Seconds     float64      `json:"seconds"`               // measured, all runs together
	Calls       int64        `json:"calls"`
	Failed      int64        `json:"failed"`
	Unsent      int64        `json:"unsent"`
	Rate        float64      `json:"rate"` // calls a second that succeeded
	Cases       []caseReport `json:"cases"`
}

// caseReport is what came of one action at one size.
type caseReport struct {
	Action  string           `json:"action"`
	Size    int              `json:"size"` // bytes of plaintext
	Calls   int64            `json:"calls"`
	Failed  int64            `json:"failed"`
	Errors  map[string]int64 `json:"errors"` // by code
	Rate    float64          `json:"rate"`
	P50     float64          `json:"p50_us"`
	P99     float64          `json:"p99_us"`
	P999    float64          `json:"p999_us"`
	Max     float64          `json:"max_us"`
	Ceiling *ceilingReport   `json:"ceiling,omitempty"`

	seconds float64
	latency bench.Histogram
}

// ceilingReport compares CPU time for each call with the ceiling's; medians of
// the rounds.
type ceilingReport struct {
	Server   float64       `json:"server_cpu_us"`
	Ceiling  float64       `json:"ceiling_cpu_us"`
	Ratio    float64       `json:"ratio"`
	RatioMin float64       `json:"ratio_min"`
	RatioMax float64       `json:"ratio_max"`
	Rounds   []roundReport `json:"rounds"`
}

// roundReport is one pair of rounds.
type roundReport struct {
	Server  float64 `json:"server_cpu_us"`
	Ceiling float64 `json:"ceiling_cpu_us"`
	Ratio   float64 `json:"ratio"`
}

func (b *benchRun) newReport() *benchReport {
	r := &benchReport{Endpoints: b.urls, Connections: b.connections, Signature: signatureName(b.target.signature), RateWanted: b.rate}
	for _, c := range b.cases {
		r.Cases = append(r.Cases, caseReport{Action: c.action, Size: c.size, Errors: map[string]int64{}})
	}
	return r
}

func signatureName(s client.Signature) string {
	switch s {
	case client.V1:
		return "v1"
	case client.V1SHA256:
		return "v1-sha256"
	}
	return "v3"
}

// add takes over a run of all cases.
func (r *benchReport) add(result *bench.Result) {
	for i := range result.Cases {
		r.Cases[i].add(&result.Cases[i], result.Elapsed)
	}
	r.Seconds += result.Elapsed.Seconds()
	r.Unsent += result.Unsent
}

// addCase takes over a run of one case.
func (r *benchReport) addCase(i int, result *bench.CaseResult, elapsed time.Duration) {
	r.Cases[i].add(result, elapsed)
	r.Seconds += elapsed.Seconds()
}

func (c *caseReport) add(result *bench.CaseResult, elapsed time.Duration) {
	c.latency.Merge(&result.Latency)
	for code, n := range result.Errors {
		c.Errors[code] += n
	}
	c.seconds += elapsed.Seconds()
}

func (c *caseReport) addRound(pair roundReport) {
	if c.Ceiling == nil {
		c.Ceiling = &ceilingReport{}
	}
	c.Ceiling.Rounds = append(c.Ceiling.Rounds, pair)
}

// finish computes what is printed.
func (r *benchReport) finish() {
	succeeded := int64(0)
	for i := range r.Cases {
		c := &r.Cases[i]
		c.finish()
		r.Calls += c.Calls
		r.Failed += c.Failed
		succeeded += c.Calls - c.Failed
	}
	if r.Seconds > 0 {
		r.Rate = float64(succeeded) / r.Seconds
	}
}

func (c *caseReport) finish() {
	ok := int64(c.latency.Count())
	for _, n := range c.Errors {
		c.Failed += n
	}
	c.Calls = ok + c.Failed
	if c.seconds > 0 {
		c.Rate = float64(ok) / c.seconds
	}
	c.P50, c.P99 = microseconds(c.latency.Quantile(0.5)), microseconds(c.latency.Quantile(0.99))
	c.P999, c.Max = microseconds(c.latency.Quantile(0.999)), microseconds(c.latency.Max())
	if c.Ceiling != nil {
		c.Ceiling.finish()
	}
}

func (c *ceilingReport) finish() {
	column := func(f func(roundReport) float64) []float64 {
		var all []float64
		for _, r := range c.Rounds {
			all = append(all, f(r))
		}
		slices.Sort(all)
		return all
	}
	ratios := column(func(r roundReport) float64 { return r.Ratio })
	c.Ratio, c.RatioMin, c.RatioMax = median(ratios), ratios[0], ratios[len(ratios)-1]
	c.Server = median(column(func(r roundReport) float64 { return r.Server }))
	c.Ceiling = median(column(func(r roundReport) float64 { return r.Ceiling }))
}

// median of sorted values; the mean of the middle two where their number is even.
func median(sorted []float64) float64 {
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// write is the table.
func (r *benchReport) write(s *session) func(io.Writer) {
	return func(w io.Writer) {
		header := []string{"ACTION", "SIZE", "CALLS", "RATE/s", "P50 ms", "P99 ms", "P99.9 ms", "MAX ms", "FAILED"}
		compared := slices.ContainsFunc(r.Cases, func(c caseReport) bool { return c.Ceiling != nil })
		if compared {
			header = append(header, "CPU µs", "CEILING µs", "RATIO", "RANGE")
		}
		var cells [][]string
		var failures []string
		for _, c := range r.Cases {
			row := []string{
				c.Action, strconv.Itoa(c.Size), grouped(uint64(c.Calls)), grouped(uint64(c.Rate + 0.5)),
				inMilliseconds(c.P50), inMilliseconds(c.P99), inMilliseconds(c.P999), inMilliseconds(c.Max), strconv.FormatInt(c.Failed, 10),
			}
			if x := c.Ceiling; x != nil {
				row = append(row, fmt.Sprintf("%.1f", x.Server), fmt.Sprintf("%.1f", x.Ceiling),
					fmt.Sprintf("%.2f", x.Ratio), fmt.Sprintf("%.2f–%.2f", x.RatioMin, x.RatioMax))
			}
			cells = append(cells, row)
			for _, code := range slices.Sorted(maps.Keys(c.Errors)) {
				failures = append(failures, fmt.Sprintf("%s: %d × %s", c.Action, c.Errors[code], code))
			}
		}
		s.table(w, header, cells)
		if s.quiet {
			return
		}
		fmt.Fprintf(w, "\n%s, %d connections, signature %s, %.1f s measured", strings.Join(r.Endpoints, ", "), r.Connections, r.Signature, r.Seconds)
		if r.RateWanted > 0 {
			fmt.Fprintf(w, ", %g/s wanted, latency from the intended start", r.RateWanted)
		}
		fmt.Fprintln(w)
		for _, text := range failures {
			fmt.Fprintln(w, "! "+printable(text))
		}
	}
}

func inMilliseconds(us float64) string { return strconv.FormatFloat(us/1000, 'f', 2, 64) }
