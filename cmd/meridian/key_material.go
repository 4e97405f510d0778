package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"meridian/crypto"
)

// materialFormats are the forms in which key material is read.
var materialFormats = []string{"raw", "hex", "base64"}

// materialFlags say where key material comes from.
type materialFlags struct{ in, format string }

func (f *materialFlags) addTo(c *cobra.Command) {
	c.Flags().StringVar(&f.in, "in", "", "read the material from this `FILE` (default, and -: stdin; a terminal is asked, without echo)")
	c.Flags().StringVar(&f.format, "format", "raw", "`FORM` it is in: raw, hex or base64")
	completeFlag(c, "format", materialFormats)
}

// maxMaterialText bounds what is read; no form of any material is so long.
const maxMaterialText = 1024

// read reads material for a key of a spec. It goes through buffers that are wiped.
func (f *materialFlags) read(s *session, spec string) (crypto.Secret, error) {
	want := algorithmOf(spec).MaterialBytes()
	switch {
	case !slices.Contains(materialFormats, f.format):
		return nil, usageError("--format %q: want %s", f.format, orList(materialFormats))
	case want == 0:
		return nil, &exitError{exitFailed, fmt.Errorf("keys of spec %s take no material that this program knows of", spec)}
	}
	text, err := f.readText(s)
	if err != nil {
		return nil, err
	}
	defer text.Wipe()
	material, err := f.decode(text)
	if err != nil {
		return nil, err
	}
	if len(material) == want {
		return material, nil
	}
	defer material.Wipe()
	return nil, usageError("the material is %d bytes; a key of spec %s takes %d%s", len(material), spec, want, f.lengthHint(text, want))
}

// readText reads the material as it is given.
func (f *materialFlags) readText(s *session) (crypto.Secret, error) {
	from := s.in
	switch {
	case f.in != "" && f.in != "-":
		file, err := os.Open(f.in)
		if err != nil {
			return nil, usageError("--in: %w", err)
		}
		defer file.Close()
		from = file
	case isTerminal(s.in) && f.format == "raw":
		return nil, usageError("key material is no text for a terminal; give --in FILE or a pipe, or --format hex or base64")
	case isTerminal(s.in):
		fmt.Fprintf(s.err, "Key material (%s): ", f.format)
		text, err := term.ReadPassword(int(s.in.(*os.File).Fd())) // it is one: a terminal
		fmt.Fprintln(s.err)
		return text, err
	}
	text := make(crypto.Secret, maxMaterialText+1)
	n, err := io.ReadFull(from, text)
	switch {
	case err == nil:
		text.Wipe()
		return nil, usageError("the material is longer than %d bytes", maxMaterialText)
	case !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF):
		text.Wipe()
		return nil, err
	}
	return text[:n], nil
}

// decode turns text into bytes of its own.
func (f *materialFlags) decode(text crypto.Secret) (crypto.Secret, error) {
	bare := crypto.Secret(bytes.TrimSpace(text))
	switch f.format {
	case "raw":
		return append(crypto.Secret(nil), text...), nil
	case "hex":
		material := make(crypto.Secret, hex.DecodedLen(len(bare)))
		if _, err := hex.Decode(material, bare); err != nil {
			material.Wipe()
			return nil, usageError("the material is no hex") // the error of the decoder repeats of it
		}
		return material, nil
	}
	material := make(crypto.Secret, base64.StdEncoding.DecodedLen(len(bare)))
	n, err := base64.StdEncoding.Strict().Decode(material, bare)
	if err != nil {
		material.Wipe()
		return nil, usageError("the material is no Base64")
	}
	return material[:n], nil
}

// lengthHint guesses why raw material has the wrong length.
func (f *materialFlags) lengthHint(text crypto.Secret, want int) string {
	if f.format != "raw" {
		return ""
	}
	for _, format := range []string{"hex", "base64"} {
		other := materialFlags{format: format}
		if material, err := other.decode(text); err == nil {
			n := len(material)
			material.Wipe()
			if n == want {
				return "; is it " + format + "? --format " + format
			}
		}
	}
	if len(text) == want+1 && text[want] == '\n' {
		return "; a line break is behind it"
	}
	return ""
}
