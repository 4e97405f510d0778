package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"meridian/crypto"
)

// messageFlags say what is signed: a message, which is digested here, or a digest.
type messageFlags struct{ in, digest, digestFile string }

func (f *messageFlags) addTo(c *cobra.Command) {
	fl := c.Flags()
	fl.StringVar(&f.in, "in", "", "read the message from this `FILE` (default, and -: stdin)")
	fl.StringVar(&f.digest, "digest", "", "its digest in `HEX` instead of the message")
	fl.StringVar(&f.digestFile, "digest-file", "", "`FILE` with its digest: 32 bytes, or hex as sha256sum writes it")
}

// fromStdin says that the message is to come from there.
func (f *messageFlags) fromStdin() bool {
	return f.digest == "" && f.digestFile == "" && (f.in == "" || f.in == "-")
}

// given is the digest that the flags give; nil where there is a message.
func (f *messageFlags) given() ([]byte, error) {
	switch {
	case f.in != "" && (f.digest != "" || f.digestFile != ""), f.digest != "" && f.digestFile != "":
		return nil, usageError("--in, --digest and --digest-file exclude each other")
	case f.digest != "":
		return parseDigest("--digest", []byte(f.digest))
	case f.digestFile != "":
		data, err := readSmall("--digest-file", f.digestFile)
		if err != nil {
			return nil, err
		}
		// A shorter digest in hex may be as long: MD5 has 32 digits.
		if len(data) == crypto.DigestBytes && !isHex(data) {
			return data, nil
		}
		first, _, _ := bytes.Cut(bytes.TrimSpace(data), []byte(" "))
		return parseDigest("--digest-file", first)
	}
	return nil, nil
}

func isHex(text []byte) bool {
	_, err := hex.DecodeString(string(text))
	return err == nil
}

func parseDigest(flag string, text []byte) ([]byte, error) {
	digest, err := hex.DecodeString(string(text))
	switch {
	case err != nil:
		return nil, usageError("%s: want a digest of %d bytes in hex", flag, crypto.DigestBytes)
	case len(digest) != crypto.DigestBytes:
		return nil, usageError("%s: the digest is %d bytes; every algorithm here signs one of %d", flag, len(digest), crypto.DigestBytes)
	}
	return digest, nil
}

// read reads the message, of any length, through the hashes.
func (f *messageFlags) read(s *session, hashes ...hash.Hash) error {
	from := s.in
	if f.in != "" && f.in != "-" {
		file, err := os.Open(f.in)
		if err != nil {
			return usageError("--in: %w", err)
		}
		defer file.Close()
		from = file
	} else if isTerminal(from) {
		s.hint("Type the message; Ctrl-D ends it.")
	}
	var all []io.Writer
	for _, h := range hashes {
		all = append(all, h)
	}
	_, err := io.Copy(io.MultiWriter(all...), from)
	return err
}

// digests are the digests of the message for versions of a key, in their order.
// They are one and the same but for SM2DSA, which signs the public key with it.
func (f *messageFlags) digests(ctx context.Context, s *session, key, scheme string, versions []string) ([][]byte, error) {
	given, err := f.given()
	if err != nil || given != nil {
		return slices.Repeat([][]byte{given}, len(versions)), err
	}
	if scheme != string(crypto.SM2DSA) {
		h := sha256.New()
		err := f.read(s, h)
		return slices.Repeat([][]byte{h.Sum(nil)}, len(versions)), err
	}
	hashes := make([]hash.Hash, len(versions))
	for i, version := range versions {
		if hashes[i], err = s.sm2Hash(ctx, key, version); err != nil {
			return nil, err
		}
	}
	if s.explain {
		return make([][]byte, len(versions)), nil // not known without the public key
	}
	all := make([][]byte, len(versions))
	err = f.read(s, hashes...)
	for i, h := range hashes {
		all[i] = h.Sum(nil)
	}
	return all, err
}

// sm2Hash is the hash of a message that a version of an SM2 key signs; nil under
// --explain-api.
func (s *session) sm2Hash(ctx context.Context, key, version string) (hash.Hash, error) {
	answer, err := s.publicKey(ctx, key, version)
	if err != nil || s.explain {
		return nil, err
	}
	der, err := answer.der()
	if err != nil {
		return nil, err
	}
	public, err := crypto.ParsePublicKey(crypto.AlgorithmSM2, der)
	if err != nil {
		return nil, fmt.Errorf("the answer's public key of version %s: %w", version, err)
	}
	return public.NewHash(crypto.SM2DSA)
}

// digestParam is a digest as the API wants it.
func digestParam(digest []byte) string {
	if digest == nil {
		return told("Digest", "the message: SM3 over Z(A) of PublicKey and the message")
	}
	return base64.StdEncoding.EncodeToString(digest)
}
