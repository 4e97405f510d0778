package migrate

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// mirror is a way that turns the bytes of a blob round. Blobs that begin with 'x' fail, those with 'k' are kept.
type mirror struct {
	batch int
	calls atomic.Int64
	// before is called before each batch; an error ends the run.
	before func(call int64) error
}

func (m *mirror) Batch() int { return m.batch }

func (m *mirror) Move(ctx context.Context, rows []*Row) ([]Outcome, error) {
	if m.before != nil {
		if err := m.before(m.calls.Add(1)); err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	outcomes := make([]Outcome, len(rows))
	for i, row := range rows {
		switch row.Blob[0] {
		case 'x':
			outcomes[i] = Outcome{Status: Failed, Fault: fault("Rejected.Disabled", "key is Disabled")}
		case 'k':
			outcomes[i] = Outcome{Status: Kept, From: "b/k/v"}
		default:
			blob := slices.Clone(row.Blob)
			slices.Reverse(blob)
			outcomes[i] = Outcome{Status: Moved, Blob: blob, From: "a/k/v"}
		}
	}
	return outcomes, nil
}

// testInput is rows of every kind.
func testInput(rows int) []byte {
	var b bytes.Buffer
	for i := range rows {
		blob := fmt.Sprintf("blob %d", i)
		switch i % 10 {
		case 3:
			blob = "x" + blob
		case 6:
			blob = "k" + blob
		}
		if i%97 == 5 {
			b.WriteString("broken\n")
			continue
		}
		fmt.Fprintf(&b, `{"id":%d,"ciphertext":"%s","n":[%d]}`+"\n", i, base64.StdEncoding.EncodeToString([]byte(blob)), i)
	}
	return b.Bytes()
}

// jsonLines is the format of most inputs here.
func jsonLines(input io.Reader) (Format, error) { return NewJSONLines(input, DefaultColumns), nil }

// testConfig is a run from input to a file named out in a folder.
func testConfig(t *testing.T, folder string, input []byte, way Way) Config {
	t.Helper()
	return Config{
		Parallel: 4, Header: testHeader, Journal: filepath.Join(folder, "journal"), Way: way, Every: time.Nanosecond,
		Medium: NewFiles(bytes.NewReader(input), filepath.Join(folder, "out"), jsonLines),
	}
}

// undisturbed returns what a run writes that nothing happens to.
func undisturbed(t *testing.T, input []byte) (output []byte, last Checkpoint) {
	t.Helper()
	folder := t.TempDir()
	last, err := Run(t.Context(), testConfig(t, folder, input, &mirror{batch: 7}))
	if err != nil || !last.Done {
		t.Fatalf("%+v, %v", last, err)
	}
	output, err = os.ReadFile(filepath.Join(folder, "out"))
	if err != nil {
		t.Fatal(err)
	}
	return output, last
}

// Every row comes out once and in its place, and is counted by what came of it.
func TestRun(t *testing.T) {
	input := testInput(1000)
	output, last := undisturbed(t, input)
	if last.Rows != 1000 || last.Counts.Moved+last.Counts.Kept+last.Counts.Failed != 1000 || last.Counts.Kept == 0 || last.Input != int64(len(input)) {
		t.Errorf("%+v", last)
	}
	lines := strings.Split(strings.TrimSuffix(string(output), "\n"), "\n")
	if len(lines) != 1000 {
		t.Fatalf("%d rows", len(lines))
	}
	for i, line := range lines {
		if line != "broken" && (!strings.HasPrefix(line, fmt.Sprintf(`{"id":%d,`, i)) || !strings.Contains(line, `"status":"`)) {
			t.Errorf("row %d is %s", i, line)
		}
	}
	if len(output) != int(last.Output) {
		t.Errorf("%d bytes, not %d", len(output), last.Output)
	}
}

// A run that is killed goes on, whatever of its files came to the disk since the last checkpoint, and ends as if nothing
// had happened: no row is lost, none is there twice.
func TestKilledRunGoesOn(t *testing.T) {
	input := testInput(400)
	want, _ := undisturbed(t, input)
	for seed := range uint64(seeds(30)) {
		random := rand.New(rand.NewPCG(seed, 1))
		folder := t.TempDir()
		killedRuns(t, random, folder, 12, 25, func(way *mirror) Config {
			way.batch = 1 + random.IntN(9)
			cfg := testConfig(t, folder, input, way)
			cfg.Parallel = 1 + random.IntN(4)
			return cfg
		})
		got, err := os.ReadFile(filepath.Join(folder, "out"))
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("seed %d: the output differs from that of an undisturbed run (%d bytes, not %d), %v", seed, len(got), len(want), err)
		}
	}
}

// killedRuns starts a run over 400 rows until it is done. Up to so many starts are killed, each at one of its first calls,
// and leave the files of the folder as that may.
func killedRuns(t *testing.T, random *rand.Rand, folder string, kills int, calls int64, config func(way *mirror) Config) {
	t.Helper()
	for starts := 0; ; starts++ {
		killed := errors.New("killed")
		limit := 1 + random.Int64N(calls)
		last, err := Run(t.Context(), config(&mirror{before: func(call int64) error {
			if call >= limit && starts < kills {
				return killed
			}
			return nil
		}}))
		if err == nil {
			if !last.Done || last.Rows != 400 {
				t.Fatalf("%s: %+v", folder, last)
			}
			return
		}
		if !errors.Is(err, killed) {
			t.Fatalf("%s, start %d: %v", folder, starts, err)
		}
		tear(t, random, folder)
	}
}

// tear leaves the files as a kill may: the journal may lack the end of what was being appended, the output may have more.
func tear(t *testing.T, random *rand.Rand, folder string) {
	t.Helper()
	path := filepath.Join(folder, "journal")
	journal, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	header := bytes.IndexByte(journal, '\n') + 1
	if err := os.Truncate(path, int64(header+random.IntN(len(journal)-header+1))); err != nil {
		t.Fatal(err)
	}
	out, err := os.OpenFile(filepath.Join(folder, "out"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = out.WriteString(strings.Repeat("torn\n", random.IntN(100)))
	if err := errors.Join(err, out.Close()); err != nil {
		t.Fatal(err)
	}
}

// A run that is asked to stop finishes what is under way, and goes on later; one that is done does nothing more,
// and says so if its input is another by now.
func TestStoppedRunGoesOn(t *testing.T) {
	input := testInput(300)
	want, _ := undisturbed(t, input)
	folder := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	way := &mirror{batch: 5, before: func(call int64) error {
		if call == 10 {
			cancel()
		}
		return nil
	}}
	cfg := testConfig(t, folder, input, way)
	last, err := Run(ctx, cfg)
	if !errors.Is(err, ErrStopped) || last.Done || last.Rows == 0 {
		t.Fatalf("%+v, %v", last, err)
	}
	cfg.Medium = testConfig(t, folder, input, way).Medium
	if last, err = Run(t.Context(), cfg); err != nil || !last.Done {
		t.Fatalf("%+v, %v", last, err)
	}
	calls, told := way.calls.Load(), 0
	cfg.WasDone = func(h History) { told += len(h.Starts) }
	for name, now := range map[string][]byte{
		"the same": input, "other": bytes.Replace(input, []byte(`"id":`), []byte(`"ID":`), 1), "cut": testInput(299), "longer": testInput(301), "none": nil,
	} {
		cfg.Medium = testConfig(t, folder, now, way).Medium
		again, err := Run(t.Context(), cfg)
		if name == "the same" && err != nil || name != "the same" && !errors.Is(err, ErrInputChanged) || again != last || way.calls.Load() != calls {
			t.Errorf("run again, input %s: %+v, %v", name, again, err)
		}
	}
	if told != 2 { // starts, of one run that was done
		t.Errorf("told of runs with %d starts that were done", told)
	}
	if got, err := os.ReadFile(filepath.Join(folder, "out")); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the output differs, %v", err)
	}
}

// An input, a run or an output that is not what it was is refused, and nothing is changed.
func TestRunRefusesWhatChanged(t *testing.T) {
	input := testInput(300)
	begin := func(folder string) Config {
		broken := errors.New("broken")
		cfg := testConfig(t, folder, input, &mirror{batch: 10, before: func(call int64) error {
			if call == 15 {
				return broken
			}
			return nil
		}})
		cfg.Parallel = 1
		if last, err := Run(t.Context(), cfg); !errors.Is(err, broken) || last.Rows != 140 {
			t.Fatalf("%+v, %v", last, err)
		}
		cfg.Way = &mirror{batch: 10}
		return cfg
	}
	lines := bytes.SplitAfter(input, []byte("\n"))
	changed := slices.Clone(lines)
	changed[55] = []byte(`{"id":55,"ciphertext":"QUFB"}` + "\n")
	reads := func(lines [][]byte) func(*Config, string) {
		return func(c *Config, folder string) { c.Medium = testConfig(t, folder, bytes.Join(lines, nil), nil).Medium }
	}
	for what, c := range map[string]struct {
		edit func(c *Config, folder string)
		err  error
		text string
	}{
		"a changed row":   {reads(changed), ErrInputChanged, "rows 51 to 60"},
		"a row less":      {reads(slices.Delete(slices.Clone(lines), 20, 21)), ErrInputChanged, "rows 21 to 30"},
		"a short input":   {reads(lines[:100]), ErrInputChanged, "it has 100 rows, and 140 were moved"},
		"another run":     {func(c *Config, _ string) { c.Header.To = "c" }, ErrOtherRun, "destination region"},
		"a short output":  {func(_ *Config, folder string) { _ = os.Truncate(filepath.Join(folder, "out"), 10) }, ErrOutputChanged, "the journal knows of"},
		"without journal": {func(c *Config, _ string) { _ = os.Remove(c.Journal) }, os.ErrExist, ""},
	} {
		folder := t.TempDir()
		cfg := begin(folder)
		cfg.Medium = testConfig(t, folder, input, nil).Medium
		c.edit(&cfg, folder)
		before, err := os.ReadFile(filepath.Join(folder, "out"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = Run(t.Context(), cfg)
		if err == nil || c.err != nil && !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", what, err)
		}
		if after, err := os.ReadFile(filepath.Join(folder, "out")); err != nil || !bytes.HasPrefix(before, after) {
			t.Errorf("%s: the output was changed, %v", what, err)
		}
	}
}

// Runs of CSV go on as those of JSON do, below one header.
func TestKilledRunOfCSV(t *testing.T) {
	var input bytes.Buffer
	input.WriteString("id,ciphertext,note\r\n")
	for i := range 100 {
		fmt.Fprintf(&input, "%d,%s,\"a, b\nc\"\r\n", i, base64.StdEncoding.EncodeToString([]byte(fmt.Sprint("blob ", i))))
	}
	config := func(folder string, input []byte, way Way) Config {
		cfg := testConfig(t, folder, nil, way)
		cfg.Medium = NewFiles(bytes.NewReader(input), filepath.Join(folder, "out"), func(input io.Reader) (Format, error) { return NewCSV(input, ',', DefaultColumns) })
		return cfg
	}
	undisturbed := t.TempDir()
	whole := config(undisturbed, input.Bytes(), &mirror{batch: 7})
	if last, err := Run(t.Context(), whole); err != nil || last.Counts.Moved != 100 {
		t.Fatalf("%+v, %v", last, err)
	}
	want, err := os.ReadFile(filepath.Join(undisturbed, "out"))
	if err != nil || !bytes.HasPrefix(want, []byte("id,ciphertext,note,from,status\r\n0,")) || bytes.Count(want, []byte("\"a, b\nc\",a/k/v,moved\r\n")) != 100 {
		t.Fatalf("%s, %v", want, err)
	}
	for seed := range uint64(seeds(20)) {
		random := rand.New(rand.NewPCG(seed, 2))
		folder := t.TempDir()
		for starts := 0; ; starts++ {
			killed, limit := errors.New("killed"), 1+random.Int64N(10)
			cfg := config(folder, input.Bytes(), &mirror{batch: 1 + random.IntN(5), before: func(call int64) error {
				if call >= limit && starts < 8 {
					return killed
				}
				return nil
			}})
			_, err := Run(t.Context(), cfg)
			if err == nil {
				break
			}
			if !errors.Is(err, killed) {
				t.Fatal(err)
			}
			tear(t, random, folder)
		}
		if got, err := os.ReadFile(filepath.Join(folder, "out")); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("seed %d: %d bytes, not %d, %v", seed, len(got), len(want), err)
		}
	}
	folder := t.TempDir()
	cfg := config(folder, []byte("id,blob\n"), &mirror{batch: 1})
	if _, err := Run(t.Context(), cfg); !errors.Is(err, ErrHeader) {
		t.Errorf("without a column of ciphertexts: %v", err)
	}
	if _, err := os.Stat(filepath.Join(folder, "out")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a run that was refused made its output: %v", err)
	}
}

// Too many failures end a run, and one more is allowed than that.
func TestTooManyFailures(t *testing.T) {
	input := []byte(strings.Repeat("broken\n", 30))
	for most, want := range map[int64]error{29: ErrTooManyFailures, 30: nil, 0: nil} {
		cfg := testConfig(t, t.TempDir(), input, &mirror{batch: 1})
		cfg.MaxFailures = most
		if last, err := Run(t.Context(), cfg); !errors.Is(err, want) || last.Counts.Failed != 30 {
			t.Errorf("at most %d: %+v, %v", most, last, err)
		}
	}
}

// A run to what cannot be cut back keeps no journal; the rows that failed are told as they are written.
func TestRunToAStream(t *testing.T) {
	input := testInput(300)
	want, last := undisturbed(t, input)
	folder := t.TempDir()
	var out bytes.Buffer
	failed := int64(0)
	cfg := testConfig(t, folder, nil, &mirror{batch: 7})
	cfg.Journal, cfg.Medium = "", NewStream(bytes.NewReader(input), &out, jsonLines)
	cfg.Failed = func(failures []Failure) {
		for _, f := range failures {
			if failed++; f.Row == 0 || f.Line == 0 || f.Code == "" || f.Reason == "" {
				t.Errorf("%+v", f)
			}
		}
	}
	got, err := Run(t.Context(), cfg)
	if err != nil || got != last || !bytes.Equal(out.Bytes(), want) || failed != last.Counts.Failed {
		t.Errorf("%+v, %d failed, %v; want %+v", got, failed, err, last)
	}
	if files, err := os.ReadDir(folder); err != nil || len(files) != 0 {
		t.Errorf("it left %v, %v", files, err)
	}
}

// endless is an input that says no more after its text, until it is closed.
type endless struct {
	text io.Reader
	end  <-chan struct{}
}

func (e *endless) Read(p []byte) (int, error) {
	n, err := e.text.Read(p)
	if err == io.EOF {
		<-e.end
		return 0, context.Canceled
	}
	return n, err
}

// A run that waits for its input can be stopped; what it had read before is written.
func TestStoppedRunThatWaits(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	folder := t.TempDir()
	cfg := testConfig(t, folder, nil, &mirror{batch: 50, before: func(call int64) error {
		if call == 2 {
			cancel()
		}
		return nil
	}})
	cfg.Medium = NewFiles(&endless{bytes.NewReader(testInput(120)), ctx.Done()}, filepath.Join(folder, "out"), jsonLines)
	if last, err := Run(ctx, cfg); !errors.Is(err, ErrStopped) || last.Rows < 100 {
		t.Errorf("%+v, %v", last, err)
	}
}

// Two runs with one output are kept apart, also before anything is in it.
func TestOutputIsOneRuns(t *testing.T) {
	folder := t.TempDir()
	began, release := make(chan struct{}), make(chan struct{})
	first := testConfig(t, folder, testInput(20), &mirror{batch: 10, before: func(call int64) error {
		if call == 1 {
			close(began)
		}
		<-release
		return nil
	}})
	done := make(chan error, 1)
	go func() { _, err := Run(t.Context(), first); done <- err }()
	<-began
	second := testConfig(t, folder, testInput(20), &mirror{batch: 10})
	second.Journal += "2"
	if last, err := Run(t.Context(), second); !errors.Is(err, ErrOutputInUse) {
		t.Errorf("%+v, %v", last, err)
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
}
