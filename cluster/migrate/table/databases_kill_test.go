//go:build databases

package table

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"meridian/cluster/migrate"
)

const killedRows = 100_000

// A mover is killed again and again while other writers change, delete and add rows. No write of theirs is lost: in the
// end every row holds what was written last, moved once.
func TestKilledMover(t *testing.T) {
	for name, s := range servers(t) {
		t.Run(name, func(t *testing.T) { testKilledMover(t, name, s) })
	}
}

func testKilledMover(t *testing.T, name string, s *server) {
	if name == "postgres" {
		s.create(t, "data_keys", "id bigint PRIMARY KEY, wrapped_key bytea NOT NULL")
		s.exec(t, "INSERT INTO data_keys SELECT n, convert_to('v:' || n || ':0:' || repeat('x', 100), 'UTF8') FROM generate_series(1, $1) AS n", killedRows)
		s.exec(t, "ANALYZE data_keys")
	} else {
		s.create(t, "data_keys", "id bigint PRIMARY KEY, wrapped_key text NOT NULL")
		s.exec(t, fmt.Sprintf("INSERT INTO data_keys SELECT seq, REPLACE(TO_BASE64(CONCAT('v:', seq, ':0:', REPEAT('x', 100))), '\\n', '') FROM seq_1_to_%d", killedRows))
	}
	writers := startWriters(t, name, s)
	spec := moverSpec{URL: s.url, Journal: filepath.Join(t.TempDir(), "journal"), Spec: Spec{Table: "data_keys", Key: "id", Blob: "wrapped_key"}}
	kills := 0
	var first migrate.Checkpoint
	for kills < 12 {
		last, killed, _ := startMover(t, spec, time.Duration(100+rand.IntN(900))*time.Millisecond)
		if !killed {
			first = last
			break
		}
		kills++
	}
	if !first.Done {
		first, _, _ = startMover(t, spec, 0)
	}
	written := writers.stop(t)
	t.Logf("killed %d times; first run %+v; other writers wrote %d times, %d of them lost against each other", kills, first.Counts, writers.writes, writers.lost)
	if kills < 3 {
		t.Errorf("it was killed %d times only", kills)
	}
	spec.Journal += "2" // a second run moves what was written behind the first
	second, _, memory := startMover(t, spec, 0)
	if second.Counts.Failed > 0 || int(second.Rows) != len(written) {
		t.Errorf("the second run: %+v, and %d rows should be there", second, len(written))
	}
	t.Logf("second run %+v; it used %d MiB", second.Counts, memory>>20)
	if memory > 100<<20 {
		t.Errorf("the mover used %d MiB of memory", memory>>20)
	}
	s.compareRows(t, written)
}

// startMover runs a mover; after a time, if not 0, it is killed.
func startMover(t *testing.T, spec moverSpec, after time.Duration) (last migrate.Checkpoint, killed bool, memory int64) {
	t.Helper()
	text, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), moverEnv+"="+string(text))
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if after > 0 {
		timer := time.AfterFunc(after, func() { _ = c.Process.Kill() }) // an error means that it has ended
		defer timer.Stop()
	}
	err = c.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == -1 {
		return last, true, 0
	}
	if err != nil {
		t.Fatalf("%v: %s", err, errs.String())
	}
	var result moverResult
	if err := json.Unmarshal(out.Bytes(), &result); err != nil {
		t.Fatal(err)
	}
	return result.Last, false, result.Memory
}

// writers change rows. Each has keys of its own, and so knows what they hold.
type writers struct {
	s      *server
	name   string
	cancel context.CancelFunc
	group  sync.WaitGroup

	mu      sync.Mutex
	values  map[int]string // what each row holds, but for the mark
	writes  int
	lost    int
	problem error
}

const writerCount = 3

func startWriters(t *testing.T, name string, s *server) *writers {
	ctx, cancel := context.WithCancel(t.Context())
	w := &writers{s: s, name: name, cancel: cancel, values: map[int]string{}}
	t.Cleanup(func() { cancel(); w.group.Wait() })
	for i := 1; i <= killedRows; i++ {
		w.values[i] = fmt.Sprintf("v:%d:0:%s", i, strings.Repeat("x", 100))
	}
	for n := range writerCount {
		w.group.Go(func() {
			for seq := 1; ctx.Err() == nil; seq++ {
				if err := w.write(context.WithoutCancel(ctx), n, seq); err != nil {
					w.mu.Lock()
					w.problem = errors.Join(w.problem, err)
					w.mu.Unlock()
					return
				}
			}
		})
	}
	return w
}

// write changes some rows of a writer in one transaction, in any order: so it may be the victim of a deadlock.
func (w *writers) write(ctx context.Context, n, seq int) error {
	tx, err := w.s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	changed := map[int]string{} // empty: deleted
	for range 1 + rand.IntN(4) {
		id := 1 + n + writerCount*rand.IntN(killedRows*11/10/writerCount)
		value, err := w.change(ctx, tx, id, seq, changed)
		if err == nil {
			changed[id] = value
			continue
		}
		if err := tx.Rollback(); err != nil && w.judge(err) != troubleBusy {
			return err
		}
		if w.judge(err) != troubleBusy {
			return err
		}
		w.mu.Lock()
		w.lost++
		w.mu.Unlock()
		return nil
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writes += len(changed)
	for id, value := range changed {
		if w.values[id] = value; value == "" {
			delete(w.values, id)
		}
	}
	return nil
}

// change writes, adds or deletes a row, and returns what it holds then.
func (w *writers) change(ctx context.Context, tx *sql.Tx, id, seq int, changed map[int]string) (string, error) {
	w.mu.Lock()
	_, there := w.values[id]
	w.mu.Unlock()
	if value, again := changed[id]; again {
		there = value != ""
	}
	value := fmt.Sprintf("v:%d:%d:%s", id, seq, strings.Repeat("y", 100))
	parameters := [2]string{"?", "?"}
	var blob any = encode([]byte(value))
	if w.name == "postgres" {
		parameters, blob = [2]string{"$1", "$2"}, []byte(value)
	}
	var err error
	switch {
	case !there:
		_, err = tx.ExecContext(ctx, fmt.Sprintf("INSERT INTO data_keys (id, wrapped_key) VALUES (%s, %s)", parameters[0], parameters[1]), id, blob)
	case rand.IntN(10) == 0:
		value = ""
		_, err = tx.ExecContext(ctx, "DELETE FROM data_keys WHERE id = "+parameters[0], id)
	default:
		_, err = tx.ExecContext(ctx, fmt.Sprintf("UPDATE data_keys SET wrapped_key = %s WHERE id = %s", parameters[0], parameters[1]), blob, id)
	}
	return value, err
}

func (w *writers) judge(err error) trouble {
	if w.name == "postgres" {
		return (&postgres{}).judge(err)
	}
	return (&mySQL{}).judge(err)
}

// stop ends the writers and returns what every row has to hold.
func (w *writers) stop(t *testing.T) map[int]string {
	t.Helper()
	w.cancel()
	w.group.Wait()
	if w.problem != nil {
		t.Fatal(w.problem)
	}
	if w.writes < 1000 {
		t.Errorf("other writers wrote %d times only", w.writes)
	}
	return w.values
}

// compareRows fails unless the table has exactly these rows, each with a mark and what was written.
func (s *server) compareRows(t *testing.T, want map[int]string) {
	t.Helper()
	table := s.open(t, Spec{Table: "data_keys", Key: "id", Blob: "wrapped_key"})
	wrong, found := 0, 0
	for {
		row, err := table.Next(t.Context())
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		found++
		id, err := strconv.Atoi(row.ID)
		if err != nil {
			t.Fatal(err)
		}
		if value, there := want[id]; !there || string(row.Blob) != mark+value {
			if wrong++; wrong < 10 {
				t.Errorf("row %d holds %.40q, want %.40q, there %v", id, row.Blob, mark+value, there)
			}
		}
	}
	if wrong > 0 || found != len(want) {
		t.Errorf("%d of %d rows are wrong, %d should be there", wrong, found, len(want))
	}
}
