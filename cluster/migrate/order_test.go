package migrate

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// numbered are the columns of a run whose rows need not keep their order.
var numbered = func() Columns { c := DefaultColumns; c.Numbered = true; return c }()

// unorderedConfig is a run whose rows need not keep their order.
func unorderedConfig(t *testing.T, folder string, input []byte, way Way) Config {
	t.Helper()
	cfg := testConfig(t, folder, input, way)
	cfg.Unordered = true
	cfg.Medium = NewFiles(bytes.NewReader(input), filepath.Join(folder, "out"), func(r io.Reader) (Format, error) { return NewJSONLines(r, numbered), nil })
	return cfg
}

var inputRow = regexp.MustCompile(`,"input_row":(\d+)`)

// sorted puts the rows of an output into the order of the input, without their numbers. Broken rows come last.
func sorted(t *testing.T, output []byte) (text string, inOrder bool) {
	t.Helper()
	lines := strings.SplitAfter(string(output), "\n")
	number := func(line string) int {
		m := inputRow.FindStringSubmatch(line)
		if m == nil {
			return 1 << 30
		}
		n, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	byNumber := func(a, b string) int { return number(a) - number(b) }
	inOrder = slices.IsSortedFunc(lines, byNumber)
	slices.SortStableFunc(lines, byNumber)
	return inputRow.ReplaceAllString(strings.Join(lines, ""), ""), inOrder
}

// pairUp is a way whose calls wait for one another two by two, and of whose pairs the first to come is the last to end.
type pairUp struct {
	Way
	waiting chan chan struct{}
}

func (p *pairUp) Move(ctx context.Context, rows []*Row) ([]Outcome, error) {
	turn := make(chan struct{})
	select {
	case p.waiting <- turn: // another call is there to take it
		<-turn
	case other := <-p.waiting:
		defer close(other)
	case <-time.After(time.Millisecond): // none is: the order has no meaning here
	}
	return p.Way.Move(ctx, rows)
}

// A run whose rows need not keep their order writes every row once, however often it is killed and whatever of its files
// came to the disk, and each says which it was.
func TestUnorderedRun(t *testing.T) {
	input := testInput(400)
	ordered, _ := undisturbed(t, input)
	broken := "broken\n" // such rows have no number, and sorted has them last
	want := strings.ReplaceAll(string(ordered), broken, "") + strings.Repeat(broken, strings.Count(string(ordered), broken))
	out := false // of order, once at least
	for seed := range uint64(seeds(40)) {
		random := rand.New(rand.NewPCG(seed, 2))
		folder := t.TempDir()
		killedRuns(t, random, folder, 12, 25, func(way *mirror) Config {
			way.batch = 1 + random.IntN(9)
			cfg := unorderedConfig(t, folder, input, &pairUp{way, make(chan chan struct{})})
			cfg.Parallel = 2 + random.IntN(4)
			cfg.Every = time.Duration(random.IntN(3)) * 100 * time.Microsecond
			return cfg
		})
		output, err := os.ReadFile(filepath.Join(folder, "out"))
		if err != nil {
			t.Fatal(err)
		}
		got, inOrder := sorted(t, output)
		if got != want {
			t.Fatalf("seed %d: the output has other rows than that of an undisturbed run", seed)
		}
		out = out || !inOrder
	}
	if !out {
		t.Error("all rows kept their order")
	}
}

// held is a way that holds the batch with the first row back until release is closed, and then answers err.
type held struct {
	Way
	release chan struct{}
	err     error
}

func (h *held) Move(ctx context.Context, rows []*Row) ([]Outcome, error) {
	if rows[0].Number == 1 {
		<-h.release
		if h.err != nil {
			return nil, h.err
		}
	}
	return h.Way.Move(ctx, rows)
}

// As long as an earlier row is not written there is no checkpoint; where it cannot be moved, those behind it do not count.
func TestUnorderedRunCountsFromTheBeginning(t *testing.T) {
	input := testInput(100)
	lost := errors.New("no node answers")
	for name, want := range map[string]error{"moved late": nil, "not moved": lost} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			way := &held{Way: &mirror{batch: 10}, release: make(chan struct{}), err: want}
			cfg := unorderedConfig(t, folder, input, way)
			written := int64(0)
			cfg.Medium = &watched{Medium: cfg.Medium, wrote: func(rows []*Row) {
				if written == 0 && rows[0].Number > 1 {
					close(way.release) // the others did not wait for the first
				}
				written += int64(len(rows))
			}}
			last, err := Run(t.Context(), cfg)
			if !errors.Is(err, want) {
				t.Fatal(err)
			}
			if want == nil {
				if !last.Done || last.Rows != 100 || written != 100 {
					t.Errorf("%+v, %d rows written", last, written)
				}
				return
			}
			if last.Rows != 0 || written == 0 {
				t.Errorf("%d rows count, %d were written, and the first was not moved", last.Rows, written)
			}
			if last, err = Run(t.Context(), unorderedConfig(t, folder, input, &mirror{batch: 10})); err != nil || !last.Done || last.Rows != 100 {
				t.Fatalf("%+v, %v", last, err)
			}
			output, err := os.ReadFile(filepath.Join(folder, "out"))
			if n := bytes.Count(output, []byte("\n")); err != nil || n != 100 {
				t.Errorf("%d rows, %v", n, err)
			}
		})
	}
}

// watched is a medium that tells what is written.
type watched struct {
	Medium
	wrote func(rows []*Row)
}

func (w *watched) Write(ctx context.Context, rows []*Row, outcomes []Outcome) error {
	if len(rows) > 0 {
		w.wrote(rows)
	}
	return w.Medium.Write(ctx, rows, outcomes)
}

// A run that ends because too many rows failed, or because it was asked to, has what it wrote in a checkpoint, and goes on.
func TestUnorderedRunEndsEarly(t *testing.T) {
	input := testInput(300)
	for name, edit := range map[string]func(*Config, func()){
		"too many": func(c *Config, _ func()) { c.MaxFailures = 5 },
		"asked to": func(c *Config, cancel func()) {
			c.Way.(*mirror).before = func(call int64) error {
				if call == 10 {
					cancel()
				}
				return nil
			}
		},
	} {
		folder := t.TempDir()
		cfg := unorderedConfig(t, folder, input, &mirror{batch: 5})
		ctx, cancel := context.WithCancel(t.Context())
		edit(&cfg, cancel)
		last, err := Run(ctx, cfg)
		cancel()
		if !errors.Is(err, ErrTooManyFailures) && !errors.Is(err, ErrStopped) || last.Done || last.Rows == 0 {
			t.Fatalf("%s: %+v, %v", name, last, err)
		}
		if last, err = Run(t.Context(), unorderedConfig(t, folder, input, &mirror{batch: 5})); err != nil || !last.Done || last.Rows != 300 {
			t.Fatalf("%s: %+v, %v", name, last, err)
		}
		output, err := os.ReadFile(filepath.Join(folder, "out"))
		if n := bytes.Count(output, []byte("\n")); err != nil || n != 300 {
			t.Errorf("%s: %d rows, %v", name, n, err)
		}
	}
}

// An early row that is not done lets only so many others by.
func TestOrderBoundsHowFarRowsGetApart(t *testing.T) {
	const size = 500
	queue := make(chan *batch, 1000)
	for i := range int64(cap(queue)) {
		b := &batch{place: i + 1, rows: make([]*Row, size), done: make(chan struct{})}
		if i > 0 {
			close(b.done)
		}
		queue <- b
	}
	due := make(chan time.Time)
	close(due)
	o := newOrder(queue, true)
	written := 0
	for b := o.next(nil); b != nil && len(o.open) > 0 && o.room(); b = o.next(nil) {
		written++
	}
	if got := o.rows; got != maxAhead || written != maxAhead/size-2 {
		t.Errorf("%d rows taken, %d batches written", got, written)
	}
	for range 3 {
		if b := o.next(due); b != nil && o.rows > maxAhead {
			t.Fatalf("batch %d was taken", b.place)
		}
	}
	close(o.open[0].done)
	if b := o.next(nil); b == nil || b.place != 1 {
		t.Errorf("%+v; want the first", b)
	}
	ordered := newOrder(queue, false)
	first := <-queue
	first.done = make(chan struct{})
	requeued := make(chan *batch, 2)
	requeued <- first
	requeued <- <-queue
	ordered.queue = requeued
	for ordered.taken == nil {
		ordered.next(due)
	}
	for range 20 {
		if b := ordered.next(due); b != nil || len(requeued) != 1 {
			t.Fatal("where rows keep their order, one was taken before the first was done")
		}
	}
}

// What is done is written together, up to so many rows, and in order where it has one; an error stays for later.
func TestOrderJoinsBatches(t *testing.T) {
	for _, unordered := range []bool{false, true} {
		queue := make(chan *batch, 20)
		batches := make([]*batch, 10)
		for i := range batches {
			b := &batch{place: int64(i + 1), rows: make([]*Row, 2), outcomes: make([]Outcome, 2), others: 1, mark: Mark{Input: int64(i + 1)}, done: make(chan struct{})}
			b.last = i == 9
			if i != 4 {
				close(b.done)
			}
			batches[i] = b
			queue <- b
		}
		close(queue)
		batches[7].err = io.ErrUnexpectedEOF
		o := newOrder(queue, unordered)
		b := o.next(nil)
		if o.join(b, 5); len(b.rows) != 6 || b.others != 3 || b.place != 3 || b.mark.Input != 3 {
			t.Errorf("unordered %t: the first are %+v", unordered, b)
		}
		b = o.next(nil)
		o.join(b, 100)
		want := int64(4) // the next is not done
		if unordered {
			want = 7
		}
		if b.place != want || b.last || len(b.outcomes) != int(want-3)*2-map[bool]int{true: 2}[unordered] {
			t.Errorf("unordered %t: up to %d, %d outcomes", unordered, b.place, len(b.outcomes))
		}
		close(batches[4].done)
		if b = o.next(nil); b.place != 5 {
			t.Errorf("unordered %t: %d; want the one that was waited for", unordered, b.place)
		}
		if o.join(b, 100); !unordered && b.place != 7 {
			t.Errorf("in order: up to %d", b.place)
		}
		if b = o.next(nil); b.place != 8 || b.err == nil {
			t.Errorf("unordered %t: %d, %v; want the error", unordered, b.place, b.err)
		}
	}
}

// gathering is a medium that wants many rows at once.
type gathering struct{ Medium }

func (gathering) Gathers() int { return 50 }

// A run over such a medium ends as any other, however often it is killed.
func TestGatheringRun(t *testing.T) {
	input := testInput(400)
	want, _ := undisturbed(t, input)
	for seed := range uint64(seeds(20)) {
		random := rand.New(rand.NewPCG(seed, 3))
		folder := t.TempDir()
		killedRuns(t, random, folder, 6, 150, func(way *mirror) Config {
			way.batch = 1
			cfg := testConfig(t, folder, input, way)
			cfg.Medium = gathering{cfg.Medium}
			return cfg
		})
		if got, err := os.ReadFile(filepath.Join(folder, "out")); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("seed %d: the output differs from that of an undisturbed run, %v", seed, err)
		}
	}
}

// A run that ends before its input does waits for no more of it, and says once why.
func TestRunEndsWhileTheInputWaits(t *testing.T) {
	for _, unordered := range []bool{false, true} {
		reader, writer := io.Pipe()
		go func() { _, _ = writer.Write(bytes.Repeat([]byte("broken\n"), 30)) }() // and then nothing; an error is the end of the test
		cfg := unorderedConfig(t, t.TempDir(), nil, &mirror{batch: 5})
		cfg.Unordered, cfg.MaxFailures = unordered, 3
		cfg.Medium = NewStream(reader, io.Discard, jsonLines)
		cfg.Journal = ""
		cfg.Stop = func() { _ = reader.CloseWithError(io.ErrClosedPipe) }
		if last, err := Run(t.Context(), cfg); !errors.Is(err, ErrTooManyFailures) || last.Counts.Failed < 4 {
			t.Errorf("unordered %t: %+v, %v", unordered, last, err)
		}

		lost := errors.New("no node answers")
		cfg = unorderedConfig(t, t.TempDir(), testInput(3000), &mirror{batch: 5, before: func(int64) error { return lost }})
		cfg.Unordered, cfg.Parallel = unordered, 16
		if _, err := Run(t.Context(), cfg); !errors.Is(err, lost) || strings.Count(err.Error(), lost.Error()) != 1 {
			t.Errorf("unordered %t: %v", unordered, err)
		}
	}
}

// Where nobody goes on behind a checkpoint, all that was written counts, and is still not the whole: the end of the input
// was written here, and the first rows were not.
func TestUnorderedStreamCountsWhatItWrote(t *testing.T) {
	var out bytes.Buffer
	way := &held{Way: &mirror{batch: 10}, release: make(chan struct{}), err: errors.New("no node answers")}
	cfg := Config{Header: testHeader, Way: way, Unordered: true}
	written := 0
	cfg.Medium = &watched{Medium: NewStream(bytes.NewReader(testInput(100)), &out, jsonLines), wrote: func(rows []*Row) {
		if written += len(rows); written == 90 {
			close(way.release)
		}
	}}
	last, err := Run(t.Context(), cfg)
	if !errors.Is(err, way.err) || last.Done || last.Rows != 90 || bytes.Count(out.Bytes(), []byte("\n")) != 90 {
		t.Errorf("%+v, %d written, %v", last, written, err)
	}
}

// When a checkpoint is due nothing is written any more but what it waits for.
func TestOrderPauses(t *testing.T) {
	queue := make(chan *batch, 10)
	batches := make([]*batch, 6)
	for i := range batches {
		batches[i] = &batch{place: int64(i + 1), rows: make([]*Row, 1), done: make(chan struct{})}
		queue <- batches[i]
	}
	o := newOrder(queue, true)
	for _, i := range []int{2, 3} { // the first two are not done
		close(batches[i].done)
		b := o.next(nil)
		o.written = max(o.written, b.place)
	}
	o.pausing = !o.whole()
	close(batches[4].done)
	close(batches[1].done)
	if b := o.next(nil); b != batches[1] || o.whole() {
		t.Errorf("batch %d, whole %t; want the second", b.place, o.whole())
	}
	due := make(chan time.Time)
	close(due)
	if b := o.next(due); b != nil {
		t.Errorf("batch %d was written though a checkpoint is due", b.place)
	}
	close(batches[0].done)
	if b := o.next(nil); b != batches[0] || !o.whole() {
		t.Errorf("batch %d, whole %t; want the first, and then a checkpoint", b.place, o.whole())
	}
	o.pausing = false
	if b := o.next(nil); b != batches[4] {
		t.Errorf("batch %d; want the fifth", b.place)
	}
}
