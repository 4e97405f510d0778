package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"meridian/crypto"
)

// SecretRef says where a secret is: file://PATH or env://NAME. It is never the
// secret itself, so it may be shown.
type SecretRef string

// maxSecretBytes bounds a secret's file.
const maxSecretBytes = 64 << 10

func parseSecretRef(text string) (SecretRef, error) {
	if path, ok := strings.CutPrefix(text, "file://"); ok && path != "" {
		return SecretRef(text), nil
	}
	if name, ok := strings.CutPrefix(text, "env://"); ok && name != "" {
		return SecretRef(text), nil
	}
	// The text may be a secret: it is not repeated.
	return "", errors.New("a secret is never written here; point to it with file://PATH or env://NAME")
}

// within makes a relative file reference count from dir.
func (r SecretRef) within(dir string) SecretRef {
	if path, ok := strings.CutPrefix(string(r), "file://"); ok && !filepath.IsAbs(path) {
		return SecretRef("file://" + filepath.Join(dir, path))
	}
	return r
}

// Read returns the secret without the line end behind it. A file must be
// closed to other users. lookup is os.LookupEnv.
func (r SecretRef) Read(lookup func(string) (string, bool)) (crypto.Secret, error) {
	if name, ok := strings.CutPrefix(string(r), "env://"); ok {
		value, set := lookup(name)
		if !set || value == "" {
			return nil, fmt.Errorf("%s: the variable is not set", r)
		}
		return crypto.Secret(value), nil
	}
	path, ok := strings.CutPrefix(string(r), "file://")
	if !ok {
		return nil, errors.New("no secret is given")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if perm := info.Mode().Perm(); perm&0o077 != 0 {
		return nil, fmt.Errorf("%s is open to others (mode %04o): chmod go= %s", path, perm, path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSecretBytes+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxSecretBytes {
		return nil, fmt.Errorf("%s is longer than %d bytes", path, maxSecretBytes)
	}
	text = bytes.TrimRight(text, "\r\n")
	if len(text) == 0 {
		return nil, fmt.Errorf("%s is empty", path)
	}
	return crypto.Secret(text), nil
}
