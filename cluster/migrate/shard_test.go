package migrate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestParseShard(t *testing.T) {
	for text, want := range map[string]Shard{"1/1": {1, 1}, "3/3": {3, 3}, "4096/4096": {4096, 4096}} {
		if got, err := ParseShard(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, bad := range []string{"", "1", "0/3", "4/3", "-1/3", "1/0", "1/4097", "1/2/3", "a/b", "1/"} {
		if got, err := ParseShard(bad); err == nil {
			t.Errorf("%q is %v", bad, got)
		}
	}
}

// The shards of an input have every row once, of about the same number, also when each is killed and goes on; and rows
// with one id meet in one.
func TestShards(t *testing.T) {
	const rows = 1500
	input := append(testInput(rows), bytes.Repeat([]byte("{\"id\":7,\"ciphertext\":\"QUFB\"}\n"), 5)...)
	want, _ := undisturbed(t, input)
	for _, count := range []int{1, 2, 3, 7} {
		var lines []string
		sevens := map[int]int{}
		for i := 1; i <= count; i++ {
			folder := t.TempDir()
			calls, killed := int64(5), errors.New("killed")
			var last Checkpoint
			for err := killed; err != nil; calls *= 2 {
				cfg := testConfig(t, folder, input, &mirror{batch: 11, before: func(call int64) error {
					if call == calls {
						return killed
					}
					return nil
				}})
				cfg.Shard = Shard{i, count}
				if last, err = Run(t.Context(), cfg); err != nil && !errors.Is(err, killed) {
					t.Fatal(err)
				}
			}
			got, err := os.ReadFile(filepath.Join(folder, "out"))
			if err != nil {
				t.Fatal(err)
			}
			own := strings.SplitAfter(strings.TrimSuffix(string(got), "\n"), "\n")
			for _, line := range own {
				if strings.HasPrefix(line, `{"id":7,`) {
					sevens[i]++
				}
			}
			own[len(own)-1] += "\n"
			if c := last.Counts; last.Rows != rows+5 || c.own() != int64(len(own)) || c.own()+c.Others != last.Rows || len(own) < rows/count/2 {
				t.Errorf("shard %d/%d: %+v, %d rows", i, count, last, len(own))
			}
			lines = append(lines, own...)
			before, after := NewJSONLines(bytes.NewReader(input), DefaultColumns), NewJSONLines(bytes.NewReader(got), DefaultColumns)
			pairs := PairFormats(Shard{i, count}.Rows(before), after)
			n, pairErr := 0, error(nil)
			for ; pairErr == nil; n++ {
				_, _, pairErr = pairs.Next(t.Context())
			}
			if pairErr != io.EOF || n-1 != len(own) {
				t.Errorf("shard %d/%d: %d pairs of %d rows, %v", i, count, n-1, len(own), pairErr)
			}
		}
		slices.Sort(lines)
		if all := slices.Sorted(strings.Lines(string(want))); !slices.Equal(lines, all) {
			t.Errorf("%d shards have %d rows of %d", count, len(lines), len(all))
		}
		if len(sevens) != 1 {
			t.Errorf("rows with one id are in the shards %v of %d", sevens, count)
		}
	}
}

// Shards are the same on every machine and in every version.
func TestShardsStayWhatTheyAre(t *testing.T) {
	var got []string
	for i := range int64(8) {
		row := &Row{Number: i + 1, ID: fmt.Sprint("id-", i)}
		if i%2 == 0 {
			row.ID = ""
		}
		got = append(got, fmt.Sprint(place(row)%1000))
	}
	if text := strings.Join(got, " "); text != "1 15 3 201 5 491 7 789" {
		t.Errorf("the places are %s", text)
	}
}
