//go:build measure

package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"meridian/cluster/api/batch"
	"meridian/cmd/meridian/devregion"
	"meridian/crypto"
)

const (
	millionRows = 1_000_000
	// moverMemory is what the mover may take, in bytes.
	moverMemory = 200 << 20
)

// TestMillionRows moves a million rows between two regions of three nodes, once undisturbed and once while the mover is
// killed at random moments, and a node of each region, and then both leaders:
//
//	go test -tags measure -run TestMillionRows -timeout 30m -v ./cmd/meridian
//
// Both outputs have every row once, in the order of the input, and are the same but for the blobs themselves; every row of
// both is verified.
func TestMillionRows(t *testing.T) {
	r := startRegions(t, 2, 3, "export.allow=any")
	folder := t.TempDir()
	input, file := filepath.Join(folder, "rows.jsonl"), r.regionsFile()
	r.makeRows(input, millionRows)
	quiet, disturbed := filepath.Join(folder, "quiet.jsonl"), filepath.Join(folder, "disturbed.jsonl")

	r.settle()
	m := r.migrate(millionRows, input, "--regions", file, "--out", quiet)
	t.Logf("undisturbed: %.0f rows a second, %.0f rows for each second of CPU, mover at most %d MiB",
		millionRows/m.took.Seconds(), millionRows/(m.mover+m.from+m.to).Seconds(), m.peakMemory>>20)
	peak := max(m.peakMemory, r.migrateDisturbed(input, file, disturbed))
	if peak > moverMemory {
		t.Errorf("the mover took %d MiB", peak>>20)
	}
	sameButForBlobs(t, input, quiet, disturbed)
	for _, output := range []string{quiet, disturbed} {
		out := r.meridian("migrate", "verify", input, "--regions", file, "--out", output, "--from", r.layout.Regions[0].ID, "--to", r.layout.Regions[1].ID, "--output", "json")
		var v struct{ Rows, Moved, Checked, Equal int64 }
		if err := json.Unmarshal(out, &v); err != nil || v.Rows != millionRows || v.Moved != millionRows || v.Checked != millionRows || v.Equal != millionRows {
			t.Errorf("%s: %s, %v", output, out, err)
		}
	}
}

// makeRows writes rows whose blobs and data keys all differ, sealed by the first region under alias/pay. The second has
// such a key, too.
func (r *regions) makeRows(path string, rows int) {
	r.t.Helper()
	var ids []crypto.KeyID
	for _, region := range r.layout.Regions {
		c := r.client(region)
		key := makeKey(r.t, c)
		must[struct{}](r.t, c, "CreateAlias", map[string]string{"KeyId": key, "AliasName": "alias/pay"})
		id, _ := crypto.ParseKeyID(key)
		ids = append(ids, id)
	}
	source := r.layout.Regions[0]
	c := r.client(source)
	k, err := readTransportKey(r.t.Context(), source)
	if err != nil {
		r.t.Fatal(err)
	}
	public, err := crypto.ParseTransportPublic(k.PublicKey)
	if err != nil {
		r.t.Fatal(err)
	}
	context, err := crypto.ParseContext([]byte(`{"app":"pay"}`))
	if err != nil {
		r.t.Fatal(err)
	}
	journey := crypto.Journey{From: "nowhere", To: source.ID, Version: uint32(k.TransportKeyVersion), Purpose: crypto.CarriesDataKeys}
	file, err := os.Create(path)
	if err != nil {
		r.t.Fatal(err)
	}
	w := bufio.NewWriter(file)
	for at := 0; at < rows; at += batch.MaxRows {
		inside := []byte(crypto.NewTagKey())
		for range batch.MaxRows {
			inside = batch.AppendBytes(inside, crypto.NewTagKey()) // as good a data key as any
		}
		message, err := public.Seal(journey, inside)
		if err != nil {
			r.t.Fatal(err)
		}
		body := batch.AppendMessage(nil, message)
		for range batch.MaxRows {
			body = batch.AppendBytes(append(body, ids[0][:]...), context.Canonical())
		}
		answer, err := c.CallRows(r.t.Context(), "ImportDataKeys", map[string]string{"From": "nowhere", "TransportKeyVersion": strconv.Itoa(k.TransportKeyVersion)}, body)
		if err != nil {
			r.t.Fatal(err)
		}
		read := batch.NewReader(answer.Body)
		for i := range batch.MaxRows {
			if _, why := read.Outcome(); why != nil {
				r.t.Fatal(why)
			}
			fmt.Fprintf(w, `{"id":"%d","ciphertext":"%s","context":{"app":"pay"},"note":"carried through"}`+"\n", at+i, base64.StdEncoding.EncodeToString(read.Bytes()))
		}
		if read.Err() != nil {
			r.t.Fatal(read.Err())
		}
	}
	if err := errors.Join(w.Flush(), file.Close()); err != nil {
		r.t.Fatal(err)
	}
}

// meridian runs a verb that has to succeed, and returns what it prints.
func (r *regions) meridian(args ...string) []byte {
	r.t.Helper()
	c := exec.Command(binary, args...)
	var said bytes.Buffer
	c.Stderr = &said
	out, err := c.Output()
	if err != nil {
		r.t.Fatalf("%v: %s", err, said.String())
	}
	return out
}

// migrateDisturbed moves the rows while things die, and returns the most memory that a mover took.
func (r *regions) migrateDisturbed(input, file, output string) (peak int64) {
	r.t.Helper()
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	r.t.Logf("seed %d", seed)
	any := func(region *devregion.Region) *devregion.Node { return region.Nodes[random.IntN(len(region.Nodes))] }
	disturbances := []func() []*devregion.Node{
		func() []*devregion.Node { return []*devregion.Node{any(r.layout.Regions[0])} },
		func() []*devregion.Node { return []*devregion.Node{any(r.layout.Regions[1])} },
		func() []*devregion.Node {
			return []*devregion.Node{r.leader(r.layout.Regions[0]), r.leader(r.layout.Regions[1])}
		},
	}
	info, err := os.Stat(filepath.Join(filepath.Dir(output), "quiet.jsonl"))
	if err != nil {
		r.t.Fatal(err)
	}
	// Each start but the last ends somewhere in the twelfth of the output that is its own, wherever the one before was.
	const parts = 12
	share := info.Size() / parts
	written := func() int64 {
		info, err := os.Stat(output)
		if err != nil {
			return 0
		}
		return info.Size()
	}
	for start := 0; ; start++ {
		c := exec.Command(binary, "migrate", "run", input, "--regions", file, "--out", output, "--parallel", "2",
			"--from", r.layout.Regions[0].ID, "--to", r.layout.Regions[1].ID, "--output", "json", "--no-progress")
		var out, said bytes.Buffer
		c.Stdout, c.Stderr = &out, &said
		if err := c.Start(); err != nil {
			r.t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- c.Wait() }()
		reached := func(size int64) bool {
			for written() < size {
				select {
				case err := <-ended:
					ended <- err
					return false
				case <-time.After(time.Millisecond):
				}
			}
			return true
		}
		if start < parts-1 {
			if reached(int64(start)*share+share/4+random.Int64N(share/4)) && start > 0 && start <= len(disturbances) {
				dead := disturbances[start-1]()
				r.kill(dead...)
				time.Sleep(time.Duration(random.IntN(1000)) * time.Millisecond)
				r.start(dead...)
			}
			if reached(int64(start)*share + share/2 + random.Int64N(share/2)) {
				_ = c.Process.Kill() // an error means that it has ended
			}
		}
		err := <-ended
		peak = max(peak, c.ProcessState.SysUsage().(*syscall.Rusage).Maxrss<<10)
		var exit *exec.ExitError
		switch {
		case err == nil && start < parts-1:
			r.t.Fatalf("the run was over at start %d", start)
		case err == nil:
			r.t.Logf("the mover was killed %d times, and a node of each region, and both leaders", start)
			r.waitReady(slices.Concat(r.layout.Regions[0].Nodes, r.layout.Regions[1].Nodes)...)
			return peak
		case !errors.As(err, &exit) || exit.ExitCode() != -1:
			r.t.Fatalf("start %d: %v: %s", start, err, said.String())
		}
	}
}

// sameButForBlobs wants both outputs to have the rows of the input, in order, with the same text around other blobs.
func sameButForBlobs(t *testing.T, input, one, other string) {
	t.Helper()
	var lines [3]*bufio.Scanner
	for i, path := range []string{input, one, other} {
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		lines[i] = bufio.NewScanner(file)
	}
	seen := map[string]bool{}
	rows := 0
	for lines[0].Scan() {
		var ids [3]string
		var around [3]string
		for i := range lines {
			if i > 0 && !lines[i].Scan() {
				t.Fatalf("output %d ends after %d rows", i, rows)
			}
			var row struct{ ID, Ciphertext, Status string }
			if err := json.Unmarshal(lines[i].Bytes(), &row); err != nil {
				t.Fatalf("row %d: %v", rows, err)
			}
			if i > 0 && row.Status != "moved" || seen[row.Ciphertext] {
				t.Fatalf("row %d of output %d is %s", rows, i, lines[i].Text())
			}
			seen[row.Ciphertext] = true
			ids[i], around[i] = row.ID, string(bytes.Replace(lines[i].Bytes(), []byte(row.Ciphertext), nil, 1))
		}
		if ids[1] != ids[0] || ids[2] != ids[0] || around[1] != around[2] {
			t.Fatalf("row %d: %q and %q", rows, around[1], around[2])
		}
		rows++
	}
	if lines[1].Scan() || lines[2].Scan() || rows != millionRows {
		t.Errorf("an output goes on after the %d rows of the input", rows)
	}
}
