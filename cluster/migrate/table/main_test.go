package table

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"meridian/cluster/migrate"
)

// moverEnv has this test binary be a mover, which a test can kill: a moverSpec in JSON.
const moverEnv = "TEST_TABLE_MOVER"

// moverSpec says what it moves.
type moverSpec struct {
	URL, Journal string
	Spec         Spec
}

// moverResult is what it prints.
type moverResult struct {
	Last   migrate.Checkpoint
	Memory int64 // the most that the process ever had, in bytes
}

// peakMemory reads it of this process. What wait tells of a child has the memory of its parent in it.
func peakMemory() (int64, error) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	var kib int64
	_, err = fmt.Sscan(rest, &kib)
	return kib << 10, err
}

func TestMain(m *testing.M) {
	if text := os.Getenv(moverEnv); text != "" {
		if err := runMover([]byte(text)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// runMover moves a table with a marker way, and prints the last checkpoint.
func runMover(text []byte) error {
	var spec moverSpec
	if err := json.Unmarshal(text, &spec); err != nil {
		return err
	}
	source, err := ParseSource(spec.URL)
	if err != nil {
		return err
	}
	ctx := context.Background()
	t, err := Open(ctx, source, spec.Spec)
	if err != nil {
		return err
	}
	last, err := migrate.Run(ctx, migrate.Config{
		Header: migrate.Header{Way: "marker", Input: t.Name()}, Journal: spec.Journal, Way: marker{},
		Medium: t.Medium(marker{}, migrate.Rules{}, t.Name(), migrate.UndoPath(spec.Journal)), Every: 100 * time.Millisecond,
	})
	memory, memoryErr := peakMemory()
	return errors.Join(err, memoryErr, json.NewEncoder(os.Stdout).Encode(moverResult{last, memory}))
}

// marker is a way that marks what it has moved. It keeps what has a mark.
type marker struct{}

const mark = "moved:"

func (marker) Batch() int { return 200 }

func (marker) Move(_ context.Context, rows []*migrate.Row) ([]migrate.Outcome, error) {
	outcomes := make([]migrate.Outcome, len(rows))
	for i, row := range rows {
		switch {
		case bytes.HasPrefix(row.Blob, []byte(mark)):
			outcomes[i] = migrate.Outcome{Status: migrate.Kept}
		case bytes.HasPrefix(row.Blob, []byte("bad")):
			outcomes[i] = migrate.Outcome{Status: migrate.Failed, Fault: migrate.FaultOf("Bad", "it is bad")}
		default:
			outcomes[i] = migrate.Outcome{Status: migrate.Moved, Blob: append([]byte(mark), row.Blob...)}
		}
	}
	return outcomes, nil
}
