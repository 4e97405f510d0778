package migrate

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// A plan lists the first rows that would fail and says how many more there are, or gives all of them to who asks, and keeps
// none then.
func TestPlanNamesEveryBadRow(t *testing.T) {
	from, to := newCloud(t, "cn-a", 1), newCloud(t, "cn-b", 1)
	from.refuse = func(action string, _ int, _ map[string]string) (int, string) {
		if action == "ExportDataKey" {
			return 403, "AccessDeniedError"
		}
		return 0, ""
	}
	way := newTestWay(t, from, to)
	ofGroup := from.row(t, "counted with its key", "")
	for _, bad := range []int{MaxPlanned, MaxPlanned + 1} {
		plan := func(each func(Failure) error) (*Plan, error) {
			return way.Plan(t.Context(), NewJSONLines(strings.NewReader(ofGroup+"\n"+strings.Repeat("broken\n", bad)), DefaultColumns), each)
		}
		p, err := plan(nil)
		if err != nil || len(p.Failures) != MaxPlanned || p.Cut != int64(bad-MaxPlanned) || p.Failing != int64(bad+1) {
			t.Errorf("%d bad rows: %d listed, %d cut, %d in all, %v", bad, len(p.Failures), p.Cut, p.Failing, err)
		}
		named := int64(0)
		p, err = plan(func(f Failure) error {
			if named++; f.Line != named+1 || f.Code != FaultSyntax {
				t.Fatalf("row %d is %+v", named, f)
			}
			return nil
		})
		if err != nil || named != int64(bad) || p.Failing != int64(bad+1) || len(p.Failures) != 0 || p.Cut != 0 {
			t.Errorf("%d bad rows: %d named, %d listed, %d cut, %v", bad, named, len(p.Failures), p.Cut, err)
		}
	}
	full := errors.New("full")
	if _, err := way.Plan(t.Context(), NewJSONLines(strings.NewReader("broken\n"), DefaultColumns), func(Failure) error { return full }); !errors.Is(err, full) {
		t.Errorf("where a row cannot be named: %v", err)
	}
}

// Lists of a verification and of a rollback say how many rows they lack.
func TestListsSayWhatTheyLack(t *testing.T) {
	var v verification
	b := rollback{left: map[string]leftRow{}}
	b.Left = 1 // a damaged line, named before
	b.Failures = []Failure{{Code: FaultUndo}}
	check := func(rows int) {
		t.Helper()
		want := int64(max(rows-MaxPlanned, 0))
		if len(v.result.Failures) != min(rows, MaxPlanned) || v.result.Cut != want || v.result.Checked != int64(rows) {
			t.Errorf("a verification lists %d of %d rows, and %d more", len(v.result.Failures), rows, v.result.Cut)
		}
		found := b
		found.finish()
		if len(found.Failures) != min(rows, MaxPlanned) || found.Cut != want || found.Left != int64(rows) {
			t.Errorf("a rollback lists %d of %d rows, and %d more", len(found.Failures), rows, found.Cut)
		}
	}
	for i := range MaxPlanned + 2 {
		v.compared(&Row{}, errDiffers())
		if i > 0 {
			b.left[fmt.Sprint(i)] = leftRow{int64(i), FoundOther}
		}
		if rows := i + 1; rows >= MaxPlanned {
			check(rows)
		}
	}
}
