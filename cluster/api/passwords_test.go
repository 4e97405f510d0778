package api

import (
	"strings"
	"testing"
)

func TestRandomPassword(t *testing.T) {
	h := newHarness(t, Limits{})
	ask := func(p ...string) string {
		t.Helper()
		return h.ok(t, "GetRandomPassword", with(params{}, p...)).text("RandomPassword")
	}
	seen := map[string]bool{}
	for range 100 {
		password := ask()
		if len(password) != 32 || seen[password] {
			t.Fatalf("%q", password)
		}
		seen[password] = true
		for _, kind := range passwordKinds {
			if !strings.ContainsAny(password, kind.characters) {
				t.Errorf("%q has none of %s", password, kind.characters)
			}
		}
		if short := ask("PasswordLength", "8", "ExcludePunctuation", "true"); len(short) != 8 || !strings.ContainsAny(short, "0123456789") || strings.ContainsAny(short, passwordKinds[3].characters) {
			t.Errorf("%q", short)
		}
	}
	if got := ask("PasswordLength", "128", "ExcludeLowercase", "true", "ExcludeUppercase", "true", "ExcludePunctuation", "true", "ExcludeCharacters", "012345678"); got != strings.Repeat("9", 128) {
		t.Errorf("%q", got)
	}
	if got := ask("ExcludeCharacters", passwordKinds[0].characters+passwordKinds[3].characters, "RequireEachIncludedType", "false"); strings.ContainsAny(got, passwordKinds[0].characters+passwordKinds[3].characters) {
		t.Errorf("%q", got)
	}
	for _, p := range []params{
		{"PasswordLength": "7"}, {"PasswordLength": "129"}, {"PasswordLength": "x"}, {"ExcludeCharacters": "é"}, {"ExcludeCharacters": "a\tb"},
		{"ExcludeLowercase": "true", "ExcludeUppercase": "true", "ExcludeNumbers": "true", "ExcludePunctuation": "true"},
		{"ExcludeUppercase": "true", "ExcludeNumbers": "true", "ExcludePunctuation": "true", "ExcludeCharacters": passwordKinds[0].characters},
	} {
		h.fails(t, CodeInvalidParameter, "GetRandomPassword", p)
	}
}
