package seal

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"meridian/crypto"
)

// The file of a root key is text of three lines, and any number of comments, which start with #:
//
//	meridian-root-key: 1
//	id: 32 hexadecimal digits, the fingerprint of the key
//	key: 32 bytes in standard Base64
//
// The fingerprint tells a wrong file from a damaged one, and which file a keyring was wrapped under.
const (
	keyFileVersion  = "1"
	maxKeyFileBytes = 4096

	keyFileComment = `# Root key of a Meridian region. Whoever reads this file together with the region's data can read every key of the
# region; whoever loses it has lost them all. Keep it away from the data and its backups, and keep a copy offline.
`
)

// FileError says what is wrong with the file of a root key and what to do about it.
type FileError struct {
	Path    string
	Problem string
	Fix     string // what to do; may be empty
	Err     error  // the cause, where the system gave one
}

// Error implements error.
func (e *FileError) Error() string {
	text := "root key file " + e.Path + ": " + e.Problem
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	if e.Fix != "" {
		text += "; " + e.Fix
	}
	return text
}

// Unwrap returns the cause.
func (e *FileError) Unwrap() error { return e.Err }

// GenerateFile makes a new root key and writes it to path, which must not exist: nothing is ever overwritten. The file
// has mode 0600 and appears whole or not at all. Errors are [*FileError].
func GenerateFile(path string) error {
	key := make(crypto.Secret, crypto.KeyBytes)
	defer key.Wipe()
	rand.Read(key)
	text := formatKeyFile(key)
	defer text.Wipe()
	return writeNew(path, text)
}

// fingerprint names a key without giving anything of it away: the key has 256 random bits.
func fingerprint(key []byte) string {
	h := sha256.New()
	h.Write([]byte("meridian/root-key/fingerprint/1"))
	h.Write(key)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func formatKeyFile(key []byte) crypto.Secret {
	text := make(crypto.Secret, 0, 1024) // larger than the file: growing would leave copies behind
	text = append(text, keyFileComment...)
	text = fmt.Appendf(text, "meridian-root-key: %s\nid: %s\nkey: ", keyFileVersion, fingerprint(key))
	text = base64.StdEncoding.AppendEncode(text, key)
	return append(text, '\n')
}

// parseKeyFile reads the text of a file; problem and fix say what is wrong with it.
func parseKeyFile(text []byte) (key crypto.Secret, problem, fix string) {
	const foreign = "not a root key file"
	const useOther = "point to a file that `meridian seal keygen` made"
	const restore = "restore it from its copy; a new key does not open an existing region"

	var fields [3][]byte
	names := [3]string{"meridian-root-key: ", "id: ", "key: "}
	n := 0
	for line := range bytes.Lines(text) { // parts of text, no copies
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		if n == len(fields) {
			return nil, "text after the key", useOther
		}
		value, ok := bytes.CutPrefix(line, []byte(names[n]))
		if !ok {
			if n == 0 {
				return nil, foreign, useOther
			}
			return nil, fmt.Sprintf("damaged: the line %q is not where it belongs", strings.TrimSpace(names[n])), restore
		}
		fields[n] = value
		n++
	}
	switch {
	case n == 0:
		return nil, foreign, useOther
	case string(fields[0]) != keyFileVersion:
		return nil, "of another version than " + keyFileVersion + ", which this program reads", "use the program that wrote it, or a newer one"
	case n < len(fields):
		return nil, fmt.Sprintf("cut short: the line %q is missing", strings.TrimSpace(names[n])), restore
	}
	key = make(crypto.Secret, base64.StdEncoding.DecodedLen(len(fields[2])))
	size, err := base64.StdEncoding.Strict().Decode(key, fields[2])
	if err != nil || size != crypto.KeyBytes {
		key.Wipe()
		return nil, "damaged or cut short: the key is not 32 bytes in Base64", restore
	}
	key = key[:size]
	if fingerprint(key) != string(fields[1]) {
		key.Wipe()
		return nil, "damaged: the key does not fit its id", restore
	}
	return key, "", ""
}

// readFile reads and checks a key file.
func readFile(path string) (crypto.Secret, error) {
	// Within the root, links are followed as long as they do not lead out.
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return nil, &FileError{Path: path, Problem: "cannot open its directory", Err: err}
	}
	defer root.Close()
	name := filepath.Base(path)

	// Looked at before it is opened: opening a pipe would wait for its writer.
	info, err := root.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &FileError{Path: path, Problem: "does not exist", Fix: "copy the region's root.key here; make one (meridian seal keygen " + path + ") only on the first machine of a new region", Err: fs.ErrNotExist}
	case err != nil:
		return nil, &FileError{Path: path, Problem: "cannot be reached within its directory", Fix: "a symbolic link may not lead out of the directory", Err: err}
	}
	if err := checkFile(path, info); err != nil {
		return nil, err
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, &FileError{Path: path, Problem: "cannot be opened", Err: err}
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return nil, &FileError{Path: path, Problem: "cannot be examined", Err: err}
	}
	if err := checkFile(path, info); err != nil {
		return nil, err
	}

	text := make(crypto.Secret, maxKeyFileBytes+1)
	defer text.Wipe()
	n, err := io.ReadFull(f, text)
	if err == nil {
		return nil, &FileError{Path: path, Problem: fmt.Sprintf("longer than %d bytes: not a root key file", maxKeyFileBytes)}
	}
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, &FileError{Path: path, Problem: "cannot be read", Err: err}
	}
	key, problem, fix := parseKeyFile(text[:n])
	if problem != "" {
		return nil, &FileError{Path: path, Problem: problem, Fix: fix}
	}
	return key, nil
}

// checkFile refuses what is not a regular file, what others than its owner may use, and what belongs to somebody else.
func checkFile(path string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return &FileError{Path: path, Problem: "not a regular file"}
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return &FileError{Path: path, Problem: fmt.Sprintf("others than its owner may use it (mode %04o)", mode), Fix: "run `chmod 0600 " + path + "`, and make a new key if anyone may have read it"}
	}
	if uid, foreign := foreignOwner(info); foreign {
		return &FileError{Path: path, Problem: fmt.Sprintf("belongs to another user (uid %d), who may use it", uid), Fix: fmt.Sprintf("it has to belong to the user of this process (uid %d) or to root; make a new key if that user may have read it", os.Geteuid())}
	}
	return nil
}

// writeNew writes a file that appears whole, under a name that must be free.
func writeNew(path string, text []byte) (err error) {
	fail := func(problem, fix string, err error) error {
		return &FileError{Path: path, Problem: problem, Fix: fix, Err: err}
	}
	if _, err := os.Lstat(path); err == nil {
		return fail("exists already", "it is never overwritten: take another path, or move it away if no region needs it", fs.ErrExist)
	}
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".root-key-*") // mode 0600
	if err != nil {
		return fail("cannot be written", "its directory must exist and be writable", err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := f.Chmod(0o600); err != nil {
		return fail("cannot be given mode 0600", "", err)
	}
	if _, err := f.Write(text); err != nil {
		return fail("cannot be written", "", err)
	}
	if err := syncFile(f); err != nil {
		return fail("cannot be written to disk", "", err)
	}
	// A link, unlike a rename, fails if the name was taken meanwhile.
	if err := os.Link(f.Name(), path); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return fail("exists already", "it is never overwritten: take another path, or move it away if no region needs it", fs.ErrExist)
		}
		return fail("cannot be given its name", "the file system must know hard links", err)
	}
	return syncDir(dir)
}

// syncFile is a seam for tests, which want to know what is synced, and when.
var syncFile = (*os.File).Sync

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return syncFile(d)
}
