package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func sorted(lines []string) []string {
	out := slices.Clone(lines)
	slices.Sort(out)
	return out
}

func TestParseSize(t *testing.T) {
	for text, want := range map[string]Size{
		"0": 0, "1B": 1, "64MiB": 64 * MiB, "1GiB": GiB, "2TiB": 2 * TiB, "10KiB": 10 * KiB, "5MB": 5_000_000, "3 GB": 3_000_000_000, "7kB": 7000,
	} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("ParseSize(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "64", "-1MiB", "MiB", "1.5GiB", "9223372036854775807KiB", "1XB", "12 m"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("ParseSize(%q) = %d, want an error", text, got)
		}
	}
}

func TestSizeReadsBack(t *testing.T) {
	for _, s := range []Size{0, 1, 1000, KiB, 3 * MiB, 1536 * MiB, TiB} {
		if got, err := ParseSize(s.String()); err != nil || got != s {
			t.Errorf("ParseSize(%q) = %d, %v; want %d", s.String(), got, err, s)
		}
	}
}

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "2s": 2 * time.Second, "500ms": 500 * time.Millisecond, "2m30s": 150 * time.Second, "7d": 168 * time.Hour,
	} {
		if got, err := parseDuration(text); err != nil || got != want {
			t.Errorf("parseDuration(%q) = %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "2", "-1s", "1 s", "d", "99999999999999d"} {
		if got, err := parseDuration(text); err == nil {
			t.Errorf("parseDuration(%q) = %s, want an error", text, got)
		}
	}
}

func TestDurationText(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 2 * time.Second: "2s", 2 * time.Minute: "2m", time.Hour: "1h", 90 * time.Second: "1m30s", 61 * time.Minute: "1h1m",
		500 * time.Millisecond: "500ms", 24 * time.Hour: "24h", 20 * time.Minute: "20m", 10 * time.Hour: "10h",
	} {
		if got := durationText(d); got != want {
			t.Errorf("durationText(%d) = %q, want %q", d, got, want)
		}
	}
}

func TestReadSecret(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) SecretRef {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return SecretRef("file://" + path)
	}
	env := map[string]string{"KEY": "from the environment"}
	lookup := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	tests := []struct {
		name string
		ref  SecretRef
		want string // "" for an error that holds fail
		fail string
	}{
		{"file", write("ok", "from a file\n", 0o600), "from a file", ""},
		{"file, read only", write("ro", "from a file\r\n", 0o400), "from a file", ""},
		{"variable", "env://KEY", "from the environment", ""},
		{"unset variable", "env://NONE", "", "not set"},
		{"file open to the group", write("group", "x", 0o640), "", "open to others (mode 0640)"},
		{"file open to all", write("all", "x", 0o604), "", "open to others"},
		{"empty file", write("empty", "\n", 0o600), "", "is empty"},
		{"long file", write("long", strings.Repeat("x", maxSecretBytes+1), 0o600), "", "longer than"},
		{"no file", SecretRef("file://" + dir + "/none"), "", "no such file"},
		{"none", "", "", "no secret"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.ref.Read(lookup)
			if tt.fail != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fail) {
					t.Fatalf("error is %v, want one with %q", err, tt.fail)
				}
				return
			}
			if err != nil || string(got) != tt.want {
				t.Fatalf("got %d bytes, %v; want %q", len(got), err, tt.want)
			}
		})
	}
}
