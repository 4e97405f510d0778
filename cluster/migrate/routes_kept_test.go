package migrate

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"meridian/crypto"
)

// rowUnder is a row of the cloud with a blob under another key or version of it, as they were before a rotation.
func (c *cloud) rowUnder(t *testing.T, key crypto.KeyID, version crypto.VersionID, plaintext string) string {
	t.Helper()
	header := crypto.Header{Algorithm: crypto.AlgorithmXAES256GCM, Region: c.id, KeyID: key, VersionID: version}
	blob, err := crypto.SealBlob(nil, c.xaes, header, crypto.Context{}, []byte(plaintext))
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`{"ciphertext":"%s"}`, base64.StdEncoding.EncodeToString(blob))
}

// Of the blobs that the destination has sealed those alone are kept that are under the target's key, whichever version: it
// may have been rotated since they were moved. All others are refused, for no way can carry them, and no region is asked to.
func TestBlobsOfTheDestination(t *testing.T) {
	for name, newWay := range map[string]func(t *testing.T, from, to *cloud) Way{
		"standard":  func(t *testing.T, from, to *cloud) Way { return newTestWay(t, from, to) },
		"native":    func(t *testing.T, from, to *cloud) Way { return newNativeWay(t, from, to) },
		"plaintext": func(t *testing.T, from, to *cloud) Way { return newPlaintextWay(t, from, to) },
	} {
		t.Run(name, func(t *testing.T) {
			from, to := newNativeCloud(t, "cn-a", 1), newNativeCloud(t, "cn-b", 1)
			named := func(row string) string { return strings.Replace(row, "{", `{"to":"alias/pay",`, 1) }
			rows := []string{
				to.row(t, "kept", ""),
				named(to.row(t, "kept, and named", "")),
				to.rowUnder(t, to.key, crypto.NewVersionID(), "an older version"),
				named(to.rowUnder(t, to.key, crypto.NewVersionID(), "an older version, and named")),
				named(to.rowUnder(t, crypto.NewKeyID(), to.version, "another key")),
				named(to.rowUnder(t, crypto.NewKeyID(), crypto.NewVersionID(), "another key and version")),
			}
			cfg := testConfig(t, t.TempDir(), []byte(strings.Join(rows, "\n")+"\n"), newWay(t, from, to))
			last, err := Run(t.Context(), cfg)
			if err != nil || last.Counts != (Counts{Kept: 4, Failed: 2}) {
				t.Fatalf("%+v, %v", last, err)
			}
			_, history, err := ReadJournal(cfg.Journal)
			if err != nil || len(history.Failures) != 2 {
				t.Fatalf("%+v, %v", history.Failures, err)
			}
			for i, f := range history.Failures {
				if f.Row != int64(i+5) || f.Code != FaultRegion || !strings.Contains(f.Reason, "cn-b") || !strings.Contains(f.Reason, "under another key") {
					t.Errorf("failure %d: %+v", i, f)
				}
			}
			for _, action := range []string{"ExportDataKey", "ReEncrypt", "Decrypt", "Encrypt"} {
				if n := from.calls[action] + to.calls[action]; n > 0 {
					t.Errorf("%d calls of %s", n, action)
				}
			}
			if n := from.native.calls["ExportDataKeys"] + to.native.calls["ImportDataKeys"]; n > 0 {
				t.Errorf("%d calls to export or import", n)
			}
		})
	}
}
