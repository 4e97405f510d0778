package main

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"meridian/crypto"
)

// A ciphertext is taken as Base64, with what editors and mail put around it, or
// as the bytes that it is; bytes never look like Base64.
func TestBlobOf(t *testing.T) {
	blob := append([]byte{1, 1, 0, 4}, bytes.Repeat([]byte("AAAA"), 40)...)
	text := base64.StdEncoding.EncodeToString(blob)
	for name, data := range map[string][]byte{
		"bytes": blob, "Base64": []byte(text), "with a line end": []byte(text + "\r\n"), "wrapped": []byte(text[:64] + "\n" + text[64:] + "\n"),
	} {
		if got, err := blobOf(data); err != nil || !bytes.Equal(got, blob) {
			t.Errorf("%s: %x %v", name, got, err)
		}
	}
	for data, want := range map[string]string{
		"geheim!":                    "character 7 is not of its alphabet",
		"AAAA====A":                  "character 5",
		"AAA":                        "its 3 characters are no multiple of four",
		"AAB=":                       "its end is damaged",
		"AA-_":                       "Base64 for URLs",
		"\n ":                        "only blanks",
		`{"ciphertext_blob":"AAAA"}`: "looks like JSON",
	} {
		if _, err := blobOf([]byte(data)); exitOf(err) != exitUsage || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%q: %v, want %q", data, err, want)
		}
	}
}

func TestAddContext(t *testing.T) {
	params := map[string]string{}
	if err := addContext(params, "EncryptionContext", []string{"b=x=y", "a=", "c=<&>"}); err != nil {
		t.Fatal(err)
	}
	c, err := crypto.ParseContext([]byte(params["EncryptionContext"]))
	if err != nil || len(c.Pairs()) != 3 || c.Pairs()[1].Value != "x=y" || c.Pairs()[2].Value != "<&>" {
		t.Errorf("%s: %v %v", params["EncryptionContext"], c.Pairs(), err)
	}
	for _, pairs := range [][]string{{"a"}, {"=b"}, {"a=1", "a=1"}, {"a=\xff"}} {
		if err := addContext(map[string]string{}, "x", pairs); exitOf(err) != exitUsage {
			t.Errorf("%q: %v", pairs, err)
		}
	}
	empty := map[string]string{}
	if err := addContext(empty, "x", nil); err != nil || len(empty) != 0 {
		t.Errorf("%v %v", empty, err)
	}
}
