package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// secret is a value that must not be found, and its forms.
type secret struct {
	name  string
	forms map[string][]byte
}

// newSecret prepares the forms in which a value might lie about: raw, hex, and
// Base64 of both alphabets, also where the value stands within longer text that
// was encoded as a whole, so that it may begin at any of three places of a group.
func newSecret(name string, value []byte) secret {
	s := secret{name: name, forms: map[string][]byte{
		"raw":       value,
		"hex":       []byte(hex.EncodeToString(value)),
		"upper hex": []byte(strings.ToUpper(hex.EncodeToString(value))),
	}}
	for before := range 3 {
		padded := append(make([]byte, before), value...)
		for form, encoding := range map[string]*base64.Encoding{"Base64": base64.RawStdEncoding, "URL Base64": base64.RawURLEncoding} {
			text := encoding.EncodeToString(padded)
			// Letters that also depend on what stands around it say nothing.
			from := []int{0, 2, 3}[before]
			to := len(text)
			if len(padded)%3 != 0 {
				to--
			}
			s.forms[form+" "+string(rune('0'+before))] = []byte(text[from:to])
		}
	}
	return s
}

// findIn names the forms in which the secret occurs in text.
func (s secret) findIn(text []byte) []string {
	var found []string
	for form, bytesOf := range s.forms {
		if bytes.Contains(text, bytesOf) {
			found = append(found, form)
		}
	}
	slices.Sort(found)
	return found
}

// searchFiles reports every file below dir that holds a secret, apart from those
// that keep says are there to hold one.
func searchFiles(t *testing.T, dir string, secrets []secret, keep func(path string) bool) (files int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || keep(path) {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		for _, s := range secrets {
			if forms := s.findIn(text); len(forms) > 0 {
				t.Errorf("%s holds %s (%s)", path, s.name, strings.Join(forms, ", "))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestSecretIsFoundInEachForm(t *testing.T) {
	value := []byte("\x00\xffsecret of some length\xfe")
	s := newSecret("it", value)
	for _, before := range []string{"", "a", "ab", "abc", "abcd"} {
		for _, after := range []string{"", "y", "yz", "xyz"} {
			whole := append(append([]byte(before), value...), after...)
			for form, text := range map[string]string{
				"raw":        string(whole),
				"hex":        hex.EncodeToString(whole),
				"upper hex":  strings.ToUpper(hex.EncodeToString(whole)),
				"Base64":     base64.StdEncoding.EncodeToString(whole),
				"URL Base64": base64.URLEncoding.EncodeToString(whole),
			} {
				found := s.findIn([]byte(text))
				if !slices.ContainsFunc(found, func(f string) bool { return strings.HasPrefix(f, form) }) {
					t.Errorf("%s between %q and %q was found as %v", form, before, after, found)
				}
			}
		}
	}
	if found := s.findIn([]byte("secret of another length")); found != nil {
		t.Errorf("found %v where it is not", found)
	}
}
