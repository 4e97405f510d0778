package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"meridian/cluster/api/batch"
	"meridian/cluster/api/client"
	"meridian/crypto"
	"meridian/store/storepb"
)

// batches is a region that is both sides of a move, and a client that asks it.
type batches struct {
	*harness
	client *client.Client
	public []byte // of the transport key
}

func newBatches(tb testing.TB) *batches {
	tb.Helper()
	b := &batches{harness: newHarness(tb, Limits{})}
	b.serve(tb)
	b.rotateTransport(tb)
	return b
}

// serve has the client ask the harness' server.
func (b *batches) serve(tb testing.TB) {
	tb.Helper()
	listener := httptest.NewServer(b.server)
	tb.Cleanup(listener.Close)
	c, err := client.New(client.Config{Endpoints: []string{listener.URL}, AccessKeyID: testAccessKey, Secret: crypto.Secret(testSecret), Now: b.clock.now})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	b.client = c
}

// rotateTransport makes a new transport key.
func (b *batches) rotateTransport(tb testing.TB) {
	tb.Helper()
	if _, err := b.client.CallOwn(tb.Context(), "RotateTransportKey", nil, nil); err != nil {
		tb.Fatal(err)
	}
	var k struct{ PublicKey []byte }
	if _, err := b.client.CallOwn(tb.Context(), "GetTransportKey", nil, &k); err != nil {
		tb.Fatal(err)
	}
	b.public = k.PublicKey
}

// rows calls a batch action. Its parameters are those of a move within the region, with changes.
func (b *batches) rows(tb testing.TB, action string, body []byte, changes ...string) ([]byte, error) {
	p := with(params{paramFrom: testRegionID, paramTo: testRegionID, paramTransportVersion: "1"}, changes...)
	response, err := b.client.CallRows(tb.Context(), action, p, body)
	return response.Body, err
}

// sealed is a row with a blob.
type sealed struct{ blob, context string }

// exportBody asks for rows to be exported.
func (b *batches) exportBody(tb testing.TB, rows ...sealed) []byte {
	return append(batch.AppendBytes(nil, b.public), sealedBody(tb, rows...)...)
}

func sealedBody(tb testing.TB, rows ...sealed) (body []byte) {
	for _, row := range rows {
		blob, err := base64.StdEncoding.DecodeString(row.blob)
		if err != nil {
			blob = []byte(row.blob)
		}
		body = batch.AppendBytes(batch.AppendBytes(body, blob), canonicalOf(tb, row.context))
	}
	return body
}

func canonicalOf(tb testing.TB, text string) []byte {
	tb.Helper()
	c, err := crypto.ParseContext([]byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	return c.Canonical()
}

// importBody asks for the data keys of a message to be sealed.
func importBody(tb testing.TB, message []byte, rows ...sealedFor) []byte {
	body := batch.AppendMessage(nil, message)
	for _, row := range rows {
		id, ok := crypto.ParseKeyID(row.key)
		if !ok {
			tb.Fatalf("%q is no key id", row.key)
		}
		body = batch.AppendBytes(append(body, id[:]...), canonicalOf(tb, row.context))
	}
	return body
}

// sealedFor is a row to be sealed.
type sealedFor struct{ key, context string }

// outcome is what came of a row.
type outcome struct {
	tag  string
	blob string // of ImportDataKeys, Base64
	code string
}

// outcomes reads an answer.
func outcomes(tb testing.TB, r *batch.Reader, blobs bool) (all []outcome) {
	tb.Helper()
	for r.More() {
		tag, why := r.Outcome()
		o := outcome{tag: string(tag)}
		switch {
		case why != nil:
			o.code = why.Code
		case blobs:
			o.blob = base64.StdEncoding.EncodeToString(r.Bytes())
		}
		all = append(all, o)
	}
	if r.Err() != nil {
		tb.Fatal(r.Err())
	}
	return all
}

// export exports rows, and wants no error for the whole.
func (b *batches) export(tb testing.TB, body []byte, changes ...string) (message []byte, all []outcome) {
	tb.Helper()
	answer, err := b.rows(tb, "ExportDataKeys", body, changes...)
	if err != nil {
		tb.Fatal(err)
	}
	r := batch.NewReader(answer)
	message = r.Message()
	return message, outcomes(tb, r, false)
}

// refusal is the code of an error.
func refusal(err error) string {
	var e *client.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return fmt.Sprint(err)
}

func TestDataKeysMoveInBatches(t *testing.T) {
	b := newBatches(t)
	for name, again := range map[string]func(){"one view": nil, "two views": func() {}} {
		t.Run(name, func(t *testing.T) {
			b.again = again
			defer func() { b.again = nil }()
			from, sm4, to := b.newKey(t), b.newKeyOf(t, specSM4, ""), b.newKey(t)
			disabled := b.newKey(t)
			ofDisabled := b.encrypt(t, disabled, "x")
			b.ok(t, "DisableKey", params{"KeyId": disabled})
			large := strings.Repeat("k", DefaultPlaintext)
			rows := []sealed{
				{b.encrypt(t, from, "first", "EncryptionContext", `{"a":"1","b":"2"}`), `{"b":"2","a":"1"}`},
				{"no blob", ``},
				{b.encrypt(t, sm4, "second"), ``},
				{b.encrypt(t, from, "other context", "EncryptionContext", `{"a":"1"}`), `{"a":"2"}`},
				{ofDisabled, ``},
				{b.encrypt(t, from, large), `{}`},
			}
			message, exported := b.export(t, b.exportBody(t, rows...))
			wantCodes := []string{"", CodeInvalidParameter, "", CodeInvalidParameter, CodeRejectedDisabled, ""}
			for i, o := range exported {
				if o.code != wantCodes[i] {
					t.Errorf("row %d: %q; want %q", i, o.code, wantCodes[i])
				}
			}
			answer, err := b.rows(t, "ImportDataKeys", importBody(t, message, sealedFor{to, `{"c":"3"}`}, sealedFor{sm4, ``}, sealedFor{to, ``}))
			if err != nil {
				t.Fatal(err)
			}
			imported := outcomes(t, batch.NewReader(answer), true)
			if len(imported) != 3 {
				t.Fatalf("%d outcomes", len(imported))
			}
			for i, want := range []struct {
				source         int
				plain, context string
			}{{0, "first", `{"c":"3"}`}, {2, "second", ""}, {5, large, ""}} {
				if imported[i].tag != exported[want.source].tag || imported[i].tag == "" {
					t.Errorf("row %d has another tag than it had", want.source)
				}
				r := b.ok(t, "Decrypt", params{"CiphertextBlob": imported[i].blob, "EncryptionContext": want.context})
				if r.text("Plaintext") != b64(want.plain) {
					t.Errorf("row %d holds another data key", want.source)
				}
			}
		})
	}
}

// Each row that the destination cannot take is refused by itself.
func TestImportRefusesRows(t *testing.T) {
	b := newBatches(t)
	from, to := b.newKey(t), b.newKey(t)
	refused := map[string]string{
		b.keyIn(t, "Disabled"): CodeRejectedDisabled, b.keyIn(t, "PendingDeletion"): CodeRejectedPendingDeletion,
		b.keyIn(t, "PendingImport"): CodeRejectedPendingImport, b.newKeyOf(t, specECP256, ""): CodeUnsupportedOperation,
		"00000000-0000-4000-8000-000000000000": CodeForbiddenKeyNotFound,
	}
	for key, code := range refused {
		blob := sealed{b.encrypt(t, from, "x"), ``}
		message, _ := b.export(t, b.exportBody(t, blob, blob))
		answer, err := b.rows(t, "ImportDataKeys", importBody(t, message, sealedFor{key, ``}, sealedFor{to, ``}))
		if err != nil {
			t.Fatal(err)
		}
		if all := outcomes(t, batch.NewReader(answer), true); len(all) != 2 || all[0].code != code || all[1].code != "" {
			t.Errorf("%s: %+v; want %s for the first alone", key, all, code)
		}
		if _, err := b.rows(t, "ImportDataKeys", importBody(t, message, sealedFor{key, ``}, sealedFor{to, ``}), paramDryRun, "true"); refusal(err) != code {
			t.Errorf("dry run of %s: %v; want %s", key, err, code)
		}
	}
	message, _ := b.export(t, b.exportBody(t, sealed{b.encrypt(t, from, "x"), ``}))
	body := batch.AppendMessage(nil, message)
	id, _ := crypto.ParseKeyID(to)
	body = batch.AppendBytes(append(body, id[:]...), "not canonical")
	answer, err := b.rows(t, "ImportDataKeys", body)
	if err != nil {
		t.Fatal(err)
	}
	if all := outcomes(t, batch.NewReader(answer), true); len(all) != 1 || all[0].code != CodeInvalidParameter {
		t.Errorf("a broken context: %+v", all)
	}
}

func TestTagsTellDataKeysApart(t *testing.T) {
	b := newBatches(t)
	key := b.newKey(t)
	one, same, other := b.encrypt(t, key, "one"), b.encrypt(t, key, "one", "EncryptionContext", `{"a":"b"}`), b.encrypt(t, key, "other")
	message, source := b.export(t, b.exportBody(t, sealed{one, ``}, sealed{one, ``}, sealed{one, ``}), paramCarries, carriesTags)
	if len(message) != crypto.TransportOverhead+crypto.TagKeyBytes {
		t.Errorf("a message of %d bytes carries more than the key of tags", len(message))
	}
	answer, err := b.rows(t, "TagDataKeys", append(batch.AppendMessage(nil, message), sealedBody(t, sealed{same, `{"a":"b"}`}, sealed{other, ``}, sealed{"no blob", ``})...))
	if err != nil {
		t.Fatal(err)
	}
	destination := outcomes(t, batch.NewReader(answer), false)
	if destination[0].tag != source[0].tag || destination[1].tag == source[1].tag || destination[2].code != CodeInvalidParameter {
		t.Errorf("tags %+v and %+v", source, destination)
	}
	if source[0].tag == source[1].tag {
		t.Error("the tags of two rows tell that they hold the same data key")
	}
}

func TestBatchMessagesAreBound(t *testing.T) {
	b := newBatches(t)
	key := b.newKey(t)
	row := sealed{b.encrypt(t, key, "x"), ``}
	message, _ := b.export(t, b.exportBody(t, row))
	tagKey, _ := b.export(t, b.exportBody(t, row), paramCarries, carriesTags)
	elsewhere, _ := b.export(t, b.exportBody(t, row), paramTo, "cn-shanghai")
	flipped := bytes.Clone(message)
	flipped[len(flipped)-1] ^= 1
	target := sealedFor{key, ``}
	for name, try := range map[string]struct {
		action  string
		body    []byte
		changes []string
		code    string
	}{
		"changed":                {"ImportDataKeys", importBody(t, flipped, target), nil, CodeParseRequestParameterException},
		"for another region":     {"ImportDataKeys", importBody(t, elsewhere, target), nil, CodeParseRequestParameterException},
		"from another region":    {"ImportDataKeys", importBody(t, message, target), []string{paramFrom, "cn-shanghai"}, CodeParseRequestParameterException},
		"of another version":     {"ImportDataKeys", importBody(t, message, target), []string{paramTransportVersion, "2"}, CodeInvalidParameter},
		"tags as data keys":      {"ImportDataKeys", importBody(t, tagKey, target), nil, CodeParseRequestParameterException},
		"data keys as tags":      {"TagDataKeys", append(batch.AppendMessage(nil, message), sealedBody(t, row)...), nil, CodeParseRequestParameterException},
		"more rows than keys":    {"ImportDataKeys", importBody(t, message, target, target), nil, CodeParseRequestParameterException},
		"fewer rows than keys":   {"ImportDataKeys", importBody(t, message), nil, CodeParseRequestParameterException},
		"no message":             {"ImportDataKeys", []byte{1}, nil, CodeParseRequestParameterException},
		"a version that is none": {"ImportDataKeys", importBody(t, message, target), []string{paramTransportVersion, "0"}, CodeInvalidParameter},
		"no source":              {"ImportDataKeys", importBody(t, message, target), []string{paramFrom, "-"}, CodeMissingParameter},
		"no transport key":       {"ExportDataKeys", sealedBody(t, row), nil, CodeParseRequestParameterException},
	} {
		if _, err := b.rows(t, try.action, try.body, try.changes...); refusal(err) != try.code {
			t.Errorf("%s: %v; want %s", name, err, try.code)
		}
	}
	whole := b.exportBody(t, row)
	for n := len(whole) - 60; n < len(whole); n++ {
		if _, err := b.rows(t, "ExportDataKeys", whole[:n]); refusal(err) != CodeParseRequestParameterException {
			t.Fatalf("cut after %d of %d bytes: %v", n, len(whole), err)
		}
	}
}

// A row whose header names another algorithm than its key has is refused, and no other row of the key.
func TestRowsOfAKeyStandAlone(t *testing.T) {
	b := newBatches(t)
	right := b.encrypt(t, b.newKey(t), "x")
	raw := unb64(t, right)
	raw[1] = byte(crypto.AlgorithmXSM4GCM)
	wrong := base64.StdEncoding.EncodeToString(raw)
	for _, rows := range [][]sealed{{{wrong, ``}, {right, ``}}, {{right, ``}, {wrong, ``}, {right, ``}}} {
		message, exported := b.export(t, b.exportBody(t, rows...), paramCarries, carriesTags)
		answer, err := b.rows(t, "TagDataKeys", append(batch.AppendMessage(nil, message), sealedBody(t, rows...)...))
		if err != nil {
			t.Fatal(err)
		}
		for action, all := range map[string][]outcome{"ExportDataKeys": exported, "TagDataKeys": outcomes(t, batch.NewReader(answer), false)} {
			for i, row := range rows {
				if want := map[string]string{wrong: CodeInvalidParameter}[row.blob]; all[i].code != want {
					t.Errorf("%s: row %d of %d: %q; want %q", action, i, len(rows), all[i].code, want)
				}
			}
		}
	}
}

// The transport key before the newest still opens what is on its way; one before that does not.
func TestBatchAfterRotationOfTheTransportKey(t *testing.T) {
	b := newBatches(t)
	key := b.newKey(t)
	message, _ := b.export(t, b.exportBody(t, sealed{b.encrypt(t, key, "x"), ``}))
	for rotations, want := range []string{"<nil>", "<nil>", CodeInvalidParameter} {
		if rotations > 0 {
			b.rotateTransport(t)
		}
		if _, err := b.rows(t, "ImportDataKeys", importBody(t, message, sealedFor{key, ``})); refusal(err) != want {
			t.Errorf("after %d rotations: %v; want %s", rotations, err, want)
		}
	}
}

func TestBatchLimits(t *testing.T) {
	b := newBatches(t)
	row := sealed{b.encrypt(t, b.newKey(t), "x"), ``}
	many := make([]sealed, batch.MaxRows+1)
	for i := range many {
		many[i] = row
	}
	if _, all := b.export(t, b.exportBody(t, many[:batch.MaxRows]...)); len(all) != batch.MaxRows {
		t.Errorf("%d outcomes of %d rows", len(all), batch.MaxRows)
	}
	if _, err := b.rows(t, "ExportDataKeys", b.exportBody(t, many...)); refusal(err) != CodeParseRequestParameterException {
		t.Errorf("a row too many: %v", err)
	}
	// What is no blob is refused row by row; the body is read all the same.
	body := b.exportBody(t)
	for len(body)+2+65000+2 <= batch.MaxBytes {
		body = batch.AppendBytes(batch.AppendBytes(body, make([]byte, 65000)), "")
	}
	body = batch.AppendBytes(batch.AppendBytes(body, make([]byte, batch.MaxBytes-len(body)-4)), "")
	if len(body) != batch.MaxBytes {
		t.Fatalf("a body of %d bytes", len(body))
	}
	b.export(t, body)
	var e *client.Error
	if _, err := b.rows(t, "ExportDataKeys", append(body, 0)); !errors.As(err, &e) || e.Status != http.StatusRequestEntityTooLarge {
		t.Errorf("a byte too many: %v", err)
	}
}

func TestBatchesNeedRows(t *testing.T) {
	b := newBatches(t)
	if _, err := b.client.CallOwn(t.Context(), "ExportDataKeys", params{paramTo: "x", paramTransportVersion: "1"}, nil); refusal(err) != CodeParseRequestParameterException {
		t.Errorf("a form: %v", err)
	}
	if _, err := b.rows(t, "GetTransportKey", []byte("rows")); refusal(err) != CodeParseRequestParameterException {
		t.Errorf("rows for an action without: %v", err)
	}
	if _, err := b.client.CallOwn(t.Context(), "Encrypt", nil, nil); refusal(err) != CodeInvalidActionNotFound {
		t.Errorf("an action of the other version: %v", err)
	}
	if r := b.call(t, "ExportDataKeys", nil); r.code != CodeInvalidActionNotFound {
		t.Errorf("the other way: %s", r.raw)
	}
}

// Data keys leave for pinned regions only, by a dry run, too.
func TestBatchesLeaveForPinnedPeersOnly(t *testing.T) {
	b := newBatches(t)
	body := b.exportBody(t, sealed{b.encrypt(t, b.newKey(t), "x"), ``})
	for _, pinned := range []bool{false, true} {
		b.peers = Peers{Pinned: [][sha256.Size]byte{sha256.Sum256([]byte("another"))}}
		if pinned {
			b.peers.Pinned = append(b.peers.Pinned, sha256.Sum256(b.public))
		}
		b.server, b.identity = b.newServer(t, Limits{})
		b.serve(t)
		want := map[string]string{"false": CodeForbiddenExportNotAllowed, "true": CodeForbiddenExportNotAllowed}
		if pinned {
			want = map[string]string{"false": "<nil>", "true": CodeDryRunOperationError}
		}
		for dry, code := range want {
			for _, carries := range []string{carriesDataKeys, carriesTags} {
				if _, err := b.rows(t, "ExportDataKeys", body, paramDryRun, dry, paramCarries, carries); refusal(err) != code {
					t.Errorf("pinned %v, dry run %s, %s: %v; want %s", pinned, dry, carries, err, code)
				}
			}
		}
	}
}

// Who may not use a key is told that, row by row, and nothing about the key.
func TestBatchesAreAuthorizedByRow(t *testing.T) {
	b := newBatches(t)
	key, gone := b.newKey(t), b.newKey(t)
	there, absent := b.encrypt(t, key, "x"), b.encrypt(t, gone, "x")
	b.ok(t, "ScheduleKeyDeletion", params{"KeyId": gone, "PendingWindowInDays": "7"})
	b.clock.advance(8 * 24 * time.Hour)
	b.destroy(t, gone)
	message, _ := b.export(t, b.exportBody(t, sealed{there, ``}))
	b.identity.Root = false
	defer func() { b.identity.Root = true }()
	_, all := b.export(t, b.exportBody(t, sealed{there, ``}, sealed{absent, ``}))
	answer, err := b.rows(t, "ImportDataKeys", importBody(t, message, sealedFor{key, ``}))
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range append(all, outcomes(t, batch.NewReader(answer), true)...) {
		if o.code != CodeForbiddenNoPermission {
			t.Errorf("row %d: %+v", i, o)
		}
	}
	for _, action := range []string{"GetTransportKey", "RotateTransportKey"} {
		if _, err := b.client.CallOwn(t.Context(), action, nil, nil); refusal(err) != CodeForbiddenNoPermission {
			t.Errorf("%s: %v", action, err)
		}
	}
}

// What is wrong with the node is no outcome of a row.
func TestBatchOfASealedNode(t *testing.T) {
	b := newBatches(t)
	body := b.exportBody(t, sealed{b.encrypt(t, b.newKey(t), "x"), ``})
	b.sealed = true
	defer func() { b.sealed = false }()
	if _, err := b.rows(t, "ExportDataKeys", body); refusal(err) != CodeServiceUnavailableTemporary {
		t.Errorf("%v; want %s", err, CodeServiceUnavailableTemporary)
	}
}

func TestRegionWithoutTransportKey(t *testing.T) {
	b := &batches{harness: newHarness(t, Limits{})}
	b.serve(t)
	if _, err := b.client.CallOwn(t.Context(), "GetTransportKey", nil, nil); refusal(err) != CodeServiceUnavailableTemporary {
		t.Errorf("%v; want %s", err, CodeServiceUnavailableTemporary)
	}
	b.proposed = func() *storepb.Result { return &storepb.Result{Code: storepb.Code_PRIMARY_CHANGED} }
	if _, err := b.client.CallOwn(t.Context(), "RotateTransportKey", nil, nil); refusal(err) != CodeRejectedThrottling {
		t.Errorf("a rotation that came second: %v; want %s", err, CodeRejectedThrottling)
	}
}
