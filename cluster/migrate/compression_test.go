package migrate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// packed packs a text in one piece for each of the sizes, and what is left.
func packed(t testing.TB, c Compression, text []byte, sizes ...int) []byte {
	t.Helper()
	var out bytes.Buffer
	for i := 0; i <= len(sizes); i++ {
		p, err := newPacker(c)
		if err != nil {
			t.Fatal(err)
		}
		p.Reset(&out)
		piece := text
		if i < len(sizes) {
			piece = text[:sizes[i]]
		}
		text = text[len(piece):]
		_, err = p.Write(piece)
		if err := errors.Join(err, p.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

// unpacked is what other readers than ours find.
func unpacked(t *testing.T, c Compression, data []byte) []byte {
	t.Helper()
	var r io.Reader
	var err error
	if c == Gzip {
		r, err = gzip.NewReader(bytes.NewReader(data))
	} else {
		r, err = zstd.NewReader(bytes.NewReader(data))
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Packed input is found by its name or its first bytes, and may have several members.
func TestUnpack(t *testing.T) {
	text := testInput(500)
	for c, end := range map[Compression]string{Gzip: ".gz", Zstd: ".zst"} {
		for _, name := range []string{"keys.jsonl" + end, "keys.jsonl", "-"} {
			data := packed(t, c, text, 100, 0, 5000)
			if got, err := io.ReadAll(Unpack(iotest.OneByteReader(bytes.NewReader(data)), name)); err != nil || !bytes.Equal(got, text) {
				t.Errorf("%s as %s: %d bytes of %d, %v", c, name, len(got), len(text), err)
			}
		}
		if got, inner := CompressionOf("a/keys.csv" + end); got != c || inner != "a/keys.csv" {
			t.Errorf("%s: %s, %s", end, got, inner)
		}
	}
	for _, plain := range []string{"", "x", "{}\n", "\x1f"} {
		if got, err := io.ReadAll(Unpack(strings.NewReader(plain), "keys.jsonl")); err != nil || string(got) != plain {
			t.Errorf("%q: %q, %v", plain, got, err)
		}
	}
}

// Packed input that is cut anywhere but between two members, or followed by something else, or none at all, is refused
// with the place. So is one byte that was changed, where sums tell.
func TestUnpackRefusesDamage(t *testing.T) {
	text := testInput(300)
	for c, end := range map[Compression]string{Gzip: ".gz", Zstd: ".zst"} {
		data := packed(t, c, text)
		for n := range len(data) {
			if _, err := io.ReadAll(Unpack(bytes.NewReader(data[:n]), "keys"+end)); !errors.Is(err, ErrInputDamaged) || !strings.Contains(err.Error(), fmt.Sprint("cut off at byte ", n)) {
				t.Fatalf("%s cut at byte %d: %v", c, n, err)
			}
		}
		for at := range len(data) {
			bad := bytes.Clone(data)
			bad[at] ^= 0x10
			got, err := io.ReadAll(Unpack(bytes.NewReader(bad), "keys"+end))
			if err != nil && !errors.Is(err, ErrInputDamaged) {
				t.Fatalf("%s changed at byte %d: %v", c, at, err)
			}
			if err == nil && !bytes.Equal(got, text) { // some bytes, such as the time in a gzip header, mean nothing
				t.Fatalf("%s changed at byte %d: another text", c, at)
			}
		}
		for what, bad := range map[string][]byte{"other bytes": []byte("{}\n"), "garbage behind it": append(bytes.Clone(data), "{}\n"...)} {
			if _, err := io.ReadAll(Unpack(bytes.NewReader(bad), "keys"+end)); !errors.Is(err, ErrInputDamaged) || !strings.Contains(err.Error(), " byte ") {
				t.Errorf("%s, %s: %v", c, what, err)
			}
		}
		broken := errors.New("broken disk")
		if _, err := io.ReadAll(Unpack(io.MultiReader(bytes.NewReader(data[:100]), iotest.ErrReader(broken)), "keys"+end)); !errors.Is(err, broken) || errors.Is(err, ErrInputDamaged) {
			t.Errorf("%s on a broken disk: %v", c, err)
		}
	}
}

// windowed is a zstd frame that asks for a window of so many bytes and holds a few.
func windowed(exponent byte) []byte {
	return append([]byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, (exponent - 10) << 3}, 0x19, 0, 0, 'a', 'b', 'c') // one raw block, the last
}

// A frame may ask for the window that is allowed, and not for one step more.
func TestUnpackBoundsTheWindow(t *testing.T) {
	if got, err := io.ReadAll(Unpack(bytes.NewReader(windowed(25)), "-")); err != nil || string(got) != "abc" {
		t.Errorf("32 MiB: %q, %v", got, err)
	}
	next := windowed(25)
	next[5] |= 1 // and an eighth
	for what, frame := range map[string][]byte{
		"36 MiB": next, "64 MiB": windowed(26), "1 TiB": windowed(40),
		"one segment of 1 TiB": append([]byte{0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 1, 0, 0}, 0x19, 0, 0, 'a', 'b', 'c'),
	} {
		if _, err := io.ReadAll(Unpack(bytes.NewReader(frame), "-")); !errors.Is(err, ErrInputDamaged) || !strings.Contains(err.Error(), "more than 32 MiB") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// packedConfig is a run from packed input to packed output.
func packedConfig(t *testing.T, folder string, input []byte, c Compression, way Way) Config {
	t.Helper()
	cfg := testConfig(t, folder, nil, way)
	files := NewFiles(Unpack(bytes.NewReader(input), "-"), filepath.Join(folder, "out"), jsonLines)
	files.Compression = c
	cfg.Medium = files
	return cfg
}

// Packed output is at each checkpoint a whole file of the rows so far, and a run that is killed goes on with it.
func TestKilledRunOfPackedFiles(t *testing.T) {
	input := testInput(300)
	want, _ := undisturbed(t, input)
	for _, c := range []Compression{Gzip, Zstd} {
		data := packed(t, c, input, 1000, 1, 9000)
		for seed := range uint64(seeds(12)) {
			random := rand.New(rand.NewPCG(seed, 3))
			folder := t.TempDir()
			for starts := 0; ; starts++ {
				killed, limit := errors.New("killed"), 1+random.Int64N(25)
				cfg := packedConfig(t, folder, data, c, &mirror{batch: 1 + random.IntN(9), before: func(call int64) error {
					if call >= limit && starts < 8 {
						return killed
					}
					return nil
				}})
				last, err := Run(t.Context(), cfg)
				got, readErr := os.ReadFile(filepath.Join(folder, "out"))
				if readErr != nil || int64(len(got)) < last.Output {
					t.Fatalf("seed %d: %d bytes, %v", seed, len(got), readErr)
				}
				if last.Rows > 0 {
					text := unpacked(t, c, got[:last.Output])
					if !bytes.HasPrefix(want, text) || int64(bytes.Count(text, []byte("\n"))) != last.Rows {
						t.Fatalf("seed %d: the checkpoint at row %d has %d bytes that are not the rows so far", seed, last.Rows, len(text))
					}
				}
				if err == nil {
					if !bytes.Equal(unpacked(t, c, got), want) {
						t.Fatalf("seed %d: the output differs from that of an undisturbed run", seed)
					}
					break
				}
				if !errors.Is(err, killed) {
					t.Fatal(err)
				}
				tear(t, random, folder)
			}
		}
	}
}

// What is before damaged input is moved and safe; with the whole input the run goes on.
func TestRunOfDamagedInput(t *testing.T) {
	input := testInput(300)
	want, _ := undisturbed(t, input)
	for _, c := range []Compression{Gzip, Zstd} {
		half := bytes.Index(input, []byte("{\"id\":200,"))
		data := packed(t, c, input, half)
		cut := len(packed(t, c, input[:half])) + 5
		folder := t.TempDir()
		last, err := Run(t.Context(), packedConfig(t, folder, data[:cut], c, &mirror{batch: 7}))
		if !errors.Is(err, ErrInputDamaged) || !strings.Contains(err.Error(), "after row 200: ") || !strings.Contains(err.Error(), fmt.Sprint("cut off at byte ", cut)) || last.Rows != 200 {
			t.Errorf("%s: %+v, %v", c, last, err)
		}
		if last, err := Run(t.Context(), packedConfig(t, folder, data, c, &mirror{batch: 7})); err != nil || last.Rows != 300 {
			t.Errorf("%s: %+v, %v", c, last, err)
		}
		if got, err := os.ReadFile(filepath.Join(folder, "out")); err != nil || !bytes.Equal(unpacked(t, c, got), want) {
			t.Errorf("%s: the output differs, %v", c, err)
		}
	}
}

// The output of no rows is a packed file too.
func TestPackedOutputOfNoRows(t *testing.T) {
	for _, c := range []Compression{Gzip, Zstd} {
		folder := t.TempDir()
		if last, err := Run(t.Context(), packedConfig(t, folder, nil, c, &mirror{})); err != nil || !last.Done {
			t.Fatalf("%+v, %v", last, err)
		}
		got, err := os.ReadFile(filepath.Join(folder, "out"))
		if err != nil || len(got) == 0 || len(unpacked(t, c, got)) != 0 {
			t.Errorf("%s: %x, %v", c, got, err)
		}
	}
}

func FuzzUnpack(f *testing.F) {
	for _, c := range []Compression{Gzip, Zstd} {
		f.Add(packed(f, c, []byte("{}\n"), 1))
	}
	f.Add(windowed(26))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, name := range []string{"-", "x.gz", "x.zst"} {
			n, err := io.Copy(io.Discard, io.LimitReader(Unpack(bytes.NewReader(data), name), 16<<20))
			if err != nil && !errors.Is(err, ErrInputDamaged) {
				t.Errorf("%s: %d bytes, %v", name, n, err)
			}
		}
	})
}
