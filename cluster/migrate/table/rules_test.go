package table

import (
	"slices"
	"strings"
	"testing"

	"meridian/cluster/migrate"
	"meridian/crypto"
)

// sealedBlob is a blob of a region.
func sealedBlob(t *testing.T, region string, key crypto.KeyID) string {
	t.Helper()
	x, err := crypto.NewXAES(crypto.NewMaterial(crypto.AlgorithmXAES256GCM))
	if err != nil {
		t.Fatal(err)
	}
	header := crypto.Header{Algorithm: crypto.AlgorithmXAES256GCM, Region: region, KeyID: key, VersionID: crypto.NewVersionID()}
	blob, err := crypto.SealBlob(nil, x, header, crypto.Context{}, []byte("data key"))
	if err != nil {
		t.Fatal(err)
	}
	return string(blob)
}

// Rows of a key that is to be skipped stay as they are, also where another writer puts one into a row that is being
// moved: what is read again goes by the same rules.
func TestSkippedKeyMeanwhile(t *testing.T) {
	skipped := crypto.NewKeyID()
	old, mine := sealedBlob(t, "cn-a", skipped), sealedBlob(t, "cn-a", crypto.NewKeyID())
	elsewhere := sealedBlob(t, "cn-c", skipped) // the same id means another key there
	f := newFake("a", "b", "c", "d", old)
	f.before = func(call int, _ []change) error {
		if call == 1 {
			f.put("01", old)
			f.put("02", mine)
			f.put("03", elsewhere)
		}
		return nil
	}
	var moved []string
	way := few{batch: 10, before: func(rows []*migrate.Row) error {
		for _, row := range rows {
			moved = append(moved, row.ID)
		}
		return nil
	}}
	journal := journalPath(t)
	rules := migrate.Rules{Region: "cn-a", Skip: map[string]bool{skipped.String(): true}}
	table := f.table(t)
	medium := table.Medium(way, rules, table.Name(), migrate.UndoPath(journal))
	medium.most = way.Batch()
	last, err := migrate.Run(t.Context(), migrate.Config{
		Header: migrate.Header{Way: "marker", Input: table.Name()}, Journal: journal, Way: way, Every: 1, Parallel: 1, Medium: medium, Rules: rules,
	})
	if err != nil || last.Counts != (migrate.Counts{Moved: 3, Skipped: 2}) {
		t.Errorf("%+v, %v", last, err)
	}
	f.is(t, old, "moved:"+mine, "moved:"+elsewhere, "moved:d", old)
	if want := []string{"01", "02", "03", "04", "02", "03"}; !slices.Equal(moved, want) {
		t.Errorf("moved %s, want %s", strings.Join(moved, " "), strings.Join(want, " "))
	}
	f.before = nil
	rollBack(t, f, journal, migrate.Rollback{Restored: 3, Left: 1}, old, mine, elsewhere, "d", old)
}
