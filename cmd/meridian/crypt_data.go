package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"meridian/crypto"
)

// dataFlags say where the data of a crypto verb comes from and goes to.
type dataFlags struct{ in, out string }

func (f *dataFlags) addTo(c *cobra.Command) {
	f.addInTo(c)
	f.addOutTo(c)
}

func (f *dataFlags) addInTo(c *cobra.Command) {
	c.Flags().StringVar(&f.in, "in", "", "read from this `FILE` (default, and -: stdin)")
}

func (f *dataFlags) addOutTo(c *cobra.Command) {
	c.Flags().StringVar(&f.out, "out", "", "write to this `FILE`, for its owner only (default, and -: stdout)")
}

// read takes the data from the argument, the file or stdin, and refuses more
// than limit bytes and nothing at all.
func (f *dataFlags) read(s *session, arg []string, what string, limit int) ([]byte, error) {
	var data []byte
	switch {
	case len(arg) == 1 && f.in != "":
		return nil, usageError("%s is given twice, as an argument and by --in", what)
	case len(arg) == 1:
		data = []byte(arg[0])
	default:
		var err error
		if data, err = f.readStream(s, what, limit); err != nil {
			return nil, err
		}
	}
	if len(data) > limit {
		return nil, usageError("%s is longer than %d bytes. Encrypt larger data with a data key: meridian datakey", what, limit)
	}
	if len(data) == 0 {
		return nil, usageError("%s is empty", what)
	}
	return data, nil
}

func (f *dataFlags) readStream(s *session, what string, limit int) ([]byte, error) {
	from := s.in
	if f.in != "" && f.in != "-" {
		file, err := os.Open(f.in)
		if err != nil {
			return nil, usageError("--in: %w", err)
		}
		defer file.Close()
		from = file
	} else if isTerminal(from) {
		s.hint("Type %s; Ctrl-D ends it.", what)
	}
	return io.ReadAll(io.LimitReader(from, int64(limit)+1))
}

// readBlob reads a ciphertext, Base64 or bytes.
func (f *dataFlags) readBlob(s *session, arg []string) ([]byte, error) {
	data, err := f.read(s, arg, "the ciphertext", base64.StdEncoding.EncodedLen(crypto.MaxBlobBytes)+1024)
	if err != nil {
		return nil, err
	}
	return blobOf(data)
}

// blobOf is the ciphertext in data: the bytes, where it is Base64, blanks and
// line breaks apart, what that stands for. A ciphertext of a region begins with
// a byte that no Base64 has; text that is no Base64 is none.
func blobOf(data []byte) ([]byte, error) {
	text := strings.Join(strings.Fields(string(data)), "")
	blob, err := base64.StdEncoding.Strict().DecodeString(text)
	switch {
	case err == nil && len(blob) > 0:
		return blob, nil
	case isText(data):
		return nil, usageError("the ciphertext is no Base64: %s. Wanted is what meridian encrypt wrote, or the CiphertextBlob of an answer", notBase64(text))
	}
	return data, nil
}

// isText says that data is characters that a terminal shows.
func isText(data []byte) bool {
	return utf8.Valid(data) && !bytes.ContainsFunc(data, func(r rune) bool { return !unicode.IsPrint(r) && !unicode.IsSpace(r) })
}

// notBase64 says why text is none, without showing it: it may be a plaintext.
func notBase64(text string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	bare := strings.TrimRight(text, "=")
	at := strings.IndexFunc(bare, func(r rune) bool { return !strings.ContainsRune(alphabet, r) })
	switch {
	case text == "":
		return "there are only blanks"
	case text[0] == '{':
		return "it looks like JSON, of which only the member with the ciphertext is wanted (jq -r .ciphertext_blob)"
	case at >= 0 && strings.Trim(bare, alphabet+"-_") == "":
		return "it has - or _, as Base64 for URLs has; write + and / for them"
	case at >= 0:
		return fmt.Sprintf("character %d is not of its alphabet", at+1)
	case len(text)%4 != 0:
		return fmt.Sprintf("its %d characters are no multiple of four; was it cut?", len(text))
	}
	return "its end is damaged"
}

// write puts data to --out, atomically, or to stdout.
func (f *dataFlags) write(s *session, data []byte) error {
	return writeTo(f.out, s.out, data)
}

func writeTo(path string, stdout io.Writer, data []byte) error {
	if path == "" || path == "-" {
		_, err := stdout.Write(data)
		return err
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		file, err := os.OpenFile(path, os.O_WRONLY, 0) // a device or a pipe
		if err != nil {
			return err
		}
		_, err = file.Write(data)
		return errors.Join(err, file.Close())
	}
	return renameio.WriteFile(path, data, 0o600, renameio.WithStaticPermissions(0o600))
}

// writeBlob writes a result whose point is a ciphertext.
func (f *dataFlags) writeBlob(s *session, v cryptView, raw bool) error {
	if !s.human() {
		return f.writeValue(s, v)
	}
	return writeEncoded(f.out, s, v.Ciphertext, raw)
}

// writeEncoded writes what came as Base64 so, on a line, or as bytes.
func writeEncoded(path string, s *session, text string, raw bool) error {
	if !raw {
		return writeTo(path, s.out, []byte(text+"\n"))
	}
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return fmt.Errorf("the answer is no Base64: %w", err)
	}
	return writeTo(path, s.out, data)
}

// writePlaintext writes a result whose point is a plaintext.
func (f *dataFlags) writePlaintext(s *session, v cryptView) error {
	if !s.human() {
		return f.writeValue(s, v)
	}
	plaintext, err := base64.StdEncoding.DecodeString(v.Plaintext)
	if err != nil {
		return errors.New("the answer's plaintext is no Base64")
	}
	defer crypto.Secret(plaintext).Wipe()
	if f.out == "" && isTerminal(s.out) && !bytes.HasSuffix(plaintext, []byte("\n")) {
		plaintext = append(plaintext, '\n') // for the prompt
	}
	return f.write(s, plaintext)
}

// writeValue writes a result for programs to --out or stdout.
func (f *dataFlags) writeValue(s *session, v any) error { return f.writeResult(s, v, nil) }

// writeResult writes a result to --out or stdout: v for programs, what table
// writes for people.
func (f *dataFlags) writeResult(s *session, v any, table func(w io.Writer)) error {
	var b bytes.Buffer
	p := *s.printer
	p.out = &b
	if err := p.value(v, table); err != nil {
		return err
	}
	return f.write(s, b.Bytes())
}

func addContextFlag(c *cobra.Command, to *[]string) {
	c.Flags().StringArrayVar(to, "context", nil, "encryption context, `NAME=VALUE`; may be repeated")
}

// addContext adds NAME=VALUE pairs to params as the API wants them.
func addContext(params map[string]string, name string, pairs []string) error {
	if len(pairs) == 0 {
		return nil
	}
	context := map[string]string{}
	for _, pair := range pairs {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return usageError("context %q: want NAME=VALUE", pair)
		}
		if !utf8.ValidString(pair) {
			return usageError("context %q: not UTF-8", pair)
		}
		if _, twice := context[key]; twice {
			return usageError("context: %q is given twice", key)
		}
		context[key] = value
	}
	text, err := json.Marshal(context)
	if err != nil {
		return err
	}
	if _, err := crypto.ParseContext(text); err != nil {
		return usageError("context: %w", err)
	}
	params[name] = string(text)
	return nil
}
