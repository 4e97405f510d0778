package migrate

import (
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// A journal tells over all starts what came of the rows of each key, each start, and what the regions were asked.
func TestHistoryOfAKilledRun(t *testing.T) {
	from, to := newCloud(t, "cn-a", 1), newCloud(t, "cn-b", 1)
	var rows []string
	for i := range 40 {
		rows = append(rows, from.row(t, fmt.Sprint("data key ", i), ""))
	}
	rows = append(rows, "broken", to.row(t, "moved before", ""), newCloud(t, "cn-c", 1).row(t, "x", ""), "broken too")
	input := strings.Join(rows, "\n") + "\n"
	folder := t.TempDir()
	way := newTestWay(t, from, to)
	starts, random := 0, rand.New(rand.NewPCG(1, 1))
	for ; ; starts++ {
		refuses := starts < 5
		from.mu.Lock()
		from.refuse = func(action string, _ int, _ map[string]string) (int, string) {
			if action == "ExportDataKey" && refuses && random.IntN(8) == 0 {
				return 403, "Forbidden.ExportNotAllowed"
			}
			return 0, ""
		}
		from.mu.Unlock()
		cfg := testConfig(t, folder, []byte(input), way)
		cfg.Regions, cfg.Tool = []*Region{way.from, way.to}, fmt.Sprint("v", starts)
		if last, err := Run(t.Context(), cfg); err == nil {
			if last.Rows != 44 {
				t.Fatalf("%+v", last)
			}
			break
		}
	}
	_, h, err := ReadJournal(filepath.Join(folder, "journal"))
	if err != nil {
		t.Fatal(err)
	}
	source := "cn-a/" + from.key.String() + "/" + from.version.String()
	target := "cn-b/" + to.key.String() + "/" + to.version.String()
	var sum Counts
	found := map[string]Counts{}
	for _, g := range h.Groups {
		sum.add(g.Counts)
		found[g.Source+" "+g.Target] = g.Counts
	}
	if sum != h.Last().Counts || len(h.Groups) != 4 {
		t.Errorf("the groups %+v are %+v together, want %+v", h.Groups, sum, h.Last().Counts)
	}
	for g, want := range map[string]Counts{source + " " + target: {Moved: 40}, target + " ": {Kept: 1}, " ": {Failed: 2}} {
		if found[g] != want {
			t.Errorf("%s: %+v, want %+v", g, found[g], want)
		}
	}
	if want := map[string]int64{FaultSyntax: 2, FaultRegion: 1}; !reflect.DeepEqual(h.Codes, want) {
		t.Errorf("codes %v, want %v", h.Codes, want)
	}
	if len(h.Starts) != starts+1 {
		t.Fatalf("%d starts, want %d", len(h.Starts), starts+1)
	}
	last := h.Starts[starts]
	if last.Tool != fmt.Sprint("v", starts) || last.Parallel != 4 || last.At.IsZero() || last.Last.Before(last.At) {
		t.Errorf("the last start is %+v", last)
	}
	traffic := h.Traffic()
	if len(traffic) != 2 || traffic[0].Region != "cn-a" || traffic[0].Calls < 40 || traffic[1].Calls < 40 || traffic[1].Last != "r" {
		t.Errorf("the traffic is %+v", traffic)
	}
}

// Groups are told apart up to a limit, and failures named up to one; more are only counted.
func TestGroupsOfAHistoryAreBounded(t *testing.T) {
	var h History
	for i := range maxGroups + 5 {
		h.add(Since{Groups: []GroupCount{{Source: fmt.Sprint(i), Counts: Counts{Moved: 1}}}})
	}
	h.add(Since{Groups: []GroupCount{{Source: "7", Counts: Counts{Moved: 1}}}})
	if n := len(h.groups.counts); n != maxGroups+1 || h.groups.counts[group{source: otherGroups}].Moved != 5 || h.groups.counts[group{source: "7"}].Moved != 2 {
		t.Errorf("%d groups, others %+v", n, h.groups.counts[group{source: otherGroups}])
	}
	half := make([]Failure, MaxListed/2)
	for i, want := range []int{MaxListed / 2, MaxListed, MaxListed, MaxListed} {
		h.add(Since{Failures: half})
		if len(h.Failures) != want || h.Codes[""] != int64((i+1)*len(half)) {
			t.Errorf("%d failures of %v", len(h.Failures), h.Codes)
		}
	}
}

// Lines that are of two kinds at once, or a start behind the end, are damage.
func TestJournalLinesOutOfPlace(t *testing.T) {
	path, _, _ := writeJournal(t)
	j, _, err := OpenJournal(path, testHeader)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(j.Start(Start{At: time.Unix(1, 0)}), j.Close()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ReadJournal(path); !errors.Is(err, ErrJournalDamaged) {
		t.Errorf("a start behind the end: %v", err)
	}
	for _, e := range []entry{{Start: &Start{}, Checkpoint: &Checkpoint{}}, {Header: &Header{Version: 1}}, {}} {
		path := filepath.Join(t.TempDir(), "journal")
		j, err := CreateJournal(path, testHeader)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(j.append(e), j.Close()); err != nil {
			t.Fatal(err)
		}
		if _, _, err := ReadJournal(path); !errors.Is(err, ErrJournalDamaged) {
			t.Errorf("%+v: %v", e, err)
		}
	}
}

// Whatever the lines of a journal say, with sums that fit, reading it ends, and its parts fit together.
func FuzzJournalLines(f *testing.F) {
	f.Add(`{"header":{"version":1}}` + "\n" + `{"start":{"at":"2026-01-01T00:00:00Z","parallel":4}}` + "\n" +
		`{"checkpoint":{"rows":1,"in":2,"out":3,"counts":{"moved":1}},"groups":[{"source":"a/b/c","moved":1}],"traffic":[{"region":"a","calls":1}],"failed":[{"row":1,"code":"x"}]}`)
	f.Add(`{"header":{"version":1}}` + "\n" + `{"opened":{"at":"2026-01-01T00:00:00Z"}}` + "\n" + `{"opened":{"at":"2026-01-01T00:00:00Z"},"start":{"parallel":4}}`)
	f.Fuzz(func(t *testing.T, text string) {
		var journal strings.Builder
		for line := range strings.Lines(text) {
			line = strings.TrimSuffix(line, "\n")
			fmt.Fprintf(&journal, "%08x %s\n", crc32.Checksum([]byte(line), castagnoli), line)
		}
		path := filepath.Join(t.TempDir(), "journal")
		if err := os.WriteFile(path, []byte(journal.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		header, h, err := ReadJournal(path)
		if err != nil {
			return
		}
		failures := int64(0)
		for _, n := range h.Codes {
			failures += n
		}
		if header.Version != journalVersion || int64(len(h.Failures)) > failures || len(h.Groups) > maxGroups+1 || len(h.Traffic()) > 0 && len(h.Starts) == 0 {
			t.Errorf("%+v of %q", h, text)
		}
	})
}
