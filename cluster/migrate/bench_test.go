package migrate

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkFiles is what reading, parsing and writing a row costs the mover beside its way: JSON lines of about 300 bytes
// with a context. It reports the CPU time of the process for a row, with the journal and the search for duplicates.
func BenchmarkFiles(b *testing.B) {
	const rows = 50_000
	var jsonl, csv bytes.Buffer
	csv.WriteString("id,ciphertext,context,note\n")
	for i := range rows {
		blob := base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%0140d", i))
		fmt.Fprintf(&jsonl, `{"id":"%08d","ciphertext":"%s","context":{"app":"pay","row":"%d"},"note":"carried"}`+"\n", i, blob, i)
		fmt.Fprintf(&csv, `%08d,%s,"{""app"":""pay"",""row"":""%d""}",carried`+"\n", i, blob, i)
	}
	for _, c := range []struct {
		name   string
		input  []byte
		format func(io.Reader) (Format, error)
	}{
		{"JSONL", jsonl.Bytes(), func(r io.Reader) (Format, error) {
			return NewUnique(NewJSONLines(r, DefaultColumns), Shard{}, rows), nil
		}},
		{"CSV", csv.Bytes(), func(r io.Reader) (Format, error) {
			c, err := NewCSV(r, ',', DefaultColumns)
			return NewUnique(c, Shard{}, rows), err
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			began := processTime(b)
			for b.Loop() {
				folder := b.TempDir()
				last, err := Run(b.Context(), Config{
					Header: testHeader, Journal: filepath.Join(folder, "journal"), Way: keeper{},
					Medium: NewFiles(bytes.NewReader(c.input), filepath.Join(folder, "out"), c.format),
				})
				if err != nil || last.Rows != rows {
					b.Fatal(last, err)
				}
			}
			b.ReportMetric(float64(processTime(b)-began)/float64(b.N)/rows, "cpu-ns/row")
		})
	}
}

// processTime is the CPU time of the process so far.
func processTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkSlowBatches is what the order of the output costs where one batch in sixteen takes thirty times as long as the
// others: in order, those behind it wait until it is done once the queue is full. A run takes some seconds, so that
// checkpoints, which wait as well, have their part in it.
func BenchmarkSlowBatches(b *testing.B) {
	const batches, size = 4096, 10
	input := bytes.Repeat([]byte(`{"ciphertext":"QUFBQQ=="}`+"\n"), batches*size)
	for _, unordered := range []bool{false, true} {
		b.Run(fmt.Sprintf("unordered=%t", unordered), func(b *testing.B) {
			for b.Loop() {
				way := &mirror{batch: size, before: func(call int64) error {
					wait := time.Millisecond
					if call%16 == 0 {
						wait *= 30
					}
					time.Sleep(wait)
					return nil
				}}
				last, err := Run(b.Context(), Config{
					Header: testHeader, Way: way, Parallel: 4, Unordered: unordered,
					Medium: NewStream(bytes.NewReader(input), io.Discard, jsonLines),
				})
				if err != nil || last.Rows != batches*size {
					b.Fatal(last, err)
				}
			}
			b.ReportMetric(float64(b.N)*batches*size/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
