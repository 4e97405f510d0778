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
)

func uniqueLines(most int64) func(io.Reader) (Format, error) {
	return func(input io.Reader) (Format, error) {
		return NewUnique(NewJSONLines(input, DefaultColumns), Shard{}, most), nil
	}
}

// A row with the id of an earlier one fails, wherever a run that was killed goes on between the two.
func TestDuplicatesAreFound(t *testing.T) {
	var input bytes.Buffer
	for i := range 200 {
		id := fmt.Sprint(i)
		if i%10 == 9 {
			id = fmt.Sprint(i / 2)
		}
		fmt.Fprintf(&input, `{"id":"%s","ciphertext":"QUFB"}`+"\n", id)
		fmt.Fprintln(&input, `{"ciphertext":"QUFB"}`) // no id is none twice
	}
	want := int64(0)
	seen := map[string]bool{}
	for i := range 200 {
		id := fmt.Sprint(i)
		if i%10 == 9 {
			id = fmt.Sprint(i / 2)
		}
		if seen[id] {
			want++
		}
		seen[id] = true
	}
	for seed := range uint64(10) {
		random := rand.New(rand.NewPCG(seed, 4))
		folder := t.TempDir()
		for starts := 0; ; starts++ {
			killed, limit := errors.New("killed"), 1+random.Int64N(25)
			cfg := testConfig(t, folder, nil, &mirror{batch: 1 + random.IntN(9), before: func(call int64) error {
				if call >= limit && starts < 8 {
					return killed
				}
				return nil
			}})
			cfg.Medium = NewFiles(bytes.NewReader(input.Bytes()), filepath.Join(folder, "out"), uniqueLines(1000))
			last, err := Run(t.Context(), cfg)
			if err == nil {
				_, history, err := ReadJournal(cfg.Journal)
				if err != nil || last.Counts.Failed != want || int64(len(history.Failures)) != want || last.Rows != 400 {
					t.Fatalf("seed %d: %+v, want %d failed; %v", seed, last, want, err)
				}
				for _, f := range history.Failures {
					if f.Code != FaultDuplicate || f.Line != f.Row || f.ID == "" {
						t.Errorf("%+v", f)
					}
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

// As many ids are remembered as may be, and not one more.
func TestIDsBeyondTheLimit(t *testing.T) {
	text := `{"id":1,"ciphertext":"QUFB"}` + "\n" + `{"id":2,"ciphertext":"QUFB"}` + "\n" + `{"id":3,"ciphertext":"QUFB"}` + "\n"
	rows, err := uniqueLines(2)(strings.NewReader(text + text))
	if err != nil {
		t.Fatal(err)
	}
	u := rows.(*Unique)
	var faults []bool
	for {
		row, err := u.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		faults = append(faults, row.Fault != nil)
	}
	if fmt.Sprint(faults) != "[false false false true true false]" || u.Forgotten != 2 {
		t.Errorf("%v, %d forgotten", faults, u.Forgotten)
	}
	if err := u.Close(); err != nil {
		t.Error(err)
	}
}

// A set of a million hashes has them and no others, and keeps the bound that is promised.
func TestHashSet(t *testing.T) {
	const n = 1_000_000
	var s hashSet
	random := rand.New(rand.NewPCG(1, 2))
	hashes := make([]uint64, n)
	for i := range hashes {
		hashes[i] = random.Uint64()
		if got, err := s.add(hashes[i], true); err != nil || got != idNew {
			t.Fatalf("hash %d: %d, %v", i, got, err)
		}
	}
	size := 0
	for i := range s.parts {
		size += len(s.parts[i].memory)
	}
	if s.size != n || size > 12*n+4<<20 {
		t.Errorf("%d hashes take %d bytes", s.size, size)
	}
	for i, h := range hashes {
		if got, err := s.add(h, false); err != nil || got != idThere {
			t.Fatalf("hash %d: %d, %v", i, got, err)
		}
		if got, err := s.add(random.Uint64(), false); err != nil || got != idForgotten {
			t.Fatalf("another hash: %d, %v", got, err)
		}
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
}

// CSV keeps its header.
func TestUniqueCSV(t *testing.T) {
	folder := t.TempDir()
	cfg := testConfig(t, folder, nil, &mirror{batch: 7})
	cfg.Medium = NewFiles(strings.NewReader("id,ciphertext\n1,QUFB\n1,QUFB\n"), filepath.Join(folder, "out"), func(input io.Reader) (Format, error) {
		rows, err := NewCSV(input, ',', DefaultColumns)
		if err != nil {
			return nil, err
		}
		return NewUnique(rows, Shard{}, 10), nil
	})
	if last, err := Run(t.Context(), cfg); err != nil || last.Counts != (Counts{Moved: 1, Failed: 1}) {
		t.Errorf("%+v, %v", last, err)
	}
	if got, err := os.ReadFile(filepath.Join(folder, "out")); err != nil || !strings.HasPrefix(string(got), "id,ciphertext,from,status\n1,QUFB,a/k/v,moved\n1,QUFB,,failed\n") {
		t.Errorf("%s, %v", got, err)
	}
}
