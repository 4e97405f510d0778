package migrate

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	wire "meridian/cluster/api/batch"
	"meridian/crypto"
)

// nativeCloud is what a cloud needs to serve the batch actions as package batch describes them.
type nativeCloud struct {
	of   *cloud
	mu   sync.Mutex
	keys map[uint32]*crypto.TransportKey // by version; guarded by mu
	most uint32                          // the newest version
	// wrongTags makes the tags of imports those of other data keys.
	wrongTags bool
	// changeBlobs changes what imports answer.
	changeBlobs func(blob []byte) []byte
	calls       map[string]int
	largest     int // body of a request, in bytes
	refuse      func(action string) (status int, code string)
	calledSelf  string // region that it calls itself; the cloud's if empty
}

func newNativeCloud(t *testing.T, id string, nodes int) *cloud {
	t.Helper()
	c := newCloud(t, id, nodes)
	c.native = &nativeCloud{of: c, keys: map[uint32]*crypto.TransportKey{}, calls: map[string]int{}}
	c.native.rotate(t)
	return c
}

// rotate makes a new transport key, and forgets the others.
func (n *nativeCloud) rotate(t *testing.T) {
	t.Helper()
	k, err := crypto.GenerateTransportKey()
	if err != nil {
		t.Fatal(err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.most++
	n.keys = map[uint32]*crypto.TransportKey{n.most: k}
}

func (n *nativeCloud) serve(w http.ResponseWriter, r *http.Request, action string) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.calls[action]++
	n.largest = max(n.largest, len(body))
	answer, status, code := n.answer(action, r.URL.Query(), body)
	if n.refuse != nil {
		if refused, why := n.refuse(action); refused != 0 {
			status, code = refused, why
		}
	}
	if code == "" && r.URL.Query().Get("DryRun") == "true" {
		status, code = 412, "DryRunOperationError"
	}
	if code != "" {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]string{"Code": code, "Message": "refused: " + code})
		return
	}
	if action != "GetTransportKey" {
		w.Header().Set("Content-Type", wire.ContentType)
	}
	_, _ = w.Write(answer)
}

func (n *nativeCloud) answer(action string, query url.Values, body []byte) (answer []byte, status int, code string) {
	r := wire.NewReader(body)
	version, _ := strconv.Atoi(query.Get("TransportKeyVersion"))
	journey := crypto.Journey{From: query.Get("From"), To: n.of.id, Version: uint32(version), Purpose: crypto.CarriesDataKeys}
	switch action {
	case "GetTransportKey":
		k := n.keys[n.most].Public()
		answer, _ = json.Marshal(map[string]any{"RegionId": cmp.Or(n.calledSelf, n.of.id), "TransportKeyVersion": n.most, "PublicKey": k.Bytes(), "Fingerprint": fmt.Sprintf("sha256:%x", k.Fingerprint())})
		return answer, 200, ""
	case "ExportDataKeys":
		return n.export(r, query)
	case "ImportDataKeys":
		return n.importRows(r, journey)
	case "TagDataKeys":
		journey.Purpose = crypto.CarriesTagKey
		inside, status, code := n.open(r, journey)
		if code != "" {
			return nil, status, code
		}
		tags := crypto.NewDataKeyTags(inside)
		for place := 0; r.More(); place++ {
			answer = n.outcome(answer, tags, place, r.Bytes(), r.Bytes(), nil)
		}
		return answer, 200, ""
	}
	return nil, 404, "InvalidAction.NotFound"
}

func (n *nativeCloud) open(r *wire.Reader, journey crypto.Journey) (inside crypto.Secret, status int, code string) {
	message := r.Message()
	k := n.keys[journey.Version]
	if k == nil {
		return nil, 400, "InvalidParameter"
	}
	inside, err := k.Open(journey, message)
	if err != nil {
		return nil, 400, "ParseRequestParameterException"
	}
	return inside, 200, ""
}

// outcome opens a blob and appends its outcome; found gets what it holds.
func (n *nativeCloud) outcome(answer []byte, tags *crypto.DataKeyTags, place int, raw, canonical []byte, found func([]byte)) []byte {
	blob, err := crypto.ParseBlob(raw)
	sealing, contextErr := crypto.ParseCanonicalContext(canonical)
	var dataKey []byte
	if err == nil && contextErr == nil {
		dataKey, err = blob.Open(nil, n.of.xaes, sealing)
	}
	if err != nil || contextErr != nil {
		return wire.AppendRefusal(answer, "InvalidParameter", "it does not open")
	}
	if found != nil {
		found(dataKey)
	}
	return tags.Append(wire.AppendDone(answer), place, dataKey)
}

func (n *nativeCloud) export(r *wire.Reader, query url.Values) (answer []byte, status int, code string) {
	public, err := crypto.ParseTransportPublic(r.Bytes())
	if err != nil {
		return nil, 400, "ParseRequestParameterException"
	}
	key := crypto.NewTagKey()
	tags, inside := crypto.NewDataKeyTags(key), []byte(key)
	version, _ := strconv.Atoi(query.Get("TransportKeyVersion"))
	journey := crypto.Journey{From: n.of.id, To: query.Get("To"), Version: uint32(version), Purpose: crypto.CarriesDataKeys}
	if query.Get("Carries") == "tags" {
		journey.Purpose = crypto.CarriesTagKey
	}
	var outcomes []byte
	rows, place := 0, 0
	for ; r.More(); rows++ {
		outcomes = n.outcome(outcomes, tags, place, r.Bytes(), r.Bytes(), func(dataKey []byte) {
			place++
			if journey.Purpose == crypto.CarriesDataKeys {
				inside = append(binary.BigEndian.AppendUint16(inside, uint16(len(dataKey))), dataKey...)
			}
		})
	}
	if rows > wire.MaxRows || r.Err() != nil {
		return nil, 400, "ParseRequestParameterException"
	}
	message, err := public.Seal(journey, inside)
	if err != nil {
		return nil, 500, "InternalFailure"
	}
	return append(wire.AppendMessage(nil, message), outcomes...), 200, ""
}

func (n *nativeCloud) importRows(r *wire.Reader, journey crypto.Journey) (answer []byte, status int, code string) {
	inside, status, code := n.open(r, journey)
	if code != "" {
		return nil, status, code
	}
	carried := wire.NewReader(inside)
	tags := crypto.NewDataKeyTags(carried.TagKey())
	for place := 0; r.More(); place++ {
		id, canonical, dataKey := r.KeyID(), r.Bytes(), carried.Bytes()
		sealing, err := crypto.ParseCanonicalContext(canonical)
		if id != n.of.key || err != nil {
			answer = wire.AppendRefusal(answer, "Forbidden.KeyNotFound", "no such key")
			continue
		}
		header := crypto.Header{Algorithm: crypto.AlgorithmXAES256GCM, Region: n.of.id, KeyID: id, VersionID: n.of.version}
		blob, err := crypto.SealBlob(nil, n.of.xaes, header, sealing, dataKey)
		if err != nil {
			return nil, 500, "InternalFailure"
		}
		if n.wrongTags && place == 1 {
			dataKey = []byte("another")
		}
		if n.changeBlobs != nil && place == 1 {
			blob = n.changeBlobs(blob)
		}
		answer = wire.AppendBytes(tags.Append(wire.AppendDone(answer), place, dataKey), blob)
	}
	if r.Err() != nil || carried.More() || carried.Err() != nil {
		return nil, 400, "ParseRequestParameterException"
	}
	return answer, 200, ""
}

// opened is what a row's blob holds.
func (c *cloud) opened(t *testing.T, row *Row) string {
	t.Helper()
	plaintext, ok := c.open(map[string]string{"CiphertextBlob": base64.StdEncoding.EncodeToString(row.Blob)})
	if !ok {
		t.Fatalf("row %d does not open", row.Number)
	}
	return string(plaintext)
}

func newNativeWay(t *testing.T, from, to *cloud) *Native {
	t.Helper()
	mapping, err := ParseMapping(nil)
	if err != nil {
		t.Fatal(err)
	}
	way, err := NewNative(t.Context(), from.region(t), to.region(t), mapping)
	if err != nil {
		t.Fatal(err)
	}
	return way
}

// nativeRows are rows with ids.
func nativeRows(t *testing.T, from *cloud, n int, dataKey func(i int) string) (rows []string) {
	t.Helper()
	for i := range n {
		rows = append(rows, strings.Replace(from.row(t, dataKey(i), ""), "{", fmt.Sprintf(`{"id":%d,`, i), 1))
	}
	return rows
}

func TestNativeWay(t *testing.T) {
	from, to := newNativeCloud(t, "cn-a", 2), newNativeCloud(t, "cn-b", 2)
	way := newNativeWay(t, from, to)
	rows := nativeRows(t, from, 1201, func(i int) string { return fmt.Sprint("data key ", i) })
	rows[7] = "broken"
	rows[9] = `{"id":9,"ciphertext":"AAAA"}`
	input := strings.Join(rows, "\n") + "\n"
	folder := t.TempDir()
	last, err := Run(t.Context(), testConfig(t, folder, []byte(input), way))
	if err != nil || last.Counts.Moved != 1199 || last.Counts.Failed != 2 {
		t.Fatalf("%+v, %v", last, err)
	}
	if got := from.native.calls["ExportDataKeys"]; got != 3 {
		t.Errorf("%d calls for 1,201 rows; want 3", got)
	}
	output, err := os.ReadFile(filepath.Join(folder, "out"))
	if err != nil {
		t.Fatal(err)
	}
	read := NewJSONLines(bytes.NewReader(output), DefaultColumns)
	for i := 0; ; i++ {
		row, err := read.Next()
		if err == io.EOF {
			break
		}
		if err != nil || i == 7 || i == 9 {
			continue
		}
		if got := to.opened(t, row); got != fmt.Sprint("data key ", i) {
			t.Fatalf("row %d holds %q", i, got)
		}
	}
	verify := func(output string) *Verification {
		pairs := PairFormats(NewJSONLines(strings.NewReader(input), DefaultColumns), NewJSONLines(strings.NewReader(output), DefaultColumns))
		v, err := way.Verify(t.Context(), pairs, func() bool { return true }, 3)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if v := verify(string(output)); v.Rows != 1201 || v.Moved != 1199 || v.Equal != 1199 || len(v.Failures) != 0 {
		t.Errorf("%+v", v)
	}
	lines := strings.SplitAfter(string(output), "\n")
	lines[700] = nativeRows(t, to, 701, func(int) string { return "another" })[700] + "\n"
	if v := verify(strings.Join(lines, "")); v.Equal != 1198 || len(v.Failures) != 1 || v.Failures[0].Code != FaultDiffers || v.Failures[0].ID != "700" {
		t.Errorf("one differs: %+v", v)
	}
	// What cannot be read any more is not passed over, and what no request can carry spoils no other row.
	lines[300] = `{"id":300,"ciphertext":"AA"}` + "\n"
	lines[400] = `{"id":400,"ciphertext":"` + strings.Repeat("AAAA", 30_000) + `"}` + "\n"
	v := verify(strings.Join(lines, ""))
	codes := map[string]string{}
	for _, f := range v.Failures {
		codes[f.ID] = f.Code
	}
	if v.Moved != 1199 || v.Checked != 1199 || v.Equal != 1196 || !maps.Equal(codes, map[string]string{"300": FaultNoBlob, "400": FaultNoBlob, "700": FaultDiffers}) {
		t.Errorf("rows that are no blobs any more: moved %d, compared %d, equal %d, %v", v.Moved, v.Checked, v.Equal, codes)
	}
}

// Rows that are too large for one call go in several.
func TestNativeWaySplitsLargeRows(t *testing.T) {
	from, to := newNativeCloud(t, "cn-a", 1), newNativeCloud(t, "cn-b", 1)
	way := newNativeWay(t, from, to)
	large := strings.Repeat("k", 6144)
	input := strings.Join(nativeRows(t, from, wire.MaxRows, func(int) string { return large }), "\n") + "\n"
	last, err := Run(t.Context(), testConfig(t, t.TempDir(), []byte(input), way))
	if err != nil || last.Counts.Moved != wire.MaxRows {
		t.Fatalf("%+v, %v", last, err)
	}
	if n := from.native.calls["ExportDataKeys"]; n < 3 || from.native.largest > wire.MaxBytes || to.native.largest > wire.MaxBytes {
		t.Errorf("%d calls of up to %d and %d bytes", n, from.native.largest, to.native.largest)
	}
}

// A row is not written where the answer is no blob of its target, whatever its tag says.
func TestNativeWayLooksAtBlobs(t *testing.T) {
	for name, change := range map[string]func([]byte) []byte{
		"none":        func([]byte) []byte { return nil },
		"another key": func(blob []byte) []byte { blob[len(blob)-len("data key 1")-crypto.Overhead-32] ^= 1; return blob },
		"region":      func(blob []byte) []byte { blob[4] = 'x'; return blob },
	} {
		from, to := newNativeCloud(t, "cn-a", 1), newNativeCloud(t, "cn-b", 1)
		to.native.changeBlobs = change
		way := newNativeWay(t, from, to)
		rows := nativeRows(t, from, 3, func(i int) string { return fmt.Sprint("data key ", i) })
		folder := t.TempDir()
		last, err := Run(t.Context(), testConfig(t, folder, []byte(strings.Join(rows, "\n")+"\n"), way))
		if err != nil || last.Counts.Moved != 2 || last.Counts.Failed != 1 {
			t.Fatalf("%s: %+v, %v", name, last, err)
		}
		_, history, err := ReadJournal(filepath.Join(folder, "journal"))
		if err != nil || len(history.Failures) != 1 || history.Failures[0].Code != FaultDiffers || history.Failures[0].ID != "1" {
			t.Errorf("%s: %+v, %v", name, history.Failures, err)
		}
	}
}

// A row whose tag is not what the source said is not written.
func TestNativeWayComparesTags(t *testing.T) {
	from, to := newNativeCloud(t, "cn-a", 1), newNativeCloud(t, "cn-b", 1)
	to.native.wrongTags = true
	way := newNativeWay(t, from, to)
	rows := nativeRows(t, from, 3, func(i int) string { return fmt.Sprint("data key ", i) })
	folder := t.TempDir()
	last, err := Run(t.Context(), testConfig(t, folder, []byte(strings.Join(rows, "\n")+"\n"), way))
	if err != nil || last.Counts.Moved != 2 || last.Counts.Failed != 1 {
		t.Fatalf("%+v, %v", last, err)
	}
	_, history, err := ReadJournal(filepath.Join(folder, "journal"))
	if err != nil || len(history.Failures) != 1 || history.Failures[0].Code != FaultDiffers || history.Failures[0].ID != "1" {
		t.Errorf("%+v, %v", history.Failures, err)
	}
}

// A transport key that is rotated away while rows are on their way, or compared, is asked for again.
func TestNativeWayAfterRotation(t *testing.T) {
	from, to := newNativeCloud(t, "cn-a", 1), newNativeCloud(t, "cn-b", 1)
	way := newNativeWay(t, from, to)
	for name, change := range map[string]func(){
		"a newer version":             func() { to.native.rotate(t) },
		"another key of that version": func() { to.native.most--; to.native.rotate(t) }, // the region was restored
	} {
		change()
		rows := nativeRows(t, from, 3, func(i int) string { return fmt.Sprint("data key ", i) })
		input, folder := strings.Join(rows, "\n")+"\n", t.TempDir()
		last, err := Run(t.Context(), testConfig(t, folder, []byte(input), way))
		if err != nil || last.Counts.Moved != 3 {
			t.Fatalf("%s: %+v, %v", name, last, err)
		}
		output, err := os.ReadFile(filepath.Join(folder, "out"))
		if err != nil {
			t.Fatal(err)
		}
		change()
		pairs := PairFormats(NewJSONLines(strings.NewReader(input), DefaultColumns), NewJSONLines(bytes.NewReader(output), DefaultColumns))
		v, err := way.Verify(t.Context(), pairs, func() bool { return true }, 3)
		if err != nil || v.Checked != 3 || v.Equal != 3 {
			t.Errorf("%s: %+v, %v", name, v, err)
		}
	}
}

func TestNativeWayRefused(t *testing.T) {
	from, to := newNativeCloud(t, "cn-a", 1), newNativeCloud(t, "cn-b", 1)
	way := newNativeWay(t, from, to)
	row := nativeRows(t, from, 1, func(int) string { return "data key" })[0] + "\n"
	for _, try := range []struct {
		at     *nativeCloud
		action string
		status int
		code   string
	}{
		{from.native, "ExportDataKeys", 403, "Forbidden.ExportNotAllowed"},
		{from.native, "ExportDataKeys", 400, "ParseRequestParameterException"},
		{to.native, "ImportDataKeys", 400, "ParseRequestParameterException"},
	} {
		try.at.refuse = func(action string) (int, string) {
			if action == try.action {
				return try.status, try.code
			}
			return 0, ""
		}
		_, err := Run(t.Context(), testConfig(t, t.TempDir(), []byte(row), way))
		if err == nil || !strings.Contains(err.Error(), try.code) {
			t.Errorf("%s of %s: %v", try.code, try.action, err)
		}
		try.at.refuse = nil
	}
}

func TestNativeWayNeedsMeridian(t *testing.T) {
	mapping, err := ParseMapping(nil)
	if err != nil {
		t.Fatal(err)
	}
	native, other := newNativeCloud(t, "cn-a", 1), newCloud(t, "cn-b", 1)
	for _, sides := range [][2]*cloud{{native, other}, {other, native}} {
		if _, err := NewNative(t.Context(), sides[0].region(t), sides[1].region(t), mapping); !errors.Is(err, ErrNotMeridian) || !strings.Contains(err.Error(), "cn-b") {
			t.Errorf("%s to %s: %v", sides[0].id, sides[1].id, err)
		}
	}
}

func TestNativePlan(t *testing.T) {
	from, to := newNativeCloud(t, "cn-a", 1), newNativeCloud(t, "cn-b", 1)
	way := newNativeWay(t, from, to)
	rows := nativeRows(t, from, 4, func(int) string { return strings.Repeat("k", 4096) })
	plan, err := way.Plan(t.Context(), NewJSONLines(strings.NewReader(strings.Join(rows, "\n")+"\nbroken\n"), DefaultColumns), nil)
	if err != nil || plan.Rows != 5 || plan.Failing != 1 || len(plan.Groups) != 1 || plan.Groups[0].Rows != 4 || plan.Groups[0].Problem != "" {
		t.Fatalf("%+v, %v", plan, err)
	}
	to.native.refuse = func(action string) (int, string) {
		if action == "ImportDataKeys" {
			return 403, "Forbidden.NoPermission"
		}
		return 0, ""
	}
	plan, err = way.Plan(t.Context(), NewJSONLines(strings.NewReader(strings.Join(rows, "\n")), DefaultColumns), nil)
	if err != nil || plan.Failing != 4 || !strings.Contains(plan.Groups[0].Problem, "Forbidden.NoPermission") {
		t.Errorf("%+v, %v", plan, err)
	}
}
