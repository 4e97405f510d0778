package api

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares text with a file in testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s:\n%s\nwant\n%s", name, got, want)
	}
}

// goldenAnswers are answers with every kind of member.
var goldenAnswers = map[string]func(a *Answer){
	"encrypt": func(a *Answer) {
		a.Text("KeyId", "08c33a6f-4e0a-4a1b-a3fa-7ddfa1d4fb73")
		a.Base64("CiphertextBlob", []byte{0, 0xfb, 0xff, 0xfe})
		a.Text("KeyVersionId", "2ab1a983-7072-4bbc-a582-584b5bd8a8f6")
	},
	"nothing": func(*Answer) {},
	"empty-list": func(a *Answer) {
		a.List("Keys", "Key")
		a.EndList()
		a.Number("TotalCount", 0)
		a.Number("PageNumber", 1)
		a.Number("PageSize", 10)
	},
	"list": func(a *Answer) {
		a.List("Keys", "Key")
		for _, id := range []string{"one", "two"} {
			a.Item()
			a.Text("KeyId", id)
			a.Text("KeyArn", "acs:kms:cn-test-1:1:key/"+id)
			a.EndItem()
		}
		a.EndList()
		a.Number("TotalCount", 1<<40)
	},
	"list-of-texts": func(a *Answer) {
		a.List("Names", "Name")
		a.ItemText("a<b")
		a.ItemText("")
		a.EndList()
	},
	"nested": func(a *Answer) {
		a.Object("KeyMetadata")
		a.Time("CreationDate", time.Date(2026, 11, 24, 16, 0, 0, 999, time.FixedZone("", 8*3600)))
		a.Time("DeleteDate", time.Time{})
		a.List("Tags", "Tag")
		a.Item()
		a.Object("Deep")
		a.Bool("Yes", true)
		a.End()
		a.Bool("No", false)
		a.EndItem()
		a.EndList()
		a.End()
		a.Number("Count", -1)
	},
	"escaping": func(a *Answer) {
		a.Text("Description", "\"quotes\" \\ & <tags> 'x' ]]> 测试 🔑 tab\tline\nreturn\r\u2028 \x7f")
		a.Text("Bad", "\xff \x01 \ufffe")
	},
	"run-twice": func(a *Answer) {
		a.Object("Half")
		a.Text("Left", "behind")
		a.Reset()
		a.Text("Whole", "yes")
	},
}

func TestGoldenAnswers(t *testing.T) {
	for name, write := range goldenAnswers {
		for _, form := range []string{"json", "xml"} {
			t.Run(name+"."+form, func(t *testing.T) {
				var a Answer
				a.begin(form == "xml", "KMS")
				write(&a)
				got := a.finish("475f1620-b9d3-4d35-b5c6-3fbdd941423d")
				golden(t, name+"."+form, got)
				if form == "json" && !json.Valid(got) {
					t.Error("not JSON")
				}
				if form == "xml" {
					if err := xml.Unmarshal(got, new(struct{})); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
}

func TestGoldenErrors(t *testing.T) {
	for _, form := range []string{"json", "xml"} {
		a := Answer{xml: form == "xml"}
		a.Text("Half", "an answer")
		a.fail(newError(CodeRejectedDisabled, "08c33a6f-4e0a-4a1b-a3fa-7ddfa1d4fb73"), "475f1620-b9d3-4d35-b5c6-3fbdd941423d", "kms.example.test:7101")
		golden(t, "error."+form, a.buf)
	}
}

// FuzzText checks that text comes back from both forms as it went in, but for what they cannot hold.
func FuzzText(f *testing.F) {
	for _, seed := range []string{"", "plain", `"\&<>'`, "\r\n\t\x00\x1f\x7f", "测试🔑", "\xff\xc3\x28", "\u2028\ufffe\uffff]]>"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a := Answer{}
		a.begin(false, "")
		a.Text("T", text)
		var fromJSON struct{ T string }
		if err := json.Unmarshal(a.finish("id"), &fromJSON); err != nil {
			t.Fatal(err)
		}
		if want := strings.ToValidUTF8(text, "\ufffd"); fromJSON.T != want && utf8.ValidString(text) {
			t.Fatalf("JSON: %q came back as %q", text, fromJSON.T)
		}
		a.begin(true, "R")
		a.Text("T", text)
		var fromXML struct{ T string }
		if err := xml.Unmarshal(a.finish("id"), &fromXML); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		want := strings.Map(func(r rune) rune {
			if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff {
				return 0xfffd
			}
			return r
		}, text)
		if utf8.ValidString(text) && fromXML.T != want {
			t.Fatalf("XML: %q came back as %q, want %q", text, fromXML.T, want)
		}
	})
}
