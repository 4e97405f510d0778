//go:build databases

package table

import (
	"fmt"
	"io"
	"slices"
	"testing"
)

// texts makes a table with keys k000001, k000002 and so on.
func (s *server) texts(t *testing.T, name string, rows int) {
	t.Helper()
	s.create(t, name, "id varchar(20) PRIMARY KEY, b text")
	if s.quote == postgresQuote {
		s.exec(t, fmt.Sprintf("INSERT INTO %s SELECT 'k' || lpad(n::text, 6, '0'), 'YWJj' FROM generate_series(1, %d) AS n", name, rows))
		return
	}
	s.exec(t, fmt.Sprintf("INSERT INTO %s SELECT concat('k', lpad(seq, 6, '0')), 'YWJj' FROM seq_1_to_%d", name, rows))
}

// A page has as many rows as were asked for, the first one and those behind a key, and if nobody says 1000: no query
// brings rows that the run does not want yet.
func TestRowsOfAPage(t *testing.T) {
	const rows = 2001
	for name, s := range servers(t) {
		t.Run(name, func(t *testing.T) {
			s.texts(t, "paged", rows)
			table := s.open(t, Spec{Table: "paged", Key: "id", Blob: "b"})
			if table.spec.Page != 1000 {
				t.Errorf("pages have %d rows", table.spec.Page)
			}
			behind := "k000001"
			for _, after := range []*string{nil, &behind} {
				for _, n := range []int{1, 7, 1000, rows + 1} {
					want := n
					if left := map[bool]int{true: rows, false: rows - 1}[after == nil]; n > left {
						want = left
					}
					page, cut, err := table.db.page(t.Context(), after, n)
					if err != nil || cut || len(page) != want {
						t.Errorf("asked for %d: %d rows, cut %v, %v; want %d", n, len(page), cut, err, want)
					}
				}
			}
			var left []int // of the page, after each row that begins one
			for n := 1; ; n++ {
				before := len(table.page)
				row, err := table.Next(t.Context())
				if err == io.EOF {
					if n != rows+1 {
						t.Errorf("%d rows", n-1)
					}
					break
				}
				if want := fmt.Sprintf("k%06d", n); err != nil || row.ID != want {
					t.Fatalf("row %d: %+v, %v", n, row, err)
				}
				if before == 0 {
					left = append(left, len(table.page)+1)
				}
			}
			if want := []int{1000, 1000, 1}; !slices.Equal(left, want) {
				t.Errorf("pages of %d rows, want %d", left, want)
			}
		})
	}
}

// Where the index that makes the key unique has another collation than the column, it is the index that says which keys
// are two: letters that the column takes for one another are read, found, and changed apart.
func TestCollationOfTheIndex(t *testing.T) {
	s := servers(t)["postgres"]
	s.exec(t, `CREATE COLLATION IF NOT EXISTS folding (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`)
	s.create(t, "folded", "id text COLLATE folding NOT NULL, b text")
	s.exec(t, `CREATE UNIQUE INDEX ON folded (id COLLATE "C")`)
	keys := []string{"A", "B", "a", "aB", "ab", "b"} // in the order of the index
	for i, key := range keys {
		s.exec(t, "INSERT INTO folded VALUES ($1, $2)", key, encode(fmt.Appendf(nil, "blob %d", i)))
	}
	for _, size := range []int{1, 2, 3, 100} {
		table := s.open(t, Spec{Table: "folded", Key: "id", Blob: "b", Page: size})
		var read []string
		for {
			row, err := table.Next(t.Context())
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if i := len(read); i < len(keys) && string(row.Blob) != fmt.Sprint("blob ", i) {
				t.Errorf("page of %d: row %d holds %q", size, i, row.Blob)
			}
			read = append(read, row.ID)
		}
		if !slices.Equal(read, keys) {
			t.Errorf("page of %d: keys %q, want %q", size, read, keys)
		}
	}
	swapEach(t, s.open(t, Spec{Table: "folded", Key: "id", Blob: "b", Page: 2}), keys)
}
