//go:build unix

package seal

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"meridian/crypto"
)

// goldenFile holds the key 00 01 02 ... 1f.
const goldenFile = "testdata/root.key"

func readGolden(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// place writes a file with mode 0600 into a new directory.
func place(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "root.key")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestGoldenKeyFile(t *testing.T) {
	key := make([]byte, crypto.KeyBytes)
	for i := range key {
		key[i] = byte(i)
	}
	text := readGolden(t)
	if got := string(formatKeyFile(key)); got != text {
		t.Errorf("the key is written as\n%swant\n%s", got, text)
	}
	p := mustOpen(t, place(t, text))
	xaes, err := crypto.NewXAES(key)
	if err != nil {
		t.Fatal(err)
	}
	id := mustWrapID(t, p)
	w := Wrapped{"file", id, xaes.Seal([]byte{1}, []byte("keyring"), fileAAD(id, []byte("aad")))}
	if got, err := p.Unwrap(t.Context(), w, []byte("aad")); err != nil || string(got) != "keyring" {
		t.Errorf("the file's key is another: %v", err)
	}
	// Comments, blank lines and line ends of other systems do no harm.
	mustOpen(t, place(t, "\n# mine\n"+strings.ReplaceAll(text, "\n", "\r\n")+"\n# end"))
}

func TestGenerateFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "root.key")
	if err := GenerateFile(path); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	before, _ := os.ReadFile(path)

	var refused *FileError
	if err := GenerateFile(path); !errors.As(err, &refused) || !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), "never overwritten") {
		t.Errorf("over an existing file: %v", err)
	}
	if after, _ := os.ReadFile(path); string(after) != string(before) {
		t.Error("the existing file changed")
	}
	dangling := filepath.Join(dir, "dangling")
	if err := os.Symlink(filepath.Join(dir, "nowhere"), dangling); err != nil {
		t.Fatal(err)
	}
	if err := GenerateFile(dangling); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over a dangling link: %v", err)
	}
	if err := GenerateFile(filepath.Join(dir, "none", "root.key")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("into a directory that does not exist: %v", err)
	}
	other := filepath.Join(dir, "other.key")
	if err := GenerateFile(other); err != nil {
		t.Fatal(err)
	}
	if mustWrapID(t, mustOpen(t, path)) == mustWrapID(t, mustOpen(t, other)) {
		t.Error("two files hold one key")
	}
	if names, _ := filepath.Glob(filepath.Join(dir, ".root-key-*")); len(names) != 0 {
		t.Errorf("left behind: %v", names)
	}
}

func TestGenerateFileRace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "root.key")
	var wg sync.WaitGroup
	made := make(chan struct{}, 8)
	for range 8 {
		wg.Go(func() {
			switch err := GenerateFile(path); {
			case err == nil:
				made <- struct{}{}
			case !errors.Is(err, fs.ErrExist):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(made) != 1 {
		t.Errorf("%d of 8 made the file", len(made))
	}
	mustOpen(t, path)
}

func TestOpenFileRefusesContent(t *testing.T) {
	text := readGolden(t)
	key := text[strings.Index(text, "\nkey: ")+len("\nkey: "):]
	for name, test := range map[string]struct{ text, want string }{
		"empty":               {"", "not a root key file"},
		"another file":        {"-----BEGIN PRIVATE KEY-----\n", "not a root key file"},
		"binary":              {"\x00\x01\x02", "not a root key file"},
		"comments only":       {"# Root key\n", "not a root key file"},
		"another version":     {strings.Replace(text, "root-key: 1", "root-key: 2", 1), "of another version"},
		"id gone":             {text[:strings.Index(text, "id: ")], `cut short: the line "id:" is missing`},
		"key gone":            {text[:strings.Index(text, "\nkey: ")], `cut short: the line "key:" is missing`},
		"key cut":             {text[:len(text)-9], "not 32 bytes in Base64"},
		"key cut at four":     {text[:len(text)-5], "not 32 bytes in Base64"},
		"key too long":        {strings.TrimSuffix(text, "=\n") + "AAAA\n", "not 32 bytes in Base64"},
		"key changed":         {strings.Replace(text, "AAEC", "AAED", 1), "does not fit its id"},
		"id changed":          {strings.Replace(text, "id: ", "id: 0", 1), "does not fit its id"},
		"lines exchanged":     {"meridian-root-key: 1\nkey: " + key, `the line "id:" is not where it belongs`},
		"key twice":           {text + "key: " + key, "text after the key"},
		"loose bits":          {strings.Replace(text, "8=\n", "9=\n", 1), "not 32 bytes in Base64"},
		"longer than allowed": {text + strings.Repeat("#\n", 4096), "longer than 4096 bytes"},
	} {
		p, err := OpenFile(place(t, test.text))
		var refused *FileError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, %v; want %q", name, p, err, test.want)
		}
		if err != nil && strings.Contains(err.Error(), key[:10]) {
			t.Errorf("%s: the error shows the key: %v", name, err)
		}
	}
}

func TestOpenFileEveryTruncationIsRefused(t *testing.T) {
	text := readGolden(t)
	for n := range len(text) - 1 { // only the last newline may be missing
		if _, problem, fix := parseKeyFile([]byte(text[:n])); problem == "" || fix == "" {
			t.Errorf("cut to %d bytes it is taken", n)
		}
	}
	if _, problem, _ := parseKeyFile([]byte(text[:len(text)-1])); problem != "" {
		t.Errorf("without its last newline: %s", problem)
	}
}

func TestOpenFileRefusesModes(t *testing.T) {
	for mode, allowed := range map[fs.FileMode]bool{0o600: true, 0o400: true, 0o640: false, 0o604: false, 0o644: false, 0o660: false, 0o620: false, 0o601: false, 0o777: false} {
		path := place(t, readGolden(t))
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := OpenFile(path)
		if allowed && err != nil {
			t.Errorf("mode %04o: %v", mode, err)
		}
		if !allowed && (err == nil || !strings.Contains(err.Error(), "chmod 0600 "+path)) {
			t.Errorf("mode %04o: %v; refuse it and say what to do", mode, err)
		}
	}
}

// ownedBy is a file as if it belonged to a user: only root can give files away.
type ownedBy struct {
	fs.FileInfo
	uid uint32
}

func (o ownedBy) Sys() any {
	stat := *o.FileInfo.Sys().(*syscall.Stat_t)
	stat.Uid = o.uid
	return &stat
}

func TestOpenFileRefusesOwners(t *testing.T) {
	path := place(t, readGolden(t))
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	me := uint32(os.Geteuid())
	other := me + 1
	for uid, refused := range map[uint32]bool{0: false, me: false, other: true} {
		err := checkFile(path, ownedBy{info, uid})
		if refused != (err != nil) || refused && !strings.Contains(err.Error(), "another user") {
			t.Errorf("owner %d, process of %d: %v", uid, me, err)
		}
	}
	if me != 0 {
		return
	}
	if err := os.Chown(path, int(other), -1); err != nil {
		t.Skip("files cannot be given away here: ", err)
	}
	var refused *FileError
	if _, err := OpenFile(path); !errors.As(err, &refused) {
		t.Errorf("the file of another user: %v", err)
	}
}

func TestOpenFileRefusesOtherThings(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	outside := filepath.Join(elsewhere, "root.key")
	if err := os.WriteFile(outside, []byte(readGolden(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	// As Kubernetes mounts secrets: root.key -> ..data/root.key -> ..2026/root.key.
	if err := os.MkdirAll(filepath.Join(dir, "..2026"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "..2026", "root.key"), []byte(readGolden(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{
		"..data": "..2026", "root.key": "..data/root.key", "absolute.key": outside,
		"relative.key": filepath.Join("..", filepath.Base(elsewhere), "root.key"), "dangling.key": "none", "loop.key": "loop.key",
	} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe.key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "folder.key"), 0o700); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, filepath.Join(dir, "root.key"))
	for name, want := range map[string]string{
		"absolute.key": "may not lead out", "relative.key": "may not lead out", "dangling.key": "does not exist", "loop.key": "cannot be reached",
		"pipe.key": "not a regular file", "folder.key": "not a regular file", "none.key": "meridian seal keygen", "none/root.key": "cannot open its directory",
	} {
		_, err := OpenFile(filepath.Join(dir, name))
		var refused *FileError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), filepath.Join(dir, name)) {
			t.Errorf("%s: %v; want %q", name, err, want)
		}
	}
}

func FuzzParseKeyFile(f *testing.F) {
	f.Add([]byte(readGolden(f)))
	f.Fuzz(func(t *testing.T, text []byte) {
		key, problem, fix := parseKeyFile(text)
		if (key == nil) == (problem == "") || problem != "" && fix == "" {
			t.Fatalf("%q: a key %v, problem %q, fix %q", text, key != nil, problem, fix)
		}
		if key == nil {
			return
		}
		if again, problem, _ := parseKeyFile(formatKeyFile(key)); problem != "" || !again.Equal(key) {
			t.Fatalf("%q: is not read again: %s", text, problem)
		}
	})
}
