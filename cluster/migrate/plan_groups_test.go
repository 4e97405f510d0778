package migrate

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"meridian/crypto"
)

// secondKey gives the cloud another key, which does what its first one does.
func (c *cloud) secondKey(t *testing.T, alias string) crypto.KeyID {
	t.Helper()
	second := crypto.NewKeyID()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		name := r.Form.Get("KeyId")
		if r.Header.Get("x-acs-action") == "DescribeKey" && (name == alias || name == second.String()) {
			fmt.Fprintf(w, `{"KeyMetadata":{"KeyId":"%s","PrimaryKeyVersion":"%s","KeySpec":"Aliyun_AES_256","KeyState":"Enabled"}}`, second, c.version)
			return
		}
		for _, param := range []string{"KeyId", "DestinationKeyId"} {
			if r.Form.Get(param) == second.String() {
				r.Form.Set(param, c.key.String())
			}
		}
		c.serve(w, r)
	}))
	t.Cleanup(s.Close)
	c.servers = []*httptest.Server{s}
	return second
}

// A group of a plan is of one version of a key and goes to one key, and each is tried by itself.
func TestPlanGroups(t *testing.T) {
	from, to := newCloud(t, "cn-a", 1), newCloud(t, "cn-b", 1)
	second := to.secondKey(t, "alias/second")
	old, primary := from.version.String(), ""
	var rows []string
	add := func(n int, to string) {
		for i := range n {
			row := from.row(t, fmt.Sprint("data key ", i), "")
			if to != "" {
				row = strings.Replace(row, "{", `{"to":"`+to+`",`, 1)
			}
			rows = append(rows, row)
		}
	}
	add(1, "")
	add(2, "alias/second")
	from.version = crypto.NewVersionID()
	primary = from.version.String()
	add(3, "")
	add(4, "alias/second")
	way := newTestWay(t, from, to)
	p, err := way.Plan(t.Context(), NewJSONLines(strings.NewReader(strings.Join(rows, "\n")), DefaultColumns), nil)
	if err != nil || p.Rows != 10 || p.Failing != 0 {
		t.Fatalf("%+v, %v", p, err)
	}
	var got []string
	for _, g := range p.Groups {
		if g.Source != from.key.String() || g.Problem != "" {
			t.Errorf("%+v", g)
		}
		got = append(got, fmt.Sprint(g.Version, " ", g.Target, " ", g.Rows))
	}
	want := []string{ // the largest first
		primary + " " + second.String() + " 4", primary + " " + to.key.String() + " 3", old + " " + second.String() + " 2", old + " " + to.key.String() + " 1",
	}
	if !slices.Equal(got, want) {
		t.Errorf("groups\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if from.calls["ExportDataKey"] != 4 || to.calls["ReEncrypt"] != 4 {
		t.Errorf("%d and %d tries, want 4 each", from.calls["ExportDataKey"], to.calls["ReEncrypt"])
	}
}

// However many keys rows are of, a plan tells so many groups apart; it counts the rows of others together and tries nothing
// for them.
func TestPlanBoundsItsGroups(t *testing.T) {
	from, to := newCloud(t, "cn-a", 1), newCloud(t, "cn-b", 1)
	var input strings.Builder
	row := func(key uint32) {
		h := crypto.Header{Algorithm: crypto.AlgorithmXAES256GCM, Region: from.id}
		binary.BigEndian.PutUint32(h.KeyID[:], key)
		blob, err := crypto.SealBlob(nil, from.xaes, h, crypto.Context{}, []byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&input, `{"ciphertext":"%s","to":"alias/pay"}`+"\n", base64.StdEncoding.EncodeToString(blob))
	}
	for key := range uint32(maxGroups) {
		row(key)
	}
	for others := range int64(2) { // at the bound, and one beyond it
		if others > 0 {
			row(uint32(maxGroups + others))
			row(7) // of a group that is known
		}
		from.calls = map[string]int{}
		p, err := newTestWay(t, from, to).Plan(t.Context(), NewJSONLines(strings.NewReader(input.String()), DefaultColumns), nil)
		if err != nil {
			t.Fatal(err)
		}
		if p.Rows != maxGroups+2*others || len(p.Groups) != maxGroups || p.Others != others || p.Failing != maxGroups+others {
			t.Errorf("%d rows, %d groups, %d others, %d would fail; want %d others", p.Rows, len(p.Groups), p.Others, p.Failing, others)
		}
		if p.Groups[7].Rows != 1+others || p.Groups[8].Rows != 1 {
			t.Errorf("a known group has %d rows, and another %d", p.Groups[7].Rows, p.Groups[8].Rows)
		}
		if asked := from.calls["DescribeKey"]; asked != maxGroups {
			t.Errorf("%d keys of the source were asked for", asked)
		}
		if p.Estimate.Calls != 2*others {
			t.Errorf("about %d calls", p.Estimate.Calls)
		}
	}
}

// A plan estimates the rows that would be moved, and no others.
func TestPlanEstimatesWhatIsMoved(t *testing.T) {
	from, to, legacy := newCloud(t, "cn-a", 1), newCloud(t, "cn-b", 1), newCloud(t, "cn-a", 1)
	way := newTestWay(t, from, to)
	moved := []string{from.row(t, "data key 1", ""), from.row(t, "data key 2", ""), from.row(t, "data key 3", "")}
	rest := []string{
		to.row(t, "kept", ""), to.row(t, "kept", ""), // 2
		legacy.row(t, "skipped", ""), legacy.row(t, "skipped", ""), legacy.row(t, "skipped", ""), legacy.row(t, "skipped", ""), // 4
		"broken", newCloud(t, "cn-c", 1).row(t, "of another region", ""), // 2
	}
	rules := Rules{Region: "cn-a", Skip: map[string]bool{legacy.key.String(): true}}
	plan := func(rows ...string) *Plan {
		t.Helper()
		p, err := way.Plan(t.Context(), Ruled{NewJSONLines(strings.NewReader(strings.Join(rows, "\n")), DefaultColumns), rules}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := plan(append(slices.Clone(rest), moved...)...)
	if p.Rows != 11 || p.Kept != 2 || p.Skipped != 4 || p.Failing != 2 {
		t.Fatalf("%+v", p)
	}
	if p.Estimate.Calls != 6 { // two a row
		t.Errorf("with rows that stay: %d calls, want 6", p.Estimate.Calls)
	}
	if p = plan(rest...); p.Estimate != (Estimate{}) {
		t.Errorf("of no row to move: %+v", p.Estimate)
	}
	from.refuse = func(action string, _ int, _ map[string]string) (int, string) {
		if action == "ExportDataKey" {
			return 403, "AccessDeniedError"
		}
		return 0, ""
	}
	if p = plan(moved...); p.Failing != 3 || p.Estimate.Calls != 0 {
		t.Errorf("of rows that would all fail: %+v", p)
	}
}
