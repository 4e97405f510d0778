package migrate

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"meridian/crypto"
)

func newPlaintextWay(t *testing.T, from, to *cloud) *Plaintext {
	t.Helper()
	mapping, err := ParseMapping(nil)
	if err != nil {
		t.Fatal(err)
	}
	return NewPlaintext(from.region(t), to.region(t), mapping)
}

// Data keys of any size that the destination takes go there with their contexts; bad rows say what they are.
func TestPlaintextWay(t *testing.T) {
	from, to := newCloud(t, "cn-a", 2), newCloud(t, "cn-b", 2)
	long := strings.Repeat("x", maxPlaintext)
	input := strings.Join([]string{
		from.row(t, "data key 1", `{"app":"pay"}`), from.row(t, long, ""), from.row(t, long+"x", ""), to.row(t, "moved before", ""),
		newCloud(t, "cn-c", 1).row(t, "x", ""), strings.Replace(from.row(t, "wrong context", `{"a":"b"}`), `"b"`, `"c"`, 1), from.row(t, "\x00\xff", ""),
	}, "\n") + "\n"
	folder := t.TempDir()
	way := newPlaintextWay(t, from, to)
	plan, err := way.Plan(t.Context(), NewJSONLines(strings.NewReader(input), DefaultColumns), nil)
	if err != nil || plan.Failing != 1 || plan.Kept != 1 || len(plan.Groups) != 1 || plan.Groups[0].Problem != "" || from.calls["Decrypt"] != 1 || to.calls["Encrypt"] != 1 {
		t.Errorf("the plan: %+v, %v", plan, err)
	}
	last, err := Run(t.Context(), testConfig(t, folder, []byte(input), way))
	if err != nil || last.Counts != (Counts{Moved: 3, Kept: 1, Failed: 3}) {
		t.Fatalf("%+v, %v", last, err)
	}
	_, history, err := ReadJournal(filepath.Join(folder, "journal"))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"3 InvalidParameter", "5 " + FaultRegion, "6 InvalidParameter"} {
		if f := history.Failures[i]; fmt.Sprint(f.Row, " ", f.Code) != want {
			t.Errorf("failure %d: %+v, want %s", i, f, want)
		}
	}
	file, err := os.Open(filepath.Join(folder, "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows := NewJSONLines(file, DefaultColumns)
	for i, want := range []string{"data key 1", long, "", "moved before", "", "", "\x00\xff"} {
		row, err := rows.Next()
		if err != nil {
			t.Fatal(err)
		}
		blob, err := crypto.ParseBlob(row.Blob)
		if err != nil {
			t.Fatal(err)
		}
		if want == "" {
			continue
		}
		if got, err := blob.Open(nil, to.xaes, row.Context); err != nil || string(got) != want {
			t.Errorf("row %d opens as %q, %v", i, got, err)
		}
	}
	if to.calls["Decrypt"]+from.calls["Encrypt"]+from.calls["ExportDataKey"] != 0 {
		t.Errorf("calls %v and %v", from.calls, to.calls)
	}
}

// Whatever the destination answers to a request with a plaintext, neither errors nor files repeat it.
func TestPlaintextIsNotRepeated(t *testing.T) {
	const secret = "planted-data-key-0123456789"
	encoded := base64.StdEncoding.EncodeToString([]byte(secret))
	asSent := func(text string) string {
		return " " + text + " server string to sign is:" + text + " " + url.QueryEscape(text) + " " + strings.TrimRight(text, "=") + " " + hex.EncodeToString([]byte(secret))
	}
	for _, answer := range []struct {
		status int
		code   string
		ends   bool
	}{{400, "InvalidParameter", false}, {403, "AccessDeniedError", false}, {403, "SignatureDoesNotMatch", true}, {418, "Other", true}, {400, "Bad." + encoded, false}} {
		from, to := newCloud(t, "cn-a", 1), newCloud(t, "cn-b", 1)
		to.echoes = asSent
		to.refuse = func(action string, _ int, _ map[string]string) (int, string) {
			if action == "Encrypt" {
				return answer.status, answer.code
			}
			return 0, ""
		}
		folder := t.TempDir()
		last, err := Run(t.Context(), testConfig(t, folder, []byte(from.row(t, secret, "")+"\n"), newPlaintextWay(t, from, to)))
		if (err != nil) != answer.ends || !answer.ends && last.Counts.Failed != 1 {
			t.Errorf("%v: %+v, %v", answer, last, err)
		}
		said := fmt.Sprintf("%v %+v %#v", err, err, err)
		for _, name := range []string{"journal", "out"} {
			text, err := os.ReadFile(filepath.Join(folder, name))
			if err != nil {
				t.Fatal(err)
			}
			said += string(text)
		}
		for _, form := range []string{secret, strings.TrimRight(encoded, "="), url.QueryEscape(encoded), hex.EncodeToString([]byte(secret))} {
			if strings.Contains(said, form) {
				t.Errorf("%v: the plaintext is repeated: %s", answer, said)
			}
		}
		if known := !strings.Contains(answer.code, encoded); !answer.ends && known != strings.Contains(said, answer.code) {
			t.Errorf("%v: the code is %v in %s", answer, !known, said)
		}
	}
	from, to := newCloud(t, "cn-a", 1), newCloud(t, "cn-b", 1)
	from.refuse = func(action string, _ int, _ map[string]string) (int, string) {
		if action == "Decrypt" {
			return 200, "x" // an answer without a plaintext
		}
		return 0, ""
	}
	if _, err := Run(t.Context(), testConfig(t, t.TempDir(), []byte(from.row(t, secret, "")+"\n"), newPlaintextWay(t, from, to))); err == nil || !strings.Contains(err.Error(), "no plaintext") {
		t.Errorf("an answer without a plaintext: %v", err)
	}
}
