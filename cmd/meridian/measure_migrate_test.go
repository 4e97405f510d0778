//go:build measure

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"meridian/cmd/meridian/bench"
	"meridian/cmd/meridian/devregion"
)

// regionsFile describes the regions for --regions.
func (r *regions) regionsFile() string {
	r.t.Helper()
	var ready readyFile
	for _, region := range r.layout.Regions {
		entry := readyRegion{
			ID: region.ID, Account: devregion.Account, CAFile: region.CAFile, AccessKeyID: devregion.AccessKeyID, AccessKeySecret: devregion.AccessKeySecret,
		}
		for _, n := range region.Nodes {
			entry.Endpoints = append(entry.Endpoints, n.Endpoint())
		}
		ready.Regions = append(ready.Regions, entry)
	}
	path := filepath.Join(r.t.TempDir(), "regions.json")
	if err := ready.write(path); err != nil {
		r.t.Fatal(err)
	}
	return path
}

// writeRows writes rows of data keys, made by the first region under alias/pay; the second has such a key as well. Their
// blobs repeat, their ids do not.
func (r *regions) writeRows(path string, rows int) {
	r.t.Helper()
	for _, region := range r.layout.Regions {
		c := r.client(region)
		key := makeKey(r.t, c)
		must[struct{}](r.t, c, "CreateAlias", map[string]string{"KeyId": key, "AliasName": "alias/pay"})
	}
	c := r.client(r.layout.Regions[0])
	var blobs []string
	for range 1000 {
		made := must[struct{ CiphertextBlob string }](r.t, c, "GenerateDataKeyWithoutPlaintext", map[string]string{"KeyId": "alias/pay", "EncryptionContext": `{"app":"pay"}`})
		blobs = append(blobs, made.CiphertextBlob)
	}
	file, err := os.Create(path)
	if err != nil {
		r.t.Fatal(err)
	}
	w := bufio.NewWriter(file)
	for i := range rows {
		fmt.Fprintf(w, `{"id":"%d","ciphertext":"%s","context":{"app":"pay"},"note":"carried through"}`+"\n", i, blobs[i%len(blobs)])
	}
	if err := w.Flush(); err != nil {
		r.t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		r.t.Fatal(err)
	}
}

// migrated is what a run cost.
type migrated struct {
	rows       int
	mover      time.Duration // CPU
	from, to   time.Duration // CPU of all of each region
	took       time.Duration
	peakMemory int64 // of the mover, bytes
}

// migrate runs the mover as a process of its own.
func (r *regions) migrate(rows int, args ...string) migrated {
	r.t.Helper()
	from, to := r.layout.Regions[0], r.layout.Regions[1]
	c := exec.Command(binary, append([]string{"migrate", "run", "--from", from.ID, "--to", to.ID, "--output", "json"}, args...)...)
	var out, said bytes.Buffer
	c.Stdout, c.Stderr = &out, &said
	m := migrated{rows: rows, from: -r.cpu(from.Nodes[0]), to: -r.cpu(to.Nodes[0])}
	began := time.Now()
	if err := c.Run(); err != nil {
		r.t.Fatalf("%v: %s", err, said.String())
	}
	m.took = time.Since(began)
	m.from, m.to = m.from+r.cpu(from.Nodes[0]), m.to+r.cpu(to.Nodes[0])
	m.mover = c.ProcessState.UserTime() + c.ProcessState.SystemTime()
	m.peakMemory = c.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10
	var view migrateView
	if err := json.Unmarshal(out.Bytes(), &view); err != nil || view.Moved != int64(rows) {
		r.t.Fatalf("%s, %v", out.String(), err)
	}
	return m
}

// BenchmarkRegionMigrateNative moves rows between two regions and reports rows for each second of CPU, that of the source's
// nodes, the destination's and the mover summed. Every row is verified by its tag. What a row costs is also held against the
// ceiling's call, before and after each run: the machine's speed changes, and that ratio hardly does.
func BenchmarkRegionMigrateNative(b *testing.B) {
	for _, nodes := range []int{1, 3} {
		b.Run(fmt.Sprint("nodes=", nodes), func(b *testing.B) { measureNative(b, nodes) })
	}
}

func measureNative(b *testing.B, nodes int) {
	const rows = 200_000
	r := startRegions(b, 2, nodes, "export.allow=any")
	folder := b.TempDir()
	input, file := filepath.Join(folder, "rows.jsonl"), r.regionsFile()
	r.writeRows(input, rows)
	least, err := startCeiling(binary)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := least.close(); err != nil {
			b.Error(err)
		}
	})
	r.settle()
	var all, mover, source, destination, wall, memory, ceiling []float64
	before := least.call(b)
	for round := range measureRounds + 1 {
		m := r.migrate(rows, input, "--regions", file, "--way", "native", "--out", filepath.Join(folder, fmt.Sprint("out", round)))
		after := least.call(b)
		call := (before + after) / 2
		if before = after; round == 0 {
			continue // warms up
		}
		ceiling = append(ceiling, call)
		perRow := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 / rows }
		all = append(all, rows/(m.mover+m.from+m.to).Seconds())
		mover, source, destination = append(mover, perRow(m.mover)), append(source, perRow(m.from)), append(destination, perRow(m.to))
		wall = append(wall, rows/m.took.Seconds())
		memory = append(memory, float64(m.peakMemory)/(1<<20))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(middle(all), "rows/CPU-s")
	b.ReportMetric(middle(ceiling), "µs-ceiling")
	rowCosts := make([]float64, len(all))
	for i := range all {
		rowCosts[i] = 1e6 / all[i]
	}
	b.ReportMetric(medianRatio(rowCosts, ceiling), "row/ceiling")
	b.ReportMetric(middle(mover), "µs-mover")
	b.ReportMetric(middle(source), "µs-source")
	b.ReportMetric(middle(destination), "µs-destination")
	b.ReportMetric(middle(wall), "rows/s")
	b.ReportMetric(middle(memory), "MiB-mover")
}

// call is the CPU time of one call to the ceiling, in microseconds.
func (s *ceilingServer) call(b *testing.B) float64 {
	b.Helper()
	cfg := bench.Config{
		Endpoints: []bench.Endpoint{{Address: s.host}}, Cases: []bench.Case{{Signers: []*bench.Signer{s.signer(plainSize)}, Weight: 1}},
		Connections: 16, Duration: 2 * time.Second, Timeout: patience,
	}
	pids := []int{s.cmd.Process.Pid}
	before, err := sumCPU(pids)
	if err != nil {
		b.Fatal(err)
	}
	result, err := bench.Run(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	after, err := sumCPU(pids)
	if err != nil {
		b.Fatal(err)
	}
	if n := result.Cases[0].Failed(); n > 0 {
		b.Fatalf("%d calls failed: %v", n, result.Cases[0].Errors)
	}
	return perCall(after-before, result)
}

// BenchmarkRegionMigrateStandard compares rows for each second of the destination's CPU with bare RSA-2048 decryptions with
// OAEP and SHA-256 of the same program, in alternating rounds: where source, mover and destination share all processors, and
// with one of its own for the destination.
func BenchmarkRegionMigrateStandard(b *testing.B) {
	const rows, others, destination = 4000, 0, 1
	if runtime.NumCPU() <= destination {
		b.Skip("it needs two processors")
	}
	r := startRegions(b, 2, 1, "export.allow=any")
	folder := b.TempDir()
	input, file := filepath.Join(folder, "rows.jsonl"), r.regionsFile()
	r.writeRows(input, rows)
	var made struct{ KeyMetadata struct{ KeyId string } }
	if _, err := r.client(r.layout.Regions[1]).Do(b.Context(), "CreateKey", map[string]string{"KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT/DECRYPT"}, &made); err != nil {
		b.Fatal(err)
	}
	r.settle()
	runs := 0
	move := func() (rate float64) {
		runs++
		m := r.migrate(rows, input, "--regions", file, "--transport-key", made.KeyMetadata.KeyId, "--out", filepath.Join(folder, fmt.Sprint("out", runs)))
		return rows / m.to.Seconds()
	}
	bare := func() float64 {
		text, err := exec.Command(binary, "bench", ceilingRSAVerb, strconv.Itoa(rows)).Output()
		if err != nil {
			b.Fatal(err)
		}
		rate, err := strconv.ParseFloat(strings.TrimSpace(string(text)), 64)
		if err != nil {
			b.Fatal(err)
		}
		return rate
	}
	b.Run("shared", func(b *testing.B) { compareRates(b, move, bare) })
	for i, processor := range []int{others, destination} {
		pin(b, r.running[r.layout.Regions[i].Nodes[0]].PID(), processor)
	}
	on := func(processor int, measure func() float64) func() float64 {
		return func() (rate float64) {
			pinned(b, processor, func() { rate = measure() })
			return rate
		}
	}
	b.Run("own", func(b *testing.B) { compareRates(b, on(others, move), on(destination, bare)) })
}

// compareRates reports rows as a ratio to bare decryptions, of which half are measured before and half after each run, for
// the machine's speed changes.
func compareRates(b *testing.B, move, bare func() float64) {
	var moved, decrypted []float64
	move() // warms up
	before := bare()
	for range measureRounds {
		rate := move()
		after := bare()
		moved, decrypted = append(moved, rate), append(decrypted, (before+after)/2)
		before = after
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(middle(moved), "rows/CPU-s-of-destination")
	b.ReportMetric(middle(decrypted), "bare/CPU-s")
	b.ReportMetric(medianRatio(moved, decrypted), "rows/bare")
}
